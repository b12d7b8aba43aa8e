//! The alphabet of values that are said symbol by symbol: digits, letters and the plus of a telephone
//! number.

/// Most symbols of a value. The longest in use, an IBAN, has 34.
pub(super) const MOST: usize = 40;

/// A set of symbols, one bit each.
pub(super) type Class = u64;

/// `0` to `9`.
pub(super) const DIGITS: Class = (1 << 10) - 1;
/// `A` to `Z`.
pub(super) const LETTERS: Class = ((1 << 26) - 1) << 10;
/// How many symbols there are.
pub(super) const COUNT: usize = 37;

/// The bit's number of a symbol: digits from 0, letters from 10, `+` 36. `None` for anything else.
pub(super) fn index(symbol: u8) -> Option<usize> {
    match symbol {
        b'0'..=b'9' => Some(usize::from(symbol - b'0')),
        b'A'..=b'Z' => Some(usize::from(symbol - b'A') + 10),
        b'+' => Some(36),
        _ => None,
    }
}

/// The symbol with this number.
pub(super) fn symbol(index: usize) -> u8 {
    const ALL: &[u8; COUNT] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+";
    ALL[index]
}

/// The class of one symbol; empty where it is none.
pub(super) fn only(symbol: u8) -> Class {
    index(symbol).map_or(0, |i| 1 << i)
}

/// Symbols in a row, without an allocation: the search copies many of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Symbols {
    bytes: [u8; MOST],
    len: u8,
}

impl Symbols {
    pub(super) const EMPTY: Symbols = Symbols { bytes: [0; MOST], len: 0 };

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }

    /// Adds a symbol; `false` where there is no room left.
    pub(super) fn push(&mut self, symbol: u8) -> bool {
        let at = self.len();
        if at == MOST {
            return false;
        }
        self.bytes[at] = symbol;
        self.len += 1;
        true
    }

    /// The first `len` of them.
    pub(super) fn cut(&self, len: usize) -> Symbols {
        let mut kept = Symbols::EMPTY;
        for symbol in &self.as_bytes()[..len.min(self.len())] {
            kept.push(*symbol);
        }
        kept
    }

    /// As text: symbols are ASCII.
    pub(super) fn text(&self) -> String {
        self.as_bytes().iter().map(|b| char::from(*b)).collect()
    }
}
