//! `attendant desk wrap-up` and `attendant desk outbox`: how a call came out, and who was told.

use std::process::ExitCode;

use attendant::call::CallId;
use attendant::config::Config;
use attendant::desk::WrittenUp;
use attendant::store::{Outgoing, OutgoingState};
use clap::Args;
use jiff::Timestamp;

use super::super::calls::kept_store;
use super::super::show;
use super::plan;

/// Write a call up: how it came out, and what else is to be known. Whoever is told of that in desk.toml is told.
#[derive(Debug, Args)]
pub(crate) struct WrapUpArgs {
    /// The call; `attendant calls` lists them
    call: CallId,
    /// Who writes it up
    #[arg(long, value_name = "AGENT")]
    by: String,
    /// How it came out: one of those that desk.toml declares
    #[arg(long, value_name = "WORD", default_value = "")]
    disposition: String,
    /// In your own words
    #[arg(long, value_name = "TEXT", default_value = "")]
    remark: String,
}

pub(crate) fn run(config: &Config, args: &WrapUpArgs) -> anyhow::Result<ExitCode> {
    let plan = plan(config, None)?;
    anyhow::ensure!(
        plan.wrap_up.allows(&args.disposition),
        "--disposition '{}': expected one of [wrap_up] in desk.toml: {}",
        args.disposition,
        if plan.wrap_up.dispositions.is_empty() {
            "none is declared".to_owned()
        } else {
            plan.wrap_up.dispositions.join(", ")
        }
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let written = WrittenUp {
        agent: args.by.clone(),
        disposition: args.disposition.clone(),
        remark: args.remark.clone(),
    };
    let is_there = runtime.block_on(store.write_up(&args.call, &written, Timestamp::now()))?;
    anyhow::ensure!(is_there, "there is no record of call '{}': `attendant calls` lists them", args.call);
    if let Some(kept) = runtime.block_on(store.record(&args.call))? {
        anstream::println!(
            "{}",
            plan.wrap_up.note(&kept.record, Some(&written)).map_err(anyhow::Error::msg)?
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be told and was, oldest first.
#[derive(Debug, Args)]
pub(crate) struct OutboxArgs {
    /// Only what nobody took
    #[arg(long)]
    given_up: bool,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn outbox(config: &Config, args: &OutboxArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let mut news = runtime.block_on(store.outbox())?;
    if args.given_up {
        news.retain(|news| news.state == OutgoingState::GivenUp);
    }
    if args.json {
        let object = |n: &Outgoing| {
            let (state, at) = state(n);
            serde_json::json!({
                "key": n.key, "news": n.news, "call": n.call, "to": n.target, "created": n.created.to_string(),
                "state": state, "at": at.map(|at| at.to_string()), "attempts": n.attempts, "error": n.error,
            })
        };
        let all: Vec<_> = news.iter().map(object).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for n in &news {
        let (state, at) = state(n);
        let at = at.map(|at| format!(" {at}")).unwrap_or_default();
        anstream::println!(
            "{}{}{} {} of {} to {}: {state}{at}, {} attempts {}",
            show::HEAD.render(),
            n.created,
            show::HEAD.render_reset(),
            n.news,
            n.call,
            n.target,
            n.attempts,
            n.error.as_deref().unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn state(news: &Outgoing) -> (&'static str, Option<Timestamp>) {
    match news.state {
        OutgoingState::Waiting(due) => ("waiting until", Some(due)),
        OutgoingState::InHand => ("in hand", None),
        OutgoingState::Told(at) => ("told", Some(at)),
        OutgoingState::GivenUp => ("given up", None),
    }
}
