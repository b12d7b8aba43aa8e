//! Training data written down: as the line's own files, as Rasa's YAML, as CSV.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::call::IntentName;

use super::super::Example;
use super::Bundle;

/// An example with its marks, as a training file writes it.
pub fn annotated_text(example: &Example) -> String {
    let mut out = String::new();
    let mut at = 0;
    for mark in &example.annotations {
        out.push_str(&example.text[at..mark.span.start]);
        let _ = write!(out, "[{}]({})", &example.text[mark.span.clone()], mark.entity);
        at = mark.span.end;
    }
    out.push_str(&example.text[at..]);
    out
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A new `intents/NAME.toml`. Until the team writes what the line does about it, a person takes over.
pub fn intent_toml(intent: &IntentName, examples: &[String]) -> String {
    let label = intent.as_str().replace('_', " ");
    let mut out = String::new();
    if intent.as_str() != crate::call::OUT_OF_SCOPE {
        let _ = writeln!(out, "description = {}", quoted(&format!("Imported: {label}.")));
        let _ = writeln!(out, "# The line says it when it asks: \"I think this is about …\".");
        let _ = writeln!(out, "label = {}\n", quoted(&label));
    }
    out.push_str("examples = [\n");
    for example in examples {
        let _ = writeln!(out, "  {},", quoted(example));
    }
    out.push_str("]\n");
    out
}

/// A list entity for `entities.toml`.
pub fn entity_toml(name: &str, values: &BTreeMap<String, Vec<String>>) -> String {
    let mut out = format!("[{name}]\nkind = \"list\"\n\n[{name}.values]\n");
    for (value, synonyms) in values {
        let synonyms: Vec<String> = synonyms.iter().map(|s| quoted(s)).collect();
        let _ = writeln!(out, "{} = [{}]", quoted(value), synonyms.join(", "));
    }
    out
}

/// Rasa's NLU YAML, version 3.1. Intents' and entities' names need no quoting, nor do lines of a block.
pub fn rasa_yaml(bundle: &Bundle) -> String {
    let mut out = String::from("version: \"3.1\"\n\nnlu:\n");
    for (intent, examples) in &bundle.intents {
        let _ = writeln!(out, "- intent: {intent}\n  examples: |");
        for example in examples {
            let _ = writeln!(out, "    - {example}");
        }
    }
    for (name, values) in &bundle.lists {
        let _ = writeln!(out, "- lookup: {name}\n  examples: |");
        for value in values.keys() {
            let _ = writeln!(out, "    - {value}");
        }
    }
    // A value may stand in several lists, and its synonyms with it.
    let mut synonyms: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (value, also) in bundle.lists.values().flatten().filter(|(_, also)| !also.is_empty()) {
        synonyms.entry(value).or_default().extend(also.iter().map(String::as_str));
    }
    for (value, also) in synonyms {
        let value = serde_json::to_string(value).expect("a string is always JSON");
        let _ = writeln!(out, "- synonym: {value}\n  examples: |");
        for synonym in also {
            let _ = writeln!(out, "    - {synonym}");
        }
    }
    out
}

/// A table with the header `text,intent`, marks included.
pub fn csv(bundle: &Bundle) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = bundle.intents.iter().flat_map(|(i, e)| e.iter().map(move |e| [e.as_str(), i.as_str()]));
    for row in std::iter::once(["text", "intent"]).chain(rows) {
        writer.write_record(row).expect("memory takes what it is given");
    }
    String::from_utf8(writer.into_inner().expect("nothing is left to write")).expect("made of text")
}

/// Whether a text is a training file that gives these examples back; for what is about to be written.
#[cfg(test)]
pub(super) fn reads_back(text: &str, examples: &[String]) -> bool {
    super::super::TrainingFile::parse("x.toml", text)
        .is_ok_and(|file| file.examples.iter().map(annotated_text).collect::<Vec<_>>() == examples)
}
