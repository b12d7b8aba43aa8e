//! Spoken and written digits: "forty-five twelve double eight" is `451288`.
//!
//! Callers say numbers digit by digit, in pairs, with hundreds, and take back what they said. One run
//! of number words can be read in more than one way; [`DigitRun`] keeps the likeliest first and the
//! others as [`Reading`]s, so that whoever knows how many digits there must be can choose.

use std::ops::Range;

use super::normalize::{Word, is_filler, words};
use super::spoken::{Spoken, beside_correction, corrects, joins, spoken};

/// One way to read a run of number words.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Digits only.
    pub value: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// A stretch of a text that is a number.
#[derive(Clone, Debug, PartialEq)]
pub struct DigitRun {
    /// The likeliest reading's digits.
    pub value: String,
    /// Bytes of the text, from the first number word to the last, what was taken back included.
    pub span: Range<usize>,
    /// Of the likeliest reading, 0 to 1.
    pub confidence: f32,
    /// Other readings, likelier first.
    pub others: Vec<Reading>,
}

impl DigitRun {
    /// All readings, the likeliest first.
    pub fn readings(&self) -> impl Iterator<Item = (&str, f32)> {
        let others = self.others.iter().map(|r| (r.value.as_str(), r.confidence));
        std::iter::once((self.value.as_str(), self.confidence)).chain(others)
    }
}

/// What a word that only sounds like a digit is worth beside a true one. Weights order readings, no
/// more; the dialogue's thresholds are set on the recogniser's confidence.
const HOMOPHONE_CONFIDENCE: f32 = 0.6;
/// Factor where the caller corrected himself.
const CORRECTED: f32 = 0.9;
/// Factor of a reading that is possible but not what the words say first.
const UNUSUAL: f32 = 0.7;
/// Most other readings kept of one run: bounds the time that a long utterance can take.
const MAX_OTHERS: usize = 12;
/// Fewest digits that [`mask_numbers`] takes for a number rather than for a quantity.
const MASK_FROM: usize = 4;

/// All numbers of `text`, in order. A single "one" is a run too: callers of this function know how
/// many digits they wait for.
pub fn digits(text: &str) -> Vec<DigitRun> {
    let all = words(text);
    let atoms = atoms(&all);
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    while at < atoms.len() {
        let Some(start) = (at..atoms.len()).find(|&i| atoms[i].strong()) else { break };
        let end = run_end(&atoms, start);
        runs.push(Run { first: start, last: end });
        at = end + 1;
    }
    let mut found: Vec<DigitRun> = Vec::new();
    let mut previous: Option<Run> = None;
    for run in runs {
        let read = read_run(&atoms, &all, &run);
        // The run before took it in: nothing else was said, and what lies between sounds like digits.
        if found.last().is_some_and(|before| read.span.start < before.span.end) {
            continue;
        }
        match (previous, found.last_mut()) {
            (Some(before), Some(taken_back)) if is_correction(&atoms, &all, &before, &run) => {
                *taken_back = corrected(taken_back, read);
            }
            (Some(_) | None, _) => found.push(read),
        }
        previous = Some(run);
    }
    found
}

/// `text` in lower case with each number of four or more digits replaced by the word "number", so that
/// a classifier sees one word whatever the digits were.
pub fn mask_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for run in digits(text).iter().filter(|r| r.value.len() >= MASK_FROM) {
        out.push_str(&text[at..run.span.start]);
        out.push_str("number");
        at = run.span.end;
    }
    out.push_str(&text[at..]);
    super::normalize::normalize(&out)
}

/// A piece of a number: the digits that it contributes and which words it took.
#[derive(Debug)]
struct Atom {
    kind: AtomKind,
    /// Indices of the words.
    words: Range<usize>,
}

#[derive(Debug)]
enum AtomKind {
    /// Digits; `apart` is the same words read one by one ("twenty three" as 20, 3).
    Digits { value: String, apart: Option<String> },
    /// "oh".
    Oh,
    /// Sounds like a digit.
    Homophone(u8),
    /// Stands between digits.
    Joint,
    /// Anything else.
    Other,
}

impl Atom {
    fn strong(&self) -> bool {
        matches!(self.kind, AtomKind::Digits { .. })
    }

    /// Whether it says a digit, surely or perhaps.
    fn digital(&self) -> bool {
        matches!(self.kind, AtomKind::Digits { .. } | AtomKind::Oh | AtomKind::Homophone(_))
    }
}

/// First and last atom of a run; both say digits.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    last: usize,
}

/// Cuts the words into atoms. Fillers vanish.
fn atoms(all: &[Word]) -> Vec<Atom> {
    let mut found = Vec::with_capacity(all.len());
    let mut at = 0;
    while at < all.len() {
        if is_filler(&all[at].text) {
            at += 1;
            continue;
        }
        let (kind, taken) = atom_at(&all[at..]);
        found.push(Atom { kind, words: at..at + taken });
        at += taken;
    }
    found
}

/// The atom that begins with the first of `rest`, and how many words it takes.
fn atom_at(rest: &[Word]) -> (AtomKind, usize) {
    let word = rest[0].text.as_str();
    if word.bytes().all(|b| b.is_ascii_digit()) {
        // "45 hundred" and "451 thousand" are written by some recognisers.
        return cardinal(rest)
            .filter(|(_, taken)| *taken > 1)
            .unwrap_or_else(|| (AtomKind::Digits { value: word.to_owned(), apart: None }, 1));
    }
    match spoken(word) {
        Some(Spoken::Times(n)) => match rest.get(1).and_then(|w| single_digit(&w.text)) {
            Some(digit) => (plain(digit.to_string().repeat(usize::from(n))), 2),
            None => (AtomKind::Other, 1),
        },
        Some(Spoken::Unit(_) | Spoken::Teen(_) | Spoken::Tens(_)) => {
            cardinal(rest).unwrap_or((AtomKind::Other, 1))
        }
        Some(Spoken::Oh) => (AtomKind::Oh, 1),
        Some(Spoken::Homophone(digit)) => (AtomKind::Homophone(digit), 1),
        Some(Spoken::Hundred | Spoken::Thousand) => (AtomKind::Other, 1),
        None if matches!(word, "a" | "an") && rest.get(1).is_some_and(|w| is_scale(&w.text)) => {
            cardinal(rest).unwrap_or((AtomKind::Other, 1))
        }
        None if joins(word) => (AtomKind::Joint, 1),
        None => (AtomKind::Other, 1),
    }
}

fn plain(value: String) -> AtomKind {
    AtomKind::Digits { value, apart: None }
}

fn is_scale(word: &str) -> bool {
    matches!(spoken(word), Some(Spoken::Hundred | Spoken::Thousand))
}

/// The digit that `word` says after "double".
fn single_digit(word: &str) -> Option<u8> {
    match spoken(word) {
        Some(Spoken::Unit(digit) | Spoken::Homophone(digit)) => Some(digit),
        Some(Spoken::Oh) => Some(0),
        Some(Spoken::Teen(_) | Spoken::Tens(_) | Spoken::Hundred | Spoken::Thousand | Spoken::Times(_)) => {
            None
        }
        None => word.parse().ok().filter(|d| *d < 10),
    }
}

/// Reads "twelve thousand three hundred and four" as far as it goes.
fn cardinal(rest: &[Word]) -> Option<(AtomKind, usize)> {
    let (head, mut taken, mut apart) = hundreds(rest)?;
    let mut value = head;
    if rest.get(taken).is_some_and(|w| spoken(&w.text) == Some(Spoken::Thousand)) && value < 1000 {
        value *= 1000;
        taken += 1;
        apart.push_str("000");
        if let Some((low, more)) = low_part(&rest[taken..], 1000) {
            value += low;
            taken += more;
            apart.push_str(&low.to_string());
        }
    }
    let together = value.to_string();
    let apart = (apart != together).then_some(apart);
    Some((AtomKind::Digits { value: together, apart }, taken))
}

/// "[and] three hundred four" after a scale word, less than `below`, and the words that it took.
fn low_part(rest: &[Word], below: u32) -> Option<(u32, usize)> {
    let skip = usize::from(rest.first().is_some_and(|w| w.text == "and"));
    let rest = &rest[skip..];
    // A written number after a scale word is a group of its own.
    rest.first().filter(|w| spoken(&w.text).is_some())?;
    let (low, taken, _) = if below > 100 { hundreds(rest)? } else { below_hundred(rest)? };
    (1..below).contains(&low).then_some((low, taken + skip))
}

/// A number below 10,000 of the form "[forty-five hundred] [and] [twelve]": the value, the words that
/// it took, and the digits of its parts side by side.
fn hundreds(rest: &[Word]) -> Option<(u32, usize, String)> {
    let (head, mut taken, mut apart) = below_hundred(rest)?;
    let mut value = head;
    if head > 0 && rest.get(taken).is_some_and(|w| spoken(&w.text) == Some(Spoken::Hundred)) {
        value *= 100;
        taken += 1;
        apart.push_str("00");
        if let Some((low, more)) = low_part(&rest[taken..], 100) {
            value += low;
            taken += more;
            apart.push_str(&low.to_string());
        }
    }
    Some((value, taken, apart))
}

/// A number below 100 in words, or a written one below 1,000 that a scale word may follow.
fn below_hundred(rest: &[Word]) -> Option<(u32, usize, String)> {
    let word = rest.first()?.text.as_str();
    match spoken(word) {
        Some(Spoken::Unit(n) | Spoken::Teen(n)) => Some((u32::from(n), 1, n.to_string())),
        Some(Spoken::Tens(tens)) => match rest.get(1).and_then(|w| spoken(&w.text)) {
            Some(Spoken::Unit(unit @ 1..=9)) => Some((u32::from(tens + unit), 2, format!("{tens}{unit}"))),
            _ => Some((u32::from(tens), 1, tens.to_string())),
        },
        Some(Spoken::Oh | Spoken::Hundred | Spoken::Thousand | Spoken::Times(_) | Spoken::Homophone(_)) => {
            None
        }
        None if matches!(word, "a" | "an") => Some((1, 1, "1".to_owned())),
        None => word.parse().ok().filter(|n| *n < 1000).map(|n: u32| (n, 1, n.to_string())),
    }
}

/// The last atom of the run that begins at `start`: joints and homophones may stand inside, where a
/// digit follows.
fn run_end(atoms: &[Atom], start: usize) -> usize {
    let mut end = start;
    let mut doubtful = 0;
    for (i, atom) in atoms.iter().enumerate().skip(start + 1) {
        match atom.kind {
            AtomKind::Digits { .. } => {
                end = i;
                doubtful = 0;
            }
            // "oh" closes a number as well as any digit.
            AtomKind::Oh if doubtful == 0 => end = i,
            AtomKind::Oh | AtomKind::Homophone(_) | AtomKind::Joint if doubtful < 2 => doubtful += 1,
            AtomKind::Oh | AtomKind::Homophone(_) | AtomKind::Joint | AtomKind::Other => break,
        }
    }
    end
}

/// Reads a run, with the "oh"s before it, and with words at its edges that may be digits too.
fn read_run(atoms: &[Atom], all: &[Word], run: &Run) -> DigitRun {
    let mut first = run.first;
    while first > 0 && matches!(atoms[first - 1].kind, AtomKind::Oh) {
        first -= 1;
    }
    let wide_first = (0..first).rev().take_while(|&i| atoms[i].digital()).last().unwrap_or(first);
    let wide_last =
        (run.last + 1..atoms.len()).take_while(|&i| atoms[i].digital()).last().unwrap_or(run.last);
    // Where nothing else was said, whatever sounds like a digit is one.
    let alone = wide_first == 0 && wide_last + 1 == atoms.len();
    let (first, last) = if alone { (wide_first, wide_last) } else { (first, run.last) };

    let main = read(&atoms[first..=last], false);
    let mut others = Vec::new();
    let mut offer = |reading: Reading| {
        let known = reading.value == main.value || others.iter().any(|o: &Reading| o.value == reading.value);
        if !known && others.len() < MAX_OTHERS {
            others.push(reading);
        }
    };
    for from in [wide_first, first] {
        for to in [wide_last, last] {
            if (from, to) != (first, last) {
                offer(read(&atoms[from..=to], false));
            }
        }
    }
    offer(unusual(read(&atoms[first..=last], true)));
    others.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let span = all[atoms[first].words.start].span.start..all[atoms[last].words.end - 1].span.end;
    DigitRun { value: main.value, span, confidence: main.confidence, others }
}

fn unusual(reading: Reading) -> Reading {
    Reading { confidence: reading.confidence * UNUSUAL, ..reading }
}

/// The digits of `atoms` in a row; the confidence is the mean over the digits.
fn read(atoms: &[Atom], read_apart: bool) -> Reading {
    let mut value = String::new();
    let mut sum = 0.0;
    for atom in atoms {
        let before = value.len();
        let worth = match &atom.kind {
            AtomKind::Digits { apart: Some(apart), .. } if read_apart => {
                value.push_str(apart);
                1.0
            }
            AtomKind::Digits { value: digits, .. } => {
                value.push_str(digits);
                1.0
            }
            AtomKind::Oh => {
                value.push('0');
                1.0
            }
            AtomKind::Homophone(digit) => {
                value.push_str(&digit.to_string());
                HOMOPHONE_CONFIDENCE
            }
            AtomKind::Joint | AtomKind::Other => 0.0,
        };
        sum += worth * as_f32(value.len() - before);
    }
    Reading { confidence: sum / as_f32(value.len().max(1)), value }
}

#[expect(clippy::cast_precision_loss, reason = "counts of digits, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

/// Whether the words between two runs take the first one back: "no", "sorry i mean" …
fn is_correction(atoms: &[Atom], all: &[Word], before: &Run, after: &Run) -> bool {
    let between = atoms[before.last].words.end..atoms[after.first].words.start;
    let said: Vec<&str> = all[between].iter().map(|w| w.text.as_str()).filter(|w| !is_filler(w)).collect();
    said.iter().any(|w| corrects(w)) && said.iter().all(|w| corrects(w) || beside_correction(w))
}

/// The last attempt replaces the one before; where it is shorter it may also replace only its end.
fn corrected(before: &DigitRun, after: DigitRun) -> DigitRun {
    let mut others: Vec<Reading> = after
        .others
        .iter()
        .map(|r| Reading { value: r.value.clone(), confidence: r.confidence * CORRECTED })
        .collect();
    if after.value.len() < before.value.len() {
        let kept = &before.value[..before.value.len() - after.value.len()];
        let value = format!("{kept}{}", after.value);
        others.insert(0, Reading { value, confidence: before.confidence * CORRECTED * UNUSUAL });
    }
    others.truncate(MAX_OTHERS);
    DigitRun {
        value: after.value,
        span: before.span.start..after.span.end,
        confidence: after.confidence * CORRECTED,
        others,
    }
}

#[cfg(test)]
#[path = "numbers_tests.rs"]
mod tests;
