//! What is told after a call, and to whom: `[[notify]]` and `[wrap_up]` of `desk.toml`.
//!
//! Declares and words it; the store keeps what is to be told until it was, and the host tells it.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::{Environment, UndefinedBehavior, Value};
use serde::{Deserialize, Serialize};

use crate::call::CallRecord;

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A message was left.
    Voicemail,
    /// A call is over, and its record written.
    Call,
    /// A caller has said how it was, once the record was written.
    Rating,
    /// An agent has written a call up.
    WrapUp,
}

impl News {
    /// All.
    pub const ALL: [News; 4] = [News::Voicemail, News::Call, News::Rating, News::WrapUp];
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            News::Voicemail => "voicemail",
            News::Call => "call",
            News::Rating => "rating",
            News::WrapUp => "wrap_up",
        })
    }
}

/// Somebody who is told. All conditions that are given must hold; a list is met by any of its entries.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifySpec {
    /// What the log and the outbox call it.
    pub name: String,
    /// What is told.
    pub on: Vec<News>,
    /// Of these queues alone.
    #[serde(default)]
    pub queues: Vec<String>,
    /// Of these intents alone.
    #[serde(default)]
    pub intents: Vec<String>,
    /// Of calls that came out so alone: as the record says, or as the agent who wrote it up.
    #[serde(default)]
    pub dispositions: Vec<String>,
    /// By e-mail to these.
    #[serde(default)]
    pub email: Vec<String>,
    /// By a signed POST to this address.
    pub webhook: Option<String>,
    /// Environment variable that holds the key of the signature; without it, requests are unsigned.
    pub secret_env: Option<String>,
    /// As an activity in the EspoCRM of this address.
    pub espocrm: Option<String>,
    /// Environment variable that holds the key of its API user.
    pub key_env: Option<String>,
    /// The id of the user to whom EspoCRM assigns it; without it, nobody.
    pub assigned_user: Option<String>,
    /// The subject of the e-mail; a template.
    #[serde(default = "subject")]
    pub subject: String,
    /// What an e-mail says, and what a webhook has as `text`; a template.
    #[serde(default = "text")]
    pub text: String,
    /// One attempt's longest time, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
    /// How often it is tried.
    #[serde(default = "twelve")]
    pub attempts: u32,
    /// From the first attempt to the second; each further wait is twice as long, up to an hour.
    #[serde(default = "half_a_minute")]
    pub retry_seconds: u32,
}

/// What an e-mail says where nothing else is declared.
const TEXT: &str = include_str!("notice.txt");

/// Its subject.
const SUBJECT: &str =
    "{% if event == 'voicemail' %}Message{% else %}Call{% endif %} from {{ number or 'a withheld number' }}";

fn text() -> String {
    TEXT.to_owned()
}

fn subject() -> String {
    SUBJECT.to_owned()
}

fn ten_seconds() -> u64 {
    10_000
}

fn twelve() -> u32 {
    12
}

fn half_a_minute() -> u32 {
    30
}

/// How somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means<'a> {
    /// To these addresses.
    Email(&'a [String]),
    /// To this address.
    Webhook(&'a str),
    /// To this CRM.
    EspoCrm(&'a str),
}

/// What decides who is told.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'a> {
    /// What.
    pub news: News,
    /// In which queue, where it was in one.
    pub queue: Option<&'a str>,
    /// What the caller wanted.
    pub intent: Option<&'a str>,
    /// How it came out.
    pub disposition: Option<&'a str>,
}

impl NotifySpec {
    /// How: a spec that was checked has one.
    pub fn means(&self) -> Option<Means<'_>> {
        match (self.email.as_slice(), &self.webhook, &self.espocrm) {
            ([], Some(url), None) => Some(Means::Webhook(url)),
            ([], None, Some(url)) => Some(Means::EspoCrm(url)),
            ([_, ..], None, None) => Some(Means::Email(&self.email)),
            _ => None,
        }
    }

    /// Whether it is told of something.
    pub fn is_told(&self, happened: &Happened<'_>) -> bool {
        let among = |list: &[String], what: Option<&str>| {
            list.is_empty() || what.is_some_and(|what| list.iter().any(|one| one == what))
        };
        self.on.contains(&happened.news)
            && among(&self.queues, happened.queue)
            && among(&self.intents, happened.intent)
            && among(&self.dispositions, happened.disposition)
    }

    /// What is wrong with it: the words in the file near which it stands, and what was expected.
    pub(super) fn mistake(&self, queues: &[&str]) -> Option<(String, String)> {
        let of = |near: &str, message: String| Some((near.to_owned(), message));
        let name = &self.name;
        if self.on.is_empty() {
            return of(
                "on",
                format!("notify '{name}' is told of nothing: expected voicemail, call, rating or wrap_up"),
            );
        }
        if self.means().is_none() {
            return of(name, format!("notify '{name}': expected one of email, webhook and espocrm"));
        }
        if let Some(url) = self.webhook.iter().chain(&self.espocrm).find(|url| !is_address(url)) {
            return of(url, format!("notify '{name}': '{url}' is no address: expected https://…"));
        }
        if let Some(to) = self.email.iter().find(|to| !to.contains('@')) {
            return of(to, format!("notify '{name}': '{to}' is no e-mail address"));
        }
        if self.espocrm.is_some() && self.key_env.is_none() {
            return of(
                "espocrm",
                format!("notify '{name}' needs key_env: the variable with the API user's key"),
            );
        }
        if let Some(queue) = self.queues.iter().find(|queue| !queues.contains(&queue.as_str())) {
            return of(queue, format!("'{queue}' is no queue: expected one of {}", queues.join(", ")));
        }
        for (key, template) in [("subject", &self.subject), ("text", &self.text)] {
            if let Err(why) = environment().template_from_str(template) {
                return of(key, format!("notify '{name}', {key}: {why}"));
            }
        }
        let limits = [
            ("timeout_ms", self.timeout_ms, 100, 60_000),
            ("attempts", u64::from(self.attempts), 1, 100),
            ("retry_seconds", u64::from(self.retry_seconds), 1, 3_600),
        ];
        let beyond = limits.iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
        let (key, value, least, most) = beyond?;
        of(key, format!("notify '{name}': {key} = {value}: expected {least} to {most}"))
    }
}

fn is_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// What agents write down of a call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WrapUpSpec {
    /// How a call may have come out; empty where agents need not say.
    pub dispositions: Vec<String>,
    /// The note that is filled in for them; a template.
    pub note: String,
}

impl Default for WrapUpSpec {
    fn default() -> WrapUpSpec {
        WrapUpSpec { dispositions: Vec::new(), note: NOTE.to_owned() }
    }
}

const NOTE: &str = "{{ intent or 'no intent' }}: {{ outcome }}\
    {% for name, value in facts | items %}, {{ name }} {{ value }}{% endfor %}\
    {% if rating %}, rated {{ rating }} of 5{% endif %}{% if remark %}. {{ remark }}{% endif %}";

/// How an agent wrote a call up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WrittenUp {
    /// Who.
    pub agent: String,
    /// One of those declared; empty where none is.
    pub disposition: String,
    /// In their own words.
    pub remark: String,
}

impl WrapUpSpec {
    pub(super) fn mistake(&self) -> Option<(String, String)> {
        let why = environment().template_from_str(&self.note).err()?;
        Some(("note".to_owned(), format!("wrap_up.note: {why}")))
    }

    /// Whether an agent may say so.
    pub fn allows(&self, disposition: &str) -> bool {
        if self.dispositions.is_empty() {
            return disposition.is_empty();
        }
        self.dispositions.iter().any(|one| one == disposition)
    }

    /// The note of a call, filled in.
    ///
    /// # Errors
    /// A value that the template cannot use.
    pub fn note(&self, record: &CallRecord, written: Option<&WrittenUp>) -> Result<String, String> {
        fill(&self.note, &Value::from(values(record, written)))
    }
}

/// What templates may say of a call.
pub fn values(record: &CallRecord, written: Option<&WrittenUp>) -> BTreeMap<&'static str, Value> {
    let handoff = record.handoff.as_ref();
    let mut facts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in record.slots.iter().chain(handoff.into_iter().flat_map(|h| &h.facts)) {
        facts.insert(name.clone(), value.expose().clone());
    }
    BTreeMap::from([
        ("call", Value::from(record.id.as_str())),
        ("number", Value::from(record.ani.as_ref().map(|ani| ani.expose()))),
        ("dialled", Value::from(record.dnis.as_ref().map(|dnis| dnis.as_str()))),
        ("reference", Value::from(record.reference.as_deref())),
        ("intent", Value::from(record.intent.as_ref().map(|intent| intent.as_str()))),
        ("outcome", Value::from(record.disposition.to_string())),
        ("stage", Value::from(record.stage.to_string())),
        ("seconds", Value::from(record.duration.as_millis() / 1_000)),
        ("rating", Value::from(record.rating)),
        ("reason", Value::from(handoff.map(|h| h.reason.to_string()))),
        (
            "heard",
            Value::from(handoff.and_then(|h| h.last_heard.as_ref()).map(|heard| heard.expose().clone())),
        ),
        ("facts", Value::from(facts)),
        ("agent", Value::from(written.map(|w| w.agent.as_str()))),
        ("disposition", Value::from(written.map(|w| w.disposition.as_str()))),
        ("remark", Value::from(written.map(|w| w.remark.as_str()))),
    ])
}

/// Fills a template in. What is not known is empty.
///
/// # Errors
/// What the template cannot do, in words.
pub fn fill(template: &str, values: &Value) -> Result<String, String> {
    let environment = environment();
    let template = environment.template_from_str(template).map_err(|e| e.to_string())?;
    template.render(values).map_err(|e| e.to_string())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    // None is as little known as what is not there.
    environment.set_formatter(|out, state, value| {
        if value.is_none() { Ok(()) } else { minijinja::escape_formatter(out, state, value) }
    });
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CallRecord {
        CallRecord { ani: None, rating: None, ..CallRecord::of_a_return() }
    }

    fn notify(rest: &str) -> NotifySpec {
        toml::from_str(&format!("name = \"n\"\n{rest}")).expect("a table")
    }

    #[test]
    fn the_note_is_filled_in_from_what_is_known() {
        let spec = WrapUpSpec::default();
        let note = spec.note(&record(), None).expect("it is filled in");
        assert_eq!(note, "return_refund: transferred, name Maria Lopez, order_number 451288");
        let written =
            WrittenUp { agent: "ana".into(), disposition: "refunded".into(), remark: "Sent a label.".into() };
        let spec = WrapUpSpec {
            dispositions: vec!["refunded".into()],
            note: "{{ agent }}: {{ disposition }} {{ facts.order_number }}{{ facts.colour }}{{ rating }}. {{ remark }}".into(),
        };
        assert_eq!(
            spec.note(&record(), Some(&written)).expect("filled"),
            "ana: refunded 451288. Sent a label."
        );
        assert!(spec.allows("refunded") && !spec.allows("") && !spec.allows("lost"));
        assert!(WrapUpSpec::default().allows("") && !WrapUpSpec::default().allows("refunded"));
    }

    #[test]
    fn who_is_told_is_declared() {
        let spec = notify(
            "on = [\"wrap_up\"]\nwebhook = \"https://x\"\nintents = [\"billing\", \"return_refund\"]\ndispositions = [\"refunded\"]",
        );
        let happened = Happened {
            news: News::WrapUp,
            queue: None,
            intent: Some("billing"),
            disposition: Some("refunded"),
        };
        assert!(spec.is_told(&happened));
        assert!(!spec.is_told(&Happened { news: News::Call, ..happened }));
        assert!(!spec.is_told(&Happened { intent: None, ..happened }));
        assert!(!spec.is_told(&Happened { disposition: Some("transferred"), ..happened }));
        let all = notify("on = [\"call\"]\nemail = [\"a@b.example\"]");
        assert!(all.is_told(&Happened { news: News::Call, queue: None, intent: None, disposition: None }));
    }

    #[test]
    fn a_mistake_is_named() {
        for (rest, expected) in [
            ("on = []\nwebhook = \"https://x\"", "told of nothing"),
            ("on = [\"call\"]", "one of email, webhook and espocrm"),
            (
                "on = [\"call\"]\nwebhook = \"https://x\"\nemail = [\"a@b\"]",
                "one of email, webhook and espocrm",
            ),
            ("on = [\"call\"]\nwebhook = \"crm\"", "no address"),
            ("on = [\"call\"]\nemail = [\"ana\"]", "no e-mail address"),
            ("on = [\"call\"]\nespocrm = \"https://x\"", "key_env"),
            ("on = [\"call\"]\nwebhook = \"https://x\"\nqueues = [\"q\"]", "no queue"),
            ("on = [\"call\"]\nwebhook = \"https://x\"\ntext = \"{{ a\"", "text"),
            ("on = [\"call\"]\nwebhook = \"https://x\"\nattempts = 0", "1 to 100"),
        ] {
            let (_, message) = notify(rest).mistake(&["orders"]).expect(rest);
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(
            notify("on = [\"call\"]\nwebhook = \"https://x\"\nqueues = [\"orders\"]").mistake(&["orders"]),
            None
        );
        let spec = WrapUpSpec { note: "{% if %}".into(), ..WrapUpSpec::default() };
        assert!(spec.mistake().is_some() && WrapUpSpec::default().mistake().is_none());
    }

    #[test]
    fn what_is_not_declared_has_words_of_its_own() {
        let spec = notify("on = [\"call\"]\nemail = [\"a@b.example\"]");
        let mut values = values(&record(), None);
        values.insert("event", Value::from("call"));
        values.insert("note", Value::from("a note"));
        let values = Value::from(values);
        assert_eq!(fill(&spec.subject, &values).expect("filled"), "Call from a withheld number");
        let text = fill(&spec.text, &values).expect("filled");
        assert!(text.contains("a note") && text.contains("012345") && !text.contains("none"), "{text}");
    }
}
