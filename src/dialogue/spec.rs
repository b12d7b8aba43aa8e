//! `intents/line.toml` as it is written: the line itself, its sentences, commands, menu and limits.
//!
//! Plain data. [`Flow`](super::Flow) checks it; nothing here acts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::call::{Dtmf, IntentName};

/// One prompt: a sentence, or several that mean the same, of which none is said twice in a row.
///
/// In a file it is a string, or a table with [`SentenceSpec`]'s keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptSpec {
    /// The sentence and its variants, as templates; at least one.
    pub texts: Vec<String>,
    /// Whether speech or a key stops it.
    pub barge_in: bool,
}

/// A prompt written as a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentenceSpec {
    /// The one sentence.
    pub say: Option<String>,
    /// Sentences that mean the same.
    #[serde(default)]
    pub any: Vec<String>,
    /// Whether speech or a key stops it.
    #[serde(default = "yes")]
    pub barge_in: bool,
}

fn yes() -> bool {
    true
}

impl<'de> Deserialize<'de> for PromptSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PromptSpec, D::Error> {
        struct Sentence;

        impl<'de> Visitor<'de> for Sentence {
            type Value = PromptSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sentence, or a table with `say` or `any`, and `barge_in`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PromptSpec, E> {
                Ok(PromptSpec { texts: vec![text.to_owned()], barge_in: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PromptSpec, A::Error> {
                let spec = SentenceSpec::deserialize(MapAccessDeserializer::new(map))?;
                let texts: Vec<String> = spec.say.into_iter().chain(spec.any).collect();
                if texts.is_empty() {
                    let why = "a prompt without a sentence: expected `say` or `any`";
                    return Err(serde::de::Error::custom(why));
                }
                Ok(PromptSpec { texts, barge_in: spec.barge_in })
            }
        }

        deserializer.deserialize_any(Sentence)
    }
}

/// `intents/line.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// What the line calls itself.
    pub name: String,
    /// The skill that is asked for where nothing better is known.
    #[serde(default = "default_skill")]
    pub skill: String,
    /// Sentences that belong to no intent.
    pub prompts: LinePrompts,
    /// Greetings for certain numbers dialled, days and hours, before the general one.
    #[serde(default)]
    pub greeting: Vec<GreetingSpec>,
    /// Words that work everywhere.
    pub commands: CommandSpec,
    /// Their keys.
    #[serde(default)]
    pub keys: KeySpec,
    /// The keypad menu.
    pub menu: Spanned<MenuSpec>,
    /// When the line waits, and how long.
    #[serde(default)]
    pub timeouts: TimeoutSpec,
    /// When the line believes what it heard.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// How often a question is asked before the line tries another way.
    #[serde(default)]
    pub tries: Tries,
    /// When a caller who is upset gets a person.
    pub upset: Option<UpsetSpec>,
    /// How callers prove who they are.
    pub verification: Option<VerificationSpec>,
    /// What the line asks when it has answered.
    pub rating: Option<RatingSpec>,
    /// How a caller is greeted whose last call was cut off.
    pub dropped: Option<DroppedSpec>,
    /// What callers hear who wait for a person.
    pub waiting: Option<WaitingSpec>,
    /// Look-ups that other systems answer.
    #[serde(default)]
    pub webhook: BTreeMap<String, WebhookSpec>,
    /// Look-ups that queries on a database of the team's answer.
    #[serde(default)]
    pub sql: BTreeMap<String, SqlSpec>,
}

fn default_skill() -> String {
    "general".to_owned()
}

/// Sentences of the line itself. Each is a template; a list holds one wording for each try.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinePrompts {
    /// The first words, where no `[[greeting]]` fits better.
    pub greeting: PromptSpec,
    /// The open question, one wording for each try.
    pub how_can_i_help: Vec<PromptSpec>,
    /// Before the open question is asked again: nothing was heard.
    pub no_input: Vec<PromptSpec>,
    /// Before the open question is asked again: it was not understood.
    pub no_match: Vec<PromptSpec>,
    /// Asks whether `label` is meant.
    pub confirm_intent: PromptSpec,
    /// Asks which of two intents is meant, `first` or `second`.
    pub choose: Option<PromptSpec>,
    /// The narrowing question, after an intent was offered and denied.
    pub narrow: Option<PromptSpec>,
    /// After an answer.
    pub anything_else: PromptSpec,
    /// The last words.
    pub goodbye: PromptSpec,
    /// Before a person takes over.
    pub transfer: PromptSpec,
    /// While a person's telephone rings for long.
    pub still_ringing: Option<PromptSpec>,
    /// Nobody could take over.
    pub transfer_failed: PromptSpec,
    /// The second time that nobody could.
    pub nobody_there: PromptSpec,
    /// The recogniser does not work.
    pub hearing_fault: PromptSpec,
    /// After the greeting, where the line is too busy to listen; the keypad menu follows.
    pub keypad_only: Option<PromptSpec>,
    /// After a question of yes or no, where the line takes keys alone.
    pub yes_no_keys: Option<PromptSpec>,
    /// The store does not work.
    pub look_up_fault: PromptSpec,
    /// Asks whether the line shall have the caller called back.
    pub callback_offer: Option<PromptSpec>,
    /// The callback is noted.
    pub callback_promised: Option<PromptSpec>,
    /// While a look-up takes longer than a second, and again at intervals.
    pub one_moment: PromptSpec,
    /// While the caller looks for something, at intervals.
    pub take_your_time: Option<PromptSpec>,
    /// After "help".
    pub help: PromptSpec,
    /// Before the greeting of a call that is recorded.
    pub recording: Option<PromptSpec>,
    /// After a caller has refused to be recorded.
    pub recording_stopped: Option<PromptSpec>,
    /// The longest call is over.
    pub too_long: PromptSpec,
}

/// Sentences of the queue, and words for the ways out of it. A line whose desk has agents needs them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingSpec {
    /// The place, `position`, and the wait in whole minutes, `minutes`, where it is known.
    pub announce: PromptSpec,
    /// Key 1 and a callback.
    pub callback: PromptSpec,
    /// Key 2 and a message.
    pub voicemail: PromptSpec,
    /// Key 3 and back to the line.
    pub line: PromptSpec,
    /// Or waiting on.
    pub stay: PromptSpec,
    /// Nobody takes the caller; the ways out follow.
    pub nobody: PromptSpec,
    /// Asks whether `number` is to be called back.
    pub number: PromptSpec,
    /// Asks for the number, by voice or keys and #.
    pub ask_number: PromptSpec,
    /// The callback is promised.
    pub promised: PromptSpec,
    /// Asks when to call back; without it, callers are called as soon as their place comes up.
    pub when: Option<WhenSpec>,
    /// A message may be left after the beep, and # ends it.
    pub message: PromptSpec,
    /// Nothing was heard; once more.
    pub message_too_short: PromptSpec,
    /// Key 1 keeps the message, 2 records it anew, 3 plays it again.
    pub message_review: PromptSpec,
    /// The message is kept.
    pub message_kept: PromptSpec,
    /// The message could not be kept.
    pub message_lost: PromptSpec,
    /// Says: call me back.
    #[serde(default)]
    pub callback_words: Vec<String>,
    /// Says: I want to leave a message.
    #[serde(default)]
    pub voicemail_words: Vec<String>,
    /// Says: back to the line.
    #[serde(default)]
    pub line_words: Vec<String>,
}

/// Sentences about when to call back. `days` until then, from 0 for today, `day`, `from` and `until` say when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhenSpec {
    /// Asks for a day, a time, or as soon as it can be, which is also key 1.
    pub ask: PromptSpec,
    /// Asks whether it is right.
    pub confirm: PromptSpec,
    /// Nobody is called then.
    pub closed: PromptSpec,
    /// The callback is promised for then.
    pub promised: PromptSpec,
    /// Says: as soon as you can.
    #[serde(default)]
    pub soon_words: Vec<String>,
}

/// A greeting for certain calls. All conditions that are given must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GreetingSpec {
    /// The number dialled.
    pub dialled: Option<String>,
    /// Days of the week: `mon` to `sun`.
    #[serde(default)]
    pub days: Vec<String>,
    /// Local time from, `HH:MM`; with `until` before it, over midnight.
    pub from: Option<String>,
    /// Local time until, `HH:MM`, itself left out.
    pub until: Option<String>,
    /// The greeting.
    pub say: PromptSpec,
}

/// Phrases of the universal commands. A list that is left out is a command that nobody can say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Asks for a person.
    pub agent: Vec<String>,
    /// Asks to hear it again.
    pub repeat: Vec<String>,
    /// Asks what can be said.
    pub help: Vec<String>,
    /// Wants to begin anew.
    pub start_over: Vec<String>,
    /// Ends the call.
    pub goodbye: Vec<String>,
    /// Wants the question before this one.
    #[serde(default)]
    pub go_back: Vec<String>,
    /// Wants to hear it slowly.
    #[serde(default)]
    pub slower: Vec<String>,
    /// Looks for something and wants the line to wait.
    #[serde(default)]
    pub wait: Vec<String>,
    /// Has done what the line asked for.
    #[serde(default)]
    pub done: Vec<String>,
    /// Begins a correction: "no, I meant …".
    #[serde(default)]
    pub correction: Vec<String>,
    /// Says that the answer was about something else.
    #[serde(default)]
    pub wrong: Vec<String>,
    /// Does not want to be recorded.
    #[serde(default)]
    pub no_recording: Vec<String>,
}

/// Keys of the universal commands. Key 0 is a person, always.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeySpec {
    /// Says it again.
    pub repeat: String,
    /// Says what can be said.
    pub help: String,
    /// The question before this one.
    pub go_back: String,
    /// Says it slowly.
    pub slower: String,
    /// Waits for the caller.
    pub wait: String,
    /// Begins anew.
    pub start_over: String,
    /// Ends the call.
    pub goodbye: String,
    /// "I don't know".
    pub dont_know: String,
    /// Does not want to be recorded.
    pub no_recording: String,
}

impl Default for KeySpec {
    /// `*` and the letter on the key where there is one: help 4 (GHI), back 2 (ABC), slower 7 (PQRS),
    /// wait 9 (WXYZ), no recording 6 (MNO).
    fn default() -> KeySpec {
        let key = |s: &str| s.to_owned();
        KeySpec {
            repeat: key("*"),
            help: key("*4"),
            go_back: key("*2"),
            slower: key("*7"),
            wait: key("*9"),
            start_over: key("*1"),
            goodbye: key("*3"),
            dont_know: key("#"),
            no_recording: key("*6"),
        }
    }
}

/// The keypad menu.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuSpec {
    /// Read before the entries.
    pub intro: PromptSpec,
    /// One to five, and 0 for a person besides.
    pub entry: Vec<MenuEntry>,
    /// Read after the entries: how to get a person.
    pub person: PromptSpec,
}

/// One entry of the menu.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuEntry {
    /// `1` to `9`.
    pub key: Dtmf,
    /// What it leads to.
    pub intent: IntentName,
    /// The whole sentence: "for your order's status, press one".
    pub say: PromptSpec,
}

/// Timeouts in milliseconds; the defaults are those that the field uses (VoiceXML 2.1's names).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutSpec {
    /// Silence after a question until `no_input`.
    pub no_input_ms: u64,
    /// Silence after a complete answer until the line takes the turn.
    pub complete_ms: u64,
    /// Silence after an incomplete one.
    pub incomplete_ms: u64,
    /// Silence after an incomplete number: its digits come with pauses.
    pub incomplete_digits_ms: u64,
    /// The longest utterance.
    pub max_speech_ms: u64,
    /// Between two keys.
    pub inter_digit_ms: u64,
    /// After `*`, until it stands for itself.
    pub command_key_ms: u64,
    /// A look-up takes so long before the line says so, and it says so again …
    pub patience_ms: u64,
    /// … at such intervals.
    pub patience_again_ms: u64,
    /// The longest call.
    pub max_call_ms: u64,
}

impl Default for TimeoutSpec {
    fn default() -> TimeoutSpec {
        TimeoutSpec {
            no_input_ms: 5_000,
            complete_ms: 450,
            incomplete_ms: 900,
            incomplete_digits_ms: 1_300,
            max_speech_ms: 15_000,
            inter_digit_ms: 3_000,
            command_key_ms: 1_000,
            patience_ms: 1_000,
            patience_again_ms: 6_000,
            max_call_ms: 15 * 60_000,
        }
    }
}

impl TimeoutSpec {
    /// Between two keys.
    pub fn inter_digit(&self) -> Duration {
        Duration::from_millis(self.inter_digit_ms)
    }
}

/// When the line believes what it heard. All are probabilities, 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Intent probability from which it is taken without asking.
    pub accept: f32,
    /// Margin to the second intent that goes with it.
    pub margin: f32,
    /// Intent probability from which it is confirmed; below, the line asks again.
    pub confirm: f32,
    /// Probability from which the second of two close intents is offered beside the first.
    pub choose: f32,
    /// Recogniser's confidence below which no intent is taken without asking.
    pub hearing: f32,
    /// Confidence below which no value is taken without asking.
    pub value: f32,
    /// Confidence below which a value is said back in passing.
    pub sure: f32,
    /// Recogniser's confidence below which nothing is believed at all.
    pub reject: f32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            accept: 0.65,
            margin: 0.25,
            confirm: 0.35,
            choose: 0.25,
            hearing: 0.55,
            // `docs/decisions.md` has the figures behind these two.
            value: 0.75,
            sure: 0.95,
            reject: 0.25,
        }
    }
}

/// How often a question is asked before the line tries another way.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tries {
    /// The open question, before the menu.
    pub purpose: u8,
    /// A slot's question, before an agent.
    pub slot: u8,
    /// The menu, before an agent.
    pub menu: u8,
    /// How often the line says "take your time", before silence counts again.
    pub wait: u8,
}

impl Default for Tries {
    fn default() -> Tries {
        Tries { purpose: 2, slot: 3, menu: 2, wait: 10 }
    }
}

/// When a caller who is upset gets a person: signs add up, and at `limit` the line gives way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpsetSpec {
    /// Phrases that count as `word` signs, wherever they stand in a sentence.
    pub words: Vec<String>,
    /// Signs of a declared phrase.
    #[serde(default = "two")]
    pub word: u8,
    /// Signs of a question that had to be asked again.
    #[serde(default = "one")]
    pub failure: u8,
    /// Signs of a sentence said again, louder.
    #[serde(default = "two")]
    pub raised: u8,
    /// So much louder is raised, in dB.
    #[serde(default = "six")]
    pub raised_db: f32,
    /// Signs at which a person is called.
    #[serde(default = "four")]
    pub limit: u8,
    /// Said then, in place of the sentence before a person takes over.
    pub say: PromptSpec,
}

fn one() -> u8 {
    1
}

fn two() -> u8 {
    2
}

fn four() -> u8 {
    4
}

/// Twice the pressure: what a listener calls clearly louder.
fn six() -> f32 {
    6.0
}

/// How callers prove who they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationSpec {
    /// Wrong answers, over all proofs and calls, until the account and the caller's number are locked.
    #[serde(default = "three")]
    pub attempts: u8,
    /// How long they stay locked, in minutes.
    #[serde(default = "half_an_hour")]
    pub lock_minutes: u32,
    /// The caller could not be verified.
    pub failed: PromptSpec,
    /// The account or the number is locked.
    pub locked: PromptSpec,
    /// The ways to prove it.
    pub proof: Vec<ProofSpec>,
}

fn three() -> u8 {
    3
}

fn half_an_hour() -> u32 {
    30
}

/// One way to prove who one is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofSpec {
    /// What intents call it. `caller_number` needs nothing else: it holds where the caller's number is
    /// the account's.
    pub name: String,
    /// What is asked for.
    pub entity: Option<Spanned<String>>,
    /// Keyed in only; never said back, logged or recorded.
    #[serde(default)]
    pub secret: bool,
    /// The question, one wording for each try.
    #[serde(default)]
    pub ask: Vec<PromptSpec>,
    /// Before it is asked again: nothing came.
    #[serde(default)]
    pub no_input: Vec<PromptSpec>,
    /// Before it is asked again: it was not understood.
    #[serde(default)]
    pub no_match: Vec<PromptSpec>,
    /// Before it is asked again: it was not right.
    #[serde(default)]
    pub wrong: Vec<PromptSpec>,
    /// Who checks it.
    pub look_up: Option<Spanned<String>>,
}

/// "How content are you, from one to five?"
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatingSpec {
    /// The question. A number from 1 to 5 is expected, said or keyed.
    pub ask: PromptSpec,
    /// After the answer.
    pub thanks: PromptSpec,
}

/// What happens when a caller rings back whose call was cut off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DroppedSpec {
    /// How long a call that was cut off is remembered, in minutes.
    #[serde(default = "an_hour")]
    pub within_minutes: u32,
    /// Asks whether to go on; `label` is what it was about.
    pub say: PromptSpec,
    /// Whether the line asks for the caller to be called back when the connection breaks.
    #[serde(default)]
    pub call_back: bool,
}

fn an_hour() -> u32 {
    60
}

/// A look-up that another system answers over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// Where it is.
    pub url: Spanned<String>,
    /// Environment variable that holds the key of its signature; without it, requests are unsigned.
    pub secret_env: Option<String>,
    /// One attempt's longest time, in milliseconds.
    #[serde(default = "three_seconds")]
    pub timeout_ms: u64,
    /// How often it is tried again, with the same idempotency key.
    #[serde(default = "one")]
    pub retries: u8,
    /// The fields of its rows: what prompts may use.
    pub fields: Vec<String>,
}

fn three_seconds() -> u64 {
    3_000
}

/// A look-up that a query on a database of the team's answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSpec {
    /// The query, with `:name` for each argument.
    pub query: Spanned<String>,
    /// The fields of its rows: what prompts may use.
    pub fields: Vec<String>,
}
