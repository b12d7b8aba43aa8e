//! Before the first word and with it: who calls, whether an earlier call was cut off, and which greeting
//! fits the number dialled and the hour.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use sha2::{Digest, Sha256};

use super::speaking::{Values, value};
use super::spec::GreetingSpec;
use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{Ani, CallId, Dnis, Hypothesis, IntentName, Interpretation, Pii, Query, Row};
use crate::understanding::{Answer, answer};

/// Days of the week, as `intents/line.toml` names them; Monday is 0.
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Fields of a dropped call's row that hold a slot begin so.
const SLOT_FIELD: &str = "slot.";

/// What is known of a call before it begins.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// The call's id; the reference number is made from it.
    pub id: Option<CallId>,
    /// The caller's number.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// The line's own day and hour, where the host tells it.
    pub local: Option<DateTime>,
    /// Whether the caller is nobody's, so that no earlier call of the number is theirs: in a suite or a
    /// demonstration.
    pub is_anonymous: bool,
    /// Whether nothing that the caller says will be recognised: the line is full, and goes by keys alone.
    pub keypad_only: bool,
    /// Whether the call is recorded, and the caller to be told so.
    pub is_recorded: bool,
}

impl Arrival {
    /// Six digits that name the call, the same whenever they are asked for. They are a caller's proof of
    /// nothing: two calls of a million share one.
    pub fn reference(&self) -> String {
        format!("{:06}", self.number() % 1_000_000)
    }

    fn number(&self) -> u64 {
        let id = self.id.as_ref().map(CallId::as_str).unwrap_or_default();
        let hash = Sha256::digest(id.as_bytes());
        hash.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte))
    }
}

/// Minutes after midnight of `HH:MM`.
pub(super) fn minutes(time: &str) -> Option<u16> {
    let (hours, minutes) = time.split_once(':')?;
    let read = |s: &str, below: u16| s.parse::<u16>().ok().filter(|n| s.len() == 2 && *n < below);
    Some(read(hours, 24)? * 60 + read(minutes, 60)?)
}

fn day_of(local: DateTime) -> &'static str {
    let monday = local.weekday().to_monday_zero_offset();
    DAYS[usize::try_from(monday).unwrap_or(0) % DAYS.len()]
}

fn fits(spec: &GreetingSpec, arrival: &Arrival) -> bool {
    let dialled = spec.dialled.as_ref().is_none_or(|number| {
        let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
        arrival.dnis.as_ref().is_some_and(|dnis| digits(dnis.as_str()) == digits(number))
    });
    let day = spec.days.is_empty()
        || arrival.local.is_some_and(|local| spec.days.iter().any(|d| d == day_of(local)));
    let hours = match (spec.from.as_deref().and_then(minutes), spec.until.as_deref().and_then(minutes)) {
        (Some(from), Some(until)) => arrival.local.is_some_and(|local| {
            let now = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
            if from <= until { (from..until).contains(&now) } else { now >= from || now < until }
        }),
        (Some(_) | None, _) => true,
    };
    dialled && day && hours
}

impl Dialogue {
    /// Begins: the caller's number is looked up before the greeting.
    pub fn handle_arrival(&mut self, arrival: Arrival) {
        self.ani = arrival.ani.clone();
        self.variant_seed = usize::try_from(arrival.number() >> 32).unwrap_or_default();
        self.arrival = arrival;
        match &self.ani {
            Some(ani) => {
                let args = BTreeMap::from([("ani".to_owned(), Pii::from(ani.expose()))]);
                self.moves.push_back(Move::LookUp(Query::new("customer_by_ani", args)));
            }
            None => self.greet(),
        }
        self.enter_stage();
    }

    /// A reply of the preparation: the caller's record, then a call of theirs that was cut off.
    pub(super) fn prepared(&mut self, dropped: bool, rows: Vec<Row>) {
        if dropped {
            return match rows.into_iter().next().and_then(|row| self.restored(&row)) {
                Some(intent) => self.welcome_back(intent),
                None => self.greet(),
            };
        }
        self.customer = rows.into_iter().next().unwrap_or_default();
        self.ask_known();
        let (Some(spec), Some(ani), false) = (&self.flow.line.dropped, &self.ani, self.arrival.is_anonymous)
        else {
            return self.greet();
        };
        let args = BTreeMap::from([
            ("ani".to_owned(), Pii::from(ani.expose())),
            ("within_minutes".to_owned(), Pii::new(spec.within_minutes.to_string())),
        ]);
        self.state = State::Working(Work::Arriving { dropped: true });
        self.moves.push_back(Move::LookUp(Query::new("dropped_call", args)));
    }

    /// Takes up the intent and the slots of a call that was cut off. What was proved then is not taken
    /// up: it is another call.
    fn restored(&mut self, row: &Row) -> Option<IntentName> {
        let intent: IntentName = row.get("intent")?.expose().parse().ok()?;
        let spec = self.flow.intents.get(&intent).filter(|spec| !spec.person)?;
        let names: Vec<String> = spec.slot.iter().map(|s| s.name.clone()).collect();
        for name in names {
            if let Some(value) = row.get(&format!("{SLOT_FIELD}{name}")) {
                self.slots.insert(name, value.clone());
            }
        }
        Some(intent)
    }

    fn welcome_back(&mut self, intent: IntentName) {
        self.decided("welcome_back", intent.to_string());
        let label = self.flow.intents.get(&intent).map(|s| s.label.clone()).unwrap_or_default();
        self.intent = Some(intent);
        self.tell_recorded();
        self.say(&self.greeting());
        self.tell_keypad_only();
        self.say_with("dropped", value("label", &label));
        self.state = State::WelcomeBack;
        self.listen(Question::YES_NO);
    }

    pub(super) fn heard_welcome_back(&mut self, best: &Hypothesis, meant: Option<&Interpretation>) {
        self.remember(best.text.expose());
        let said = answer(best.text.expose());
        match said.as_ref().map(|s| (s.answer, s.whole)) {
            Some((Answer::Yes, _)) => {
                self.decided("confirmed", "goes on where it stopped");
                self.proceed();
            }
            Some((Answer::No | Answer::ThatsAll, true)) => {
                self.decided("denied", "begins anew");
                self.drop_restored();
                self.ask_purpose();
            }
            Some((Answer::DontKnow, true)) => self.no_match("neither yes nor no"),
            // "No, I want a refund": another wish.
            Some((Answer::No | Answer::ThatsAll | Answer::DontKnow, false)) | None => {
                self.drop_restored();
                self.try_intent(best, meant, true);
            }
        }
    }

    fn drop_restored(&mut self) {
        self.intent = None;
        self.slots.clear();
    }

    pub(super) fn welcome_back_again(&mut self) {
        if self.asked.times() > 1 {
            self.drop_restored();
            return self.ask_purpose();
        }
        self.repeat();
    }

    pub(super) fn greet(&mut self) {
        self.tell_recorded();
        self.say(&self.greeting());
        self.tell_keypad_only();
        self.ask_purpose();
    }

    /// Before everything else: whoever talks over the greeting knows it already.
    fn tell_recorded(&mut self) {
        if self.arrival.is_recorded {
            self.say_aside("recording");
        }
    }

    /// Whoever is not going to be heard is told so, before they talk to nobody.
    fn tell_keypad_only(&mut self) {
        if self.arrival.keypad_only {
            self.decided("keypad_only", "the line is too busy to listen");
            self.say_if_there("keypad_only", Values::new());
        }
    }

    fn greeting(&self) -> String {
        let fitting = self.flow.line.greeting.iter().position(|spec| fits(spec, &self.arrival));
        fitting.map_or_else(|| "greeting".to_owned(), |i| format!("greeting.{i}"))
    }

    pub(super) fn ask_purpose(&mut self) {
        self.asked = Asked::default();
        self.narrowed = false;
        if self.arrival.keypad_only {
            return self.menu();
        }
        self.say_nth("how_can_i_help", 0);
        self.state = State::Purpose { wrap_up: false };
        self.listen(Question::OPEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(toml: &str) -> GreetingSpec {
        toml::from_str(&format!("say = \"hello\"\n{toml}")).expect("a greeting")
    }

    /// The 4th of May 2026 was a Monday.
    fn at(weekday: i8, time: &str) -> Arrival {
        let (hour, minute) = time.split_once(':').expect("a time");
        let number = |s: &str| s.parse().expect("a number");
        let local = jiff::civil::date(2026, 5, 4 + weekday).at(number(hour), number(minute), 0, 0);
        Arrival { local: Some(local), dnis: "+1 800 5550".parse().ok(), ..Arrival::default() }
    }

    #[test]
    fn a_greeting_by_day_and_hour() {
        let weekend = spec("days = [\"sat\", \"sun\"]");
        assert!(fits(&weekend, &at(5, "12:00")) && !fits(&weekend, &at(4, "12:00")));
        let night = spec("from = \"18:00\"\nuntil = \"08:00\"");
        for (time, inside) in [("18:00", true), ("23:59", true), ("07:59", true), ("08:00", false)] {
            assert_eq!(fits(&night, &at(0, time)), inside, "{time}");
        }
        assert!(!fits(&night, &Arrival::default()), "a line without a clock has no night");
    }

    #[test]
    fn a_greeting_by_the_number_dialled() {
        let campaign = spec("dialled = \"18005550\"");
        assert!(fits(&campaign, &at(0, "12:00")) && !fits(&campaign, &Arrival::default()));
    }

    #[test]
    fn times_of_day() {
        assert_eq!((minutes("00:00"), minutes("23:59")), (Some(0), Some(1439)));
        for wrong in ["24:00", "9:00", "09:60", "0900", ""] {
            assert_eq!(minutes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_reference_is_six_digits_and_the_calls_own() {
        let of = |id: &str| Arrival { id: id.parse().ok(), ..Arrival::default() }.reference();
        assert_eq!(
            (of("call-1").len(), of("call-1") == of("call-1"), of("call-1") == of("call-2")),
            (6, true, false)
        );
    }
}
