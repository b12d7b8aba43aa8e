//! `intents/NAME.toml` as it is written: one intent, its slots, and how it is answered.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::spec::PromptSpec;

/// `intents/NAME.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentSpec {
    /// For the team.
    pub description: String,
    /// For the classifier; read by `understanding`.
    #[serde(default)]
    pub examples: Vec<String>,
    /// How the line names it in a question: "your order's status".
    pub label: String,
    /// The skill an agent needs; the line's own where left out.
    pub skill: Option<String>,
    /// Whether this intent is the wish for a person.
    #[serde(default)]
    pub person: bool,
    /// What is asked for, in order.
    #[serde(default)]
    pub slot: Vec<SlotSpec>,
    /// How the caller proves who they are before it is answered.
    pub verify: Option<VerifySpec>,
    /// What the caller is led through, one after another, before or in place of an answer.
    #[serde(default)]
    pub step: Vec<StepSpec>,
    /// How it is answered; without it, a person takes over once the slots are filled.
    pub fulfil: Option<FulfilSpec>,
    /// Said after the answer: what happens next, and the reference number.
    pub next_steps: Option<PromptSpec>,
    /// Said before a person takes over, in place of the line's own sentence.
    pub transfer: Option<PromptSpec>,
}

/// When a value is said back, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// As the decision says: asked about in doubt, said back in passing where fairly sure, else not.
    #[default]
    Auto,
    /// Asked about, always.
    Explicit,
    /// Said back in passing, always; asked about in doubt.
    Implicit,
    /// Never asked about and never said back.
    None,
}

/// One thing to ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotSpec {
    /// The slot's name; slots of the same name are shared by intents.
    pub name: String,
    /// The entity that fills it, from `intents/entities.toml`.
    pub entity: Spanned<String>,
    /// The question, one wording for each try.
    #[serde(default)]
    pub ask: Vec<PromptSpec>,
    /// Said before it is asked again: nothing was heard.
    #[serde(default)]
    pub no_input: Vec<PromptSpec>,
    /// Said before it is asked again: it was not understood.
    #[serde(default)]
    pub no_match: Vec<PromptSpec>,
    /// When the value is said back.
    #[serde(default)]
    pub confirmation: Confirmation,
    /// Asks whether `value` is right.
    pub confirm: Option<PromptSpec>,
    /// Says `value` back in passing.
    pub echo: Option<PromptSpec>,
    /// After "help".
    pub help: Option<PromptSpec>,
    /// Words right before the value that tell it from another slot's: "from", "to".
    #[serde(default)]
    pub cue: Vec<String>,
    /// Whether the intent needs it. If not, it is asked for only on the way to another slot's value.
    #[serde(default = "needed")]
    pub needed: bool,
    /// Asked for only where these slots have these values.
    #[serde(default)]
    pub only_if: BTreeMap<String, String>,
    /// Silence until `no_input`, in milliseconds, where this question needs longer.
    pub no_input_ms: Option<u64>,
    /// Values that the store knows for this caller, which are listened for.
    pub known: Option<KnownSpec>,
    /// The value is one of the rows of a look-up, offered one by one.
    pub choices: Option<ChoicesSpec>,
    /// What to try, in order, when the caller does not know. A person is always the last.
    #[serde(default)]
    pub dont_know: Vec<DontKnowStep>,
}

fn needed() -> bool {
    true
}

/// Where values come from that the store knows for a caller, by their telephone number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownSpec {
    /// The look-up; it gets `ani`.
    pub look_up: Spanned<String>,
    /// The row's field that holds the value.
    pub field: Spanned<String>,
}

/// A value that is chosen from the rows of a look-up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoicesSpec {
    /// The look-up.
    pub look_up: Spanned<String>,
    /// Its arguments: a slot's name, or `ani`, or `account`.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The row's field that fills the slot.
    pub field: Spanned<String>,
    /// Asked for each row, at most three.
    pub offer: PromptSpec,
    /// Said where there is no row, or none suited.
    pub none: PromptSpec,
    /// The slot that is asked for anew then; without it, a person takes over.
    pub again: Option<String>,
}

/// One way to a value that the caller does not know.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DontKnowStep {
    /// Slots that are asked for first.
    #[serde(default)]
    pub ask: Vec<String>,
    /// The look-up.
    pub look_up: Spanned<String>,
    /// Its arguments, each a slot's name, or `ani`, the caller's number. Without them, `ani` alone.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// The row's field that fills the slot.
    pub field: Spanned<String>,
    /// Said when exactly one row was found; the row's fields are the template's variables.
    pub found: PromptSpec,
    /// Asked for each of several rows, at most three: "is it the headphones?"
    pub offer: PromptSpec,
}

/// How the caller proves who they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySpec {
    /// Proofs from `[verification]`, in the order in which they are tried.
    pub by: Spanned<Vec<String>>,
    /// How many of them are needed.
    #[serde(default = "one")]
    pub need: u8,
    /// Whose account it is, where the caller's number does not tell.
    pub account: Option<AccountSpec>,
    /// What may be said without it, in place of handing over.
    pub without: Option<PromptSpec>,
}

fn one() -> u8 {
    1
}

/// Where the account's id comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The look-up.
    pub look_up: Spanned<String>,
    /// Its arguments, each a slot's name.
    pub args: BTreeMap<String, String>,
    /// The row's field that holds the id.
    pub field: String,
}

/// What an answer to a step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leads {
    /// It is solved.
    Solved,
    /// The next step; after the last, the answer, or a person.
    Next,
    /// A person takes over.
    Person,
}

/// One step that the caller is led through.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// What to do.
    pub say: PromptSpec,
    /// What came of it: a question for yes or no.
    pub ask: PromptSpec,
    /// Where "yes" leads.
    #[serde(default = "solved")]
    pub yes: Leads,
    /// Where "no" leads.
    #[serde(default = "next")]
    pub no: Leads,
    /// Said to a caller who is not sure; it counts as solved then. Without it, "not sure" is "no".
    pub unsure: Option<PromptSpec>,
    /// Said when it is solved.
    pub solved: Option<PromptSpec>,
    /// Asked for only where these slots have these values.
    #[serde(default)]
    pub only_if: BTreeMap<String, String>,
}

fn solved() -> Leads {
    Leads::Solved
}

fn next() -> Leads {
    Leads::Next
}

/// How an intent is answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FulfilSpec {
    /// The look-up; without it, `answer` stands by itself.
    pub look_up: Option<Spanned<String>>,
    /// The look-up's argument names, each with the slot that fills it, or `ani`, or `account`.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Asked before it is done; only a yes does it.
    pub confirm: Option<PromptSpec>,
    /// Said with the first row; its fields are the template's variables.
    pub answer: PromptSpec,
    /// Said when no row was found, before the slot is asked for again.
    pub not_found: Option<PromptSpec>,
}
