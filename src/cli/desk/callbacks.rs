//! `attendant desk callbacks`: promises to call back, for people who dial themselves.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use attendant::call::CallId;
use attendant::config::Config;
use attendant::desk::{Callback, CallbackPlan, CallbackState};
use attendant::store::Store;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::super::calls::kept_store;
use super::super::show;

/// Promises to call back.
#[derive(Debug, Args)]
pub(crate) struct CallbacksArgs {
    #[command(subcommand)]
    command: Option<CallbacksCommand>,
    /// Print one JSON array (for the list)
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum CallbacksCommand {
    /// All that are open, in the order in which they are due
    List,
    /// Take the next that is due: nobody else gets it meanwhile
    Take {
        /// Who calls back
        #[arg(long, value_name = "NAME")]
        by: String,
        /// So long it is kept for them
        #[arg(long, default_value_t = 30)]
        minutes: u32,
    },
    /// The caller was reached
    Reached(Settled),
    /// The caller was not reached: it is due again later, or given up
    Missed(Settled),
    /// The caller wants it no more
    Cancel {
        /// The call in which it was promised
        call: CallId,
    },
}

#[derive(Debug, Args)]
struct Settled {
    /// The call in which it was promised
    call: CallId,
    /// Who took it
    #[arg(long, value_name = "NAME")]
    by: String,
}

pub(crate) fn run(config: &Config, args: &CallbacksArgs) -> anyhow::Result<ExitCode> {
    let plan = CallbackPlan::of(&super::plan(config, None)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let now = Timestamp::now();
    runtime.block_on(async {
        match &args.command {
            None | Some(CallbacksCommand::List) => list(&store, args.json).await,
            Some(CallbacksCommand::Take { by, minutes }) => {
                let lease = Duration::from_secs(u64::from(*minutes) * 60);
                let Some(taken) = store.claim_callback(&plan, by, now, lease).await? else {
                    anstream::println!("none is due");
                    return Ok(ExitCode::from(1));
                };
                store.audit(by, "take callback", taken.call.as_str(), now).await?;
                print(&taken);
                Ok(ExitCode::SUCCESS)
            }
            Some(CallbacksCommand::Reached(settled)) => {
                settle(&store, settled, now, "callback reached", |promise| promise.reached()).await
            }
            Some(CallbacksCommand::Missed(settled)) => {
                settle(&store, settled, now, "callback missed", |promise| promise.missed(&plan, now)).await
            }
            Some(CallbacksCommand::Cancel { call }) => {
                let done = store.cancel_callback(call).await?;
                anyhow::ensure!(done, "'{call}' is over, or somebody has it in hand");
                store.audit("command line", "cancel callback", call.as_str(), now).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

async fn list(store: &Store, json: bool) -> anyhow::Result<ExitCode> {
    let mut open = store.callbacks().await?;
    open.retain(|promise| !matches!(promise.state, CallbackState::Over(_)));
    open.sort_by_key(|promise| match promise.state {
        CallbackState::Waiting { due } => (due, promise.since),
        CallbackState::InHand | CallbackState::Over(_) => (Timestamp::MIN, promise.since),
    });
    if json {
        let object = |p: &Callback| {
            let due = match p.state {
                CallbackState::Waiting { due } => Some(due.to_string()),
                CallbackState::InHand | CallbackState::Over(_) => None,
            };
            serde_json::json!({
                "call": p.call, "number": p.number, "queue": p.queue, "since": p.since.to_string(),
                "due": due, "attempts": p.attempts, "in_hand": p.state == CallbackState::InHand,
            })
        };
        let all: Vec<_> = open.iter().map(object).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    open.iter().for_each(print);
    Ok(ExitCode::SUCCESS)
}

fn print(promise: &Callback) {
    let state = match promise.state {
        CallbackState::Waiting { due } => format!("due {due}"),
        CallbackState::InHand => "in hand".to_owned(),
        CallbackState::Over(end) => end.to_string(),
    };
    anstream::println!(
        "{}{}{} queue={} {state} attempts={} since {} call={}",
        show::HEAD.render(),
        promise.number.expose(),
        show::HEAD.render_reset(),
        promise.queue,
        promise.attempts,
        promise.since,
        promise.call
    );
}

async fn settle(
    store: &Store,
    settled: &Settled,
    now: Timestamp,
    what: &str,
    change: impl FnOnce(&mut Callback),
) -> anyhow::Result<ExitCode> {
    let Settled { call, by } = settled;
    let promise = store.callbacks().await?.into_iter().find(|promise| promise.call == *call);
    let mut promise = promise.with_context(|| format!("there is no callback '{call}'"))?;
    change(&mut promise);
    store.settle_callback(&promise, by).await?;
    store.audit(by, what, call.as_str(), now).await?;
    print(&promise);
    Ok(ExitCode::SUCCESS)
}
