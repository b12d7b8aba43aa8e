//! `attendant serve`: the line, open to telephones.

use std::process::ExitCode;
use std::sync::Arc;

use attendant::channel::gate::Gate;
use attendant::channel::sip::SipServer;
use attendant::config::Config;
use attendant::host::phone;
use attendant::host::serve::{LineAnswerer, Serving};
use clap::Args;

use super::show;

/// Answer telephones by SIP until told to stop (Ctrl-C or SIGTERM: no new calls, then the end of those that
/// go on; a second time: at once).
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: sip_*, rtp_*, calls_*; see `attendant config show` and docs/telephony.md.\n\
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
    let Some(sip) = phone::sip_settings(config)? else {
        anyhow::bail!("nothing to listen on: set sip_listen to an address like 0.0.0.0:5060");
    };
    let agents = phone::Agents::from_settings(config)?;
    let line = Arc::new(show::open_line(config)?);
    let serving = Serving::new(Arc::new(LineAnswerer::new(line)), Gate::new(limits));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("signalling")
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = SipServer::bind(sip, Arc::clone(serving.gate()), phone::taker(&serving, agents)).await?;
        let address = server.address();
        tracing::info!(%address, "SIP by UDP");
        if !args.json {
            anstream::println!("Listening for SIP on {address} (UDP). Ctrl-C stops the line.");
        }
        let running = tokio::spawn(server.run());
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
        running.abort();
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
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
