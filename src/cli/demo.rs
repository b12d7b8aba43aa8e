//! `attendant demo`: three recorded callers, one after another, through the whole line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use attendant::audio::Law;
use attendant::channel::wav::{self, StereoWriter};
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::conversation::script::Script;
use attendant::host::caller::{ScriptedCaller, cues};
use attendant::host::callers::CallerVoice;
use attendant::host::engines::{MeasuredEngines, RealTimeEngines};
use attendant::host::line::Line;
use attendant::host::log::{CallLog, Entry, percentile};
use attendant::host::session::{Arrival, Session};
use clap::Args;
use serde::Deserialize;

use super::show;

/// Three recorded callers ring the demo shop's line.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// As fast as the machine computes, on the call's own clock, instead of in real time
    #[arg(long)]
    fast: bool,
    /// Print one JSON object instead of the timelines
    #[arg(long)]
    json: bool,
    /// Where the stereo recordings go (caller left, line right)
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    out: PathBuf,
    /// Record the callers anew, in the voices of audio/callers/callers.toml, and stop
    #[arg(long)]
    record_callers: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallersFile {
    caller: Vec<CallerSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerSpec {
    name: String,
    title: String,
    engine: String,
    stretch: f32,
    ends: attendant::call::Disposition,
    intent: attendant::call::IntentName,
}

pub(crate) fn run(config: &Config, args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let folder = config.path("audio").join("callers");
    let list = folder.join("callers.toml");
    let text = std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let callers: CallersFile = toml::from_str(&text).with_context(|| list.display().to_string())?;
    if args.record_callers {
        for caller in &callers.caller {
            record(&folder, caller)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let line = Arc::new(show::open_line(config)?);
    let mut delays = Vec::new();
    let mut reached = 0;
    let mut calls = Vec::new();
    for caller in &callers.caller {
        if !args.json {
            anstream::println!("\n{}{}{}", show::HEAD.render(), caller.title, show::HEAD.render_reset());
        }
        let (right, own) = take_call(&line, &folder, caller, args)?;
        reached += usize::from(right);
        calls.push(serde_json::json!({ "name": caller.name, "success": right }));
        delays.extend(own);
    }
    let (p50, p95) = (percentile(&delays, 50).as_millis(), percentile(&delays, 95).as_millis());
    let all = reached == callers.caller.len();
    if args.json {
        let delay_ms = serde_json::json!({ "p50": p50, "p95": p95 });
        anstream::println!("{}", serde_json::json!({ "calls": calls, "success": all, "delay_ms": delay_ms }));
    } else {
        let style = if all { show::GOOD } else { show::BAD };
        anstream::println!(
            "\n{}{reached} of {} calls came to the right end.{} From the end of speech to the answer: \
             p50 {p50} ms, p95 {p95} ms over {} answers.\nRecordings (caller left, line right): {}",
            style.render(),
            callers.caller.len(),
            style.render_reset(),
            delays.len(),
            args.out.display()
        );
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn script(folder: &Path, caller: &CallerSpec) -> anyhow::Result<Script> {
    let path = folder.join(format!("{}.call", caller.name));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Script::parse(&path.display().to_string(), &text)?)
}

fn clip(folder: &Path, caller: &CallerSpec, n: usize) -> PathBuf {
    folder.join(&caller.name).join(format!("{n:02}.wav"))
}

/// Speaks a caller's sentences into files.
fn record(folder: &Path, caller: &CallerSpec) -> anyhow::Result<()> {
    let voice = CallerVoice::open(&caller.engine, caller.stretch, Law::Mu, None, 1)?;
    std::fs::create_dir_all(folder.join(&caller.name))?;
    cues(&script(folder, caller)?, |n, text| -> anyhow::Result<Vec<i16>> {
        let pcm = voice.say(text)?;
        let path = clip(folder, caller, n);
        wav::write(&path, &pcm)?;
        anstream::println!("{}", path.display());
        Ok(pcm)
    })?;
    Ok(())
}

/// Plays one caller. Whether the call came to the right end, and its delays.
fn take_call(
    line: &Arc<Line>,
    folder: &Path,
    caller: &CallerSpec,
    args: &DemoArgs,
) -> anyhow::Result<(bool, Vec<Duration>)> {
    let script = script(folder, caller)?;
    let cues = cues(&script, |n, _| wav::read(&clip(folder, caller, n)))?;
    let mut channel = ScriptedCaller::new(cues, Vec::new());
    let recorder = StereoWriter::create(&args.out.join(format!("{}.wav", caller.name)))?;
    let mut watch = |entry: &Entry| {
        if !args.json {
            show::entry(entry);
        }
    };
    let mut log = CallLog::new(Some(recorder), &mut watch);
    let arrival = Arrival {
        id: format!("demo-{}", attendant::host::unique()).parse()?,
        ani: script.ani.clone(),
        dnis: script.dnis.clone(),
        keypad_only: false,
    };
    let conversation = Conversation::new(line.live.current()).anonymous();
    let record = if args.fast {
        let mut engines = MeasuredEngines::new(line);
        Session::new(conversation, &mut engines, &mut log).run(arrival, &mut channel, false)
    } else {
        let mut engines = RealTimeEngines::new(Arc::clone(line), false).pretending_an_agent();
        Session::new(conversation, &mut engines, &mut log).run(arrival, &mut channel, true)
    };
    let (_, delays) = log.finish();
    let right =
        record.is_some_and(|r| r.disposition == caller.ends && r.intent.as_ref() == Some(&caller.intent));
    Ok((right, delays))
}
