//! When to call back: as soon as the place comes up, or at a time that the caller names and the line keeps.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time, time};
use minijinja::Value;

use super::speaking::Values;
use super::state::{Asked, State};
use super::{Dialogue, Question};
use crate::call::{Ani, Hypothesis, TimeSpan};
use crate::understanding::{Answer, DateReading, answer, dates, times};

/// Who names a time is called from then on for so long.
const WINDOW_MINUTES: i64 = 60;

/// What is left of a window where it is still promised.
const LEAST_MINUTES: i64 = 15;

/// The key for: as soon as you can.
const SOON: &str = "1";

/// Parts of a day, as hours of its clock.
const PARTS: [(&str, i8, i8); 4] =
    [("morning", 8, 12), ("afternoon", 12, 17), ("evening", 17, 20), ("tonight", 17, 20)];

/// A day, where nothing else is said of it.
const DAY: (i8, i8) = (8, 20);

/// Hours of a clock that were said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// "At three", which may be in the afternoon where nothing says otherwise, and rather is than at night.
    At { time: Time, either_half: bool },
    /// "In the morning".
    Between(Time, Time),
}

/// When somebody wants to be called: a day and a time, or either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    day: Option<Date>,
    clock: Option<Clock>,
}

impl Wish {
    fn of(text: &str, now: DateTime) -> Option<Wish> {
        let says = |name: &str| text.split(|c: char| !c.is_alphabetic()).any(|word| word == name);
        let day =
            dates(text, DateReading::default(), Some(now)).first().and_then(|said| said.value.parse().ok());
        let day = day.or_else(|| says("tonight").then_some(now.date()));
        let part = PARTS.iter().find(|(name, ..)| says(name));
        let named = times(text, Some(now)).into_iter().next();
        let named =
            named.and_then(|said| Some((said.value.parse::<Time>().ok()?, is_whole(&text[said.span]))));
        let clock = match (named, part) {
            (Some((time, whole)), part) => Some(Clock::At { time, either_half: part.is_none() && !whole }),
            (None, Some((_, from, until))) => Some(Clock::between(*from, *until)),
            (None, None) => None,
        };
        (day.is_some() || clock.is_some()).then_some(Wish { day, clock })
    }

    /// The first time that is meant, is open, and is to come: by day where it may be by day or by night.
    fn within(self, open: &[TimeSpan], now: DateTime) -> Option<TimeSpan> {
        let days: Vec<Date> = match self.day {
            Some(day) => vec![day],
            None => std::iter::once(now.date()).chain(now.date().tomorrow()).collect(),
        };
        let clock = self.clock.unwrap_or(Clock::between(DAY.0, DAY.1));
        let meant = days.iter().flat_map(|day| clock.on(*day)).filter_map(|span| clock.to_come(span, now));
        let (by_day, by_night): (Vec<_>, Vec<_>) =
            meant.partition(|span| (DAY.0..DAY.1).contains(&span.from.hour()));
        let meant = by_day.into_iter().chain(by_night);
        meant.flat_map(|span| open.iter().map(move |open| overlap(span, *open))).flatten().next()
    }
}

/// Whether words of a time leave no half of the day open: "three p m", "in ten minutes", "midnight".
fn is_whole(words: &str) -> bool {
    words.starts_with("in ") || words.ends_with("night") || words.trim_end_matches('.').ends_with('m')
}

impl Clock {
    fn between(from: i8, until: i8) -> Clock {
        Clock::Between(time(from, 0, 0, 0), time(until, 0, 0, 0))
    }

    /// All that it may mean on a day.
    fn on(self, day: Date) -> Vec<TimeSpan> {
        match self {
            Clock::Between(from, until) => {
                vec![TimeSpan { from: day.to_datetime(from), until: day.to_datetime(until) }]
            }
            Clock::At { time, either_half } => {
                let halves = if either_half && time.hour() < 12 { [0, 12].as_slice() } else { &[0] };
                let from = halves
                    .iter()
                    .map(|hours| day.to_datetime(time).saturating_add(Span::new().hours(*hours)));
                let until = |from: DateTime| from.saturating_add(Span::new().minutes(WINDOW_MINUTES));
                from.map(|from| TimeSpan { from, until: until(from) }).collect()
            }
        }
    }

    /// What is left of it: of an hour that has begun nothing, of a part of the day the rest.
    fn to_come(self, span: TimeSpan, now: DateTime) -> Option<TimeSpan> {
        match self {
            Clock::At { .. } => (span.from >= now).then_some(span),
            Clock::Between(..) => Some(TimeSpan { from: span.from.max(now), ..span }),
        }
    }
}

/// What two have in common, where that is long enough to call in.
fn overlap(a: TimeSpan, b: TimeSpan) -> Option<TimeSpan> {
    let both = TimeSpan { from: a.from.max(b.from), until: a.until.min(b.until) };
    let least = both.from.checked_add(Span::new().minutes(LEAST_MINUTES)).ok()?;
    (least <= both.until).then_some(both)
}

impl Dialogue {
    pub(super) fn times(&self) -> Option<(DateTime, Vec<TimeSpan>)> {
        self.place.as_ref().and_then(|place| place.times.clone())
    }

    /// Whether the caller can choose a time: the line asks for one, and callers are called at some.
    pub(super) fn has_times(&self) -> bool {
        self.times().is_some_and(|(_, open)| !open.is_empty()) && self.flow.wording.has("waiting.when.ask")
    }

    pub(super) fn ask_time(&mut self, number: Ani) {
        self.said_is_whole = true;
        self.say("waiting.when.ask");
        self.state = State::WaitingTime { number, window: None };
        self.listen(Question { max_keys: 1, ..Question::OPEN });
    }

    fn confirm_time(&mut self, number: Ani, window: TimeSpan) {
        self.said_is_whole = true;
        self.say_with("waiting.when.confirm", self.values_of(window));
        self.state = State::WaitingTime { number, window: Some(window) };
        self.listen(Question::YES_NO);
    }

    /// A caller whose time is not understood is called as soon as it can be, rather than never.
    pub(super) fn time_again(&mut self, number: Ani, window: Option<TimeSpan>) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.promise(number, None);
        }
        match window {
            Some(window) => self.confirm_time(number, window),
            None => self.ask_time(number),
        }
    }

    pub(super) fn keyed_time(&mut self, keys: &str, number: Ani) {
        if keys == SOON {
            self.decided("soon", "by key");
            return self.promise(number, None);
        }
        self.no_match("no such key");
    }

    pub(super) fn heard_time(&mut self, best: &Hypothesis, number: Ani, window: Option<TimeSpan>) {
        let text = best.text.expose().clone();
        let times = self.times();
        if let Some((now, open, wish)) =
            times.and_then(|(now, open)| Some((now, open, Wish::of(&text, now)?)))
        {
            return match wish.within(&open, now) {
                Some(window) => {
                    self.decided("time", window.from.strftime("%FT%H:%M").to_string());
                    self.confirm_time(number, window);
                }
                None => {
                    self.asked.no_match = self.asked.no_match.saturating_add(1);
                    self.decided("closed", "nobody is called then");
                    self.say("waiting.when.closed");
                    self.time_again(number, None);
                }
            };
        }
        let soon = self.flow.commands.soon.find(&text).is_some();
        match (answer(&text).map(|a| a.answer), window) {
            (Some(Answer::Yes), Some(window)) => self.promise(number, Some(window)),
            (Some(Answer::No | Answer::DontKnow | Answer::ThatsAll), Some(_)) if !soon => {
                self.decided("denied", "another time");
                self.asked = Asked::default();
                self.ask_time(number);
            }
            // Whoever does not mind when is called soon.
            (Some(Answer::Yes | Answer::DontKnow), None) => {
                self.decided("soon", "at any time");
                self.promise(number, None);
            }
            _ if soon => {
                self.decided("soon", "");
                self.promise(number, None);
            }
            _ => self.no_match("no time"),
        }
    }

    /// What prompts say of a time.
    pub(super) fn values_of(&self, window: TimeSpan) -> Values {
        let today = self.times().map_or(window.from.date(), |(now, _)| now.date());
        let days = today.until(window.from.date()).map_or(0, |span| span.get_days());
        let clock = |at: DateTime| Value::from(at.strftime("%H:%M").to_string());
        Values::from([
            ("days".to_owned(), Value::from(days)),
            ("day".to_owned(), Value::from(window.from.date().to_string())),
            ("from".to_owned(), clock(window.from)),
            ("until".to_owned(), clock(window.until)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    // A Wednesday.
    const NOW: DateTime = date(2026, 3, 11).at(10, 0, 0, 0);

    fn span(day: i8, from: (i8, i8), until: (i8, i8)) -> TimeSpan {
        let at = |(hour, minute)| date(2026, 3, day).at(hour, minute, 0, 0);
        TimeSpan { from: at(from), until: at(until) }
    }

    fn found(said: &str) -> Option<TimeSpan> {
        let open = [span(11, (9, 0), (17, 0)), span(12, (9, 0), (17, 0)), span(13, (9, 0), (12, 0))];
        Wish::of(said, NOW).expect("a time").within(&open, NOW)
    }

    #[test]
    fn a_time_is_looked_for_where_the_line_calls() {
        assert_eq!(
            found("tomorrow at three"),
            Some(span(12, (15, 0), (16, 0))),
            "nobody is called at 3 at night"
        );
        assert_eq!(found("at half past nine"), Some(span(12, (9, 30), (10, 30))), "today that is over");
        assert_eq!(found("this afternoon"), Some(span(11, (12, 0), (17, 0))));
        assert_eq!(found("tomorrow morning please"), Some(span(12, (9, 0), (12, 0))));
        assert_eq!(found("on friday"), Some(span(13, (9, 0), (12, 0))));
        assert_eq!(found("today"), Some(span(11, (10, 0), (17, 0))), "from now on");
        assert_eq!(found("at three in the afternoon"), Some(span(11, (15, 0), (16, 0))));
        assert_eq!(found("four thirty pm"), Some(span(11, (16, 30), (17, 0))));
    }

    #[test]
    fn who_calls_around_the_clock_is_not_thought_to_mean_the_night() {
        let always = [TimeSpan { from: NOW, until: date(2026, 3, 13).at(10, 0, 0, 0) }];
        let found = |said: &str| {
            let wish = Wish::of(said, NOW).expect("a time");
            wish.within(&always, NOW).map(|span| span.from.strftime("%d %H:%M").to_string())
        };
        for (said, from) in [
            ("tomorrow at three", "12 15:00"),
            ("at nine", "12 09:00"),
            ("at half past seven", "11 19:30"),
            ("tomorrow at three a m", "12 03:00"),
            ("tomorrow at 3 a.m.", "12 03:00"),
            ("at eleven p m", "11 23:00"),
            ("at midnight", "12 00:00"),
            ("in ten minutes", "11 10:10"),
            ("at 21:15", "11 21:15"),
        ] {
            assert_eq!(found(said).as_deref(), Some(from), "{said}");
        }
    }

    #[test]
    fn what_is_closed_or_over_is_not_promised() {
        assert_eq!(found("on friday afternoon"), None);
        assert_eq!(found("on saturday"), None);
        assert_eq!(found("tomorrow at three a m"), None, "and not twelve hours later");
        assert_eq!(found("tonight"), None);
        assert_eq!(found("today at ten to five pm"), None, "ten minutes are too short");
        assert_eq!(Wish::of("my mother said so", NOW), None);
    }
}
