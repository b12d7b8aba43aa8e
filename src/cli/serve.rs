//! `attendant serve`: the line, open to telephones.

use std::process::ExitCode;
use std::sync::Arc;

use attendant::channel::gate::Gate;
use attendant::channel::sip::SipServer;
use attendant::channel::streams::StreamServer;
use attendant::config::Config;
use attendant::host::serve::{LineAnswerer, Serving};
use attendant::host::{phone, streams};
use clap::Args;

use super::show;

/// Answer telephones, by SIP and by providers' streams, until told to stop (Ctrl-C or SIGTERM: no new calls,
/// then the end of those that go on; a second time: at once).
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: sip_*, rtp_*, calls_*, streams_*, audiosocket_listen; see `attendant config show` and\n\
    docs/telephony.md.\n\
    Changes in intents/ take effect with the next call; a mistake keeps the old flow and is logged."
)]
pub(crate) struct ServeArgs {
    /// Log as JSON, one object a line, on standard error
    #[arg(long)]
    pub(super) json: bool,
}

pub(crate) fn run(config: &Config, args: &ServeArgs) -> anyhow::Result<ExitCode> {
    // All settings are judged before the models are waited for.
    let limits = phone::limits(config)?;
    let patience = phone::drain_patience(config)?;
    let (sip, stream) = (phone::sip_settings(config)?, streams::stream_settings(config)?);
    if sip.is_none() && stream.is_none() {
        anyhow::bail!(
            "nothing to listen on: set sip_listen to an address like 0.0.0.0:5060, or streams_listen or \
            audiosocket_listen"
        );
    }
    let agents = phone::Agents::from_settings(config)?;
    let line = Arc::new(show::open_line(config)?);
    let gate = Gate::new(limits);
    let serving = Serving::new(Arc::new(LineAnswerer::new(line, Arc::clone(&gate))), gate);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("signalling")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut running = Vec::new();
        if let Some(sip) = sip {
            let take = phone::taker(&serving, agents);
            let server = SipServer::bind(sip, Arc::clone(serving.gate()), take).await?;
            tell(args, "SIP (UDP)", server.address());
            running.push(tokio::spawn(server.run()));
        }
        if let Some(stream) = stream {
            let take = streams::taker(&serving);
            let server = StreamServer::bind(stream, Arc::clone(serving.gate()), take).await?;
            let listeners =
                [("streams (HTTP)", server.http_address()), ("AudioSocket", server.audiosocket_address())];
            for (what, address) in listeners {
                address.into_iter().for_each(|address| tell(args, what, address));
            }
            running.push(tokio::spawn(server.run()));
        }
        if !args.json {
            anstream::println!("Ctrl-C stops the line.");
        }
        asked_to_stop().await?;
        let drained = {
            let serving = Arc::clone(&serving);
            tokio::task::spawn_blocking(move || serving.drain(patience))
        };
        tokio::select! {
            _ = drained => {}
            asked = asked_to_stop() => {
                asked?;
                serving.drain(std::time::Duration::ZERO);
            }
        }
        // The last BYEs are on their way.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        running.iter().for_each(tokio::task::JoinHandle::abort);
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tell(args: &ServeArgs, what: &str, address: std::net::SocketAddr) {
    tracing::info!(%address, what, "listening");
    if !args.json {
        anstream::println!("Listening for {what} on {address}.");
    }
}

/// SIGINT or SIGTERM.
async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
