//! `attendant config show`.

use std::process::ExitCode;

use attendant::config::{Config, KEYS};
use attendant::store::printable;
use clap::{Args, Subcommand};

use super::show;

/// The settings, and where each comes from.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print each setting with its origin
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(config: &Config, args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Show { json } = args.command;
    if json {
        let all: serde_json::Map<String, serde_json::Value> = config
            .all()
            .map(|(key, value, origin)| {
                (
                    key.to_owned(),
                    serde_json::json!({ "value": shown(key, value), "origin": origin.to_string() }),
                )
            })
            .collect();
        anstream::println!("{}", serde_json::Value::Object(all));
        return Ok(ExitCode::SUCCESS);
    }
    for (key, value, origin) in config.all() {
        let help = KEYS.iter().find(|k| k.name == key).map_or("", |k| k.help);
        anstream::println!(
            "{}{key}{} = {}  {}({origin}; {help}){}",
            show::HEAD.render(),
            show::HEAD.render_reset(),
            shown(key, value),
            show::DIM.render(),
            show::DIM.render_reset()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// A value as it may be seen: a database's without its password, a secret as dots.
fn shown(key: &str, value: &str) -> String {
    let is_secret = KEYS.iter().any(|k| k.name == key && k.is_secret());
    match key {
        "database" => printable(value),
        _ if is_secret && !value.is_empty() => "••••••••".to_owned(),
        _ => value.to_owned(),
    }
}
