//! `attendant recordings`: what was recorded of calls.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::call::CallId;
use attendant::config::Config;
use attendant::store::{KeptRecording, Store};
use clap::Args;
use jiff::Timestamp;

use super::calls::kept_store;
use super::show;

/// Recordings of calls, oldest first: FLAC, the caller left, the line right.
#[derive(Debug, Args)]
pub(crate) struct RecordingsArgs {
    #[command(flatten)]
    save: SaveArgs,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Sound, opened and put somewhere else.
#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// Open the sound of this call, with a key of the setting seal_keys where it is sealed
    #[arg(long, value_name = "CALL", requires = "out")]
    save: Option<CallId>,
    /// Where --save puts it, as FLAC
    #[arg(long, value_name = "FILE", requires = "save")]
    out: Option<PathBuf>,
}

impl SaveArgs {
    /// Saves the sound of the call that is wanted, and notes it in the trail; false where none is. `files` gives each
    /// call's file, of which `what` says what it is.
    pub(crate) fn run<'a>(
        &self,
        runtime: &tokio::runtime::Runtime,
        store: &Store,
        what: &str,
        mut files: impl Iterator<Item = (&'a CallId, &'a str)>,
    ) -> anyhow::Result<bool> {
        let Some((call, out)) = self.save.as_ref().zip(self.out.as_deref()) else { return Ok(false) };
        let found = files.find(|(of, _)| *of == call);
        let (_, file) = found.with_context(|| format!("there is no {what} of call '{call}'"))?;
        store.seal().save(Path::new(file), out)?;
        let opened = format!("open {what}");
        runtime.block_on(store.audit("command line", &opened, call.as_str(), Timestamp::now()))?;
        Ok(true)
    }
}

pub(crate) fn run(config: &Config, args: &RecordingsArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let recordings = runtime.block_on(store.recordings())?;
    let files = recordings.iter().map(|r| (&r.call, r.file.as_str()));
    if args.save.run(&runtime, &store, "recording", files)? {
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        let object = |r: &KeptRecording| {
            serde_json::json!({
                "call": r.call, "from": r.ani, "at": time(r), "seconds": r.duration_ms as f64 / 1_000.0,
                "file": r.file, "sealed_to": r.sealed_to,
            })
        };
        let all: Vec<_> = recordings.iter().map(object).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for r in &recordings {
        anstream::println!(
            "{}{}{} from {} {:.0} s {} {} call={}",
            show::HEAD.render(),
            time(r),
            show::HEAD.render_reset(),
            r.ani.as_ref().map_or("withheld", |ani| ani.expose()),
            r.duration_ms as f64 / 1_000.0,
            r.file,
            if r.sealed_to.is_empty() { "open" } else { "sealed" },
            r.call
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn time(recording: &KeptRecording) -> String {
    Timestamp::from_millisecond(recording.at_unix_ms).unwrap_or_default().to_string()
}
