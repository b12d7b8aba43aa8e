//! `attendant test nlu`, `attendant compare`: how well intents are told apart.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::host::line::open_kept;
use attendant::host::{exchange, line, nlu};
use attendant::understanding::exchange::{Bundle, Format};
use attendant::understanding::{Evaluation, TrainingFile};
use clap::Args;

use super::show;

/// Mistakes that are printed; `--html` and `--json` hold more.
const SHOWN: usize = 20;

/// Characters of the longest bar.
const WIDEST: usize = 40;

#[derive(Debug, Args)]
pub(crate) struct NluArgs {
    /// Judge these sentences with the trained head: a table of texts and intents, Rasa YAML, or an export
    /// [default: cross-validation on intents/]
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Write a page with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Share of right sentences below which the exit code is 1, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    min_accuracy: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &NluArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!((0.0..=1.0).contains(&args.min_accuracy), "--min-accuracy: expected a share from 0 to 1");
    let (judged, title) = match &args.file {
        None => {
            let mut bars = show::TrainingBars::default();
            let judged = nlu::cross_validate(config, &mut |progress| bars.show(&progress));
            bars.finish();
            (judged?, format!("{}, held out", config.get("intents")))
        }
        Some(path) => {
            let bundle = read(path)?;
            let classifier = open(config)?;
            let bar = show::bar(bundle.examples() as u64, "reading the sentences");
            let judged = nlu::judge(&classifier, &bundle, &mut |done| bar.set_position(done as u64));
            bar.finish_and_clear();
            (judged?, path.display().to_string())
        }
    };
    let evaluation = Evaluation::of(&judged);
    if let Some(path) = &args.html {
        std::fs::write(path, nlu::page(&evaluation, &title)).with_context(|| path.display().to_string())?;
    }
    if args.json {
        anstream::println!("{}", serde_json::to_string(&evaluation)?);
    } else {
        print(&evaluation, &title);
        if let Some(path) = &args.html {
            anstream::println!("\nCharts: {}", path.display());
        }
    }
    let good = evaluation.accuracy >= args.min_accuracy;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(crate) fn open(
    config: &Config,
) -> anyhow::Result<attendant::understanding::classifier::IntentClassifier> {
    let mut bars = show::TrainingBars::default();
    let classifier = nlu::open_classifier(config, &mut |progress| bars.show(&progress));
    bars.finish();
    Ok(classifier?)
}

fn read(path: &PathBuf) -> anyhow::Result<Bundle> {
    let parts = exchange::read_export(std::slice::from_ref(path))?;
    let format = Format::detect(&parts)
        .with_context(|| format!("{}: expected a .csv, .tsv or .yml file, or an export", path.display()))?;
    Ok(Bundle::read(format, &parts)?)
}

fn print(e: &Evaluation, title: &str) {
    let head =
        |text: &str| anstream::println!("\n{}{text}{}", show::HEAD.render(), show::HEAD.render_reset());
    anstream::println!("{title}: {} sentences", e.sentences);
    anstream::println!("accuracy              {}", show::percent(e.accuracy));
    anstream::println!("intents, gate aside   {}", show::percent(e.intent_accuracy));
    anstream::println!("macro F1              {:.3}", e.macro_f1);
    anstream::println!("calibration error     {:.3}", e.calibration_error);
    if let Some(kept) = e.in_scope_kept {
        anstream::println!("in scope kept         {}", show::percent(kept));
    }
    if let Some(caught) = e.out_of_scope_caught {
        anstream::println!("out of scope caught   {}", show::percent(caught));
    }
    head(&format!("{:<24} {:>9} {:>9} {:>7} {:>6}", "intent", "sentences", "precision", "recall", "F1"));
    for c in &e.classes {
        anstream::println!(
            "{:<24} {:>9} {:>9.3} {:>7.3} {:>6.3}",
            c.name,
            c.sentences,
            c.precision,
            c.recall,
            c.f1
        );
    }
    head("confidence   right wrong   share right");
    let most = e.calibration.iter().map(|b| b.right + b.wrong).max().unwrap_or(1).max(1);
    for (i, bin) in e.calibration.iter().enumerate() {
        let count = bin.right + bin.wrong;
        let bar = "#".repeat((count * WIDEST).div_ceil(most));
        let right =
            if count == 0 { "    -".to_owned() } else { format!("{:5.2}", bin.right as f64 / count as f64) };
        let (from, to) = (i as f64 / 10.0, (i + 1) as f64 / 10.0);
        anstream::println!("{from:.1} to {to:.1}   {:>5} {:>5}   {right}  {bar}", bin.right, bin.wrong);
    }
    confusion(e, head);
    if !e.mistakes.is_empty() {
        head(&format!("mistakes ({}), the surest first", e.mistakes.len()));
    }
    for m in e.mistakes.iter().take(SHOWN) {
        anstream::println!("  {:.2} '{}': {}, not {}", m.confidence, m.sentence, m.predicted, m.expected);
    }
}

/// The whole matrix for a few classes, for many the cells off the diagonal alone.
fn confusion(e: &Evaluation, head: impl Fn(&str)) {
    const WHOLE: usize = 12;
    if e.classes.len() <= WHOLE {
        let numbers: String = (1..=e.classes.len()).map(|n| format!("{n:>5}")).collect();
        head(&format!("{:<28}{numbers}", "is (row), taken for (column)"));
        for (i, row) in e.confusion.iter().enumerate() {
            let cells: String =
                row.iter().map(|n| if *n == 0 { "    .".to_owned() } else { format!("{n:>5}") }).collect();
            anstream::println!("{:>2} {:<25}{cells}", i + 1, e.classes[i].name);
        }
        return;
    }
    head("taken for another, most often first");
    let mut cells: Vec<(usize, usize, usize)> = Vec::new();
    for (i, row) in e.confusion.iter().enumerate() {
        cells.extend(row.iter().enumerate().filter(|(j, n)| *j != i && **n > 0).map(|(j, n)| (*n, i, j)));
    }
    cells.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
    for (n, i, j) in cells.into_iter().take(SHOWN) {
        anstream::println!("  {n:>4}  {} taken for {}", e.classes[i].name, e.classes[j].name);
    }
}

/// Which sentences change between two trained heads.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A folder with a trained head (`data/head`, or a copy of it)
    before: PathBuf,
    /// Another one
    after: PathBuf,
    /// Sentences to look at, one a line, or a table or export [default: the examples and what past
    /// callers said]
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn compare(config: &Config, args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let before = nlu::load_classifier(config, &args.before)?;
    let after = nlu::load_classifier(config, &args.after)?;
    let sentences = match &args.file {
        Some(path) if path.extension().is_some_and(|e| e == "txt") => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
        }
        Some(path) => read(path)?
            .intents
            .values()
            .flatten()
            .map(|e| attendant::understanding::exchange::unmarked(e))
            .collect(),
        None => known_sentences(config)?,
    };
    let bar = show::bar(2 * sentences.len() as u64, "reading the sentences");
    let differences = nlu::compare(&before, &after, &sentences, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let differences = differences?;
    if args.json {
        let told = serde_json::json!({ "sentences": sentences.len(), "changed": differences });
        anstream::println!("{told}");
        return Ok(ExitCode::SUCCESS);
    }
    for d in &differences {
        anstream::println!(
            "'{}': {} ({:.2}) -> {}{}{} ({:.2})",
            d.sentence,
            d.before.intent,
            d.before.confidence,
            show::HEAD.render(),
            d.after.intent,
            show::HEAD.render_reset(),
            d.after.confidence
        );
    }
    anstream::println!("{} of {} sentences change", differences.len(), sentences.len());
    Ok(ExitCode::SUCCESS)
}

/// The examples, and what callers said when asked what they want.
fn known_sentences(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut sentences = Vec::new();
    for source in line::read_sources(&config.path("intents"))? {
        let stem = std::path::Path::new(&source.path).file_stem().and_then(|s| s.to_str()).map(str::to_owned);
        if !matches!(stem.as_deref(), Some("line" | "entities" | "desk")) {
            let file = TrainingFile::parse(&source.path, &source.text)?;
            sentences.extend(file.examples.into_iter().map(|e| e.text));
        }
    }
    for record in past_calls(config)? {
        let asked = record.turns.iter().filter(|t| t.stage <= attendant::call::Stage::Purpose);
        sentences.extend(asked.filter_map(|t| t.heard.as_ref().map(|h| h.expose().clone())));
    }
    Ok(sentences)
}

/// The records in the store; none where no call has been taken yet.
pub(crate) fn past_calls(config: &Config) -> anyhow::Result<Vec<attendant::call::CallRecord>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(store) = runtime.block_on(open_kept(config))? else { return Ok(Vec::new()) };
    let records = runtime.block_on(store.records())?;
    Ok(records.into_iter().map(|kept| kept.record).collect())
}
