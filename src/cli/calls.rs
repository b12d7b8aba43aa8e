//! `attendant calls`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use attendant::call::Stage;
use attendant::config::Config;
use attendant::host::line::{open_kept, store_address};
use attendant::store::{KeptCall, Store};
use clap::Args;

use super::show;

/// Records of past calls.
#[derive(Debug, Args)]
pub(crate) struct CallsArgs {
    /// So many of the latest
    #[arg(long, default_value_t = 20)]
    last: usize,
    /// Who is to be called back
    #[arg(long)]
    callbacks: bool,
    /// How many calls ended in which stage, and how
    #[arg(long, conflicts_with = "callbacks")]
    stages: bool,
    /// Print one JSON array of whole records; with --stages, one object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &CallsArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let mut records = runtime.block_on(store.records())?;
    if args.callbacks {
        records.retain(|kept| kept.record.callback.is_some());
    }
    records.drain(..records.len().saturating_sub(args.last));
    if args.stages {
        return stages(&records, args.json);
    }
    if args.json {
        anstream::println!("{}", serde_json::to_string(&records)?);
        return Ok(ExitCode::SUCCESS);
    }
    for kept in &records {
        let record = &kept.record;
        if let Some(callback) = record.callback.as_ref().filter(|_| args.callbacks) {
            let intent = callback.intent.as_ref().map_or("-", |i| i.as_str());
            let reference = record.reference.as_deref().unwrap_or("-");
            anstream::println!(
                "{} {} intent={intent} reference={reference} call={}",
                callback.number.expose(),
                callback.reason,
                record.id
            );
            continue;
        }
        anstream::println!(
            "{}{}{} {} {} {} intent={} turns={} stage={} ended by {}",
            show::HEAD.render(),
            record.id,
            show::HEAD.render_reset(),
            kept.local().strftime("%Y-%m-%d %H:%M:%S %Z"),
            record.duration,
            record.disposition,
            record.intent.as_ref().map_or("-", |i| i.as_str()),
            record.turns.len(),
            record.stage,
            record.cause
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The store with what past calls left.
pub(crate) fn kept_store(config: &Config, runtime: &tokio::runtime::Runtime) -> anyhow::Result<Store> {
    match runtime.block_on(open_kept(config))? {
        Some(store) => Ok(store),
        None => {
            anyhow::bail!("{} is not there: no call has been taken yet", store_address(config).display())
        }
    }
}

/// Calls by the stage in which they ended, and how they came out.
fn stages(records: &[KeptCall], json: bool) -> anyhow::Result<ExitCode> {
    let mut counts: BTreeMap<Stage, BTreeMap<String, u32>> = BTreeMap::new();
    for kept in records {
        let of_stage = counts.entry(kept.record.stage).or_default();
        *of_stage.entry(kept.record.disposition.to_string()).or_default() += 1;
    }
    if json {
        let all: BTreeMap<String, &BTreeMap<String, u32>> =
            counts.iter().map(|(stage, ends)| (stage.to_string(), ends)).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (stage, ends) in &counts {
        let ends: Vec<String> = ends.iter().map(|(how, n)| format!("{n} {how}")).collect();
        anstream::println!(
            "{}{stage}{}: {}",
            show::HEAD.render(),
            show::HEAD.render_reset(),
            ends.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}
