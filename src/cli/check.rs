//! `attendant check`: everything that a team writes, read as the line will read it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::dialogue::Flow;
use attendant::host::line::{check_waiting, read_desk, read_sources, training_set};
use clap::Args;

use super::show;

/// Check all of intents/: references, prompts, menus, thresholds, examples.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Draw the flow as SVG
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// Also fail (exit code 1) where there is advice
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let sources = read_sources(&config.path("intents"))?;
    let flow = Flow::parse(&sources)?;
    let set = training_set(&sources)?;
    let desk = read_desk(&config.path("intents"))?;
    check_waiting(&config.path("intents"), &flow, &desk)?;
    let advice = flow.advice();
    if let Some(path) = &args.graph {
        std::fs::write(path, flow.graph()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let sentences = flow.audit().len();
    if args.json {
        let found = serde_json::json!({
            "intents": flow.intents.len(),
            "sentences": sentences,
            "examples": set.sentences().len(),
            "queues": desk.queues.len(),
            "agents": desk.agents.len(),
            "advice": advice,
        });
        anstream::println!("{found}");
    } else {
        let (good, end) = (show::GOOD.render(), show::GOOD.render_reset());
        anstream::println!(
            "{good}sound{end}: {} intents, {sentences} sentences, {} examples, {} queues, {} agents",
            flow.intents.len(),
            set.sentences().len(),
            desk.queues.len(),
            desk.agents.len()
        );
        for line in &advice {
            anstream::println!("{}advice:{} {line}", show::HEAD.render(), show::HEAD.render_reset());
        }
    }
    Ok(if args.strict && !advice.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
