//! `attendant replay`: a kept call as a script, or all of them with a change.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::conversation::script::{Outcome, Script, of_record, run as play};
use attendant::dialogue::{Flow, Source};
use attendant::host::line::read_sources;
use attendant::store::KeptCall;
use clap::Args;

use super::show;

/// Turn a kept call into a .call script, or play all kept calls with a change and see whose outcome differs.
#[derive(Debug, Args)]
#[command(after_help = "What was heard, its classification and the store's rows are the kept call's. \
    A change is a folder of intents, or a value of line.toml: thresholds.accept=0.8")]
pub(crate) struct ReplayArgs {
    /// The call, as `attendant calls` names it
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    call: Option<String>,
    /// All kept calls
    #[arg(long, requires = "with")]
    all: bool,
    /// A folder of intents, or KEY=VALUE of line.toml
    #[arg(long, value_name = "CHANGE", requires = "all")]
    with: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let records = records(config)?;
    if let Some(id) = &args.call {
        let found = records.iter().find(|r| r.record.id.as_str() == id);
        let record =
            found.with_context(|| format!("no call '{id}' is kept: `attendant calls` lists them"))?;
        let script = of_record(&record.record, arrived(record));
        if args.json {
            anstream::println!("{}", serde_json::json!({ "call": id, "script": script }));
        } else {
            anstream::print!("{script}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let sources = read_sources(&config.path("intents"))?;
    let before = Arc::new(Flow::parse(&sources)?);
    let after = Arc::new(changed(&sources, args.with.as_deref().unwrap_or_default())?);
    compare(&records, &before, &after, args.json)
}

fn records(config: &Config) -> anyhow::Result<Vec<KeptCall>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = super::calls::kept_store(config, &runtime)?;
    Ok(runtime.block_on(store.records())?)
}

/// The line's day and hour when a call arrived.
fn arrived(kept: &KeptCall) -> Option<jiff::civil::DateTime> {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(kept.started_at_unix_ms).ok()?).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::system()).datetime())
}

/// The flow with a change: another folder, or one value of line.toml.
fn changed(sources: &[Source], change: &str) -> anyhow::Result<Flow> {
    let Some((key, value)) = change.split_once('=') else {
        return Ok(Flow::parse(&read_sources(Path::new(change))?)?);
    };
    let mut sources = sources.to_vec();
    let line = sources.iter_mut().find(|s| s.path.ends_with("line.toml")).context("there is no line.toml")?;
    let mut table: toml::Table = line.text.parse().context("line.toml")?;
    let value: toml::Value = match toml::from_str::<toml::Table>(&format!("v = {value}")) {
        Ok(mut parsed) => parsed.remove("v").context("a value")?,
        Err(_) => toml::Value::String(value.to_owned()),
    };
    let mut path: Vec<&str> = key.split('.').collect();
    let last = path.pop().context("expected KEY=VALUE")?;
    let mut at = &mut table;
    for part in path {
        let next = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = next.as_table_mut().with_context(|| format!("{part} in {key} is no table"))?;
    }
    at.insert(last.to_owned(), value);
    line.text = toml::to_string(&table)?;
    Ok(Flow::parse(&sources)?)
}

/// What matters of an outcome.
fn outcome(outcome: &Outcome) -> String {
    let Some(record) = &outcome.record else { return "no end".to_owned() };
    let why = record.handoff.as_ref().map(|h| format!(" ({})", h.reason)).unwrap_or_default();
    let intent = record.intent.as_ref().map_or("-", |i| i.as_str());
    format!("{}{why} intent={intent} after {} turns", record.disposition, record.turns.len())
}

fn compare(
    records: &[KeptCall],
    before: &Arc<Flow>,
    after: &Arc<Flow>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let bar = show::bar(records.len() as u64, "calls");
    let mut differ = Vec::new();
    for record in records {
        let id = record.record.id.to_string();
        let script = Script::parse(&id, &of_record(&record.record, arrived(record)))?;
        let (was, is) = (outcome(&play(before, &script)), outcome(&play(after, &script)));
        if was != is {
            differ.push((id, was, is));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if json {
        let calls: Vec<serde_json::Value> = differ
            .iter()
            .map(|(id, was, is)| serde_json::json!({ "call": id, "before": was, "after": is }))
            .collect();
        anstream::println!("{}", serde_json::json!({ "calls": records.len(), "changed": calls }));
        return Ok(ExitCode::SUCCESS);
    }
    for (id, was, is) in &differ {
        anstream::println!(
            "{}{id}{}\n  before: {was}\n  after:  {is}",
            show::HEAD.render(),
            show::HEAD.render_reset()
        );
    }
    anstream::println!("{} of {} calls come out differently", differ.len(), records.len());
    Ok(ExitCode::SUCCESS)
}
