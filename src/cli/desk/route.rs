//! `attendant desk route`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use attendant::call::{CallId, CallRecord};
use attendant::config::Config;
use attendant::desk::{AgentId, Caller, Desk, DeskPlan, Event, RouteTo, Spoken};
use attendant::store::KeptCall;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::super::show;

/// Where a call would go.
#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// Explain a call of the past, from its record
    #[arg(long, value_name = "ID", conflicts_with_all = ["skill", "intent", "dialled", "at"])]
    call: Option<CallId>,
    /// The skill that the dialogue asks for
    #[arg(long, default_value = "general")]
    skill: String,
    /// What the caller wants
    #[arg(long)]
    intent: Option<attendant::call::IntentName>,
    /// The caller's language
    #[arg(long)]
    language: Option<String>,
    /// The customer's tier
    #[arg(long)]
    tier: Option<String>,
    /// The number dialled
    #[arg(long, value_name = "NUMBER")]
    dialled: Option<attendant::call::Dnis>,
    /// The agent spoken to last, and how the caller rated that, 1 to 5
    #[arg(long, value_name = "AGENT[:RATING]")]
    last: Option<String>,
    /// When: 2026-11-16T09:30 in the line's zone, or with a Z in UTC [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// An agent who is on a call; may be repeated
    #[arg(long, value_name = "AGENT")]
    busy: Vec<String>,
    /// An agent who is away; may be repeated
    #[arg(long, value_name = "AGENT")]
    away: Vec<String>,
    /// An agent who is signed out; may be repeated. All others are signed in and idle
    #[arg(long, value_name = "AGENT")]
    out: Vec<String>,
    /// Another file than the line's desk.toml
    #[arg(long, value_name = "FILE")]
    desk: Option<PathBuf>,
    /// Every reason, in the order in which it was weighed
    #[arg(long)]
    explain: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &RouteArgs) -> anyhow::Result<ExitCode> {
    let plan = Arc::new(super::plan(config, args.desk.as_deref())?);
    let (caller, now) = match &args.call {
        Some(id) => of_record(&kept(config, id)?, args)?,
        None => (caller(args)?, at(args.at.as_deref(), &plan)?),
    };
    let desk = staffed(&plan, args, now)?;
    let (route, agent) = desk.explain(now, &caller);
    let queue = &plan.queues[route.queue.0].spec.name;
    let agent = agent.map(|agent| plan.agents[agent.0].spec.name.as_str());
    let why: Vec<String> = route.why.iter().map(ToString::to_string).collect();
    if args.json {
        let found = serde_json::json!({
            "at": now.to_string(),
            "queue": queue,
            "queued": route.to == RouteTo::Queue,
            "offered": match &route.to {
                RouteTo::Queue => Vec::new(),
                RouteTo::Offer(ways) => ways.iter().map(ToString::to_string).collect(),
            },
            "agent": agent,
            "why": why,
        });
        anstream::println!("{found}");
        return Ok(ExitCode::SUCCESS);
    }
    let (head, end) = (show::HEAD.render(), show::HEAD.render_reset());
    let to = match (&route.to, agent) {
        (RouteTo::Queue, Some(agent)) => format!("{agent} is rung"),
        (RouteTo::Queue, None) => "waits".to_owned(),
        (RouteTo::Offer(ways), _) => {
            let ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
            format!("not now; offered: {}", ways.join(", "))
        }
    };
    anstream::println!("{head}{queue}{end}: {to}");
    if args.explain {
        for step in why {
            anstream::println!("  {step}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Agents as the options say; all others are signed in and idle, each a minute longer than the next.
fn staffed(plan: &Arc<DeskPlan>, args: &RouteArgs, now: Timestamp) -> anyhow::Result<Desk> {
    let named = |names: &[String]| -> anyhow::Result<Vec<AgentId>> {
        let find = |name: &String| {
            let known: Vec<&str> = plan.agents.iter().map(|agent| agent.spec.name.as_str()).collect();
            plan.agent(name)
                .with_context(|| format!("there is no agent '{name}': expected one of {}", known.join(", ")))
        };
        names.iter().map(find).collect()
    };
    let (busy, away, out) = (named(&args.busy)?, named(&args.away)?, named(&args.out)?);
    let mut desk = Desk::new(Arc::clone(plan));
    for (n, agent) in (0..plan.agents.len()).map(AgentId).enumerate() {
        let since = now - jiff::SignedDuration::from_mins(i64::try_from(plan.agents.len() - n)?);
        if !out.contains(&agent) {
            desk.handle_event(since, Event::SignedIn(agent));
        }
        if away.contains(&agent) {
            desk.handle_event(since, Event::Paused(agent));
        }
        if busy.contains(&agent) {
            desk.occupy(since, agent);
        }
    }
    Ok(desk)
}

fn caller(args: &RouteArgs) -> anyhow::Result<Caller> {
    Ok(Caller {
        intent: args.intent.clone(),
        language: args.language.clone(),
        tier: args.tier.clone(),
        dnis: args.dialled.clone(),
        last: args.last.as_deref().map(spoken).transpose()?,
        ..Caller::new("explained".parse()?, &args.skill)
    })
}

fn spoken(last: &str) -> anyhow::Result<Spoken> {
    let (agent, rating) = last.split_once(':').unwrap_or((last, "5"));
    let rating = rating.parse().ok().filter(|rating| (1..=5).contains(rating));
    anyhow::ensure!(
        rating.is_some(),
        "--last {last}: expected AGENT or AGENT:RATING, with a rating of 1 to 5"
    );
    Ok(Spoken { agent: agent.to_owned(), rating })
}

fn at(at: Option<&str>, plan: &DeskPlan) -> anyhow::Result<Timestamp> {
    let Some(text) = at else { return Ok(Timestamp::now()) };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>();
    let local = local.with_context(|| format!("--at {text}: expected a time as in 2026-11-16T09:30"))?;
    Ok(local.to_zoned(plan.zone.clone())?.timestamp())
}

fn kept(config: &Config, id: &CallId) -> anyhow::Result<KeptCall> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = super::super::calls::kept_store(config, &runtime)?;
    let kept = runtime.block_on(store.record(id))?;
    kept.with_context(|| format!("there is no record of call '{id}': `attendant calls` lists them"))
}

/// What routing knew of a past call, at the time at which a person was called for: its end.
fn of_record(kept: &KeptCall, args: &RouteArgs) -> anyhow::Result<(Caller, Timestamp)> {
    let CallRecord { id, handoff, intent, dnis, duration, .. } = &kept.record;
    let handoff = handoff.as_ref().with_context(|| format!("call '{id}' was not handed to a person"))?;
    let ended_ms = kept.started_at_unix_ms.saturating_add(duration.as_millis());
    let at = Timestamp::from_millisecond(i64::try_from(ended_ms)?)?;
    let known = Caller::handed_over(id.clone(), handoff);
    let caller = Caller {
        intent: handoff.intent.clone().or_else(|| intent.clone()),
        dnis: dnis.clone(),
        language: args.language.clone().or_else(|| known.language.clone()),
        tier: args.tier.clone().or_else(|| known.tier.clone()),
        last: args.last.as_deref().map(spoken).transpose()?,
        ..known
    };
    Ok((caller, at))
}
