//! `attendant report`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use attendant::config::Config;
use attendant::desk::DeskPlan;
use attendant::host::line::read_desk;
use attendant::store::report::{By, Calls, Report, hour_of};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;

use super::show;

/// What the calls came to.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The first day, YYYY-MM-DD in the line's zone
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// So many days up to today, where no first day is given
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print one JSON object
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Into a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For reading here
    Table,
    /// For spreadsheets
    Csv,
    /// For programs
    Json,
    /// One page with charts
    Html,
}

pub(crate) fn run(config: &Config, args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let plan = read_desk(&config.path("intents"))?;
    let (from, until) = hours(args, &plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = super::calls::kept_store(config, &runtime)?;
    let figures = runtime.block_on(store.figures(from, until))?;
    let report = Report::of(&figures, &plan, from, until);
    let text = match if args.json { Format::Json } else { args.format } {
        Format::Table => table(&report),
        Format::Csv => report.csv(),
        Format::Json => serde_json::to_string(&report)? + "\n",
        Format::Html => report.html(),
    };
    match &args.out {
        None => anstream::print!("{text}"),
        Some(out) => {
            std::fs::write(out, anstream::adapter::strip_str(&text).to_string())
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// From the first day's midnight until that after the last, in the line's zone, in hours since 1970.
fn hours(args: &ReportArgs, plan: &DeskPlan) -> anyhow::Result<(i64, i64)> {
    let today = Timestamp::now().to_zoned(plan.zone.clone()).date();
    let last = args.until.unwrap_or(today);
    let first = match args.from {
        Some(first) => first,
        None => last.checked_sub(jiff::Span::new().days(i64::from(args.days) - 1))?,
    };
    anyhow::ensure!(first <= last, "--from {first} is after --until {last}");
    let midnight = |date: Date| anyhow::Ok(hour_of(date.to_zoned(plan.zone.clone())?.timestamp()));
    Ok((midnight(first)?, midnight(last.tomorrow()?)?))
}

fn table(report: &Report) -> String {
    use std::fmt::Write as _;

    let (head, end) = (show::HEAD.render(), show::HEAD.render_reset());
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("a string takes it");
    line(format!("{head}{} until {}{end}", report.from, report.until));
    let columns = "  calls  contained  person  given up  callbacks      s  1st call  rating";
    for (name, rows) in std::iter::once(("", vec![("all".to_owned(), report.total.clone())]))
        .chain(By::ALL.map(|by| (by.name(), report.by.get(&by).cloned().unwrap_or_default())))
    {
        line(format!("\n{head}{name:<20}{columns}{end}"));
        for (key, calls) in rows {
            line(row(&key, &calls));
        }
    }
    line(format!(
        "\n{head}{:<20}  waited  answered  hung up  callbacks  in 20 s  wait s  AHT s{end}",
        "queue"
    ));
    for q in &report.queues {
        let handle = q.handle_seconds.map_or_else(|| "-".to_owned(), |s| format!("{s:.0}"));
        line(format!(
            "{:<20}  {:>6}  {:>8}  {:>7}  {:>9}  {:>7}  {:>6.1}  {handle:>5}",
            q.queue,
            q.entries,
            q.answered,
            q.abandoned,
            q.callbacks,
            show::percent(q.service_level),
            q.wait_seconds
        ));
    }
    line(format!(
        "\n{head}{:<20}  {:<14}  turns  not understood  nothing heard{end}",
        "not understood", "stage"
    ));
    for n in report.no_match.iter().take(10) {
        line(format!(
            "{:<20}  {:<14}  {:>5}  {:>14}  {:>13}",
            n.intent, n.stage, n.turns, n.not_understood, n.nothing_heard
        ));
    }
    line(format!(
        "\n{head}{:<40}  times  {:<20}  {:<14}  campaign{end}",
        "what no intent took", "then about", "stage"
    ));
    for one in report.unmatched.iter().take(10) {
        let first =
            |by: By| one.by.get(&by).and_then(|keys| keys.first()).map_or("-", |(key, _)| key.as_str());
        line(format!(
            "{:<40}  {:>5}  {:<20}  {:<14}  {}",
            one.words,
            one.times,
            first(By::Intent),
            first(By::Stage),
            first(By::Campaign)
        ));
    }
    text
}

fn row(key: &str, c: &Calls) -> String {
    let first = c.first_call_resolution.map_or_else(|| "-".to_owned(), show::percent);
    let rating = c.csat.map_or_else(|| "-".to_owned(), |r| format!("{r:.1}"));
    format!(
        "{key:<20}  {:>5}  {:>9}  {:>6}  {:>8}  {:>9}  {:>5.0}  {first:>8}  {rating:>6}",
        c.calls,
        show::percent(c.containment),
        c.transferred,
        show::percent(c.abandonment),
        c.callbacks,
        c.seconds
    )
}
