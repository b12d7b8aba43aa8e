//! The commands. Exit codes: 0 done, 1 it ran but fell short (a test below its bar), 2 it could not run
//! (bad input, a missing model, a broken file); the reason is on standard error.

mod call;

mod calls;

mod check;

mod config;

mod data;

mod demo;

#[cfg(feature = "telephone")]
mod dial;

mod desk;

mod intents;

mod models;

mod new;

mod nlu;

mod prompts;

mod recordings;

mod replay;

mod report;

#[cfg(feature = "telephone")]
mod serve;

mod shell;

mod show;

mod speech;

mod test;

mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use attendant::config::Config;
use clap::{Args, Parser, Subcommand};

/// A line that answers the phone: it hears, understands, looks it up, answers, and hands over when it is
/// not sure.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 ran but fell short of its bar, 2 could not run.\n\
    Logging: RUST_LOG=attendant=debug. Settings: `attendant config show`.")]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

/// Where the settings come from.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// Settings file [default: attendant.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change a setting for this run
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Three recorded callers ring the demo shop's line
    Demo(demo::DemoArgs),
    /// Answer telephones
    #[cfg(feature = "telephone")]
    Serve(serve::ServeArgs),
    /// Call a number; the line talks to whoever answers
    #[cfg(feature = "telephone")]
    Dial(dial::DialArgs),
    /// Take one call: by microphone, from a WAV file, typed, or from a script
    Call(call::CallArgs),
    /// Train the intent classifier from intents/
    Train(train::TrainArgs),
    /// Training data in and out, and what is wrong with it
    Intents(intents::IntentsArgs),
    /// Type a sentence: its intents, out-of-scope score, entities, nearest examples, and the time it took
    Shell(shell::ShellArgs),
    /// Sort what no intent took in past calls into groups, and add to intents what you accept
    Suggest(shell::SuggestArgs),
    /// Which sentences change between two trained heads
    Compare(nlu::CompareArgs),
    /// The models that the line hears and understands with
    Models(models::ModelsArgs),
    /// Measure the line
    Test(test::TestArgs),
    /// Check all of intents/, and draw the flow
    Check(check::CheckArgs),
    /// Every sentence that the line can say, and what has no recording
    Prompts(prompts::PromptsArgs),
    /// Begin an intent
    New(new::NewArgs),
    /// Who takes calls: where one goes and why, and a simulated day
    Desk(desk::DeskArgs),
    /// Forget what is old, or all of one number
    Data(data::DataArgs),
    /// What the calls came to: a table, CSV, JSON, or a page with charts
    Report(report::ReportArgs),
    /// Recordings of calls
    Recordings(recordings::RecordingsArgs),
    /// Records of past calls
    Calls(calls::CallsArgs),
    /// A kept call as a script; or all of them with a change, and whose outcome differs
    Replay(replay::ReplayArgs),
    /// The settings, and where each comes from
    Config(config::ConfigArgs),
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_standard_error(&cli.command);
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error:#}", show::BAD.render(), show::BAD.render_reset());
            ExitCode::from(2)
        }
    }
}

/// A line that serves tells of each call; a command only of what went wrong.
fn log_to_standard_error(command: &Command) {
    #[cfg(feature = "telephone")]
    let serve = if let Command::Serve(args) = command { Some(args.json) } else { None };
    #[cfg(not(feature = "telephone"))]
    let (serve, _): (Option<bool>, _) = (None, command);
    let usual = if serve.is_some() { "attendant=info" } else { "attendant=warn" };
    let mut filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    // The SIP stack logs whole messages, numbers and all.
    if let Ok(quiet) = "rsipstack=error".parse() {
        filter = filter.add_directive(quiet);
    }
    // Colours for a terminal only.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(anstream::stderr);
    match serve {
        Some(true) => log.json().init(),
        Some(false) => log.init(),
        None => log.without_time().init(),
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut flags = Vec::new();
    for flag in &cli.settings.set {
        let (key, value) =
            flag.split_once('=').ok_or_else(|| anyhow::anyhow!("--set {flag}: expected KEY=VALUE"))?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    let config = Config::load(cli.settings.config.as_deref(), std::env::vars(), &flags)?;
    match cli.command {
        Command::Demo(args) => demo::run(&config, &args),
        #[cfg(feature = "telephone")]
        Command::Serve(args) => serve::run(&config, &args),
        #[cfg(feature = "telephone")]
        Command::Dial(args) => dial::run(&config, &args),
        Command::Call(args) => call::run(&config, &args),
        Command::Train(args) => train::run(&config, &args),
        Command::Intents(args) => intents::run(&config, &args),
        Command::Shell(args) => shell::run(&config, &args),
        Command::Suggest(args) => shell::suggest(&config, &args),
        Command::Compare(args) => nlu::compare(&config, &args),
        Command::Models(args) => models::run(&config, &args),
        Command::Test(args) => test::run(&config, &args),
        Command::Check(args) => check::run(&config, &args),
        Command::Prompts(args) => prompts::run(&config, &args),
        Command::New(args) => new::run(&config, &args),
        Command::Replay(args) => replay::run(&config, &args),
        Command::Desk(args) => desk::run(&config, &args),
        Command::Data(args) => data::run(&config, &args),
        Command::Report(args) => report::run(&config, &args),
        Command::Recordings(args) => recordings::run(&config, &args),
        Command::Calls(args) => calls::run(&config, &args),
        Command::Config(args) => config::run(&config, &args),
    }
}
