//! Values that are said symbol by symbol: digits, letters, codes, telephone numbers, postcodes.
//!
//! A sentence becomes a [`Lattice`] of what its words may mean as symbols, a [`Shape`] says what a value
//! looks like, and a search finds the cheapest ways through the one that have the form of the other. So
//! "for" is a 4 where a digit must stand and a word where none may, and what callers take back, spell out
//! and double is read in one place for every kind of value.
//!
//! Never decides which of several values was meant: that is [`super::entity`].

mod cardinals;
mod check_digit;
mod lattice;
mod letters;
mod postcode;
mod search;
mod shape;
mod sounds;
mod symbols;
mod telephone;

use std::ops::Range;

pub use check_digit::CheckDigit;
pub use shape::{PatternError, Shape};
pub use telephone::Region;

pub(super) use sounds::word_distance;

use lattice::Lattice;
use search::{Found, Tolerance, search};
use shape::MOST_FORMS;

/// A value that was spelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spelled {
    /// As it is written.
    pub(super) value: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    /// 0 where the words say just this; each homophone, slip and doubt adds.
    pub(super) cost: f32,
    /// How many symbols it has.
    pub(super) symbols: usize,
}

impl Spelled {
    /// 0 to 1: what a doubt is worth depends on how many symbols were without. The factor makes one
    /// confused digit of six a little surer than the default threshold for taking a value unasked.
    pub(super) fn confidence(&self) -> f32 {
        let symbols = f32::from(u8::try_from(self.symbols.max(3)).unwrap_or(u8::MAX));
        (-self.cost * 2.8 / symbols).exp()
    }
}

/// A sentence, ready to be searched for values.
#[derive(Debug)]
pub(super) struct Sentence {
    text: String,
    lattice: Lattice,
}

const STRICT: Tolerance = Tolerance {
    most: 1.7,
    confused: f32::INFINITY,
    doubt: false,
    extra: f32::INFINITY,
    edge: 0.0,
    missing: f32::INFINITY,
    wild: f32::INFINITY,
};
/// For words: nothing but letters, or any word would be one.
const SPELLED: Tolerance = Tolerance { most: 0.5, ..STRICT };
/// For codes: what must be a letter may have been heard as a digit, and the other way round.
const FORCED: Tolerance = Tolerance { most: 2.2, confused: 0.5, edge: 0.1, ..STRICT };
/// For postcodes: so few of all spellings exist that near ones are worth a try.
const LENIENT: Tolerance =
    Tolerance { most: 4.2, confused: 0.7, doubt: true, extra: 1.5, edge: 0.6, ..STRICT };
/// For values that the store knows.
const KNOWN: Tolerance =
    Tolerance { most: 3.4, confused: 0.5, doubt: true, extra: 1.3, edge: 0.0, missing: 1.5, wild: 1.5 };

impl Sentence {
    pub(super) fn of(text: &str) -> Sentence {
        Sentence { text: text.to_owned(), lattice: Lattice::of(text) }
    }

    /// Values of digits.
    pub(super) fn digits(&self, shape: &Shape) -> Vec<Spelled> {
        self.find(shape, STRICT, |found| shape.write(found.form, found.symbols.as_bytes()))
    }

    /// Values of a team's own pattern.
    pub(super) fn codes(&self, shape: &Shape) -> Vec<Spelled> {
        self.find(shape, FORCED, |found| shape.write(found.form, found.symbols.as_bytes()))
    }

    /// Telephone numbers, as E.164 writes them where the country is known.
    pub(super) fn telephones(&self, region: Option<Region>) -> Vec<Spelled> {
        let shape = telephone::shape();
        self.find(shape, STRICT, |found| telephone::write(&found.symbols.text(), region))
    }

    /// Postcodes of a country.
    pub(super) fn postcodes(&self, region: Region) -> Vec<Spelled> {
        let shape = postcode::shape(region);
        let write = |found: &Found| shape.write(found.form, found.symbols.as_bytes());
        if postcode::is_lettered(region) {
            find(&Lattice::by_sound(&self.text), shape, LENIENT, write)
        } else {
            find(&self.lattice, shape, STRICT, write)
        }
    }

    /// Words spelled letter by letter, of at least `min` letters.
    pub(super) fn words(&self, min: u8, max: u8) -> Vec<Spelled> {
        let shape = Shape::letters(min, max);
        let mut found = self.find(&shape, SPELLED, |found| Some(found.symbols.text()));
        // "A" and "i" at the ends are letters here, whatever they may be elsewhere.
        let worth = |s: &Spelled| s.cost - 0.15 * f32::from(u8::try_from(s.symbols).unwrap_or(u8::MAX));
        found.sort_by(|a, b| worth(a).total_cmp(&worth(b)));
        found
    }

    /// Which of `values` were said, or something near: symbols confused, left out or put in.
    pub(super) fn known(&self, values: &[&str]) -> Vec<Spelled> {
        let mut all = Vec::new();
        for some in values.chunks(MOST_FORMS) {
            let shape = Shape::values(some);
            all.extend(self.find(&shape, KNOWN, |found| some.get(found.form).map(|v| (*v).to_owned())));
        }
        all
    }

    fn find(
        &self,
        shape: &Shape,
        tolerance: Tolerance,
        write: impl Fn(&Found) -> Option<String>,
    ) -> Vec<Spelled> {
        find(&self.lattice, shape, tolerance, write)
    }
}

fn find(
    lattice: &Lattice,
    shape: &Shape,
    tolerance: Tolerance,
    write: impl Fn(&Found) -> Option<String>,
) -> Vec<Spelled> {
    search(lattice, shape, tolerance)
        .iter()
        .filter_map(|found| {
            Some(Spelled {
                value: write(found)?,
                span: lattice.nodes[found.words.start].span.start
                    ..lattice.nodes[found.words.end - 1].span.end,
                cost: found.cost,
                symbols: found.symbols.len(),
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "spelling_tests.rs"]
mod tests;
