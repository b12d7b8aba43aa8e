//! `attendant desk package`: what a person got, or would have got, with a caller.

use std::process::ExitCode;

use anyhow::Context as _;
use attendant::call::CallId;
use attendant::config::Config;
use attendant::host::desk::api::whole_package;
use clap::Args;

use super::super::calls::kept_store;
use super::plan;

/// The handoff package of a call, as JSON: who, why, what is known, what was said.
#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    /// The call
    call: CallId,
}

pub(crate) fn run(config: &Config, args: &PackageArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let kept = runtime.block_on(store.record(&args.call))?;
    let kept = kept.with_context(|| {
        format!("there is no record of call '{}': `attendant calls` lists them", args.call)
    })?;
    let written = runtime.block_on(store.written_up(&args.call))?;
    let package = whole_package(&kept, written.as_ref(), &plan(config, None)?).map_err(anyhow::Error::msg)?;
    let package = package
        .with_context(|| format!("call '{}' was neither handed to a person nor meant to be", args.call))?;
    anstream::println!("{}", serde_json::to_string_pretty(&package)?);
    Ok(ExitCode::SUCCESS)
}
