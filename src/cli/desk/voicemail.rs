//! `attendant desk voicemail`: messages that callers left.

use std::process::ExitCode;

use attendant::config::Config;
use attendant::store::KeptVoicemail;
use clap::Args;

use super::super::calls::kept_store;
use super::super::recordings::SaveArgs;
use super::super::show;

/// Messages that callers left, oldest first.
#[derive(Debug, Args)]
pub(crate) struct VoicemailArgs {
    #[command(flatten)]
    save: SaveArgs,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &VoicemailArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let messages = runtime.block_on(store.voicemails())?;
    let files = messages.iter().map(|m| (&m.call, m.file.as_str()));
    if args.save.run(&runtime, &store, "message", files)? {
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        let object = |m: &KeptVoicemail| {
            serde_json::json!({
                "call": m.call, "queue": m.queue, "from": m.ani, "at": m.at.to_string(),
                "seconds": m.duration.as_secs_f64(), "file": m.file, "sha256": m.sha256,
                "transcript": m.transcript.as_ref().map(|text| text.expose()),
            })
        };
        let all: Vec<_> = messages.iter().map(object).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for message in &messages {
        anstream::println!(
            "{}{}{} from {} queue={} {:.0} s {} call={}",
            show::HEAD.render(),
            message.at,
            show::HEAD.render_reset(),
            message.ani.as_ref().map_or("withheld", |ani| ani.expose()),
            message.queue,
            message.duration.as_secs_f64(),
            message.file,
            message.call
        );
        if let Some(text) = &message.transcript {
            anstream::println!("  {}", text.expose());
        }
    }
    Ok(ExitCode::SUCCESS)
}
