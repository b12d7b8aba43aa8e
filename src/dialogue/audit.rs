//! Every sentence that a line can say, with what an editor has to know of it; and what a team should look
//! at, though the line can run with it.

use super::flow::Flow;

/// A prompt that takes longer is not listened to, in seconds.
pub const LONGEST_PROMPT_S: f32 = 20.0;

/// Words in a second, pauses included: the line's own voice says the 54 fixed prompts of the demo at this
/// rate, as `attendant prompts` measures it.
const WORDS_PER_SECOND: f32 = 3.3;

/// Words that stand for a variable: a date, an amount, a name.
const WORDS_OF_A_VALUE: usize = 3;

/// A sentence of the line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    /// Its name, which is the name of its recording.
    pub name: String,
    /// As it is written.
    pub text: String,
    /// Whether it has variables, so that no recording can replace it.
    pub has_values: bool,
    /// About how long it takes to say, in seconds; all branches of a template counted.
    pub seconds: f32,
}

impl Flow {
    /// All sentences, by name.
    pub fn audit(&self) -> Vec<Sentence> {
        self.wording
            .sentences()
            .map(|(name, text)| Sentence {
                name: name.to_owned(),
                text: text.to_owned(),
                has_values: text.contains("{{") || text.contains("{%"),
                seconds: words_of(text) as f32 / WORDS_PER_SECOND,
            })
            .collect()
    }

    /// What a team should look at: sentences that nobody listens to, menus at their limit, words that are
    /// a command and an answer of a list at the same time.
    pub fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        for sentence in self.audit().iter().filter(|s| s.seconds > LONGEST_PROMPT_S) {
            let Sentence { name, seconds, .. } = sentence;
            advice.push(format!(
                "prompt '{name}' takes about {seconds:.0} seconds: expected at most {LONGEST_PROMPT_S:.0}"
            ));
        }
        let menu = self.line.menu.get_ref();
        let read: f32 = self.audit().iter().filter(|s| s.name.starts_with("menu.")).map(|s| s.seconds).sum();
        if read > LONGEST_PROMPT_S {
            let entries = menu.entry.len();
            advice.push(format!("the menu of {entries} entries takes about {read:.0} seconds to read"));
        }
        for (intent, spec) in &self.intents {
            let in_menu = menu.entry.iter().any(|e| e.intent == *intent);
            if spec.examples.is_empty() && !in_menu {
                advice
                    .push(format!("intent '{intent}' has no examples and no menu entry: nobody reaches it"));
            }
            for slot in spec.slot.iter().filter(|s| s.needed && s.dont_know.is_empty() && s.choices.is_none())
            {
                advice.push(format!(
                    "slot '{}' of '{intent}' has no dont_know: a caller who does not know it gets a person",
                    slot.name
                ));
            }
            if spec.fulfil.as_ref().is_some_and(|f| f.look_up.is_some() && f.confirm.is_none()) {
                let hook =
                    spec.fulfil.as_ref().and_then(|f| f.look_up.as_ref()).map(|l| l.get_ref().as_str());
                if hook.is_some_and(|name| {
                    self.line.webhook.contains_key(name) && ACTS.iter().any(|act| name.starts_with(act))
                }) {
                    advice
                        .push(format!("'{intent}' does something without asking first: expected `confirm`"));
                }
            }
        }
        advice
    }
}

/// Beginnings of names that do something rather than look something up.
const ACTS: [&str; 8] = ["book", "cancel", "open", "create", "send", "change", "delete", "order_"];

fn words_of(text: &str) -> usize {
    let mut count = 0;
    let mut rest = text;
    while let Some(open) = rest.find("{") {
        count += rest[..open].split_whitespace().count();
        let tag = &rest[open..];
        let close = if tag.starts_with("{{") { "}}" } else { "%}" };
        if tag.starts_with("{{") {
            count += WORDS_OF_A_VALUE;
        }
        rest = tag.find(close).map_or("", |end| &tag[end + close.len()..]);
    }
    count + rest.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_without_the_templates_own() {
        assert_eq!(words_of("Hello there."), 2);
        assert_eq!(
            words_of("Hello {{ name }}, it is {% if x == 'y' %}here{% else %}not here{% endif %}."),
            11
        );
        assert_eq!(words_of(""), 0);
    }
}
