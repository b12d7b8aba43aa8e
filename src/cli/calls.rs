//! `attendant calls`.

use std::process::ExitCode;

use attendant::config::Config;
use attendant::host::line::database;
use attendant::store::Store;
use clap::Args;

use super::show;

/// Records of past calls.
#[derive(Debug, Args)]
pub(crate) struct CallsArgs {
    /// So many of the latest
    #[arg(long, default_value_t = 20)]
    last: usize,
    /// Print one JSON array of whole records
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &CallsArgs) -> anyhow::Result<ExitCode> {
    let path = database(&config.path("state"));
    anyhow::ensure!(path.is_file(), "{} is not there: no call has been taken yet", path.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut records = runtime.block_on(async {
        let store = Store::open(&path.display().to_string()).await?;
        store.flush_spool().await?;
        store.records().await
    })?;
    records.drain(..records.len().saturating_sub(args.last));
    if args.json {
        anstream::println!("{}", serde_json::to_string(&records)?);
        return Ok(ExitCode::SUCCESS);
    }
    for kept in &records {
        let record = &kept.record;
        anstream::println!(
            "{}{}{} {} {} intent={} turns={} ended by {}",
            show::HEAD.render(),
            record.id,
            show::HEAD.render_reset(),
            record.duration,
            record.disposition,
            record.intent.as_ref().map_or("-", |i| i.as_str()),
            record.turns.len(),
            record.cause
        );
    }
    Ok(ExitCode::SUCCESS)
}
