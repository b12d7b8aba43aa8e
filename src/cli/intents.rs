//! `attendant intents`: training data in and out, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::host::{exchange, line, nlu};
use attendant::understanding::exchange::{Bundle, Format, csv, rasa_yaml};
use attendant::understanding::{EntityKind, EntitySpec, Finding, Severity, TrainingFile, normalize};
use clap::{Args, Subcommand, ValueEnum};

use super::show;

/// Training data in and out, and what is wrong with it.
#[derive(Debug, Args)]
pub(crate) struct IntentsArgs {
    #[command(subcommand)]
    command: IntentsCommand,
}

#[derive(Debug, Subcommand)]
enum IntentsCommand {
    /// Take intents over from Rasa, Dialogflow ES or CX, Lex V2, or a table
    Import(ImportArgs),
    /// Write the intents as Rasa NLU YAML or CSV
    Export(ExportArgs),
    /// All mistakes of the training files, and intents that are too close to each other
    Check(CheckArgs),
}

/// How the data is written there.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Rasa,
    DialogflowEs,
    DialogflowCx,
    Lex,
    Csv,
}

impl From {
    fn format(self) -> Format {
        match self {
            From::Rasa => Format::Rasa,
            From::DialogflowEs => Format::DialogflowEs,
            From::DialogflowCx => Format::DialogflowCx,
            From::Lex => Format::Lex,
            From::Csv => Format::Csv,
        }
    }
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// Files, folders or zip archives of one export
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What wrote them [default: told by the files' names]
    #[arg(long, value_enum)]
    from: Option<From>,
    /// Add to intents that are there already instead of refusing
    #[arg(long)]
    merge: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    Rasa,
    Csv,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// In which form
    #[arg(long, value_enum)]
    to: To,
    /// Where to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Leave out what needs a training: intents that are too close
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &IntentsArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        IntentsCommand::Import(args) => import(config, args),
        IntentsCommand::Export(args) => export(config, args),
        IntentsCommand::Check(args) => check(config, args),
    }
}

fn import(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let parts = exchange::read_export(&args.paths)?;
    let format = args.from.map(From::format).or_else(|| Format::detect(&parts)).context(
        "nothing tells which system wrote this: say it with --from rasa, dialogflow-es, dialogflow-cx, lex or csv",
    )?;
    let bundle = Bundle::read(format, &parts)?;
    let changes = exchange::plan(&config.path("intents"), &bundle, args.merge)?;
    if !args.dry_run {
        exchange::apply(&changes)?;
    }
    if args.json {
        let told = serde_json::json!({
            "format": format.to_string(), "intents": bundle.intents.len(), "examples": bundle.examples(),
            "changes": changes, "notes": bundle.notes, "written": !args.dry_run,
        });
        anstream::println!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    for change in &changes {
        let mark = if change.new { "new " } else { "more" };
        anstream::println!("{mark} {}: {} added", change.path.display(), change.added);
    }
    for note in &bundle.notes {
        anstream::println!("{}note: {note}{}", show::DIM.render(), show::DIM.render_reset());
    }
    let (examples, intents) = (bundle.examples(), bundle.intents.len());
    let added: usize = changes.iter().filter(|c| !c.is_of_entities()).map(|c| c.added).sum();
    let (done, next) = match (args.dry_run, changes.is_empty()) {
        (_, true) => ("nothing is new, and nothing was changed".to_owned(), ""),
        (true, false) => (format!("{added} would be added"), ""),
        (false, false) => (format!("{added} added"), " Next: `attendant intents check`."),
    };
    anstream::println!("Read {examples} examples of {intents} intents from {format}: {done}.{next}");
    Ok(ExitCode::SUCCESS)
}

fn export(config: &Config, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let sources = line::read_sources(&config.path("intents"))?;
    let mut files = Vec::new();
    let mut lists: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for source in &sources {
        match std::path::Path::new(&source.path).file_stem().and_then(|s| s.to_str()) {
            Some("line" | "desk") => {}
            Some("entities") => {
                for spec in EntitySpec::parse_all(&source.path, &source.text)? {
                    if let EntityKind::List { values } = spec.kind {
                        let values = values.into_iter().map(|v| {
                            let itself = normalize(&v.value);
                            (v.value, v.spoken.into_iter().filter(|s| *s != itself).collect())
                        });
                        lists.insert(spec.name, values.collect());
                    }
                }
            }
            Some(_) | None => files.push(TrainingFile::parse(&source.path, &source.text)?),
        }
    }
    let bundle = Bundle::from_files(&files, lists);
    let text = match args.to {
        To::Rasa => rasa_yaml(&bundle),
        To::Csv => csv(&bundle),
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| path.display().to_string())?;
            let (examples, intents) = (bundle.examples(), bundle.intents.len());
            anstream::println!("{examples} examples of {intents} intents in {}.", path.display());
        }
        None => anstream::print!("{text}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn check(config: &Config, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mut found = nlu::findings(config)?;
    let broken = found.iter().any(|f| f.severity == Severity::Error);
    // What training refuses cannot be judged by it.
    if !args.quick && !broken {
        let mut bars = show::TrainingBars::default();
        let judged = nlu::cross_validate(config, &mut |progress| bars.show(&progress));
        bars.finish();
        found.extend(nlu::close_intents(&judged?));
    }
    let count = |severity| found.iter().filter(|f: &&Finding| f.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if args.json {
        let told = serde_json::json!({ "errors": errors, "warnings": warnings, "findings": found });
        anstream::println!("{told}");
    } else {
        for finding in &found {
            let style = if finding.severity == Severity::Error { show::BAD } else { show::HEAD };
            let (path, line) = (&finding.path, finding.line);
            let (severity, message) = (finding.severity, &finding.message);
            anstream::println!(
                "{path}:{line}: {}{severity}{}: {message}",
                style.render(),
                style.render_reset()
            );
        }
        anstream::println!("{errors} error(s), {warnings} warning(s)");
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
