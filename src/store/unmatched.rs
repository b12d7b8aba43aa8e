//! What callers said that no intent took, counted as records are written, and forgotten with them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::{AnyConnection, Row as _};

use super::figures::{HOUR_MS, number, text};
use super::record::KeptCall;
use super::{Store, StoreError};

/// Sentences that a report tells of; whoever wants them all has `attendant suggest`.
const MOST: i64 = 20;

/// Changes of a zone's clocks within a report; two a year.
const CLOCK_CHANGES: usize = 400;

const HOURS_OF_DAY: i64 = 24;

/// What some callers said that no intent took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnmatchedFigures {
    /// In small letters, without punctuation, numbers hidden.
    pub words: String,
    /// An hour since 1970, UTC, that is the same of the day in the line's zone as those in which it was said.
    pub hour: i64,
    /// The number dialled; empty where it is not known.
    pub dnis: String,
    /// What the call came to be about; empty where it was nothing.
    pub intent: String,
    /// Where in the call.
    pub stage: String,
    /// So often.
    pub times: i64,
}

const COUNT: &str = "
    INSERT INTO unmatched (call_id, turn, hour, dnis, intent, stage, words) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// By hour of the day: a year has thousands of hours, and one clock.
const READ: &str = "
    SELECT words, hour % 24 AS of_day, dnis, intent, stage, count(*) AS times FROM unmatched
    WHERE hour >= $1 AND hour < $2 AND words IN (
        SELECT words FROM unmatched WHERE hour >= $3 AND hour < $4 GROUP BY words ORDER BY count(*) DESC, words LIMIT $5)
    GROUP BY words, hour % 24, dnis, intent, stage ORDER BY words, of_day, dnis, intent, stage";

/// Counts what no intent took of a call that is written in the same transaction.
pub(super) async fn count(connection: &mut AnyConnection, kept: &KeptCall) -> Result<(), sqlx::Error> {
    let record = &kept.record;
    let hour = i64::try_from(kept.started_at_unix_ms).unwrap_or(i64::MAX) / HOUR_MS;
    let unmatched = record.turns.iter().enumerate().filter(|(_, turn)| turn.is_unmatched());
    for (n, turn) in unmatched {
        let words = plain(turn.heard.as_ref().map_or("", |heard| heard.expose()));
        if words.is_empty() {
            continue;
        }
        let query = sqlx::query(COUNT)
            .bind(record.id.as_str())
            .bind(i64::try_from(n).unwrap_or(i64::MAX))
            .bind(hour)
            .bind(record.dnis.as_ref().map_or("", |dnis| dnis.as_str()))
            .bind(record.intent.as_ref().map_or("", |intent| intent.as_str()))
            .bind(turn.stage.to_string())
            .bind(words);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Sentences that mean the same to a reader, in one spelling. A number is somebody's: it is hidden.
fn plain(heard: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in heard.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let word = if word.contains(|c: char| c.is_numeric()) { "#".to_owned() } else { word };
        let repeats = word == "#" && words.last().is_some_and(|last| last == "#");
        if !word.is_empty() && !repeats {
            words.push(word);
        }
    }
    words.join(" ")
}

impl Store {
    /// What callers said most of the hours from `from` until before `until` that no intent took, in hours since 1970 UTC.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn unmatched(&self, from: i64, until: i64) -> Result<Vec<UnmatchedFigures>, StoreError> {
        let opened = self.current().await?;
        let mut all = Vec::new();
        for [begins, ends] in same_clock(&self.desk.zone, from, until) {
            let query = sqlx::query(READ).bind(begins).bind(ends).bind(from).bind(until).bind(MOST);
            let rows = query.fetch_all(&opened.readers).await.map_err(self.fail())?;
            all.extend(rows.iter().map(|row| UnmatchedFigures {
                words: text(row, "words"),
                hour: begins + (number(row, "of_day") - begins).rem_euclid(HOURS_OF_DAY),
                dnis: text(row, "dnis"),
                intent: text(row, "intent"),
                stage: text(row, "stage"),
                times: row.try_get("times").unwrap_or_default(),
            }));
        }
        Ok(all)
    }
}

/// Parts of a time in which the zone's clocks are not put forward or back.
fn same_clock(zone: &TimeZone, from: i64, until: i64) -> Vec<[i64; 2]> {
    let second = from.checked_mul(3_600).and_then(|second| Timestamp::from_second(second).ok());
    let changes = second.into_iter().flat_map(|at| zone.following(at).take(CLOCK_CHANGES));
    let hours = changes.map(|change| change.timestamp().as_second().div_euclid(3_600));
    let mut edges: Vec<i64> = std::iter::once(from).chain(hours.take_while(|hour| *hour < until)).collect();
    edges.push(until);
    edges.windows(2).map(|pair| [pair[0], pair[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_parted_where_the_clocks_change() {
        let hour = |text: &str| text.parse::<Timestamp>().expect("a time").as_second() / 3_600;
        let zone = TimeZone::get("Europe/Berlin").expect("it is bundled");
        let (from, until) = (hour("2026-01-01T00:00:00Z"), hour("2027-01-01T00:00:00Z"));
        let (spring, autumn) = (hour("2026-03-29T01:00:00Z"), hour("2026-10-25T01:00:00Z"));
        assert_eq!(same_clock(&zone, from, until), [[from, spring], [spring, autumn], [autumn, until]]);
        assert_eq!(same_clock(&TimeZone::UTC, from, until), [[from, until]]);
        assert_eq!(same_clock(&zone, 0, i64::MAX).len(), CLOCK_CHANGES + 1);
    }

    #[test]
    fn one_spelling_and_no_numbers() {
        assert_eq!(plain("  Where's my  THING? "), "where's my thing");
        assert_eq!(plain("It is 45 12 88, thanks."), "it is # thanks");
        assert_eq!(plain("?!"), "");
    }
}
