//! `attendant new intent NAME`: a file to start from, which passes the checks as it is.

use std::process::ExitCode;

use anyhow::Context as _;
use attendant::call::IntentName;
use attendant::config::Config;
use attendant::dialogue::{Flow, Source};
use attendant::host::line::read_sources;
use clap::{Args, Subcommand};

use super::show;

/// Begin something new.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// An intent: writes intents/NAME.toml
    Intent {
        /// Letters, digits and `_`: `opening_hours`
        name: IntentName,
    },
}

pub(crate) fn run(config: &Config, args: &NewArgs) -> anyhow::Result<ExitCode> {
    let What::Intent { name } = &args.what;
    let folder = config.path("intents");
    let path = folder.join(format!("{name}.toml"));
    anyhow::ensure!(
        !path.exists(),
        "{} is there already: choose another name, or change that file",
        path.display()
    );
    let text = template(name.as_str());
    let mut sources = read_sources(&folder)?;
    sources.push(Source { path: path.display().to_string(), text: text.clone() });
    // What this writes must not be what stops the line.
    Flow::parse(&sources)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    anstream::println!(
        "{}{}{} is there. Write how callers say it into `examples`, thirty sentences or more, and its answer; then\n  \
         attendant check\n  attendant train\n  attendant call --text --explain",
        show::GOOD.render(),
        path.display(),
        show::GOOD.render_reset()
    );
    Ok(ExitCode::SUCCESS)
}

fn template(name: &str) -> String {
    let words = name.replace('_', " ");
    format!(
        r#"description = "What callers want who say this."
# How the line names it: "I think this is about …"
label = "{words}"

# As callers say it: lower case, no punctuation. Five at least, thirty or more to be understood.
examples = [
  "{words}",
  "i have a question about {words}",
  "i'm calling about {words}",
  "tell me about {words}",
  "i need help with {words}",
]

# What is asked for first, if anything. Entities stand in entities.toml.
# [[slot]]
# name = "order_number"
# entity = "order_number"
# ask = ["What is your order number?"]
# confirm = "I heard {{{{ value | digits }}}}. Is that right?"

# Without [fulfil] a person takes over. With a look_up, its row's fields can be said.
[fulfil]
answer = "Here is what we say about {words}."
"#
    )
}
