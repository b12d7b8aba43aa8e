//! `attendant prompts`: every sentence that the line can say.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use attendant::audio::RATE_HZ;
use attendant::config::Config;
use attendant::dialogue::{Flow, LONGEST_PROMPT_S};
use attendant::host::line::{open_voice, read_sources};
use clap::Args;

use super::show;

/// List every sentence that the line can say, and what has no recording.
#[derive(Debug, Args)]
pub(crate) struct PromptsArgs {
    /// Only sentences that a recording could replace and none does
    #[arg(long)]
    missing: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &PromptsArgs) -> anyhow::Result<ExitCode> {
    let flow = Flow::parse(&read_sources(&config.path("intents"))?)?;
    let folder = config.path("audio").join("prompts");
    let recorded: BTreeSet<String> = std::fs::read_dir(&folder)
        .map(|entries| {
            let paths = entries.filter_map(|e| e.ok().map(|e| e.path()));
            let wavs = paths.filter(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav")));
            wavs.filter_map(|p| p.file_stem().map(|s| s.to_string_lossy().into_owned())).collect()
        })
        .unwrap_or_default();
    let measured = lengths(config, &flow);
    let mut sentences = flow.audit();
    for sentence in &mut sentences {
        if let Some(seconds) = measured.get(&sentence.name) {
            sentence.seconds = *seconds;
        }
    }
    let stray: Vec<&String> =
        recorded.iter().filter(|name| !sentences.iter().any(|s| s.name == **name && !s.has_values)).collect();
    let stray: Vec<String> = stray.into_iter().cloned().collect();
    if args.missing {
        sentences.retain(|s| !s.has_values && !recorded.contains(&s.name));
    }
    if args.json {
        let all: Vec<serde_json::Value> = sentences
            .iter()
            .map(|s| {
                serde_json::json!({
                    "name": s.name, "text": s.text, "has_values": s.has_values,
                    "recorded": recorded.contains(&s.name),
                    "seconds": s.seconds, "measured": measured.contains_key(&s.name),
                })
            })
            .collect();
        anstream::println!("{}", serde_json::json!({ "sentences": all, "stray_recordings": stray }));
        return Ok(ExitCode::SUCCESS);
    }
    for s in &sentences {
        let how = match (recorded.contains(&s.name), s.has_values) {
            (true, false) => "recorded",
            (_, true) => "spoken with values",
            (false, false) => "spoken",
        };
        let long = if s.seconds > LONGEST_PROMPT_S { " TOO LONG" } else { "" };
        anstream::println!(
            "{}{}{} ({how}, {}{:.1} s{long}): {}",
            show::HEAD.render(),
            s.name,
            show::HEAD.render_reset(),
            if measured.contains_key(&s.name) { "" } else { "about " },
            s.seconds,
            s.text
        );
    }
    for name in &stray {
        anstream::println!(
            "{}{name}.wav{} replaces nothing: there is no such prompt, or it has values",
            show::BAD.render(),
            show::BAD.render_reset()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// How long each prompt that never changes takes, in seconds, recorded or in the line's own voice. Empty,
/// with a word why, where there is no voice: then the words are counted.
fn lengths(config: &Config, flow: &Flow) -> BTreeMap<String, f32> {
    let voice = match open_voice(config, flow) {
        Ok(voice) => voice,
        Err(error) => {
            anstream::eprintln!(
                "{}lengths are estimated{}: {error}",
                show::BAD.render(),
                show::BAD.render_reset()
            );
            return BTreeMap::new();
        }
    };
    let seconds = |samples: usize| samples as f32 / RATE_HZ as f32;
    let evergreen = flow.wording.evergreen();
    evergreen.filter_map(|p| Some((p.name.clone(), seconds(voice.pcm(&p).ok()?.len())))).collect()
}
