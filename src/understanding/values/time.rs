//! Times of day: "half past three", "eight oh five pm", "17:30", "in ten minutes".

use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::cardinal::{below_hundred, cardinal};
use super::tokens::{Token, begins, text};
use super::{Said, scan};

/// How sure a bare hour is: "three" may be a count.
const BARE_HOUR: f32 = 0.6;
/// A time that is only about one.
const ROUGHLY: f32 = 0.8;
/// Hour and minutes without a word that says so.
const BARE: f32 = 0.9;

/// Times in `text`, on the clock of 24 hours. What was said of the clock of twelve without its half of the
/// day stays as it was said. `now` is for "in ten minutes".
pub(crate) fn times(text: &str, now: Option<DateTime>) -> Vec<Said> {
    scan(text, |tokens, at| {
        let (hour, minute, next, confidence) = time(tokens, at, now)?;
        Some((format!("{hour:02}:{minute:02}"), next, confidence))
    })
}

type Found = Option<(i8, i8, usize, f32)>;

fn time(tokens: &[Token], at: usize, now: Option<DateTime>) -> Found {
    if let Some(found) = from_now(tokens, at, now) {
        return Some(found);
    }
    // "This evening at 5:30": the half of the day comes first.
    if let Some((part, next)) = day_part(tokens, at) {
        let from = next + usize::from(matches!(text(tokens, next), "at" | "around" | "about"));
        let (hour, minute, end, _) = clock(tokens, from)?;
        return Some((on_part(hour, part), minute, end, 1.0));
    }
    let (hour, minute, next, confidence) = clock(tokens, at)?;
    let part = meridiem(tokens, next).or_else(|| day_part(tokens, next));
    match part {
        Some((part, next)) => Some((on_part(hour, part), minute, next, 1.0)),
        None => Some((hour, minute, next, confidence)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Am,
    Pm,
    Night,
    Lunch,
}

fn on_part(hour: i8, part: Part) -> i8 {
    match (part, hour) {
        (Part::Am, 12) | (Part::Night, 12) => 0,
        (Part::Pm, 1..=11) | (Part::Night, 6..=11) | (Part::Lunch, 1..=4) => hour + 12,
        (Part::Am | Part::Pm | Part::Night | Part::Lunch, _) => hour,
    }
}

/// "am", "p.m.", "p m".
fn meridiem(tokens: &[Token], at: usize) -> Option<(Part, usize)> {
    let word = text(tokens, at);
    let part = |letter: &str| match letter {
        "a" | "am" => Some(Part::Am),
        "p" | "pm" => Some(Part::Pm),
        _ => None,
    };
    if matches!(word, "am" | "pm") {
        return part(word).map(|p| (p, at + 1));
    }
    let point = usize::from(text(tokens, at + 1) == ".");
    let part = part(word).filter(|_| text(tokens, at + 1 + point) == "m")?;
    let next = at + 2 + point;
    Some((part, next + usize::from(text(tokens, next) == "." && tokens[next].glued)))
}

/// "In the morning", "this evening", "at night", "tonight".
fn day_part(tokens: &[Token], at: usize) -> Option<(Part, usize)> {
    let skip = if begins(tokens, at, "in the") {
        2
    } else {
        usize::from(matches!(text(tokens, at), "this" | "at" | "the" | "tomorrow" | "in" | "every"))
    };
    let part = match text(tokens, at + skip) {
        "morning" => Part::Am,
        "afternoon" | "evening" => Part::Pm,
        "night" | "tonight" => Part::Night,
        "lunchtime" => Part::Lunch,
        _ => return None,
    };
    Some((part, at + skip + 1))
}

fn from_now(tokens: &[Token], at: usize, now: Option<DateTime>) -> Found {
    let now = now?;
    if text(tokens, at) != "in" {
        return None;
    }
    let (minutes, next) = if begins(tokens, at + 1, "half an hour") {
        (30, at + 4)
    } else if begins(tokens, at + 1, "an hour and a half") {
        (90, at + 6)
    } else {
        let (count, next) = match text(tokens, at + 1) {
            "a" | "an" => (1, at + 2),
            _ => {
                let (n, next) = cardinal(tokens, at + 1)?;
                (n.to_whole().and_then(|n| i64::try_from(n).ok()).filter(|n| (0..1440).contains(n))?, next)
            }
        };
        match text(tokens, next) {
            "minute" | "minutes" | "mins" | "min" => (count, next + 1),
            "hour" | "hours" => (count * 60, next + 1),
            _ => return None,
        }
    };
    let then = now.checked_add(minutes.minutes()).ok()?;
    Some((then.hour(), then.minute(), next, 1.0))
}

/// A time without its half of the day.
fn clock(tokens: &[Token], at: usize) -> Found {
    if let Some((hour, next)) = named(tokens, at) {
        return Some((hour, 0, next, 1.0));
    }
    if let Some((hour, next)) = roughly(tokens, at) {
        return Some((hour, 0, next, ROUGHLY));
    }
    minutes_beside(tokens, at).or_else(|| hour_and_minutes(tokens, at))
}

/// "Noon", "midnight", "12 noon".
fn named(tokens: &[Token], at: usize) -> Option<(i8, usize)> {
    let twelve = matches!(text(tokens, at), "12" | "twelve");
    let at = at + usize::from(twelve);
    match text(tokens, at) {
        "noon" | "midday" => Some((12, at + 1)),
        "midnight" => Some((0, at + 1)),
        "mid" => {
            let next = at + 1 + usize::from(text(tokens, at + 1) == "-");
            match text(tokens, next) {
                "day" => Some((12, next + 1)),
                "night" => Some((0, next + 1)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// "Mid morning", "midafternoon": ten and two, as Microsoft's Recognizers read them.
fn roughly(tokens: &[Token], at: usize) -> Option<(i8, usize)> {
    let (part, next) = match text(tokens, at).strip_prefix("mid")? {
        "" => {
            let next = at + 1 + usize::from(text(tokens, at + 1) == "-");
            (text(tokens, next), next + 1)
        }
        part => (part, at + 1),
    };
    match part {
        "morning" => Some((10, next)),
        "afternoon" => Some((14, next)),
        _ => None,
    }
}

/// "Half past three", "half three", "a quarter to four", "twenty five to nine".
fn minutes_beside(tokens: &[Token], at: usize) -> Found {
    let from = at + usize::from(text(tokens, at) == "a");
    let (minutes, next) = match text(tokens, from) {
        "half" => (30, from + 1),
        "quarter" => (15, from + 1),
        "three" if text(tokens, from + 1) == "quarters" => (45, from + 2),
        _ => {
            let (n, next) = small(tokens, from)?;
            let next =
                next + usize::from(matches!(text(tokens, next), "minutes" | "minute" | "mins" | "min"));
            (n, next)
        }
    };
    let minutes = i8::try_from(minutes).ok().filter(|m| (1..60).contains(m))?;
    let before = match text(tokens, next) {
        "past" | "after" => false,
        "to" | "of" | "till" | "til" | "before" | "two" => true,
        // "Half three" as the British say it.
        _ if minutes == 30 && text(tokens, from) == "half" => {
            let (hour, end) = hour(tokens, next)?;
            return Some((hour, 30, end, BARE));
        }
        _ => return None,
    };
    if let Some(found) = minutes_beside_a_time(tokens, (minutes, before), next) {
        return Some(found);
    }
    let (hour, end) = hour(tokens, next + 1)?;
    let end = end + usize::from(text(tokens, end) == "o'clock");
    // "Twenty to two" wants an hour that a clock shows.
    let hour = if before { (hour + 23) % 24 } else { hour };
    let hour = if before && hour == 0 { 12 } else { hour };
    Some((hour, if before { 60 - minutes } else { minutes }, end, 1.0))
}

/// "Three minutes to five thirty"; without the word for minutes it may be from three to five thirty.
fn minutes_beside_a_time(tokens: &[Token], (minutes, before): (i8, bool), at: usize) -> Found {
    if !matches!(text(tokens, at - 1), "minutes" | "minute" | "mins" | "min") {
        return None;
    }
    let (hour, minute, end, _) = hour_and_minutes(tokens, at + 1).filter(|(_, minute, _, _)| *minute > 0)?;
    let then = i16::from(hour) * 60 + i16::from(minute) + i16::from(minutes) * if before { -1 } else { 1 };
    let then = then.rem_euclid(24 * 60);
    Some((i8::try_from(then / 60).ok()?, i8::try_from(then % 60).ok()?, end, 1.0))
}

fn small(tokens: &[Token], at: usize) -> Option<(i128, usize)> {
    if tokens.get(at)?.is_number() {
        let n = tokens[at].text.parse().ok().filter(|_| tokens[at].text.len() <= 2)?;
        return Some((n, at + 1));
    }
    below_hundred(tokens, at)
}

fn hour(tokens: &[Token], at: usize) -> Option<(i8, usize)> {
    if let Some(found) = named(tokens, at) {
        return Some(found);
    }
    let (n, next) = small(tokens, at)?;
    Some((i8::try_from(n).ok().filter(|h| (0..=24).contains(h))? % 24, next))
}

/// "Three o'clock", "8:05", "eight oh five", "seventeen thirty", "fourteen hundred hours", "nine".
fn hour_and_minutes(tokens: &[Token], at: usize) -> Found {
    if tokens.get(at)?.is_number() && matches!(tokens[at].text.len(), 3 | 4) {
        return unpointed(tokens, at);
    }
    if matches!(text(tokens, at), "oh" | "o" | "zero") {
        // "Oh eight hundred", "zero seven thirty".
        let (hour, minute, next, confidence) = hour_and_minutes(tokens, at + 1)?;
        return (hour < 10 && confidence > BARE_HOUR).then_some((hour, minute, next, confidence));
    }
    let (hour, next) = hour(tokens, at)?;
    let written = tokens[at].is_number();
    match text(tokens, next) {
        "o'clock" | "oclock" => return Some((hour, 0, next + 1, 1.0)),
        "o" if begins(tokens, next + 1, "' clock") || begins(tokens, next + 1, "clock") => {
            let words = if text(tokens, next + 1) == "clock" { 2 } else { 3 };
            return Some((hour, 0, next + words, 1.0));
        }
        "hundred" if !written || hour < 24 => {
            let end = next + 1 + usize::from(matches!(text(tokens, next + 1), "hours" | "hrs"));
            return Some((hour, 0, end, 1.0));
        }
        ":" | "." | "h" if written => {
            let minute = tokens.get(next + 1).filter(|t| t.is_number() && t.text.len() == 2);
            if let Some(minute) = minute.and_then(|t| t.text.parse().ok()).filter(|m| *m < 60) {
                let seconds =
                    text(tokens, next + 2) == ":" && tokens.get(next + 3).is_some_and(Token::is_number);
                return Some((hour, minute, if seconds { next + 4 } else { next + 2 }, 1.0));
            }
        }
        _ => {}
    }
    match minutes(tokens, next) {
        Some((minute, end)) => Some((hour, minute, end, BARE)),
        None => Some((hour, 0, next, BARE_HOUR)),
    }
}

/// "1400 hours", "330 pm", "at 1030": figures without a point.
fn unpointed(tokens: &[Token], at: usize) -> Found {
    let n: i16 = tokens[at].text.parse().ok()?;
    let (hour, minute) = (i8::try_from(n / 100).ok()?, i8::try_from(n % 100).ok()?);
    let hours = matches!(text(tokens, at + 1), "hours" | "hrs");
    let announced = at > 0
        && matches!(text(tokens, at - 1), "at" | "around" | "approximately" | "by" | "until" | "tonight");
    let said = hours || announced || meridiem(tokens, at + 1).is_some();
    (hour < 24 && minute < 60 && said).then_some((hour, minute, at + 1 + usize::from(hours), 1.0))
}

/// "Oh five", "thirty", "05" behind an hour.
fn minutes(tokens: &[Token], at: usize) -> Option<(i8, usize)> {
    // "Ten-thirty", "twelve-oh-three".
    let at = at + usize::from(text(tokens, at) == "-" && !tokens[at - 1].is_number());
    let (n, next) = if matches!(text(tokens, at), "oh" | "o" | "zero" | "ou") {
        let at = at + usize::from(text(tokens, at + 1) == "-");
        below_hundred(tokens, at + 1).filter(|(n, _)| *n < 10)?
    } else {
        let (n, next) = small(tokens, at)?;
        let two = if tokens[at].is_number() { tokens[at].text.len() == 2 } else { n >= 10 };
        (two.then_some(n)?, next)
    };
    Some((i8::try_from(n).ok().filter(|m| (0..60).contains(m))?, next))
}
