//! Reads the examples of one `intents/NAME.toml`.
//!
//! Only the key `examples` is looked at; the dialogue's keys in the same file are the dialogue's.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::call::IntentName;

use super::normalize::{normalize, words};

/// The examples of one intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingFile {
    /// The intent: the file's name without its ending.
    pub intent: IntentName,
    /// The file as the caller named it, for messages.
    pub path: String,
    /// The examples in the order of the file.
    pub examples: Vec<Example>,
}

/// A sentence as a caller may say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Without the annotations' brackets, as it was written otherwise.
    pub text: String,
    /// Marked values, by position.
    pub annotations: Vec<Annotation>,
    /// Line in the file, from 1.
    pub line: usize,
}

/// A value marked in an example: `[45 12 88](order_number)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The entity's name.
    pub entity: String,
    /// Bytes of [`Example::text`].
    pub span: Range<usize>,
}

/// A mistake in a training file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct TrainingFileError {
    /// The file as the caller named it.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

#[derive(Deserialize)]
struct Document {
    examples: Option<Spanned<Vec<Spanned<String>>>>,
}

impl TrainingFile {
    /// Reads `text`. `path_label` gives the intent its name (its last part without `.toml`) and
    /// stands in messages.
    ///
    /// # Errors
    /// Names the file, the line and what was expected there: the file is no TOML, its name is no
    /// intent's, `examples` is missing or no list of strings, an example has no word, stands twice, or
    /// its brackets do not match.
    pub fn parse(path_label: &str, text: &str) -> Result<TrainingFile, TrainingFileError> {
        let lines = Lines::of(text);
        let fail = |at: usize, message: String| TrainingFileError {
            path: path_label.to_owned(),
            line: lines.at(at),
            message,
        };
        let intent = intent_of(path_label).map_err(|why| fail(0, why))?;
        let document: Document = toml::from_str(text).map_err(|e| {
            let why = e.message().lines().next().unwrap_or_default().to_owned();
            fail(e.span().map_or(0, |s| s.start), format!("{why}; expected TOML with examples = [\"…\", …]"))
        })?;
        let Some(listed) = document.examples else {
            return Err(fail(0, "expected examples = [\"…\", …], found none".to_owned()));
        };
        let mut examples: Vec<Example> = Vec::new();
        let mut seen = std::collections::BTreeMap::new();
        for raw in listed.into_inner() {
            let at = raw.span().start;
            let (text_only, annotations) = annotated(raw.get_ref()).map_err(|why| fail(at, why))?;
            let normal = normalize(&text_only);
            if normal.is_empty() {
                return Err(fail(at, "an example without a word: expected a sentence".to_owned()));
            }
            let line = lines.at(at);
            if let Some(first) = seen.insert(normal, line) {
                return Err(fail(
                    at,
                    format!("'{text_only}' stands already in line {first}: expected it once"),
                ));
            }
            examples.push(Example { text: text_only, annotations, line });
        }
        Ok(TrainingFile { intent, path: path_label.to_owned(), examples })
    }
}

/// Where a text's lines end: counted once, since a file may have a hundred thousand examples.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        Lines(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of byte `at`, from 1.
    pub(super) fn at(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

fn intent_of(path_label: &str) -> Result<IntentName, String> {
    let name = path_label.rsplit(['/', '\\']).next().unwrap_or(path_label);
    name.strip_suffix(".toml").unwrap_or(name).parse()
}

/// An example without its annotations; one whose brackets do not match stays as it is.
pub(super) fn plain_text(raw: &str) -> String {
    annotated(raw).map_or_else(|_| raw.to_owned(), |(text, _)| text)
}

/// Takes the annotations out of an example.
pub(super) fn annotated(raw: &str) -> Result<(String, Vec<Annotation>), String> {
    let mut text = String::with_capacity(raw.len());
    let mut found = Vec::new();
    let mut rest = raw;
    while let Some(open) = rest.find(['[', ']']) {
        if rest[open..].starts_with(']') {
            return Err(format!("']' without '[' before it in '{raw}': expected [text](entity)"));
        }
        text.push_str(&rest[..open]);
        let (marked, after) = rest[open + 1..]
            .split_once(']')
            .ok_or_else(|| format!("'[' without ']' after it in '{raw}': expected [text](entity)"))?;
        let (entity, after) = after
            .strip_prefix('(')
            .and_then(|a| a.split_once(')'))
            .ok_or_else(|| format!("no '(entity)' after '[{marked}]' in '{raw}': expected [text](entity)"))?;
        if marked.contains('[') || words(marked).is_empty() {
            return Err(format!("'[{marked}]' in '{raw}': expected words between the brackets"));
        }
        if entity.is_empty() || !entity.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!(
                "'({entity})' in '{raw}': expected an entity's name of letters, digits and '_'"
            ));
        }
        let start = text.len();
        text.push_str(marked);
        found.push(Annotation { entity: entity.to_owned(), span: start..text.len() });
        rest = after;
    }
    text.push_str(rest);
    Ok((text, found))
}

#[cfg(test)]
impl TrainingFile {
    /// The file `{intent}.toml` with these examples, in a line each.
    pub(crate) fn with_examples(intent: &str, examples: &[&str]) -> TrainingFile {
        let listed: Vec<String> = examples.iter().map(|e| format!("  \"{e}\",\n")).collect();
        let text = format!("examples = [\n{}]", listed.concat());
        TrainingFile::parse(&format!("{intent}.toml"), &text).expect("valid")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_error(text: &str, line: usize, part: &str) {
        let error = TrainingFile::parse("intents/order_status.toml", text).expect_err("a mistake");
        assert_eq!((error.line, error.path.as_str()), (line, "intents/order_status.toml"), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn examples_and_annotations_are_read_and_the_rest_is_left_alone() {
        let text = "description = \"x\"\nexamples = [\n  \"where is my order\",\n  # a remark\n  \"where is [45 12 88](order_number) now\",\n]\n[slots.order_number]\nquestion = \"which?\"\n";
        let file = TrainingFile::parse("intents/order_status.toml", text).expect("valid");
        assert_eq!(file.intent.as_str(), "order_status");
        assert_eq!(file.examples[1].text, "where is 45 12 88 now");
        assert_eq!(file.examples[1].line, 5);
        let mark = &file.examples[1].annotations[0];
        assert_eq!(
            (mark.entity.as_str(), &file.examples[1].text[mark.span.clone()]),
            ("order_number", "45 12 88")
        );
    }

    #[test]
    fn mistakes_name_file_line_and_what_was_expected() {
        check_error("examples = [\n \"ok\",\n \"where is [45\",\n]", 3, "expected [text](entity)");
        check_error("examples = [\n \"where] is\",\n]", 2, "without '['");
        check_error("examples = [\n \"where [is] it\",\n]", 2, "no '(entity)'");
        check_error("examples = [\n \"[is](a b)\",\n]", 2, "entity's name");
        check_error("examples = [\n \"[](a)\",\n]", 2, "words between");
        check_error("examples = [\n \"ok\",\n \" ,\",\n]", 3, "without a word");
        check_error("examples = [\n \"ok then\",\n \"OK, then!\",\n]", 3, "already in line 2");
        check_error("description = \"x\"\n", 1, "examples");
        check_error("a = 1\nexamples = [ 5 ]\n", 2, "expected");
        check_error("examples = [\n \"open\n", 2, "expected TOML");
    }

    #[test]
    fn a_file_that_cannot_be_an_intent_is_named() {
        let error = TrainingFile::parse("intents/order status.toml", "examples = []").expect_err("a mistake");
        assert!(error.to_string().contains("no intent name"), "{error}");
    }

    #[test]
    fn a_hundred_thousand_examples_are_read_with_their_lines() {
        let examples: String = (0..100_000).map(|i| format!("  \"where is [{i}](number) now\",\n")).collect();
        let read = |text: &str| TrainingFile::parse("intents/many.toml", text);
        let file = read(&format!("examples = [\n{examples}]\n")).expect("valid");
        assert_eq!((file.examples.len(), file.examples[99_999].line), (100_000, 100_001));
        let broken =
            read(&format!("examples = [\n{examples}  \"where is [it\",\n]\n")).expect_err("a mistake");
        assert_eq!(broken.line, 100_002, "{broken}");
    }

    #[test]
    fn an_empty_file_says_what_was_expected() {
        check_error("", 1, "expected examples");
        check_error("examples = []\nexamples = []\n", 2, "expected TOML");
        let none = TrainingFile::parse("intents/a.toml", "examples = []\n").expect("an intent without any");
        assert!(none.examples.is_empty());
    }

    proptest! {
        #[test]
        fn annotations_come_out_where_they_went_in(
            parts in prop::collection::vec(("[a-z ]{0,8}", "[a-z0-9]{1,6}", "[a-z_]{1,6}"), 0..4), tail in "[a-z ]{0,8}",
        ) {
            let mut raw = String::new();
            let mut plain = String::new();
            for (before, marked, entity) in &parts {
                raw.push_str(&format!("{before}[{marked}]({entity})"));
                plain.push_str(&format!("{before}{marked}"));
            }
            let (text, found) = annotated(&format!("{raw}{tail}")).expect("balanced");
            prop_assert_eq!(&text, &format!("{plain}{tail}"));
            let seen: Vec<(&str, &str)> = found.iter().map(|a| (&text[a.span.clone()], a.entity.as_str())).collect();
            let wanted: Vec<(&str, &str)> = parts.iter().map(|(_, m, e)| (m.as_str(), e.as_str())).collect();
            prop_assert_eq!(seen, wanted);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            if let Err(error) = TrainingFile::parse("intents/a.toml", &text) {
                prop_assert!(error.line >= 1);
            }
        }
    }
}
