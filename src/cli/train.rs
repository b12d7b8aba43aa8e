//! `attendant train`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use attendant::config::Config;
use attendant::host::line;
use attendant::understanding::classifier::{Progress, TrainingOptions};
use clap::Args;

use super::show;

/// Train the intent classifier from intents/.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Train the encoder too: a little more accurate, and takes minutes to hours
    #[arg(long)]
    fine_tune: bool,
    /// Train on what the line's own ear makes of the examples in its own voice, too: a second or so for each
    /// that is new
    #[arg(long)]
    through_speech: bool,
    /// Train even where the head fits the files
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a bar shows of a training's progress: label, done, of.
pub(crate) fn progress_parts(progress: &Progress) -> (String, u64, u64) {
    match progress {
        Progress::Encoding { done, total } => {
            ("reading the examples".to_owned(), *done as u64, *total as u64)
        }
        Progress::Tuning { done, total } => ("tuning the encoder".to_owned(), *done as u64, *total as u64),
        Progress::Fitting { done, total } => ("fitting".to_owned(), *done as u64, *total as u64),
    }
}

fn rehearse(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    let bar = show::bar(0, "hearing the examples");
    let heard = line::rehearse(config, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(heard?)
}

pub(crate) fn run(config: &Config, args: &TrainArgs) -> anyhow::Result<ExitCode> {
    if !args.force && !args.fine_tune && !args.through_speech && !args.json && line::head_is_fresh(config)? {
        anstream::println!(
            "The head in {} fits {}: nothing to do (--force trains anyway).",
            line::head_folder(config).display(),
            config.get("intents")
        );
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let heard = if args.through_speech { rehearse(config)? } else { BTreeMap::new() };
    let options = TrainingOptions { fine_tune: args.fine_tune, heard, ..line::training_options(config) };
    let mut bars = show::TrainingBars::default();
    let trained = line::train_head(config, &options, &mut |progress| bars.show(&progress));
    bars.finish();
    let (report, folder) = trained?;
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["seconds"] = serde_json::json!(began.elapsed().as_secs_f64());
        anstream::println!("{json}");
    } else {
        anstream::println!("{report}");
        anstream::println!("Trained in {:.1} s into {}.", began.elapsed().as_secs_f64(), folder.display());
    }
    Ok(ExitCode::SUCCESS)
}
