//! `attendant serve`: the line, open to telephones.

use std::process::ExitCode;
use std::sync::Arc;

use attendant::channel::gate::Gate;
use attendant::channel::sip::{Dialer, SipServer};
use attendant::channel::streams::StreamServer;
use attendant::config::Config;
use attendant::host::desk::DeskHost;
use attendant::host::desk::api::{self, Api};
use attendant::host::desk::book::Book;
use attendant::host::desk::callbacks::{Callbacks, Keeping};
use attendant::host::line::{Line, VOICEMAIL, read_desk};
use attendant::host::metrics::Metrics;
use attendant::host::outbox::{self, Mailer, Outbox, Telling};
use attendant::host::serve::{LineAnswerer, Serving};
use attendant::host::transcribe::Transcriber;
use attendant::host::{metrics, phone, recorder, streams, traces};
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
    let (scraped_at, screens) = (metrics::address(config)?, api::settings(config)?);
    if sip.is_none() && stream.is_none() {
        anyhow::bail!(
            "nothing to listen on: set sip_listen to an address like 0.0.0.0:5060, or streams_listen or \
            audiosocket_listen"
        );
    }
    let agents = phone::Agents::from_settings(config)?;
    let outbound = phone::Outbound::from_settings(config)?;
    let mailer = outbox::mailer(config, &read_desk(&config.path("intents"))?)?;
    let line = Arc::new(show::open_line(config)?);
    let telling = tell_news(config, &line, mailer)?;
    let desk = AtDesk::open(config, &line)?;
    let agents = match &desk {
        Some(desk) => agents.at_desk(Arc::clone(&desk.host)),
        None => agents,
    };
    let (gate, counted) = (Gate::new(limits), Arc::<Metrics>::default());
    let recordings = recorder::from_settings(config, &line)?;
    let mut answerer = LineAnswerer::new(Arc::clone(&line), Arc::clone(&gate)).counted_by(&counted);
    if let Some(recordings) = &recordings {
        answerer = answerer.recording(recordings.clone());
    }
    let serving = Serving::counted(Arc::new(answerer), gate, counted);
    if let Some(desk) = &desk {
        desk.host.counted_by(serving.metrics());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("signalling")
        .enable_all()
        .build()?;
    let traces = traces::Traces::open(config)?.map(Arc::new);
    if let Some(traces) = traces.clone() {
        serving.traced_by(Box::new(move |record, began| traces.call(record, began)));
    }
    let mut callbacks = None;
    runtime.block_on(async {
        let (mut running, mut telephones) = (Vec::new(), None);
        if let Some(sip) = sip {
            let take = phone::taker(&serving, agents.clone());
            let server = SipServer::bind(sip, Arc::clone(serving.gate()), take).await?;
            tell(args, "SIP (UDP)", server.address());
            if let Some(desk) = &desk {
                callbacks =
                    desk.call_back(config, &line, server.dialer(), outbound, agents.clone(), &serving)?;
            }
            telephones = Some((server.stopper(), tokio::spawn(server.run())));
        }
        if let Some(stream) = stream {
            let take = streams::taker(&serving, agents);
            let server = StreamServer::bind(stream, Arc::clone(serving.gate()), take).await?;
            let listeners =
                [("streams (HTTP)", server.http_address()), ("AudioSocket", server.audiosocket_address())];
            for (what, address) in listeners {
                address.into_iter().for_each(|address| tell(args, what, address));
            }
            running.push(tokio::spawn(server.run()));
        }
        if let Some(address) = scraped_at {
            let (address, scraped) = metrics::listen(address, &serving).await?;
            tell(args, "Prometheus (/metrics)", address);
            running.push(tokio::spawn(scraped));
        }
        if let Some((address, token)) = screens {
            let (store, plan) = (Arc::clone(&line.store), Arc::clone(&line.desk));
            let api = Api { store, runtime: line.runtime.handle().clone(), plan, token };
            let (address, served) = api.listen(address).await?;
            tell(args, "agents' screens (HTTP)", address);
            running.push(tokio::spawn(served));
        }
        if !args.json {
            anstream::println!("Ctrl-C stops the line.");
        }
        asked_to_stop().await?;
        // Nobody is called back any more; who is on the line with an agent already stays.
        let callbacks = callbacks.take();
        let let_go = tokio::task::spawn_blocking(move || drop(callbacks));
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
        let _ = let_go.await;
        // The last BYEs are on their way.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if let Some((stop, ended)) = telephones {
            // The registrar hears of it, within two seconds.
            stop();
            let _ = ended.await;
        }
        running.iter().for_each(tokio::task::JoinHandle::abort);
        anyhow::Ok(())
    })?;
    if let Some(desk) = desk {
        desk.close();
    }
    if let Some(recordings) = recordings {
        recordings.recorder.close();
    }
    drop(telling);
    if let Some(traces) = traces {
        traces.close();
    }
    Ok(ExitCode::SUCCESS)
}

/// Who this process is among several.
fn node_name(config: &Config) -> String {
    match config.get("node") {
        "" => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map_or_else(|_| "here".to_owned(), |name| name.trim().to_owned()),
        name => name.to_owned(),
    }
}

/// Tells whom `desk.toml` names of calls and messages, where it names anybody.
fn tell_news(config: &Config, line: &Line, mailer: Option<Mailer>) -> anyhow::Result<Option<Telling>> {
    if line.desk.notify.is_empty() {
        return Ok(None);
    }
    let outbox = Outbox {
        store: Arc::clone(&line.store),
        runtime: line.runtime.handle().clone(),
        // Two of one name do not settle each other's claims.
        node: format!("{}-{}", node_name(config), attendant::host::unique()),
        plan: Arc::clone(&line.desk),
        mailer,
    };
    Ok(Some(outbox.open()?))
}

/// The desk of a line that has agents, and the thread that writes for it.
struct AtDesk {
    host: Arc<DeskHost>,
    book: std::thread::JoinHandle<()>,
    node: String,
}

impl AtDesk {
    /// `None` where `intents/desk.toml` declares no agents: then the setting `agents` says who is rung.
    fn open(config: &Config, line: &Arc<Line>) -> anyhow::Result<Option<AtDesk>> {
        if line.desk.agents.is_empty() {
            return Ok(None);
        }
        let name = node_name(config);
        // Where others share the store, each life of a node is one of its own: two of the same name do not mistake each
        // other's callers for their own.
        let (node, (host, notes)) = if line.store.is_shared() {
            let node = format!("{name}-{}", attendant::host::unique());
            (node, DeskHost::open_shared(Arc::clone(&line.desk)))
        } else {
            (name, DeskHost::open(Arc::clone(&line.desk)))
        };
        let book = Book {
            store: Arc::clone(&line.store),
            runtime: line.runtime.handle().clone(),
            node: node.clone(),
            plan: Arc::clone(&line.desk),
            messages: config.path("state").join(VOICEMAIL),
            ear: Some(Box::new(Transcriber::open(Arc::clone(line))?)),
        };
        let book = book.open(notes, host.door())?;
        Ok(Some(AtDesk { host, book, node }))
    }

    /// Keeps promises to call back, where the settings say how anybody is called.
    fn call_back(
        &self,
        config: &Config,
        line: &Line,
        dialer: Dialer,
        outbound: phone::Outbound,
        agents: phone::Agents,
        serving: &Arc<Serving>,
    ) -> anyhow::Result<Option<Keeping>> {
        if config.get("dial_by").is_empty() {
            tracing::info!("nobody is called back by the line: dial_by says no way; see docs/desk.md");
            return Ok(None);
        }
        let callbacks = Callbacks {
            store: Arc::clone(&line.store),
            runtime: line.runtime.handle().clone(),
            signalling: tokio::runtime::Handle::current(),
            dialer,
            outbound,
            agents,
            desk: Arc::clone(&self.host),
            serving: Arc::clone(serving),
            node: self.node.clone(),
        };
        Ok(Some(callbacks.keep()?))
    }

    /// The last steps are written.
    fn close(self) {
        self.host.close();
        // A thread that panicked has said so.
        let _ = self.book.join();
    }
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
