//! `attendant prompts`: every sentence that the line can say.

use std::collections::BTreeSet;
use std::process::ExitCode;

use attendant::config::Config;
use attendant::dialogue::{Flow, LONGEST_PROMPT_S};
use attendant::host::line::read_sources;
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
    let mut sentences = flow.audit();
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
                    "recorded": recorded.contains(&s.name), "seconds": s.seconds,
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
            "{}{}{} ({how}, {:.0} s{long}): {}",
            show::HEAD.render(),
            s.name,
            show::HEAD.render_reset(),
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
