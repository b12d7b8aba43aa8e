//! `attendant desk`: where calls go and why, and a day of the desk.

mod agents;

mod callbacks;

mod package;

mod route;

mod simulate;

mod voicemail;

mod wrap_up;

use std::path::Path;
use std::process::ExitCode;

use attendant::config::Config;
use attendant::desk::DeskPlan;
use attendant::host::line::read_desk;
use clap::{Args, Subcommand};

/// Who takes calls: see docs/desk.md.
#[derive(Debug, Args)]
pub(crate) struct DeskArgs {
    #[command(subcommand)]
    command: DeskCommand,
}

#[derive(Debug, Subcommand)]
enum DeskCommand {
    /// Where a call would go, or why a past one went where it did
    Route(Box<route::RouteArgs>),
    /// Who is there; sign agents in and out
    Agents(agents::AgentsArgs),
    /// What a person got, or would have got, with a caller
    Package(package::PackageArgs),
    /// Messages that callers left
    Voicemail(voicemail::VoicemailArgs),
    /// Write a call up
    WrapUp(wrap_up::WrapUpArgs),
    /// What is to be told of calls and messages, and what was
    Outbox(wrap_up::OutboxArgs),
    /// Promises to call back: list them, take one, say how it went
    Callbacks(callbacks::CallbacksArgs),
    /// Play a day: service level, waits and occupancy beside Erlang C
    Simulate(simulate::SimulateArgs),
}

pub(crate) fn run(config: &Config, args: &DeskArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        DeskCommand::Route(args) => route::run(config, args),
        DeskCommand::Agents(args) => agents::run(config, args),
        DeskCommand::Package(args) => package::run(config, args),
        DeskCommand::Voicemail(args) => voicemail::run(config, args),
        DeskCommand::WrapUp(args) => wrap_up::run(config, args),
        DeskCommand::Outbox(args) => wrap_up::outbox(config, args),
        DeskCommand::Callbacks(args) => callbacks::run(config, args),
        DeskCommand::Simulate(args) => simulate::run(config, args),
    }
}

/// The desk of the line, or of a file.
fn plan(config: &Config, file: Option<&Path>) -> anyhow::Result<DeskPlan> {
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| anyhow::anyhow!("cannot read {}: {e}", file.display()))?;
            Ok(DeskPlan::parse(&file.display().to_string(), &text)?)
        }
        None => Ok(read_desk(&config.path("intents"))?),
    }
}
