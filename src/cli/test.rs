//! `attendant test`: measures the line.

use std::path::PathBuf;
use std::process::ExitCode;

use attendant::config::Config;
use attendant::host::suite::{self, SuiteReport};
use clap::{Args, Subcommand};

use super::show;

/// Measure the line.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    #[command(subcommand)]
    command: TestCommand,
}

#[derive(Debug, Subcommand)]
enum TestCommand {
    /// Rendered callers through the whole line as sound: success, word error, intents, delay
    Audio(AudioArgs),
    /// Recordings of people through the ear: word error, numbers and answers heard right, invented words
    Speech(super::speech::SpeechArgs),
    /// How well intents are told apart: by cross-validation, or on sentences of a file
    Nlu(super::nlu::NluArgs),
}

#[derive(Debug, Args)]
struct AudioArgs {
    /// So many of the suite's calls, spread evenly, instead of all
    #[arg(long, value_name = "CALLS")]
    sample: Option<usize>,
    /// Another suite [default: suite.toml in the folder of recordings]
    #[arg(long, value_name = "FILE")]
    suite: Option<PathBuf>,
    /// Share of calls in voices known to the ear that must succeed, 0 to 1; below it the exit code is 1
    #[arg(long, default_value_t = 0.9)]
    min_success: f64,
    /// Print the timeline of each call that failed
    #[arg(long)]
    explain: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &TestArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        TestCommand::Audio(args) => run_audio(config, args),
        TestCommand::Speech(args) => super::speech::run(config, args),
        TestCommand::Nlu(args) => super::nlu::run(config, args),
    }
}

fn run_audio(config: &Config, args: &AudioArgs) -> anyhow::Result<ExitCode> {
    anyhow::ensure!((0.0..=1.0).contains(&args.min_success), "--min-success: expected a share from 0 to 1");
    let path = args.suite.clone().unwrap_or_else(|| config.path("audio").join("suite.toml"));
    let cases = suite::cases(&path, args.sample)?;
    // A suite leaves no records in the operator's store.
    let folder = std::env::temp_dir().join(format!("attendant-suite-{}", attendant::host::unique()));
    let line = open_apart(config, &folder)?;
    let bar = show::bar(cases.len() as u64, "calls");
    let mut reports = Vec::new();
    for case in &cases {
        reports.push(suite::run_case(&line, case)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    drop(line);
    let _ = std::fs::remove_dir_all(&folder);
    let report = suite::summarize(reports);
    if args.json {
        anstream::println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, args.explain);
    }
    let judged = report.success_trained.unwrap_or(report.success);
    Ok(if judged >= args.min_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The line with a store of its own, but the head and the renderings that are there already.
fn open_apart(config: &Config, folder: &std::path::Path) -> anyhow::Result<attendant::host::line::Line> {
    Ok(attendant::host::line::Line::open_with_store(config, folder, &mut |_| {})?)
}

fn print(report: &SuiteReport, explain: bool) {
    for case in &report.cases {
        let (mark, style) = if case.success { ("ok  ", show::GOOD) } else { ("FAIL", show::BAD) };
        let end = case.disposition.map_or("no record".to_owned(), |d| d.to_string());
        anstream::println!(
            "{}{mark}{} {:60} {end}, {} of {} words wrong",
            style.render(),
            style.render_reset(),
            case.name,
            case.word_errors,
            case.words
        );
        if explain && !case.success {
            case.timeline.iter().for_each(show::entry);
        }
    }
    let show_share = |share: Option<f64>| share.map_or("-".to_owned(), show::percent);
    anstream::println!("\ncalls                     {}", report.calls);
    anstream::println!("task success              {}", show::percent(report.success));
    anstream::println!("  voices known to the ear {}", show_share(report.success_trained));
    anstream::println!("  voices never heard      {}", show_share(report.success_unseen));
    anstream::println!("word error                {}", show::percent(report.wer));
    anstream::println!(
        "intent accuracy           {}, from text {}",
        show::percent(report.intent_accuracy),
        show::percent(report.intent_accuracy_from_text)
    );
    let voices =
        [("voices known to the ear", report.intents_trained), ("voices never heard", report.intents_unseen)];
    for (voices, accuracy) in voices {
        let Some(accuracy) = accuracy else { continue };
        anstream::println!(
            "  {voices:23} {}, from text {}: {:.1} points lost",
            show::percent(accuracy.from_audio),
            show::percent(accuracy.from_text),
            (accuracy.from_text - accuracy.from_audio) * 100.0
        );
    }
    anstream::println!("delay p50 / p95           {} / {} ms", report.delay_ms.p50, report.delay_ms.p95);
}
