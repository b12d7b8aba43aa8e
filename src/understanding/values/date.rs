//! Days: "the third of may", "next friday", "three days ago", "03/05/2026".

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use serde::Deserialize;

use super::cardinal::{below_hundred, cardinal, ordinal};
use super::date_words::{Year, month, named_day, weekday, year};
use super::tokens::{Token, begins, one_of, text};
use super::{Said, scan};

/// How dates are read that can be read in more than one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateReading {
    /// Whether "3/5" is the fifth of March.
    pub month_first: bool,
    /// Which day is meant by one that comes again and again.
    pub prefer: Prefer,
}

/// Which day "friday" or "the third of may" is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The next one: deliveries, appointments.
    #[default]
    Future,
    /// The last one: orders placed, birthdays.
    Past,
}

/// How sure a date is of which only the day of the month was said.
const DAY_ONLY: f32 = 0.85;
/// And one said as bare numbers.
const BARE: f32 = 0.9;

/// Days in `text`. Without `now` only those with their year.
pub(crate) fn dates(text: &str, reading: DateReading, now: Option<DateTime>) -> Vec<Said> {
    scan(text, |tokens, at| {
        let reader = Reader { tokens, reading, today: now.map(DateTime::date) };
        let (date, next, confidence) = reader.date(at)?;
        Some((date.to_string(), next, confidence))
    })
}

struct Reader<'a> {
    tokens: &'a [Token],
    reading: DateReading,
    today: Option<Date>,
}

type Found = Option<(Date, usize, f32)>;

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        text(self.tokens, at)
    }

    fn past(&self) -> bool {
        self.reading.prefer == Prefer::Past
    }

    fn date(&self, at: usize) -> Found {
        self.written(at)
            .or_else(|| self.nth_weekday(at))
            .or_else(|| self.with_weekday(at))
            .or_else(|| self.with_month(at))
            .or_else(|| self.relative(at))
            .or_else(|| self.on_weekday(at))
            .or_else(|| self.named(at))
            .or_else(|| self.in_numbers(at))
            .or_else(|| self.of_month(at))
            .or_else(|| self.bare_day(at))
    }

    /// "The first monday of may 2027", "the last friday of next month".
    fn nth_weekday(&self, at: usize) -> Found {
        let from = at + usize::from(self.word(at) == "the");
        if begins(self.tokens, from, "last day of") || begins(self.tokens, from, "last day in") {
            let month = month(self.word(from + 3))?;
            let last = |year: i16| Some(Date::new(year, month, 1).ok()?.last_of_month());
            return Some(match self.year(from + 4) {
                (Some(Year::Whole(year)), next) => (last(year)?, next, 1.0),
                (Some(Year::Short(_)) | None, _) => (self.next_or_last(last)?, from + 4, 1.0),
            });
        }
        let (n, next) = match self.word(from) {
            "last" => (-1, from + 1),
            _ => {
                let (n, next) = ordinal(self.tokens, from)?;
                (i8::try_from(n).ok().filter(|n| (1..=5).contains(n))?, next)
            }
        };
        let day = weekday(self.word(next)).filter(|_| matches!(self.word(next + 1), "of" | "in"))?;
        let of = next + 2 + usize::from(self.word(next + 2) == "the");
        let day = Weekday::from_monday_zero_offset(day).ok()?;
        let in_month =
            |year: i16, month: i8| Date::new(year, month, 1).ok()?.nth_weekday_of_month(n, day).ok();
        if let Some(month) = month(self.word(of)) {
            let (date, next) = match self.year(of + 1) {
                (Some(Year::Whole(year)), next) => (in_month(year, month)?, next),
                (Some(Year::Short(_)) | None, _) => {
                    (self.next_or_last(|year| in_month(year, month))?, of + 1)
                }
            };
            return Some((date, next, 1.0));
        }
        let (first, next) = self.month_beside(of)?;
        Some((in_month(first.year(), first.month())?, next, 1.0))
    }

    /// The first day of "this month", "next month" …, and the token after it.
    fn month_beside(&self, at: usize) -> Option<(Date, usize)> {
        let at = at + usize::from(self.word(at) == "the");
        let (months, words): (i64, usize) = match self.word(at) {
            "month" => (0, 1),
            "this" | "current" | "same" => (0, 2),
            "next" | "coming" | "following" => (1, 2),
            "last" | "previous" => (-1, 2),
            _ => return None,
        };
        let first = self.today?.first_of_month().checked_add(months.months()).ok()?;
        (self.word(at + words - 1) == "month").then_some((first, at + words))
    }

    /// "The twenty seven", "on 15": a number where a day is meant.
    fn bare_day(&self, at: usize) -> Found {
        let announced = match self.word(at) {
            "the" => at + 1,
            "on" => at + 1 + usize::from(self.word(at + 1) == "the"),
            _ if self.tokens.get(at)?.is_number() && self.word(at + 1) == "of" => at,
            _ => return None,
        };
        let (day, next) = self.day(announced)?;
        let day = i8::try_from(day).ok()?;
        if let Some((first, next)) =
            self.month_beside(next + 1).filter(|_| matches!(self.word(next), "of" | "in"))
        {
            return Some((Date::new(first.year(), first.month(), day).ok()?, next, 1.0));
        }
        // "The three of them", "the two shirts", "on 3.5".
        let ends = matches!(
            self.word(next),
            "" | "please" | "." | "!" | "?" | "thanks" | "thank" | "at" | "if" | "would"
        );
        (announced > at && ends).then(|| Some((self.day_of_near_month(day, None)?, next, DAY_ONLY)))?
    }

    /// The next or last day with this number, and on this day of the week where one was said.
    fn day_of_near_month(&self, day: i8, on: Option<i8>) -> Option<Date> {
        let today = self.today?;
        let mut months = (0..=11).filter_map(|n: i64| {
            let n = if self.past() { -n } else { n };
            let month = today.first_of_month().checked_add(n.months()).ok()?;
            Date::new(month.year(), month.month(), day).ok()
        });
        match on {
            Some(on) => months.find(|d| d.weekday().to_monday_zero_offset() == on),
            None => months.find(|d| if self.past() { *d <= today } else { *d >= today }),
        }
    }

    /// "2026-05-03", "03/05/2026", "3.5.26", "3/5", "04071982".
    fn written(&self, at: usize) -> Found {
        let number = |at: usize, glued: bool| {
            self.tokens
                .get(at)
                .filter(|t| t.is_number() && (t.glued || !glued))
                .and_then(|t| t.text.parse::<i16>().ok())
        };
        let token = self.tokens.get(at)?;
        if token.is_number() && matches!(token.text.len(), 6 | 8) {
            let digits = &token.text;
            let part = |from: usize, to: usize| digits.get(from..to).and_then(|s| s.parse::<i16>().ok());
            let year = match digits.len() {
                6 => Year::Short(part(4, 6)?),
                _ => Year::Whole(part(4, 8)?),
            };
            return Some((self.of_pair(part(0, 2)?, part(2, 4)?, Some(year))?, at + 1, BARE));
        }
        let first = number(at, false)?;
        let sign = self.word(at + 1);
        // "31-Oct-74", "31/Oct/1974".
        if let (true, Some(month)) = (matches!(sign, "/" | "-"), month(self.word(at + 2))) {
            let (year, next) = if self.word(at + 3) == sign { self.year(at + 4) } else { (None, at + 3) };
            return Some((self.of_parts(first, month.into(), year)?, next, 1.0));
        }
        if !matches!(sign, "/" | "-" | ".") {
            return None;
        }
        // "15 / 2" may have spaces, "1 - 2" and "3. 4" may not.
        let glued = sign != "/";
        let second = number(at + 2, glued)?;
        if self.word(at + 3) == sign && number(at + 4, glued).is_some() {
            if token.text.len() == 4 {
                let date = Date::new(first, narrow(second)?, narrow(number(at + 4, glued)?)?).ok()?;
                return Some((date, at + 5, 1.0));
            }
            let (year, _) = year(&self.tokens[..at + 5], at + 4)?;
            return Some((self.of_pair(first, second, Some(year))?, at + 5, 1.0));
        }
        // "3.5" is a number, "3/5" a date, and so is "3-5".
        (sign != "." && second > 0).then(|| Some((self.of_pair(first, second, None)?, at + 3, BARE)))?
    }

    /// Two numbers that are day and month in the order of the region, or in the other one where they can
    /// be nothing else.
    fn of_pair(&self, first: i16, second: i16, year: Option<Year>) -> Option<Date> {
        let (day, month) = if self.reading.month_first { (second, first) } else { (first, second) };
        self.of_parts(day, month, year).or_else(|| self.of_parts(month, day, year))
    }

    fn of_parts(&self, day: i16, month: i16, year: Option<Year>) -> Option<Date> {
        let (day, month) = (narrow(day)?, narrow(month)?);
        let this_year = self.today.map(Date::year);
        let Some(year) = year else { return self.next_or_last(|year| Date::new(year, month, day).ok()) };
        let year = match (year, this_year) {
            (Year::Whole(year), _) => year,
            (Year::Short(_), Some(this)) => year.resolve(this, self.past()),
            (Year::Short(_), None) => return None,
        };
        Date::new(year, month, day).ok()
    }

    /// Of the days that `of_year` gives for the years around this one, the one that is preferred.
    fn next_or_last(&self, of_year: impl Fn(i16) -> Option<Date>) -> Option<Date> {
        let today = self.today?;
        // Eight years hold a leap day whatever the century.
        let years = (0..=8).map(|n| if self.past() { today.year() - n } else { today.year() + n });
        years.filter_map(of_year).find(|d| if self.past() { *d <= today } else { *d >= today })
    }

    /// "Friday the thirteenth of march", "thursday the twenty first": of the days that it may be, one that
    /// falls on this day of the week.
    fn with_weekday(&self, at: usize) -> Found {
        let on = weekday(self.word(at))?;
        let from = at + 1 + usize::from(matches!(self.word(at + 1), "the" | "on" | "."));
        if let Some((date, next, confidence)) = self.with_month(from).or_else(|| self.written(from)) {
            let fits = |d: &Date| d.weekday().to_monday_zero_offset() == on;
            let today = self.today?;
            let years = [0, 1, -1]
                .into_iter()
                .filter_map(|n| Date::new(today.year() + n, date.month(), date.day()).ok());
            let said_year = self.tokens[from..next].iter().any(|t| t.is_number() && t.text.len() == 4);
            let date = if fits(&date) || said_year { date } else { { years }.find(fits).unwrap_or(date) };
            return Some((date, next, confidence));
        }
        // "Friday the fifteen" names a day of the month, "friday fifteen" may be a count.
        let (day, next) = match ordinal(self.tokens, from) {
            Some(found) => found,
            None if self.word(at + 1) == "the" => self.day(from).map(|(day, next)| (day.into(), next))?,
            None => return None,
        };
        let day = i8::try_from(day).ok().filter(|d| (1..=31).contains(d))?;
        let date = self.day_of_near_month(day, Some(on)).or_else(|| self.day_of_near_month(day, None))?;
        Some((date, next, 1.0))
    }

    /// "The third of may [2026]", "may the third", "3 May".
    fn with_month(&self, at: usize) -> Found {
        if let Some(month) = month(self.word(at)) {
            let from = at + 1 + usize::from(matches!(self.word(at + 1), "the" | "-" | "/" | "."));
            let (day, next) = self.day(from)?;
            // "March sixteen sixty five" has no day.
            let (year, next) = self.year(next);
            return Some((self.of_parts(day, month.into(), year)?, next, 1.0));
        }
        // "The thirty first of february" is not the first.
        if at > 0 && below_hundred(self.tokens, at - 1).is_some_and(|(n, _)| n >= 20) {
            return None;
        }
        let from = at + usize::from(self.word(at) == "the");
        let (day, next) = self.day(from)?;
        let next = next + usize::from(self.word(next) == "day");
        let of = next + usize::from(self.word(next) == "of");
        if let Some(month) = month(self.word(of)) {
            let (year, next) = self.year(of + 1);
            return Some((self.of_parts(day, month.into(), year)?, next, 1.0));
        }
        // "The fourth of the seventh eighty two".
        if of > next && self.word(of) == "the" {
            let (month, next) = ordinal(self.tokens, of + 1).filter(|(m, _)| (1..=12).contains(m))?;
            let (year, next) = self.year(next);
            return Some((self.of_parts(day, i16::try_from(month).ok()?, year)?, next, BARE));
        }
        None
    }

    fn year(&self, at: usize) -> (Option<Year>, usize) {
        let from = at + usize::from(matches!(self.word(at), "of" | "in" | "," | "-"));
        match year(self.tokens, from) {
            // "The third of may ten o'clock" says no year.
            Some((Year::Short(_), next))
                if matches!(self.word(next), "o'clock" | "am" | "pm" | ":" | "a" | "p") =>
            {
                (None, at)
            }
            Some((year, next)) => (Some(year), next),
            None => (None, at),
        }
    }

    /// The day of a month: an ordinal, or a number that can be one.
    fn day(&self, at: usize) -> Option<(i16, usize)> {
        let (day, next) = match ordinal(self.tokens, at) {
            Some(found) => found,
            None if self.tokens.get(at)?.is_number() => (self.word(at).parse().ok()?, at + 1),
            None => below_hundred(self.tokens, at)?,
        };
        Some((i16::try_from(day).ok().filter(|d| (1..=31).contains(d))?, next))
    }

    /// "Three five twenty six", "oh four oh seven nineteen eighty two".
    fn in_numbers(&self, at: usize) -> Found {
        let (first, next) = self.pair(at)?;
        let (second, next) = self.pair(next)?;
        let (year, next) = year(self.tokens, next)?;
        // A longer number is no date.
        let more =
            below_hundred(self.tokens, next).is_some() || self.tokens.get(next).is_some_and(Token::is_number);
        let before =
            at > 0 && (below_hundred(self.tokens, at - 1).is_some() || self.tokens[at - 1].is_number());
        (!more && !before).then(|| Some((self.of_pair(first, second, Some(year))?, next, BARE)))?
    }

    /// A number of a day or month: "oh four", "twelve", "04".
    fn pair(&self, at: usize) -> Option<(i16, usize)> {
        if matches!(self.word(at), "oh" | "o" | "zero" | "nought") {
            let (n, next) = below_hundred(self.tokens, at + 1).filter(|(n, _)| (1..10).contains(n))?;
            return Some((i16::try_from(n).ok()?, next));
        }
        let token = self.tokens.get(at)?;
        let (n, next) = if token.is_number() && token.text.len() <= 2 {
            (token.text.parse().ok()?, at + 1)
        } else {
            below_hundred(self.tokens, at)?
        };
        Some((i16::try_from(n).ok().filter(|n| (1..=31).contains(n))?, next))
    }

    /// "Today", "the day after tomorrow", "in two weeks", "three days ago", "a week from friday".
    fn relative(&self, at: usize) -> Found {
        let today = self.today?;
        let (days, next) = match self.near_day(at) {
            Some(found) => found,
            None => return self.counted(at, today),
        };
        Some((today.checked_add(days.days()).ok()?, next, 1.0))
    }

    fn near_day(&self, at: usize) -> Option<(i64, usize)> {
        const NEAR: [(&str, i64); 17] = [
            ("two days before yesterday", -3),
            ("the day after tmrw", 2),
            ("the next day", 1),
            ("next day", 1),
            ("tomorrow's", 1),
            ("tmrw", 1),
            ("this day", 0),
            ("the day after tomorrow", 2),
            ("day after tomorrow", 2),
            ("the day before yesterday", -2),
            ("day before yesterday", -2),
            ("tomorrow", 1),
            ("yesterday", -1),
            ("today", 0),
            ("tonight", 0),
            ("this morning", 0),
            ("last night", -1),
        ];
        NEAR.iter()
            .find(|(words, _)| begins(self.tokens, at, words))
            .map(|(words, days)| (*days, at + words.split(' ').count()))
    }

    fn counted(&self, at: usize, today: Date) -> Found {
        let from = at + usize::from(self.word(at) == "in" || self.word(at) == "within");
        let (count, next) = match self.word(from) {
            "a" | "an" | "one" if cardinal(self.tokens, from).is_none_or(|(_, end)| end == from + 1) => {
                (1, from + 1)
            }
            "fortnight" => (1, from),
            _ => {
                let (n, next) = cardinal(self.tokens, from)?;
                (n.to_whole().and_then(|n| i64::try_from(n).ok()).filter(|n| (0..4000).contains(n))?, next)
            }
        };
        let next = next + usize::from(self.word(next) == "of");
        if let Some(found) = self.counted_weekdays(count, next, today) {
            return Some(found);
        }
        if matches!(self.word(next), "business" | "working") && matches!(self.word(next + 1), "day" | "days")
        {
            return (from > at).then(|| Some((working_days_after(today, count)?, next + 2, 1.0)))?;
        }
        let span = match self.word(next) {
            "day" | "days" => count.days(),
            "week" | "weeks" | "week's" | "weeks'" => count.weeks(),
            "fortnight" | "fortnights" => (2 * count).weeks(),
            "month" | "months" => count.months(),
            "year" | "years" => count.years(),
            _ => return None,
        };
        let mut next = next + 1;
        let mut span = span;
        // "One month and 21 days ago".
        loop {
            let from = next + usize::from(matches!(self.word(next), "and" | ","));
            let Some((n, after)) = cardinal(self.tokens, from) else { break };
            let Some(n) = n.to_whole().and_then(|n| i64::try_from(n).ok()).filter(|n| (0..4000).contains(n))
            else {
                break;
            };
            span = match self.word(after) {
                "day" | "days" => span.days(n),
                "week" | "weeks" => span.weeks(n),
                "month" | "months" => span.months(n),
                "year" | "years" => span.years(n),
                _ => break,
            };
            next = after + 1;
        }
        next += usize::from(self.word(next) == "'");
        let ago = [("ago", 1), ("back", 1), ("before today", 2), ("earlier", 1)];
        if let Some((_, words)) = ago.iter().find(|(w, _)| begins(self.tokens, next, w)) {
            return Some((today.checked_sub(span).ok()?, next + words, 1.0));
        }
        let ahead = [("from now", 2), ("from today", 2), ("time", 1), ("hence", 1), ("later", 1)];
        if let Some((_, words)) = ahead.iter().find(|(w, _)| begins(self.tokens, next, w)) {
            return Some((today.checked_add(span).ok()?, next + words, 1.0));
        }
        if matches!(self.word(next), "from" | "after" | "on") {
            let (date, end, _) = match self.near_day(next + 1) {
                Some((days, end)) => (today.checked_add(days.days()).ok()?, end, 1.0),
                None => self.on_weekday(next + 1).or_else(|| self.with_month(next + 1))?,
            };
            return Some((date.checked_add(span).ok()?, end, 1.0));
        }
        (from > at).then(|| Some((today.checked_add(span).ok()?, next, 1.0)))?
    }

    /// "Three fridays from now", "two thursdays ago".
    fn counted_weekdays(&self, count: i64, at: usize, today: Date) -> Found {
        let plural = self.word(at);
        let day = weekday(plural).or_else(|| weekday(plural.strip_suffix('s')?))?;
        let ahead = i64::from((day - today.weekday().to_monday_zero_offset()).rem_euclid(7));
        let ahead = if ahead == 0 { 7 } else { ahead };
        let (days, words) = match (self.word(at + 1), self.word(at + 2)) {
            ("from", "now" | "today") => (ahead + 7 * (count - 1), 2),
            ("later" | "hence", _) => (ahead + 7 * (count - 1), 1),
            ("ago" | "back", _) => (ahead - 7 * count, 1),
            _ => return None,
        };
        Some((today.checked_add(days.days()).ok()?, at + 1 + words, 1.0))
    }

    /// "Friday", "next friday", "friday week", "next week tuesday", "tuesday next week".
    fn on_weekday(&self, at: usize) -> Found {
        let today = self.today?;
        let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
        let of_week = |weeks: i64, day: i8| monday.checked_add((weeks * 7 + i64::from(day)).days()).ok();
        const WEEKS: [(&str, i64); 6] = [
            ("next week", 1),
            ("last week", -1),
            ("this week", 0),
            ("next week's", 1),
            ("last week's", -1),
            ("this week's", 0),
        ];
        let week = |at: usize| {
            let at = at + usize::from(matches!(self.word(at), "of" | "from"));
            let (which, end) = one_of(self.tokens, at, &WEEKS.map(|w| w.0))?;
            Some((WEEKS[which].1, end))
        };
        if let Some((weeks, next)) = week(at) {
            let next = next + usize::from(self.word(next) == "on");
            let day = weekday(self.word(next))?;
            return Some((of_week(weeks, day)?, next + 1, 1.0));
        }
        let (which, from) = match self.word(at) {
            "next" => (Some(1), at + 1),
            "last" | "past" => (Some(-1), at + 1),
            "this" | "coming" => (Some(0), at + 1),
            _ => (None, at),
        };
        let day = weekday(self.word(from))?;
        let next = from + 1;
        let ahead = i64::from((day - today.weekday().to_monday_zero_offset()).rem_euclid(7));
        let coming = today.checked_add(if ahead == 0 { 7 } else { ahead }.days()).ok()?;
        let gone = today.checked_sub((7 - ahead).days()).ok()?;
        let (date, next) = match which {
            Some(1) => (of_week(1, day)?, next),
            Some(-1) => (gone, next),
            Some(_) => {
                let date = of_week(0, day)?;
                (if date < today && !self.past() { coming } else { date }, next)
            }
            None => {
                if let Some((weeks, after)) = week(next) {
                    (of_week(weeks, day)?, after)
                } else if begins(self.tokens, next, "after next") {
                    (of_week(1, day)?, next + 2)
                } else if self.word(next) == "week" {
                    (coming.checked_add(7.days()).ok()?, next + 1)
                } else if self.past() {
                    (gone, next)
                } else {
                    (coming, next)
                }
            }
        };
        Some((date, next, 1.0))
    }

    /// "Christmas day", "new year's eve 2027".
    fn named(&self, at: usize) -> Found {
        let (month, day, next) = named_day(self.tokens, at)?;
        let (year, next) = match self.year(next) {
            (Some(Year::Whole(year)), next) => (Some(Year::Whole(year)), next),
            (Some(Year::Short(_)) | None, _) => (None, next),
        };
        Some((self.of_parts(day.into(), month.into(), year)?, next, 1.0))
    }

    /// "The twenty second", "the fifth of next month".
    fn of_month(&self, at: usize) -> Found {
        let from = at + usize::from(self.word(at) == "the");
        let (day, next) = ordinal(self.tokens, from)?;
        let day = i8::try_from(day).ok().filter(|d| (1..=31).contains(d))?;
        let of = next + usize::from(matches!(self.word(next), "of" | "in"));
        let of = of + usize::from(self.word(next) == "day");
        let of = of + usize::from(of > next && matches!(self.word(of), "of" | "in"));
        if let Some((first, end)) = self.month_beside(of).filter(|_| of > next) {
            return Some((Date::new(first.year(), first.month(), day).ok()?, end, 1.0));
        }
        if let Some(month) = self.month_taken_back(at) {
            return Some((self.of_parts(day.into(), month.into(), None)?, next, BARE));
        }
        // "The first one", "the first of them": something that can be counted.
        if matches!(self.word(next), "one" | "of" | "time" | "order" | "item" | "and") {
            return None;
        }
        let date = self.day_of_near_month(day, None)?;
        Some((date, next, DAY_ONLY))
    }

    /// "The thirteenth of april, no, the fourteenth": the month stays.
    fn month_taken_back(&self, at: usize) -> Option<i8> {
        let from = at.saturating_sub(6);
        let named = (from..at).rev().find(|i| month(self.word(*i)).is_some())?;
        super::takes_back(&self.tokens[named + 1..at]).then(|| month(self.word(named)))?
    }
}

/// The day so many days from Monday to Friday later; holidays are not known.
fn working_days_after(today: Date, count: i64) -> Option<Date> {
    let mut day = today;
    for _ in 0..count {
        day = day.tomorrow().ok()?;
        while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            day = day.tomorrow().ok()?;
        }
    }
    Some(day)
}

fn narrow(n: i16) -> Option<i8> {
    i8::try_from(n).ok()
}
