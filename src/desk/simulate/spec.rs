//! A day as it is declared, in TOML: who calls when, and who is there.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::desk::hours::window_of;

/// A day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaySpec {
    /// What everything random is made from.
    #[serde(default = "one")]
    pub seed: u64,
    /// A call answered within so many seconds is within the service level.
    #[serde(default = "twenty")]
    pub target_seconds: u32,
    /// Length of a row of the table, in minutes.
    #[serde(default = "half_an_hour")]
    pub interval_minutes: u32,
    /// Who calls.
    pub arrivals: Vec<Spanned<ArrivalSpec>>,
    /// Who is there.
    pub staff: Vec<Spanned<StaffSpec>>,
}

fn one() -> u64 {
    1
}

fn twenty() -> u32 {
    20
}

fn half_an_hour() -> u32 {
    30
}

fn three_minutes() -> f64 {
    180.0
}

/// Callers of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrivalSpec {
    /// `HH:MM-HH:MM`, or the whole day.
    pub hours: Option<String>,
    /// How many an hour, in the mean; they come at random.
    pub calls_per_hour: f64,
    /// The skill that the dialogue asks for.
    #[serde(default)]
    pub skill: String,
    /// What they want.
    pub intent: Option<String>,
    /// What they speak.
    pub language: Option<String>,
    /// The customer's tier.
    pub tier: Option<String>,
    /// The number that they dial.
    pub dialled: Option<String>,
    /// How long an agent talks to them, in the mean; like an exponential distribution's.
    #[serde(default = "three_minutes")]
    pub talk_seconds: f64,
    /// How long they wait before they hang up, in the mean; without it, for ever.
    pub patience_seconds: Option<f64>,
    /// The share of announcements after which one asks to be called back.
    #[serde(default)]
    pub callback_share: f64,
}

/// Agents of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffSpec {
    /// So many.
    pub count: u32,
    /// `HH:MM-HH:MM`, or the whole day.
    pub hours: Option<String>,
    /// What they can do, and how well, 1 to 10.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// What they speak; without it, the line's own language.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Whether escalated calls go to them.
    #[serde(default)]
    pub supervisor: bool,
    /// How long their telephone rings before they answer, in the mean.
    #[serde(default)]
    pub answer_seconds: f64,
    /// The share of calls that they do not answer.
    #[serde(default)]
    pub unanswered_share: f64,
}

/// A mistake in a day's file, with the place and what was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct DayError {
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl DaySpec {
    /// Parses and checks a day.
    ///
    /// # Errors
    /// The first mistake, with file, line and what was expected.
    pub fn parse(path: &str, text: &str) -> Result<DaySpec, DayError> {
        let at = |offset: usize, message: String| DayError {
            path: path.to_owned(),
            line: text.get(..offset).unwrap_or(text).bytes().filter(|b| *b == b'\n').count() + 1,
            message,
        };
        let day: DaySpec = toml::from_str(text)
            .map_err(|e| at(e.span().map_or(0, |span| span.start), e.message().replace('\n', ", ")))?;
        if !(1..=1_440).contains(&day.interval_minutes) {
            return Err(at(0, "interval_minutes: expected 1 to 1440".to_owned()));
        }
        for table in &day.arrivals {
            table.get_ref().check().map_err(|why| at(table.span().start, why))?;
        }
        for table in &day.staff {
            table.get_ref().check().map_err(|why| at(table.span().start, why))?;
        }
        Ok(day)
    }
}

impl ArrivalSpec {
    fn check(&self) -> Result<(), String> {
        hours_ms(self.hours.as_deref())?;
        in_range("calls_per_hour", self.calls_per_hour, 0.0, 100_000.0)?;
        in_range("talk_seconds", self.talk_seconds, 1.0, 36_000.0)?;
        in_range("callback_share", self.callback_share, 0.0, 1.0)?;
        in_range("patience_seconds", self.patience_seconds.unwrap_or(1.0), 1.0, 36_000.0)?;
        if let Some(intent) = &self.intent {
            intent.parse::<crate::call::IntentName>().map(|_| ())?;
        }
        if let Some(number) = &self.dialled {
            number.parse::<crate::call::Dnis>().map_err(|e| format!("'{number}' is {e}"))?;
        }
        Ok(())
    }
}

impl StaffSpec {
    fn check(&self) -> Result<(), String> {
        hours_ms(self.hours.as_deref())?;
        in_range("count", f64::from(self.count), 1.0, 2_000.0)?;
        in_range("answer_seconds", self.answer_seconds, 0.0, 60.0)?;
        in_range("unanswered_share", self.unanswered_share, 0.0, 1.0)
    }
}

fn in_range(name: &str, value: f64, least: f64, most: f64) -> Result<(), String> {
    let fits = (least..=most).contains(&value);
    if fits { Ok(()) } else { Err(format!("{name} = {value}: expected {least} to {most}")) }
}

/// Milliseconds after midnight, from and until; the whole day where nothing is said.
pub(super) fn hours_ms(hours: Option<&str>) -> Result<(u64, u64), String> {
    const DAY: u64 = 86_400_000;
    let Some(hours) = hours else { return Ok((0, DAY)) };
    let wrong = || format!("'{hours}' are no hours of one day: expected HH:MM-HH:MM, as in 08:00-16:30");
    let (from, until) = window_of(hours).ok_or_else(wrong)?;
    let ms = |time: jiff::civil::Time| {
        let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
        u64::try_from(minutes).unwrap_or(0) * 60_000
    };
    let (from, until) = (ms(from), if ms(until) == 0 { DAY } else { ms(until) });
    if from < until { Ok((from, until)) } else { Err(wrong()) }
}
