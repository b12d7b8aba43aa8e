//! What the calls of some days came to: volume, containment, abandonment, waits, handle time, first-call
//! resolution, contentment, and where and what the line did not understand.
//!
//! Made from the store's figures alone, so that it takes as long for a million calls as for a thousand. Reads no
//! record; what no intent took are callers' words, which are gone with their records. Read [`Report`] first.

mod page;

mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::call::Dnis;
use crate::desk::DeskPlan;
use crate::store::{CallFigures, Figures, QueueFigures};

/// What a day's figures are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The day, in the line's zone.
    Day,
    /// The hour of the day, in the line's zone.
    Hour,
    /// What callers wanted.
    Intent,
    /// Where the call ended.
    Stage,
    /// The campaign, or the number dialled where it belongs to none.
    Campaign,
}

impl By {
    /// All, in the order in which they are printed.
    pub const ALL: [By; 5] = [By::Day, By::Hour, By::Intent, By::Stage, By::Campaign];

    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            By::Day => "day",
            By::Hour => "hour",
            By::Intent => "intent",
            By::Stage => "stage",
            By::Campaign => "campaign",
        }
    }
}

/// What some calls came to. Shares are of 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calls {
    /// So many.
    pub calls: i64,
    /// Answered by the line itself.
    pub resolved: i64,
    /// Taken by a person.
    pub transferred: i64,
    /// Given up by the caller before anything was answered.
    pub abandoned: i64,
    /// Ended by the line without an answer.
    pub unresolved: i64,
    /// Promised a callback.
    pub callbacks: i64,
    /// The share that the line answered without a person.
    pub containment: f64,
    /// The share that the caller gave up.
    pub abandonment: f64,
    /// Mean length, in seconds.
    pub seconds: f64,
    /// Of those that were answered by the line or a person, the share after which the number did not call
    /// again about the same within a week.
    pub first_call_resolution: Option<f64>,
    /// Mean rating, 1 to 5.
    pub csat: Option<f64>,
    /// So many rated.
    pub ratings: i64,
    #[serde(skip)]
    sums: Sums,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Sums {
    duration_ms: i64,
    answered: i64,
    repeated: i64,
    rating_sum: i64,
}

impl Calls {
    fn add(&mut self, figures: &CallFigures) {
        let n = figures.calls;
        self.calls += n;
        match figures.disposition.as_str() {
            "resolved" => self.resolved += n,
            "transferred" => self.transferred += n,
            "abandoned" => self.abandoned += n,
            _ => self.unresolved += n,
        }
        self.callbacks += figures.callbacks;
        self.ratings += figures.ratings;
        self.sums.duration_ms += figures.duration_ms;
        self.sums.rating_sum += figures.rating_sum;
        if matches!(figures.disposition.as_str(), "resolved" | "transferred") {
            self.sums.answered += n;
            self.sums.repeated += figures.repeated;
        }
    }

    fn finish(mut self) -> Calls {
        self.containment = share(self.resolved, self.calls);
        self.abandonment = share(self.abandoned, self.calls);
        self.seconds = share(self.sums.duration_ms, self.calls) / 1_000.0;
        let Sums { answered, repeated, rating_sum, .. } = self.sums;
        self.first_call_resolution = (answered > 0).then(|| 1.0 - share(repeated, answered));
        self.csat = (self.ratings > 0).then(|| share(rating_sum, self.ratings));
        self
    }
}

/// What became of those who waited for a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Waits {
    /// The queue.
    pub queue: String,
    /// Who waited.
    pub entries: i64,
    /// Who got a person.
    pub answered: i64,
    /// Who hung up.
    pub abandoned: i64,
    /// Who is called back instead.
    pub callbacks: i64,
    /// Who left a message instead.
    pub voicemails: i64,
    /// The share answered within twenty seconds.
    pub service_level: f64,
    /// Mean wait of those answered, in seconds.
    pub wait_seconds: f64,
    /// Mean time that a call took an agent, writing up included, in seconds (AHT).
    pub handle_seconds: Option<f64>,
}

/// Where the line did not understand.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NoMatch {
    /// What the call was about.
    pub intent: String,
    /// Where in the call.
    pub stage: String,
    /// Turns there.
    pub turns: i64,
    /// Turns that were not understood.
    pub not_understood: i64,
    /// Turns in which nothing was heard.
    pub nothing_heard: i64,
    /// The share of both.
    pub share: f64,
}

/// What callers said that no intent took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Unmatched {
    /// In small letters, numbers hidden.
    pub words: String,
    /// So often.
    pub times: i64,
    /// The same by hour, by what the call came to be about, by stage and by campaign; the most frequent first.
    pub by: BTreeMap<By, Vec<(String, i64)>>,
}

/// Figures of some days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The first moment.
    pub from: String,
    /// The first moment that is left out.
    pub until: String,
    /// All calls.
    pub total: Calls,
    /// The same by day, hour, intent, stage and campaign; in order of the keys, intents by number.
    pub by: BTreeMap<By, Vec<(String, Calls)>>,
    /// By queue.
    pub queues: Vec<Waits>,
    /// The worst first.
    pub no_match: Vec<NoMatch>,
    /// The most frequent first.
    pub unmatched: Vec<Unmatched>,
}

/// Hours since 1970 that hold a time, and what is rounded to whole ones.
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3_600)
}

impl Report {
    /// Adds the figures of the hours from `from` until before `until` up.
    pub fn of(figures: &Figures, plan: &DeskPlan, from: i64, until: i64) -> Report {
        let mut total = Calls::default();
        // Calendars are slow beside sums, and a report of years has tens of thousands of hours.
        let mut days: BTreeMap<Option<Date>, Calls> = BTreeMap::new();
        let mut hours: BTreeMap<Option<i8>, Calls> = BTreeMap::new();
        let mut last = None;
        for row in &figures.hours {
            let at = match last {
                Some((hour, at)) if hour == row.hour => at,
                _ => local(row.hour, &plan.zone),
            };
            last = Some((row.hour, at));
            total.add(row);
            days.entry(at.map(DateTime::date)).or_default().add(row);
            hours.entry(at.map(DateTime::hour)).or_default().add(row);
        }
        let mut by: BTreeMap<By, BTreeMap<String, Calls>> = BTreeMap::new();
        let or_none = |key: Option<String>| key.unwrap_or_else(|| "-".to_owned());
        let days = days.into_iter().map(|(day, calls)| (or_none(day.map(|day| day.to_string())), calls));
        by.insert(By::Day, days.collect());
        let hours =
            hours.into_iter().map(|(hour, calls)| (or_none(hour.map(|h| format!("{h:02}:00"))), calls));
        by.insert(By::Hour, hours.collect());
        for row in &figures.kinds {
            for dimension in [By::Intent, By::Stage, By::Campaign] {
                let key = key(dimension, row, plan);
                by.entry(dimension).or_default().entry(key).or_default().add(row);
            }
        }
        let by = by.into_iter().map(|(dimension, keys)| {
            let mut keys: Vec<(String, Calls)> = keys.into_iter().map(|(k, c)| (k, c.finish())).collect();
            if matches!(dimension, By::Intent | By::Campaign) {
                keys.sort_by_key(|(_, calls)| -calls.calls);
            }
            (dimension, keys)
        });
        let time = |hour: i64| local(hour, &plan.zone).map_or_else(|| "-".to_owned(), |at| at.to_string());
        Report {
            from: time(from),
            until: time(until),
            total: total.finish(),
            by: by.collect(),
            queues: waits(&figures.queues),
            no_match: no_match(figures),
            unmatched: unmatched(figures, plan),
        }
    }
}

fn local(hour: i64, zone: &TimeZone) -> Option<DateTime> {
    let at = Timestamp::from_second(hour.checked_mul(3_600)?).ok()?;
    Some(at.to_zoned(zone.clone()).datetime())
}

fn key(by: By, row: &CallFigures, plan: &DeskPlan) -> String {
    match by {
        By::Intent => or_none(&row.intent),
        By::Stage => row.stage.clone(),
        By::Campaign => campaign(&row.dnis, plan),
        By::Day | By::Hour => local(row.hour, &plan.zone).map_or_else(|| or_none(""), |at| at.to_string()),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// The campaign of a number dialled, or the number itself.
fn campaign(dnis: &str, plan: &DeskPlan) -> String {
    let campaign = dnis.parse::<Dnis>().ok().and_then(|dnis| plan.campaign(&dnis).map(str::to_owned));
    campaign.unwrap_or_else(|| or_none(dnis))
}

fn unmatched(figures: &Figures, plan: &DeskPlan) -> Vec<Unmatched> {
    let mut sentences: BTreeMap<&str, BTreeMap<By, BTreeMap<String, i64>>> = BTreeMap::new();
    for row in &figures.unmatched {
        let at = local(row.hour, &plan.zone);
        let or_dash = |key: Option<String>| key.unwrap_or_else(|| or_none(""));
        // The day is not known: figures are by hour of the day.
        let keys = [
            (By::Hour, or_dash(at.map(|at| format!("{:02}:00", at.hour())))),
            (By::Intent, or_none(&row.intent)),
            (By::Stage, row.stage.clone()),
            (By::Campaign, campaign(&row.dnis, plan)),
        ];
        let sentence = sentences.entry(&row.words).or_default();
        for (by, key) in keys {
            *sentence.entry(by).or_default().entry(key).or_default() += row.times;
        }
    }
    let counted = sentences.into_iter().map(|(words, by)| {
        let times = by.get(&By::Stage).map_or(0, |stages| stages.values().sum());
        let by = by.into_iter().map(|(by, keys)| {
            let mut keys: Vec<(String, i64)> = keys.into_iter().collect();
            keys.sort_by_key(|(_, times)| -times);
            (by, keys)
        });
        Unmatched { words: words.to_owned(), times, by: by.collect() }
    });
    let mut all: Vec<Unmatched> = counted.collect();
    all.sort_by_key(|one| -one.times);
    all
}

fn waits(rows: &[QueueFigures]) -> Vec<Waits> {
    let mut queues: BTreeMap<&str, (Waits, [i64; 4])> = BTreeMap::new();
    for row in rows {
        let (waits, [in_time, waited_ms, handled, handle_ms]) = queues.entry(&row.queue).or_default();
        waits.entries += row.entries;
        *handled += row.handled;
        *handle_ms += row.handle_ms;
        match row.outcome.as_str() {
            "answered" => {
                waits.answered += row.entries;
                *waited_ms += row.waited_ms;
                *in_time += if (1..=20).contains(&row.within) { row.entries } else { 0 };
            }
            "abandoned" | "cut_off" => waits.abandoned += row.entries,
            "callback" => waits.callbacks += row.entries,
            "voicemail" => waits.voicemails += row.entries,
            _ => {}
        }
    }
    let done = queues.into_iter().map(|(queue, (waits, [in_time, waited_ms, handled, handle_ms]))| Waits {
        queue: queue.to_owned(),
        service_level: share(in_time, waits.entries),
        wait_seconds: share(waited_ms, waits.answered) / 1_000.0,
        handle_seconds: (handled > 0).then(|| share(handle_ms, handled) / 1_000.0),
        ..waits
    });
    done.collect()
}

fn no_match(figures: &Figures) -> Vec<NoMatch> {
    let mut places: BTreeMap<(&str, &str), NoMatch> = BTreeMap::new();
    for row in &figures.turns {
        let place = places.entry((&row.intent, &row.stage)).or_default();
        place.turns += row.turns;
        match row.decision.as_str() {
            "no_match" => place.not_understood += row.turns,
            "no_input" => place.nothing_heard += row.turns,
            _ => {}
        }
    }
    let named = places.into_iter().map(|((intent, stage), place)| NoMatch {
        intent: if intent.is_empty() { "-".to_owned() } else { intent.to_owned() },
        stage: stage.to_owned(),
        share: share(place.not_understood + place.nothing_heard, place.turns),
        ..place
    });
    let mut worst: Vec<NoMatch> = named.filter(|n| n.not_understood + n.nothing_heard > 0).collect();
    worst.sort_by_key(|n| -(n.not_understood + n.nothing_heard));
    worst
}

/// A part of a whole; 0 of nothing.
fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests;
