//! Any text is taken for a training file, and for the text of one example: it is read or refused with a line
//! that it has, marks lie within their sentences, and what was read can be written down and read again.
#![no_main]

use attendant::understanding::exchange::{annotated_text, intent_toml};
use attendant::understanding::{EntitySpec, TrainingFile, lint};
use libfuzzer_sys::fuzz_target;

fn lines(text: &str) -> usize {
    text.matches('\n').count() + 1
}

fn read(text: &str) {
    let file = match TrainingFile::parse("intents/some_intent.toml", text) {
        Ok(file) => file,
        Err(error) => {
            assert!((1..=lines(text)).contains(&error.line), "{error}: of {} lines", lines(text));
            return;
        }
    };
    for example in &file.examples {
        assert!((1..=lines(text)).contains(&example.line));
        for mark in &example.annotations {
            assert!(example.text.get(mark.span.clone()).is_some(), "a mark outside its sentence");
        }
    }
    let raw: Vec<String> = file.examples.iter().map(annotated_text).collect();
    let again = TrainingFile::parse("intents/some_intent.toml", &intent_toml(&file.intent, &raw));
    let again = again.unwrap_or_else(|e| panic!("what was read is not read again: {e}"));
    assert_eq!(again.examples.len(), file.examples.len());
    lint(&[file], "entities.toml", &[], &Default::default());
}

fuzz_target!(|text: &str| {
    read(text);
    // Most texts are no TOML: as an example, too, they reach the marks.
    let quoted = toml_string(text);
    read(&format!("examples = [\n  {quoted},\n]\n"));
    if let Err(error) = EntitySpec::parse_all("intents/entities.toml", text) {
        assert!((1..=lines(text)).contains(&error.line), "{error}: of {} lines", lines(text));
    }
});

/// A text as TOML writes it, on one line.
fn toml_string(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
