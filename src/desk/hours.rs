//! Business hours: days of the week, breaks, holidays, in a zone.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};

use super::spec::HoursSpec;

/// As far as an opening is looked for: a year and a day finds one on any day of the year.
const HORIZON_DAYS: u32 = 367;

/// When somebody is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    zone: TimeZone,
    /// Monday first: from, until; where `until` is not after `from` it is the next day's.
    week: [Vec<(Time, Time)>; 7],
    holidays: Vec<Holiday>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Holiday {
    Once(Date),
    EachYear(i8, i8),
}

impl Hours {
    /// Reads what a team wrote. `zone` is the line's.
    ///
    /// # Errors
    /// What is wrong and what was expected; the first part of the pair is the text to point at.
    pub(super) fn parse(spec: &HoursSpec, zone: &TimeZone) -> Result<Hours, (String, String)> {
        let zone = match &spec.zone {
            None => zone.clone(),
            Some(name) => zone_of(name).map_err(|why| (name.clone(), why))?,
        };
        let days = [&spec.mon, &spec.tue, &spec.wed, &spec.thu, &spec.fri, &spec.sat, &spec.sun];
        let mut week: [Vec<(Time, Time)>; 7] = Default::default();
        for (day, windows) in week.iter_mut().zip(days) {
            for window in windows {
                let why = || format!("'{window}' are no hours: expected HH:MM-HH:MM, as in 08:00-12:30");
                day.push(window_of(window).ok_or_else(|| (window.clone(), why()))?);
            }
        }
        let mut holidays = Vec::new();
        for day in &spec.holidays {
            let why = || format!("'{day}' is no day: expected YYYY-MM-DD, or MM-DD for each year");
            holidays.push(holiday_of(day).ok_or_else(|| (day.clone(), why()))?);
        }
        Ok(Hours { zone, week, holidays })
    }

    /// Whether somebody is there at `at`.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        let (today, time) = (local.date(), local.time());
        let into_tomorrow = |(from, until): &(Time, Time)| until <= from;
        let since_today = self.windows(today).any(|w @ (from, until)| {
            if into_tomorrow(w) { time >= *from } else { (*from..*until).contains(&time) }
        });
        let yesterday = today.yesterday().ok();
        let since_yesterday = yesterday
            .is_some_and(|date| self.windows(date).any(|w @ (_, until)| into_tomorrow(w) && time < *until));
        since_today || since_yesterday
    }

    /// `at` itself where somebody is there, and otherwise when somebody is next; `None` where nobody ever is.
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return Some(at);
        }
        let mut date = at.to_zoned(self.zone.clone()).date();
        for _ in 0..HORIZON_DAYS {
            let openings = self.windows(date).filter_map(|(from, _)| {
                // Where a clock is put forward over an opening, jiff takes the first instant after it.
                let opening = date.to_datetime(*from).to_zoned(self.zone.clone()).ok()?.timestamp();
                (opening > at).then_some(opening)
            });
            if let Some(first) = openings.min() {
                return Some(first);
            }
            date = date.checked_add(Span::new().days(1)).ok()?;
        }
        None
    }

    /// The zone that the hours are told in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn windows(&self, date: Date) -> impl Iterator<Item = &(Time, Time)> {
        let closed = self.holidays.iter().any(|holiday| match holiday {
            Holiday::Once(day) => *day == date,
            Holiday::EachYear(month, day) => (date.month(), date.day()) == (*month, *day),
        });
        self.week[monday_zero(date.weekday())].iter().filter(move |_| !closed)
    }
}

fn monday_zero(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}

/// A zone by its name, from the database inside the program: the same on every machine.
///
/// # Errors
/// What was expected.
pub(super) fn zone_of(name: &str) -> Result<TimeZone, String> {
    let unknown = || format!("'{name}' is no time zone: expected a name as in Europe/Berlin or UTC");
    TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())
}

pub(super) fn window_of(window: &str) -> Option<(Time, Time)> {
    let (from, until) = window.split_once('-')?;
    Some((time_of(from.trim())?, time_of(until.trim())?))
}

/// `HH:MM`; `24:00` is the midnight that ends the day.
fn time_of(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?);
    if (hour, minute) == (24, 0) { Some(Time::midnight()) } else { Time::new(hour, minute, 0, 0).ok() }
}

fn holiday_of(text: &str) -> Option<Holiday> {
    if let Ok(date) = text.parse::<Date>() {
        return Some(Holiday::Once(date));
    }
    let (month, day) = text.split_once('-')?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    // A leap year, so that 02-29 is one.
    Date::new(2024, month, day).ok().map(|_| Holiday::EachYear(month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office() -> Hours {
        let spec = HoursSpec {
            mon: vec!["08:00-12:00".to_owned(), "13:00-18:00".to_owned()],
            fri: vec!["22:00-02:00".to_owned()],
            sun: vec!["00:00-24:00".to_owned()],
            holidays: vec!["2026-11-23".to_owned(), "12-28".to_owned()],
            ..HoursSpec::default()
        };
        Hours::parse(&spec, &zone_of("Europe/Berlin").expect("a zone")).expect("hours")
    }

    #[track_caller]
    fn check(at: &str, next: &str) {
        let (at, next): (Timestamp, Timestamp) = (at.parse().expect("a time"), next.parse().expect("a time"));
        assert_eq!(office().next_open(at), Some(next));
        assert_eq!(office().is_open(at), at == next);
    }

    #[test]
    fn opens_on_its_days_in_its_zone() {
        // A Monday in Berlin's winter, an hour ahead of UTC.
        check("2026-11-16T06:59:59Z", "2026-11-16T07:00:00Z");
        check("2026-11-16T07:00:00Z", "2026-11-16T07:00:00Z");
        check("2026-11-16T11:00:00Z", "2026-11-16T12:00:00Z");
        check("2026-11-16T17:00:00Z", "2026-11-20T21:00:00Z");
        // In summer two hours ahead.
        check("2026-07-06T05:00:00Z", "2026-07-06T06:00:00Z");
    }

    #[test]
    fn goes_over_midnight_and_stays_shut_on_holidays() {
        check("2026-11-21T00:59:00Z", "2026-11-21T00:59:00Z");
        check("2026-11-21T01:00:00Z", "2026-11-21T23:00:00Z");
        // Sunday runs into Monday's holiday; the Monday itself is shut, and so is 28 December.
        check("2026-11-22T23:30:00Z", "2026-11-27T21:00:00Z");
        check("2026-12-28T10:00:00Z", "2027-01-01T21:00:00Z");
    }

    #[test]
    fn nobody_ever_is_no_opening() {
        let shut = Hours::parse(&HoursSpec::default(), &TimeZone::UTC).expect("hours");
        assert_eq!(shut.next_open(Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        let wrong = |spec: HoursSpec| Hours::parse(&spec, &TimeZone::UTC).expect_err("a mistake");
        let (at, why) = wrong(HoursSpec { mon: vec!["8-12".to_owned()], ..HoursSpec::default() });
        assert!(at == "8-12" && why.contains("HH:MM-HH:MM"), "{why}");
        let (_, why) = wrong(HoursSpec { holidays: vec!["02-30".to_owned()], ..HoursSpec::default() });
        assert!(why.contains("MM-DD"), "{why}");
        let (_, why) = wrong(HoursSpec { zone: Some("Mars/Base".to_owned()), ..HoursSpec::default() });
        assert!(why.contains("Europe/Berlin"), "{why}");
    }
}
