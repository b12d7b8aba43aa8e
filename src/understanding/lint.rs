//! What is wrong with training files, all of it at once: for whoever writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::entity::{EntitySpec, entities};
use super::numbers::mask_numbers;
use super::training_file::TrainingFile;
use super::training_set::MIN_EXAMPLES;
use crate::call::OUT_OF_SCOPE;

/// From so many examples on, an intent is heard well in words that nobody wrote down; `docs/intents.md`
/// recommends thirty.
const ENOUGH_EXAMPLES: usize = 20;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Training refuses the files.
    Error,
    /// The line hears less well than it could.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Something to mend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What it is, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.severity, self.message)
    }
}

/// All that can be said of files without training, in order of severity and place. `entities_path` is
/// where `specs` were declared; `asked_for` are the entities that slots and proofs use.
pub fn lint(
    files: &[TrainingFile],
    entities_path: &str,
    specs: &[EntitySpec],
    asked_for: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    same_sentence(files, &mut found);
    for file in files {
        too_few(file, &mut found);
        annotations(file, specs, entities_path, &mut found);
    }
    unused(files, entities_path, specs, asked_for, &mut found);
    found.sort();
    found
}

/// One sentence in two intents contradicts itself; two that differ only in a number are one.
fn same_sentence(files: &[TrainingFile], found: &mut Vec<Finding>) {
    let mut seen: BTreeMap<String, (&TrainingFile, usize)> = BTreeMap::new();
    for file in files {
        for example in &file.examples {
            let text = mask_numbers(&example.text);
            match seen.get(&text) {
                None => {
                    seen.insert(text, (file, example.line));
                }
                Some((first, line)) => {
                    let (path, text) = (&first.path, &example.text);
                    let (severity, message) = if first.intent == file.intent {
                        (Severity::Warning, format!("'{text}' says no more than line {line}: remove one"))
                    } else {
                        let why = format!("'{text}' stands in {path}:{line} too: keep it in one intent");
                        (Severity::Error, why)
                    };
                    found.push(finding(severity, &file.path, example.line, message));
                }
            }
        }
    }
}

fn finding(severity: Severity, path: &str, line: usize, message: String) -> Finding {
    Finding { severity, path: path.to_owned(), line, message }
}

fn too_few(file: &TrainingFile, found: &mut Vec<Finding>) {
    if file.intent.as_str() == OUT_OF_SCOPE {
        return;
    }
    let count = file.examples.len();
    if count < MIN_EXAMPLES {
        let message = format!("{count} examples: at least {MIN_EXAMPLES} are needed, better 30 or more");
        found.push(finding(Severity::Error, &file.path, 1, message));
    } else if count < ENOUGH_EXAMPLES {
        let message = format!("{count} examples: write {ENOUGH_EXAMPLES} or more, as callers say it");
        found.push(finding(Severity::Warning, &file.path, 1, message));
    }
}

/// Marked values whose entity is not declared, or that it does not read.
fn annotations(file: &TrainingFile, specs: &[EntitySpec], entities_path: &str, found: &mut Vec<Finding>) {
    for example in &file.examples {
        for mark in &example.annotations {
            let said = &example.text[mark.span.clone()];
            let Some(spec) = specs.iter().find(|s| s.name == mark.entity) else {
                let message =
                    format!("'({})' is declared nowhere: add [{0}] to {entities_path}", mark.entity);
                found.push(finding(Severity::Warning, &file.path, example.line, message));
                continue;
            };
            if entities(said, std::slice::from_ref(spec)).is_empty() {
                let message =
                    format!("'{said}' is no {}: mend the example, or [{0}] in {entities_path}", mark.entity);
                found.push(finding(Severity::Warning, &file.path, example.line, message));
            }
        }
    }
}

fn unused(
    files: &[TrainingFile],
    entities_path: &str,
    specs: &[EntitySpec],
    asked_for: &BTreeSet<String>,
    found: &mut Vec<Finding>,
) {
    let marks = files.iter().flat_map(|f| &f.examples).flat_map(|e| &e.annotations);
    let marked: BTreeSet<&str> = marks.map(|m| m.entity.as_str()).collect();
    for spec in specs.iter().filter(|s| !asked_for.contains(&s.name)) {
        let message = if marked.contains(spec.name.as_str()) {
            format!("the entity '{}' is marked in examples, but no slot asks for it", spec.name)
        } else {
            format!("the entity '{}' is used nowhere: remove it, or ask for it in a slot", spec.name)
        };
        found.push(finding(Severity::Warning, entities_path, 1, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(found: &[Finding], severity: Severity, path: &str, line: usize, part: &str) {
        let fits = |f: &&Finding| {
            (f.severity, f.path.as_str(), f.line) == (severity, path, line) && f.message.contains(part)
        };
        assert!(found.iter().any(|f| fits(&f)), "{part}: {found:#?}");
    }

    #[test]
    fn all_mistakes_are_found_at_once() {
        let many: Vec<String> = (0..20).map(|n| format!("sentence {}", "x".repeat(n + 1))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let files = [
            TrainingFile::with_examples("a", &["one", "two", "three [1](no)", "my [four](number)"]),
            TrainingFile::with_examples(
                "b",
                &["Two!", "five", "order 123 456", "order 654 321", "seven", "order [123456](number)"],
            ),
            TrainingFile::with_examples("c", &many),
            TrainingFile::with_examples(OUT_OF_SCOPE, &["nice weather"]),
        ];
        let specs = [EntitySpec::digits("number", 6, 6), EntitySpec::digits("spare", 1, 2)];
        let found = lint(&files, "entities.toml", &specs, &BTreeSet::from(["number".to_owned()]));
        told(&found, Severity::Error, "a.toml", 1, "4 examples: at least 5");
        told(&found, Severity::Warning, "a.toml", 4, "'(no)' is declared nowhere: add [no] to entities.toml");
        told(&found, Severity::Warning, "a.toml", 5, "'four' is no number");
        told(&found, Severity::Error, "b.toml", 2, "stands in a.toml:3 too");
        told(&found, Severity::Warning, "b.toml", 5, "no more than line 4");
        told(&found, Severity::Warning, "b.toml", 1, "write 20 or more");
        told(&found, Severity::Warning, "entities.toml", 1, "'spare' is used nowhere");
        assert!(found.iter().all(|f| f.path != "c.toml"), "{found:#?}");
        assert!(found.is_sorted_by_key(|f| f.severity), "what stops training comes first");
    }

    #[test]
    fn an_entity_that_is_only_marked_is_told_apart() {
        let files = [TrainingFile::with_examples("a", &["order [123456](number)", "b", "c", "d", "e"])];
        let specs = [EntitySpec::digits("number", 6, 6)];
        told(
            &lint(&files, "e.toml", &specs, &BTreeSet::new()),
            Severity::Warning,
            "e.toml",
            1,
            "no slot asks",
        );
    }
}
