//! Prompts: minijinja templates with checked variables, and variants of which none is said twice running.
//!
//! Values become words here ([`super::spoken`]), not in the synthesiser, so that every voice says them
//! alike.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::spec::PromptSpec;
use super::spoken;
use crate::call::{Pii, Prompt};

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordingError {
    /// It does not compile.
    #[error("prompt '{name}' is no template: {why}")]
    Syntax {
        /// The prompt.
        name: String,
        /// The template engine's word.
        why: String,
    },
    /// It has no words.
    #[error("prompt '{0}' is empty: expected a sentence")]
    Empty(String),
    /// It uses a variable that nothing fills.
    #[error("prompt '{name}' uses '{variable}', which nothing fills: expected one of {known}")]
    Variable {
        /// The prompt.
        name: String,
        /// What it uses.
        variable: String,
        /// What there is.
        known: String,
    },
}

/// One prompt, compiled.
#[derive(Clone, Debug)]
struct Entry {
    /// Template names of its variants, one at least. The first is the prompt's own name.
    variants: Vec<String>,
    barge_in: bool,
}

/// All prompts of a line, compiled.
pub struct Wording {
    env: Environment<'static>,
    entries: BTreeMap<String, Entry>,
    /// Templates as they are written, by the name of their variant.
    sources: BTreeMap<String, String>,
}

impl std::fmt::Debug for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wording").field("names", &self.entries.keys()).finish_non_exhaustive()
    }
}

impl Wording {
    pub(super) fn new() -> Wording {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Lenient);
        spoken::add_filters(&mut env);
        Wording { env, entries: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Adds a prompt whose templates may use `variables`. The error names the variant's text besides.
    pub(super) fn add<'a>(
        &mut self,
        name: &str,
        spec: &'a PromptSpec,
        variables: &BTreeSet<String>,
    ) -> Result<(), (WordingError, &'a str)> {
        let mut variants = Vec::new();
        for (i, text) in spec.texts.iter().enumerate() {
            let variant = if i == 0 { name.to_owned() } else { format!("{name}~{i}") };
            self.add_variant(name, &variant, text, variables).map_err(|e| (e, text.as_str()))?;
            variants.push(variant);
        }
        self.entries.insert(name.to_owned(), Entry { variants, barge_in: spec.barge_in });
        Ok(())
    }

    fn add_variant(
        &mut self,
        name: &str,
        variant: &str,
        text: &str,
        variables: &BTreeSet<String>,
    ) -> Result<(), WordingError> {
        if text.trim().is_empty() {
            return Err(WordingError::Empty(name.to_owned()));
        }
        let syntax = |e: minijinja::Error| WordingError::Syntax { name: name.to_owned(), why: e.to_string() };
        self.env.add_template_owned(variant.to_owned(), text.to_owned()).map_err(syntax)?;
        let used = self.env.get_template(variant).map_err(syntax)?.undeclared_variables(false);
        if let Some(variable) = used.iter().filter(|v| !variables.contains(*v)).min() {
            let known: Vec<&str> = variables.iter().map(String::as_str).collect();
            return Err(WordingError::Variable {
                name: name.to_owned(),
                variable: variable.clone(),
                known: known.join(", "),
            });
        }
        if let Some(stranger) = filters_in(text).find(|f| !self.knows_filter(f)) {
            let why =
                format!("there is no filter '{stranger}': expected one of {}", spoken::FILTERS.join(", "));
            return Err(WordingError::Syntax { name: name.to_owned(), why });
        }
        self.sources.insert(variant.to_owned(), text.trim().to_owned());
        Ok(())
    }

    /// The engine itself finds an unknown filter only when it renders.
    fn knows_filter(&self, filter: &str) -> bool {
        let tried = self.env.render_str(&format!("{{{{ '' | {filter} }}}}"), ());
        tried.err().is_none_or(|e| e.kind() != ErrorKind::UnknownFilter)
    }

    /// Whether there is a prompt of that name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// How many variants a prompt has; 0 where there is no such prompt.
    pub fn variants(&self, name: &str) -> usize {
        self.entries.get(name).map_or(0, |e| e.variants.len())
    }

    /// The `n`th wording (from 0) of a list, or its last where there are fewer; `None` where the list
    /// is empty.
    pub fn nth(&self, name: &str, n: usize) -> Option<String> {
        (0..=n).rev().map(|i| format!("{name}.{i}")).find(|name| self.has(name))
    }

    /// Every sentence as it is written, with the name of its recording.
    pub fn sentences(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether a prompt, or the variant of that name, has this word in its template.
    pub fn mentions(&self, name: &str, word: &str) -> bool {
        self.sources.get(name).is_some_and(|text| text.contains(word))
    }

    fn is_evergreen(&self, variant: &str) -> bool {
        self.sources.get(variant).is_some_and(|text| !text.contains("{{") && !text.contains("{%"))
    }

    /// All prompts that need no value: they can be rendered before the first call.
    pub fn evergreen(&self) -> impl Iterator<Item = Prompt> + '_ {
        self.sources.iter().filter(|(name, _)| self.is_evergreen(name)).map(|(name, text)| Prompt {
            name: name.clone(),
            text: Pii::from(text.as_str()),
            evergreen: true,
            barge_in: true,
            slow: false,
        })
    }

    /// Words a prompt: its `variant`th variant, counted round.
    ///
    /// # Errors
    /// The name is unknown, or a filter refused its value.
    pub fn render(&self, name: &str, variant: usize, values: &Value) -> Result<Prompt, String> {
        let entry = self.entries.get(name).ok_or_else(|| format!("there is no prompt '{name}'"))?;
        let chosen = &entry.variants[variant % entry.variants.len()];
        let template = self.env.get_template(chosen).map_err(|e| e.to_string())?;
        let text = template.render(values).map_err(|e| e.to_string())?;
        Ok(Prompt {
            name: chosen.clone(),
            text: Pii::new(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            evergreen: self.is_evergreen(chosen),
            barge_in: entry.barge_in,
            slow: false,
        })
    }
}

/// Names that stand after a `|` inside a template's braces.
fn filters_in(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part));
    inside.flat_map(|code| code.split('|').skip(1)).filter_map(|after| {
        let name = after.trim_start();
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        (end > 0).then(|| &name[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(texts: &[&str]) -> PromptSpec {
        PromptSpec { texts: texts.iter().map(|t| (*t).to_owned()).collect(), barge_in: true }
    }

    fn refused(text: &str) -> String {
        let variables = BTreeSet::from(["line".to_owned(), "items".to_owned()]);
        let mut wording = Wording::new();
        wording.add("x", &prompt(&[text]), &variables).expect_err("refused").0.to_string()
    }

    #[test]
    fn the_nth_wording_falls_back_to_the_last() {
        let variables = BTreeSet::from(["x".to_owned()]);
        let mut wording = Wording::new();
        wording.add("ask.0", &prompt(&["one"]), &variables).expect("a template");
        wording.add("ask.1", &prompt(&["two {{ x }}"]), &variables).expect("a template");
        assert_eq!(wording.nth("ask", 0).as_deref(), Some("ask.0"));
        assert_eq!(wording.nth("ask", 7).as_deref(), Some("ask.1"));
        assert_eq!(wording.nth("other", 0), None);
        assert_eq!(wording.evergreen().count(), 1);
    }

    #[test]
    fn variants_are_counted_round_and_have_recordings_of_their_own() {
        let mut wording = Wording::new();
        wording.add("bye", &prompt(&["Bye.", "See you."]), &BTreeSet::new()).expect("templates");
        let said = |n| wording.render("bye", n, &Value::from(())).expect("it renders");
        assert_eq!((said(0).name.as_str(), said(1).name.as_str()), ("bye", "bye~1"));
        assert_eq!(said(2), said(0));
    }

    #[test]
    fn what_no_caller_could_understand_is_refused() {
        assert!(refused("hello {{ name").contains("is no template"));
        assert!(refused("  ").contains("is empty"));
        assert!(refused("hello {{ nmae }}").contains("uses 'nmae'"));
        assert!(refused("{% for i in items %}{{ i }} {{ j }}{% endfor %}").contains("uses 'j'"));
        assert!(refused("hello {{ line | shout }}").contains("shout"));
    }
}
