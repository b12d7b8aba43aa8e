//! `attendant call`: one call by microphone, from a file, typed, or from a script.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use attendant::audio::Law;
use attendant::call::{Ani, CallRecord, Dnis};
use attendant::channel::wav::{self, StereoWriter};
use attendant::config::Config;
use attendant::conversation::Conversation;
use attendant::conversation::script::{self, Script};
use attendant::dialogue::Flow;
use attendant::host::caller::{Cue, Part, ScriptedCaller, cues};
use attendant::host::callers::CallerVoice;
use attendant::host::engines::MeasuredEngines;
use attendant::host::line::{Line, read_sources};
use attendant::host::log::{CallLog, Entry};
use attendant::host::session::{Arrival, Channel, Engines, Session};
use attendant::host::text::{TextCaller, TextEngines, Typed};
use clap::Args;

use super::show;

/// Take one call: by microphone, from a WAV file, typed, or from a script.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    way: Way,
    /// The caller's number [default: withheld]
    #[arg(long)]
    ani: Option<Ani>,
    /// The number dialled
    #[arg(long)]
    dnis: Option<Dnis>,
    /// Keep a stereo recording (caller left, line right)
    #[arg(long, value_name = "WAV")]
    out: Option<PathBuf>,
    /// With --text: also why the line decides what it does
    #[arg(long)]
    explain: bool,
    /// With --script: as sound, in this voice, instead of at text level
    #[arg(long, value_name = "VOICE")]
    voice: Option<String>,
    /// With --mic: you wear a headset, so that the line may listen while it speaks
    #[arg(long)]
    headset: bool,
    /// With --mic: microphone, by a part of its name
    #[arg(long, value_name = "NAME")]
    input: Option<String>,
    /// With --mic: loudspeaker, by a part of its name
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// With --mic: list the devices and stop
    #[arg(long)]
    list_devices: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Way {
    /// Speak into a microphone
    #[arg(long)]
    mic: bool,
    /// A recorded caller, from the first sample on
    #[arg(long, value_name = "FILE")]
    wav: Option<PathBuf>,
    /// Type; `/keys 12#` presses keys, an empty line is silence, `/hangup` hangs up
    #[arg(long)]
    text: bool,
    /// Play a .call script
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

pub(crate) fn run(config: &Config, args: &CallArgs) -> anyhow::Result<ExitCode> {
    if args.way.mic {
        return microphone(config, args);
    }
    if let Some(path) = &args.way.script {
        return match &args.voice {
            None => script_as_text(config, path),
            Some(voice) => script_as_sound(config, args, path, voice),
        };
    }
    if let Some(path) = &args.way.wav {
        return recording(config, args, path);
    }
    typed(config, args)
}

fn arrival(args: &CallArgs, ani: Option<Ani>, dnis: Option<Dnis>) -> anyhow::Result<Arrival> {
    let id = format!("call-{}", attendant::host::unique()).parse()?;
    Ok(Arrival { id, ani: args.ani.clone().or(ani), dnis: args.dnis.clone().or(dnis), keypad_only: false })
}

/// Drives a call to its end with its timeline on standard output.
fn drive(
    line: &Line,
    args: &CallArgs,
    arrival: Arrival,
    engines: &mut dyn Engines,
    channel: &mut dyn Channel,
    watch: &mut dyn FnMut(&Entry),
    real_time: bool,
) -> anyhow::Result<Option<CallRecord>> {
    let recorder = args.out.as_deref().map(StereoWriter::create).transpose()?;
    let mut log = CallLog::new(recorder, watch);
    let conversation = Conversation::new(line.live.current()).at(attendant::host::local_time());
    let record = Session::new(conversation, engines, &mut log).run(arrival, channel, real_time);
    log.finish();
    Ok(record)
}

fn typed(config: &Config, args: &CallArgs) -> anyhow::Result<ExitCode> {
    let line = show::open_line(config)?;
    let interactive = std::io::stdin().is_terminal();
    let mut lines = std::io::stdin().lock().lines();
    let mut source = || loop {
        if interactive {
            anstream::print!("you: ");
            let _ = std::io::stdout().flush();
        }
        let text = lines.next()?.ok()?;
        match Typed::parse(&text) {
            Ok(typed) => return Some(typed),
            Err(error) => anstream::eprintln!("{error}"),
        }
    };
    let (mut caller, said) = TextCaller::new(&mut source);
    let mut engines = TextEngines::new(MeasuredEngines::new(&line), said);
    let mut watch = |entry: &Entry| match entry.text.strip_prefix("say ") {
        _ if args.explain => show::entry(entry),
        Some(words) => anstream::println!("line: {}", words.split_once(": ").map_or(words, |(_, w)| w)),
        None if entry.text.starts_with("transfer ") => anstream::println!("      ({})", entry.text),
        None => {}
    };
    let arrival = arrival(args, None, None)?;
    drive(&line, args, arrival, &mut engines, &mut caller, &mut watch, false)?;
    Ok(ExitCode::SUCCESS)
}

fn recording(config: &Config, args: &CallArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let pcm = wav::read(path)?;
    let line = show::open_line(config)?;
    // A recording does not wait for the line: it begins when the line picks up.
    let whole = Cue { barge: Some(std::time::Duration::ZERO), part: Part::Speech { pcm, text: None } };
    let silence = Cue { barge: None, part: Part::Other(vec![0; 16_000 * 8]) };
    let hang_up = Cue { barge: None, part: Part::HangUp };
    let mut caller = ScriptedCaller::new(vec![whole, silence, hang_up], Vec::new());
    let mut engines = MeasuredEngines::new(&line);
    let arrival = arrival(args, None, None)?;
    drive(&line, args, arrival, &mut engines, &mut caller, &mut show::entry, false)?;
    Ok(ExitCode::SUCCESS)
}

fn read_script(path: &Path) -> anyhow::Result<Script> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Script::parse(&path.display().to_string(), &text)?)
}

fn script_as_text(config: &Config, path: &Path) -> anyhow::Result<ExitCode> {
    let script = read_script(path)?;
    let flow = Arc::new(Flow::parse(&read_sources(&config.path("intents"))?)?);
    anstream::print!("{}", script::run(&flow, &script).timeline);
    Ok(ExitCode::SUCCESS)
}

fn script_as_sound(config: &Config, args: &CallArgs, path: &Path, voice: &str) -> anyhow::Result<ExitCode> {
    let script = read_script(path)?;
    let voice = CallerVoice::open(voice, 1.0, Law::Mu, None, 1)?;
    let cues = cues(&script, |_, text| voice.say(text))?;
    let line = show::open_line(config)?;
    let mut caller = ScriptedCaller::new(cues, Vec::new());
    let mut engines = MeasuredEngines::new(&line);
    let arrival = arrival(args, script.ani.clone(), script.dnis.clone())?;
    drive(&line, args, arrival, &mut engines, &mut caller, &mut show::entry, false)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "mic"))]
fn microphone(_config: &Config, _args: &CallArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("this build has no microphone: build with the feature 'mic' (needs libasound2-dev)")
}

#[cfg(feature = "mic")]
fn microphone(config: &Config, args: &CallArgs) -> anyhow::Result<ExitCode> {
    use attendant::channel::mic::{MicChannel, MicOptions, devices};
    use attendant::host::engines::RealTimeEngines;
    use attendant::host::mic::MicCaller;

    if args.list_devices {
        for device in devices()? {
            let ears = if device.is_microphone { "microphone" } else { "" };
            let mouth = if device.is_loudspeaker { "loudspeaker" } else { "" };
            anstream::println!("{:10} {:11} {:30} {}", ears, mouth, device.name, device.description);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let options = MicOptions { input: args.input.clone(), output: args.output.clone() };
    // The devices first: their absence must not cost the wait for the models.
    let mic = MicChannel::open(&options)?;
    let line = Arc::new(show::open_line(config)?);
    let meter = show::meter();
    let mut show_level = |level_dbfs: f32, open: bool| {
        let width = ((level_dbfs + 60.0).clamp(0.0, 60.0) / 2.0) as usize;
        let ear = if open { "listening" } else { "speaking " };
        meter.set_message(format!("{ear} [{:30}] {level_dbfs:>4.0} dBFS", "#".repeat(width)));
    };
    let mut caller = MicCaller::new(mic, args.headset, &mut show_level);
    let mut engines = RealTimeEngines::new(Arc::clone(&line), true);
    let arrival = arrival(args, None, None)?;
    let mut watch = |entry: &Entry| meter.suspend(|| show::entry(entry));
    drive(&line, args, arrival, &mut engines, &mut caller, &mut watch, true)?;
    meter.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}
