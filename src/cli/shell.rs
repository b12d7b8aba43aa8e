//! `attendant shell`, `attendant suggest`: sentences typed, and sentences that no intent took.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use attendant::call::{IntentName, OUT_OF_SCOPE};
use attendant::config::Config;
use attendant::host::suggest::{self, Group};
use attendant::host::{exchange, line};
use attendant::understanding::{EntitySpec, entities};
use clap::Args;

use super::{nlu, show};

/// Intents that are shown.
const INTENTS: usize = 5;

/// Characters of a bar for probability 1.
const WIDEST: f32 = 24.0;

/// Type a sentence: its intents, out-of-scope score, entities, nearest examples, and the time it took.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Examples shown
    #[arg(long, default_value_t = 3)]
    nearest: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: &Config, args: &ShellArgs) -> anyhow::Result<ExitCode> {
    let classifier = nlu::open(config)?;
    let sources = line::read_sources(&config.path("intents"))?;
    let specs: Vec<EntitySpec> = match sources.iter().find(|s| s.path.ends_with("entities.toml")) {
        Some(source) => EntitySpec::parse_all(&source.path, &source.text)?,
        None => Vec::new(),
    };
    let talks = std::io::stdin().is_terminal() && !args.json;
    if talks {
        anstream::println!("Type what a caller says; an empty line or Ctrl-D ends.");
    }
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if talks {
            anstream::print!("> ");
            std::io::stdout().flush()?;
        }
        let Some(sentence) = lines.next().transpose()? else { break };
        if sentence.trim().is_empty() {
            if talks {
                break;
            }
            continue;
        }
        let began = Instant::now();
        let mut explained = classifier.explain(&[&sentence], args.nearest, &mut |_| {})?;
        let found = entities(&sentence, &specs);
        let took_ms = began.elapsed().as_secs_f64() * 1000.0;
        let e = explained.pop().expect("one sentence was asked");
        if args.json {
            let told = serde_json::json!({
                "sentence": sentence, "seen_as": e.sentence, "intents": e.interpretation.ranked,
                "out_of_scope": e.interpretation.out_of_scope, "entities": found, "nearest": e.nearest,
                "ms": took_ms,
            });
            anstream::println!("{told}");
            continue;
        }
        for score in e.interpretation.ranked.iter().take(INTENTS) {
            bar(score.intent.as_str(), score.probability);
        }
        bar(OUT_OF_SCOPE, e.interpretation.out_of_scope);
        for entity in &found {
            anstream::println!("  {} = {} ({:.2})", entity.kind, entity.value.expose(), entity.confidence);
        }
        for n in &e.nearest {
            let intent = n.intent.as_ref().map_or(OUT_OF_SCOPE, IntentName::as_str);
            anstream::println!(
                "{}  {:.2} '{}' {intent}{}",
                show::DIM.render(),
                n.similarity,
                n.sentence,
                show::DIM.render_reset()
            );
        }
        anstream::println!(
            "{}  {took_ms:.1} ms, seen as '{}'{}",
            show::DIM.render(),
            e.sentence,
            show::DIM.render_reset()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn bar(name: &str, share: f32) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the widest")]
    let width = (share.clamp(0.0, 1.0) * WIDEST).round() as usize;
    anstream::println!(
        "  {name:<24} {share:.3} {}{}{}",
        show::GOOD.render(),
        "#".repeat(width),
        show::GOOD.render_reset()
    );
}

/// Sort what no intent took in past calls into groups, and add to intents what you accept.
#[derive(Debug, Args)]
pub(crate) struct SuggestArgs {
    /// Groups that came up less often are left out
    #[arg(long, default_value_t = 1, value_name = "TIMES")]
    min: usize,
    /// Add a group, by its number, to the proposed intent or to another one; instead of being asked
    #[arg(long, value_name = "GROUP[=INTENT]")]
    accept: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn suggest(config: &Config, args: &SuggestArgs) -> anyhow::Result<ExitCode> {
    let unmatched = suggest::unmatched(&nlu::past_calls(config)?);
    if unmatched.is_empty() && !args.json {
        anstream::println!("Nothing to suggest: no caller said anything that no intent took.");
        return Ok(ExitCode::SUCCESS);
    }
    let classifier = nlu::open(config)?;
    let encoder = line::open_encoder(config)?;
    let bar = show::bar(unmatched.len() as u64, "reading the sentences");
    let groups =
        suggest::groups(&unmatched, &classifier, encoder.as_ref(), &mut |n| bar.set_position(n as u64));
    bar.finish_and_clear();
    let groups: Vec<Group> = groups?.into_iter().filter(|g| g.times >= args.min).collect();
    let mut accepted: Vec<(IntentName, String)> = Vec::new();
    for choice in &args.accept {
        accepted.extend(chosen(choice, &groups, &classifier.intents())?);
    }
    let asks = std::io::stdin().is_terminal() && !args.json && args.accept.is_empty();
    if !args.json {
        for (n, group) in groups.iter().enumerate() {
            print(n + 1, group);
            if asks {
                match ask(group, &classifier.intents())? {
                    Some(more) => accepted.extend(more),
                    None => break,
                }
            }
        }
    }
    let changes = exchange::append(&config.path("intents"), &accepted)?;
    if args.json {
        anstream::println!("{}", serde_json::json!({ "groups": groups, "changes": changes }));
        return Ok(ExitCode::SUCCESS);
    }
    for change in &changes {
        anstream::println!("{}: {} added", change.path.display(), change.added);
    }
    match (accepted.is_empty(), changes.is_empty()) {
        (_, false) => anstream::println!("Next: `attendant train`."),
        (false, true) => anstream::println!("Nothing was added: the files hold these sentences already."),
        (true, true) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print(number: usize, group: &Group) {
    let (style, reset) = (show::HEAD.render(), show::HEAD.render_reset());
    let like = group.like.as_ref().map_or(String::new(), |l| format!(", like '{l}'"));
    anstream::println!(
        "{style}{number}. {} {}: {}{reset} ({:.2}{like})",
        group.times,
        if group.times == 1 { "time" } else { "times" },
        group.intent,
        group.probability
    );
    for sentence in &group.sentences {
        anstream::println!("     {:>3}x {}", sentence.times, sentence.sentence);
    }
}

/// The sentences of the group that `choice` names, with their intent.
fn chosen(choice: &str, groups: &[Group], known: &[IntentName]) -> anyhow::Result<Vec<(IntentName, String)>> {
    let (number, intent) = choice.split_once('=').map_or((choice, None), |(n, i)| (n, Some(i)));
    let group =
        number.parse::<usize>().ok().and_then(|n| groups.get(n.wrapping_sub(1))).ok_or_else(|| {
            anyhow::anyhow!("--accept {choice}: expected a group from 1 to {}", groups.len())
        })?;
    let intent = match intent {
        None => group.intent.clone(),
        Some(name) => known_intent(name, known)?,
    };
    Ok(group.sentences.iter().map(|s| (intent.clone(), s.sentence.clone())).collect())
}

fn known_intent(name: &str, known: &[IntentName]) -> anyhow::Result<IntentName> {
    let intent: IntentName = name.parse().map_err(anyhow::Error::msg)?;
    let names: Vec<&str> = known.iter().map(IntentName::as_str).collect();
    anyhow::ensure!(
        known.contains(&intent) || name == OUT_OF_SCOPE,
        "'{name}' is no intent: expected {} or {OUT_OF_SCOPE}",
        names.join(", ")
    );
    Ok(intent)
}

/// `None` ends the questions.
fn ask(group: &Group, known: &[IntentName]) -> anyhow::Result<Option<Vec<(IntentName, String)>>> {
    loop {
        anstream::print!("   add to {}? [y]es, [n]o, another intent's name, [q]uit: ", group.intent);
        std::io::stdout().flush()?;
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer)? == 0 {
            return Ok(None);
        }
        let intent = match answer.trim() {
            "y" | "yes" => group.intent.clone(),
            "n" | "no" | "" => return Ok(Some(Vec::new())),
            "q" | "quit" => return Ok(None),
            name => match known_intent(name, known) {
                Ok(intent) => intent,
                Err(error) => {
                    anstream::println!("   {error}");
                    continue;
                }
            },
        };
        return Ok(Some(group.sentences.iter().map(|s| (intent.clone(), s.sentence.clone())).collect()));
    }
}
