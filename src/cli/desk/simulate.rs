//! `attendant desk simulate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::desk::simulate::{DayReport, DaySpec, IntervalReport, QueueReport, simulate};
use clap::Args;

use super::super::show;

/// Play a day of the desk.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The day: who calls when, and who is there (docs/desk.md)
    day: PathBuf,
    /// Another file than the line's desk.toml
    #[arg(long, value_name = "FILE")]
    desk: Option<PathBuf>,
    /// Another seed than the day's
    #[arg(long)]
    seed: Option<u64>,
    /// Fall short (exit code 1) below this share answered within the target, 0 to 1
    #[arg(long, value_name = "SHARE")]
    min_service_level: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &SimulateArgs) -> anyhow::Result<ExitCode> {
    let path = args.day.display().to_string();
    let text = std::fs::read_to_string(&args.day).with_context(|| format!("cannot read {path}"))?;
    let mut day = DaySpec::parse(&path, &text)?;
    day.seed = args.seed.unwrap_or(day.seed);
    let plan = super::plan(config, args.desk.as_deref())?;
    let report = simulate(&plan, &day)?;
    if args.json {
        anstream::println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    let falls_short = args.min_service_level.is_some_and(|least| report.total.service_level < least);
    Ok(if falls_short { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn print(report: &DayReport) {
    let (head, end) = (show::HEAD.render(), show::HEAD.render_reset());
    anstream::println!(
        "{head}from   calls  lost  level  wait s  agents | Erlang C: level  wait s  busy{end}"
    );
    for interval in &report.intervals {
        anstream::println!("{}", row(interval));
    }
    anstream::println!();
    let target = report.target_seconds;
    anstream::println!(
        "{head}{:<14} {:>6} {:>8} {:>6} {:>9} {:>6} {:>9} {:>8} {:>6} {:>6}{end}",
        "queue",
        "calls",
        "answered",
        "lost",
        "callbacks",
        "away",
        format!("in {target} s"),
        "wait s",
        "95 %",
        "AHT s"
    );
    for queue in &report.queues {
        anstream::println!("{}", line(queue, &queue.name));
    }
    anstream::println!("{}", line(&report.total, "all"));
    let occupancy = report.total.occupancy.map_or_else(|| "-".to_owned(), show::percent);
    anstream::println!("agents busy {occupancy} of their time; seed {}", report.seed);
    if let Some(kept) = report.told_true {
        anstream::println!(
            "{} callers were told how long it would be at most, and {} of them were told the truth",
            report.told,
            show::percent(kept)
        );
    }
}

fn row(i: &IntervalReport) -> String {
    let erlang = match (&i.erlang, i.erlang_service_level) {
        (Some(erlang), Some(level)) => format!(
            "{:>15} {:>7.1} {:>7}",
            show::percent(level),
            erlang.mean_wait_seconds,
            show::percent(erlang.occupancy)
        ),
        _ => "     more than they can bear".to_owned(),
    };
    format!(
        "{:02}:{:02} {:>6} {:>5} {:>7} {:>6.1} {:>7.1} | {erlang}",
        i.from_minutes / 60,
        i.from_minutes % 60,
        i.offered,
        i.abandoned,
        show::percent(i.service_level),
        i.mean_wait_seconds,
        i.agents
    )
}

fn line(q: &QueueReport, name: &str) -> String {
    format!(
        "{name:<14} {:>6} {:>8} {:>6} {:>9} {:>6} {:>9} {:>8.1} {:>6.1} {:>6.1}",
        q.offered,
        q.answered,
        q.abandoned,
        q.callbacks,
        q.turned_away,
        show::percent(q.service_level),
        q.mean_wait_seconds,
        q.p95_wait_seconds,
        q.handle_seconds
    )
}
