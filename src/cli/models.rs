//! `attendant models`.

use std::path::PathBuf;
use std::process::ExitCode;

use attendant::config::Config;
use attendant::host::line::ENCODER;
use attendant::host::models::{Measure, ModelSet, Progress, Pulled};
use clap::{Args, Subcommand};

use super::show;

/// The models that the line hears and understands with.
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Fetch what is missing, and check what is there
    Pull {
        /// Models by name [default: those that the settings need]
        names: Vec<String>,
    },
    /// All models of the manifest, and which of them are here
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// A file's size and SHA-256, as the manifest wants them
    Hash {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(config: &Config, args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ModelsCommand::Pull { names } => pull(config, names),
        ModelsCommand::List { json } => list(config, *json),
        ModelsCommand::Hash { file } => {
            anstream::println!("{}", Measure::of(file)?.as_pin());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn pull(config: &Config, names: &[String]) -> anyhow::Result<ExitCode> {
    let set = ModelSet::open(&config.path("models"))?;
    let speech = config.get("speech_model").to_owned();
    let mut wanted = names.to_vec();
    if wanted.is_empty() {
        wanted.push(ENCODER.to_owned());
        if !PathBuf::from(&speech).is_file() {
            wanted.push(speech);
        }
    }
    for name in &wanted {
        let mut bar: Option<(String, indicatif::ProgressBar)> = None;
        let pulled = set.pull(name, &mut |progress| match progress {
            Progress::Trying { model, source } => anstream::eprintln!("{model}: trying {source}"),
            Progress::Failed { source, why } => anstream::eprintln!("{source}: {why}"),
            Progress::Bytes { file, done, total } => {
                if bar.as_ref().is_none_or(|(shown, _)| shown != file) {
                    bar = Some((file.to_owned(), show::bar(total.unwrap_or_default(), file)));
                }
                if let Some((_, bar)) = &bar {
                    bar.set_position(done);
                }
            }
        })?;
        if let Some((_, bar)) = bar {
            bar.finish_and_clear();
        }
        match pulled {
            Pulled::AlreadyThere => anstream::println!("{name}: here, and as the manifest says"),
            Pulled::Fetched { from } => anstream::println!("{name}: fetched from {from} and checked"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let set = ModelSet::open(&config.path("models"))?;
    let mut all = serde_json::Map::new();
    for model in set.models() {
        let here = set.locate(&model.name);
        if json {
            let entry = serde_json::json!({ "here": here.is_ok(), "licence": model.licence });
            all.insert(model.name.clone(), entry);
        } else {
            let (mark, style) = if here.is_ok() { ("here   ", show::GOOD) } else { ("missing", show::DIM) };
            anstream::println!(
                "{}{mark}{} {:20} {}",
                style.render(),
                style.render_reset(),
                model.name,
                model.licence
            );
        }
    }
    if json {
        anstream::println!("{}", serde_json::Value::Object(all));
    }
    Ok(ExitCode::SUCCESS)
}
