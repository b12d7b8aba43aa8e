//! `attendant dial`: the line calls a number and talks to whoever answers.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use attendant::call::Ani;
use attendant::channel::gate::Gate;
use attendant::channel::sip::SipServer;
use attendant::config::Config;
use attendant::host::serve::{LineAnswerer, Serving};
use attendant::host::{phone, recorder};
use clap::Args;

use super::show;

/// Call a number; the line talks to whoever answers. Exit code 1 where nobody does.
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: dial_by, dial_allow, dial_hours, sip_user, sip_password. Only numbers that begin as\n\
    dial_allow says are called, and only in dial_hours."
)]
pub(crate) struct DialArgs {
    /// The number
    number: Ani,
}

pub(crate) fn run(config: &Config, args: &DialArgs) -> anyhow::Result<ExitCode> {
    let outbound = phone::Outbound::from_settings(config)?;
    let now = attendant::host::local_time();
    let minute =
        u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).context("no time of day")?;
    let uri = outbound.uri(&args.number, minute)?;
    let agents = phone::Agents::from_settings(config)?;
    let mut sip = phone::sip_settings(config)?.context("SIP is switched off: set sip_listen")?;
    // A line that serves on this machine has the port.
    sip.udp.set_port(0);
    (sip.tcp, sip.tls, sip.registrar) = (None, None, None);
    let line = Arc::new(show::open_line(config)?);
    let gate = Gate::new(phone::limits(config)?);
    let recordings = recorder::from_settings(config, &line)?;
    let mut answerer = LineAnswerer::new(line, Arc::clone(&gate));
    if let Some(recordings) = &recordings {
        answerer = answerer.recording(recordings.clone());
    }
    let serving = Serving::new(Arc::new(answerer), gate);
    serving.gate().close();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (dialer, running) = runtime.block_on(async {
        let server =
            SipServer::bind(sip, Arc::clone(serving.gate()), phone::taker(&serving, agents.clone())).await?;
        let dialer = server.dialer();
        anyhow::Ok((dialer, tokio::spawn(server.run())))
    })?;
    let code = match runtime.block_on(dialer.dial(&uri, outbound.patience)) {
        Ok(call) => {
            phone::hold(&serving, &agents, args.number.clone(), call);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            anstream::eprintln!("nobody answered: {fault}");
            ExitCode::from(1)
        }
    };
    // The last BYE is on its way.
    runtime.block_on(async { tokio::time::sleep(std::time::Duration::from_millis(300)).await });
    running.abort();
    if let Some(recordings) = recordings {
        recordings.recorder.close();
    }
    Ok(code)
}
