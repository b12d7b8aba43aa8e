//! `attendant desk agents`: who is there, and signing them in and out.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::desk::{AwayReason, Presence};
use attendant::host::line::{open_kept, store_address};
use attendant::store::Store;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::super::show;

/// Who is there.
#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    #[command(subcommand)]
    command: Option<AgentsCommand>,
    /// Print one JSON array (for the list)
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum AgentsCommand {
    /// All agents of intents/desk.toml, and what they do
    List,
    /// Sign in: the agent gets calls
    In(Who),
    /// Sign out; a call in hand is finished first
    Out(Who),
    /// Pause: signed in, and no calls until ready; a call in hand is finished first
    Pause(Who),
    /// Ready: calls again, after a pause, a call that was not answered, or before writing up is over
    Ready(Who),
}

#[derive(Debug, Args)]
struct Who {
    /// The agent, as in intents/desk.toml
    name: String,
}

pub(crate) fn run(config: &Config, args: &AgentsArgs) -> anyhow::Result<ExitCode> {
    let plan = super::plan(config, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open_kept(config).await?;
        let wish = match &args.command {
            None | Some(AgentsCommand::List) => {
                let names = plan.agents.iter().map(|agent| agent.spec.name.as_str());
                return list(store.as_ref(), names.collect(), args.json).await;
            }
            Some(AgentsCommand::In(who) | AgentsCommand::Ready(who)) => (who, Presence::Ready),
            Some(AgentsCommand::Out(who)) => (who, Presence::SignedOut),
            Some(AgentsCommand::Pause(who)) => (who, Presence::Away(AwayReason::Pause)),
        };
        let (Who { name }, presence) = wish;
        let known: Vec<&str> = plan.agents.iter().map(|agent| agent.spec.name.as_str()).collect();
        anyhow::ensure!(
            plan.agent(name).is_some(),
            "there is no agent '{name}': expected one of {} (intents/desk.toml)",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        );
        let store = store.with_context(|| {
            format!("{} is not there: start `attendant serve` first", store_address(config).display())
        })?;
        store.sign_agent(name, presence, "command line", Timestamp::now()).await?;
        anstream::println!("{name}: {}", words(presence));
        Ok(ExitCode::SUCCESS)
    })
}

fn words(presence: Presence) -> String {
    let (state, why) = presence.words();
    let state = state.replace('_', " ");
    why.map_or(state.clone(), |why| format!("{state} ({})", why.replace('_', " ")))
}

async fn list(store: Option<&Store>, names: Vec<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let kept = match store {
        Some(store) => store.agents().await?,
        None => Vec::new(),
    };
    let now = Timestamp::now();
    let rows: Vec<_> = names
        .into_iter()
        .map(|name| {
            let row = kept.iter().find(|agent| agent.name == name);
            (name, row.map_or(Presence::SignedOut, |row| row.presence), row.map(|row| row.since))
        })
        .collect();
    if json {
        let object = |(name, presence, at): &(&str, Presence, Option<Timestamp>)| {
            let (state, why) = presence.words();
            serde_json::json!({"name": name, "state": state, "why": why, "since": at.map(|at| at.to_string())})
        };
        anstream::println!("{}", serde_json::to_string(&rows.iter().map(object).collect::<Vec<_>>())?);
        return Ok(ExitCode::SUCCESS);
    }
    for (name, presence, at) in rows {
        let since = at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        let since = since.map(|since| format!(" for {} min", since.as_secs() / 60)).unwrap_or_default();
        let (head, end) = (show::HEAD.render(), show::HEAD.render_reset());
        anstream::println!("{head}{name}{end}: {}{since}", words(presence));
    }
    let given_up = match store {
        Some(store) => store.given_up_steps().await?,
        None => 0,
    };
    if given_up > 0 {
        anstream::println!(
            "{given_up} steps of the desk are not written, since the database refused them: `attendant data audit` names them"
        );
    }
    Ok(ExitCode::SUCCESS)
}
