//! `attendant data`: what is forgotten, by age and on request.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use attendant::call::Ani;
use attendant::config::Config;
use attendant::host::line::VOICEMAIL;
use attendant::host::recorder;
use attendant::store::{Forgotten, Retention, Seal};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::calls::kept_store;

/// What is forgotten, and the trail of it.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Remove what is older than it may be; what is not named is kept
    Forget(ForgetArgs),
    /// Remove all that is kept of one number
    Erase(EraseArgs),
    /// Make a key for sealing what is recorded, and print its public part for seal_to
    Keygen {
        /// The file for the secret key; it must not be there yet
        file: PathBuf,
    },
    /// Seal all recordings and messages for the keys in seal_to, with the keys in seal_keys; may be begun again
    Seal,
    /// Remove sound on this machine that no record knows: erased elsewhere, or left by a process that died
    Sweep,
    /// Who did what
    Audit {
        /// So many of the latest
        #[arg(long, default_value_t = 50)]
        last: u32,
    },
}

#[derive(Debug, Args)]
struct ForgetArgs {
    /// Records of calls, with their handoffs
    #[arg(long, value_name = "N")]
    calls_days: Option<u32>,
    /// Places in queues and promises that are over
    #[arg(long, value_name = "N")]
    desk_days: Option<u32>,
    /// Messages, with their files
    #[arg(long, value_name = "N")]
    voicemail_days: Option<u32>,
    /// Recordings of calls
    #[arg(long, value_name = "N")]
    recording_days: Option<u32>,
    /// The trail
    #[arg(long, value_name = "N")]
    audit_days: Option<u32>,
}

#[derive(Debug, Args)]
struct EraseArgs {
    /// The customer's telephone number
    number: Ani,
    /// Who asks for it: for the trail
    #[arg(long, value_name = "WHO", default_value = "command line")]
    by: String,
}

pub(crate) fn run(config: &Config, args: &DataArgs) -> anyhow::Result<ExitCode> {
    if let DataCommand::Keygen { file } = &args.command {
        let public = Seal::make_key(file)?;
        anstream::println!("{public}");
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = kept_store(config, &runtime)?;
    let now = Timestamp::now();
    match &args.command {
        DataCommand::Forget(args) => {
            let days = |n: Option<u32>| n.map(|n| Duration::from_secs(u64::from(n) * 86_400));
            let keep = Retention {
                calls: days(args.calls_days),
                desk: days(args.desk_days),
                voicemails: days(args.voicemail_days),
                recordings: days(args.recording_days),
                audit: days(args.audit_days),
            };
            anyhow::ensure!(
                keep != Retention::default(),
                "nothing to forget: name a kind of data, as in --calls-days 90"
            );
            report(&runtime.block_on(store.forget_old(&keep, now))?)
        }
        DataCommand::Erase(args) => report(&runtime.block_on(store.erase(&args.number, &args.by, now))?),
        DataCommand::Seal => {
            anyhow::ensure!(
                !store.seal().to().is_empty(),
                "seal_to names nobody: `attendant data keygen FILE` makes a key and prints what belongs there"
            );
            let sealed = runtime.block_on(store.seal_anew(now))?;
            sealed.failed.iter().for_each(|error| anstream::eprintln!("{error}"));
            anstream::println!("{} files sealed anew, {} as they were", sealed.done, sealed.failed.len());
            Ok(if sealed.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        DataCommand::Sweep => {
            let folders = [VOICEMAIL, recorder::FOLDER].map(|folder| config.path("state").join(folder));
            for folder in folders {
                for path in runtime.block_on(store.sweep(&folder, SystemTime::now()))? {
                    anstream::println!("{}", path.display());
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        DataCommand::Keygen { .. } => Ok(ExitCode::SUCCESS),
        DataCommand::Audit { last } => {
            for entry in runtime.block_on(store.audit_trail(*last))? {
                anstream::println!("{} {} {}: {}", entry.at, entry.who, entry.what, entry.subject);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Removes the files, and says what is gone. A file that stays is a failure.
fn report(forgotten: &Forgotten) -> anyhow::Result<ExitCode> {
    let remove = |file: &PathBuf| match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            anstream::eprintln!("{} is still there: {e}", file.display());
            false
        }
        Ok(()) | Err(_) => true,
    };
    let removed: Vec<bool> = forgotten.files.iter().chain(&forgotten.recordings).map(remove).collect();
    anstream::println!(
        "{} calls, {} messages, {} recordings, {} rows in all",
        forgotten.calls.len(),
        forgotten.files.len(),
        forgotten.recordings.len(),
        forgotten.rows
    );
    Ok(if removed.contains(&false) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
