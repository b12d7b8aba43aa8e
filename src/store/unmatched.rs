//! What callers said that no intent took, counted as records are written, and forgotten with them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::figures::{HOUR_MS, number, text};
use super::record::KeptCall;
use super::{Opened, Store, StoreError};

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
    INSERT INTO unmatched (call_id, turn, hour, dnis, intent, stage, words, said)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// The sentences said most, and when each was said first and last.
const MOST_SAID: &str = "
    SELECT said, min(hour) AS first, max(hour) AS last FROM unmatched WHERE hour >= $1 AND hour < $2
    GROUP BY said ORDER BY count(*) DESC, said LIMIT $3";

/// PostgreSQL has 4 MiB for this otherwise, and sorts hundreds of thousands of sentences on the disk.
const MEMORY: &str = "SET LOCAL work_mem = '64MB'";

const WORDS: &str = "SELECT words FROM unmatched WHERE said = $1 LIMIT 1";

const UNNUMBERED: &str =
    "SELECT call_id, turn, words FROM unmatched WHERE said = 0 ORDER BY call_id, turn LIMIT 10000";

/// By hour of the day: a year has thousands of hours, and one clock.
const BY_HOUR_OF_DAY: &str = "
    SELECT said, hour % 24 AS of_day, dnis, intent, stage, count(*) AS times FROM unmatched
    WHERE hour >= $1 AND hour < $2 AND said IN (MOST)
    GROUP BY said, hour % 24, dnis, intent, stage ORDER BY said, of_day, dnis, intent, stage";

/// A number that stands for a sentence: the beginning of its SHA-256, and never 0.
fn said(words: &str) -> i64 {
    let sum = Sha256::digest(words);
    i64::from_be_bytes(sum[..8].try_into().expect("eight of thirty-two bytes")) | 1
}

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
            .bind(&words)
            .bind(said(&words));
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives sentences their numbers that were kept before there were any, a piece at a time.
pub(super) async fn number_sentences(opened: &Opened) -> Result<(), sqlx::Error> {
    loop {
        // Whoever only reads does not wait for those who write.
        let rows = sqlx::query(UNNUMBERED).fetch_all(&opened.readers).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut transaction = opened.begin().await?;
        for row in &rows {
            let numbered = sqlx::query("UPDATE unmatched SET said = $3 WHERE call_id = $1 AND turn = $2");
            let numbered = numbered.bind(text(row, "call_id")).bind(number(row, "turn"));
            numbered.bind(said(&text(row, "words"))).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
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
        let mut reading = opened.readers.begin().await.map_err(self.fail())?;
        if opened.file.is_none() {
            sqlx::raw_sql(MEMORY).execute(&mut *reading).await.map_err(self.fail())?;
        }
        let most = sqlx::query(MOST_SAID).bind(from).bind(until).bind(MOST).fetch_all(&mut *reading).await;
        let most = most.map_err(self.fail())?;
        let first = most.iter().map(|row| number(row, "first")).min();
        let last = most.iter().map(|row| number(row, "last")).max();
        let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
        let mut sentences = BTreeMap::new();
        for row in &most {
            let said = number(row, "said");
            let words = sqlx::query(WORDS).bind(said).fetch_optional(&mut *reading).await;
            sentences
                .insert(said, words.map_err(self.fail())?.map(|row| text(&row, "words")).unwrap_or_default());
        }
        let places: Vec<String> = (3..sentences.len() + 3).map(|n| format!("${n}")).collect();
        let sql = BY_HOUR_OF_DAY.replace("MOST", &places.join(", "));
        let mut all = Vec::new();
        for [begins, ends] in same_clock(&self.desk.zone, first, last + 1) {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(begins).bind(ends);
            let query = sentences.keys().fold(query, |query, said| query.bind(*said));
            let rows = query.fetch_all(&mut *reading).await.map_err(self.fail())?;
            all.extend(rows.iter().map(|row| UnmatchedFigures {
                words: sentences.get(&number(row, "said")).cloned().unwrap_or_default(),
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
