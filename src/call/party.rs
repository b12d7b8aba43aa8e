//! Who calls whom, and which keys they press.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Pii;

/// Why a number, a call id or a key could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PartyError {
    /// A telephone number holds 2 to 20 digits, with an optional leading `+` and separators.
    #[error("not a telephone number: expected 2 to 20 digits with an optional leading +")]
    Number,
    /// The sixteen keys of ITU-T Q.23.
    #[error("not a key: expected one of 0-9, *, #, A-D")]
    Key,
    /// Call ids become file names.
    #[error("not a call id: expected 1 to 64 letters, digits, '-' or '_'")]
    CallId,
}

/// One call, everywhere: logs, records, file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(String);

impl CallId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CallId {
    type Err = PartyError;

    fn from_str(s: &str) -> Result<CallId, PartyError> {
        let fits = (1..=64).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits { Ok(CallId(s.to_owned())) } else { Err(PartyError::CallId) }
    }
}

impl TryFrom<String> for CallId {
    type Error = PartyError;

    fn try_from(s: String) -> Result<CallId, PartyError> {
        s.parse()
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> String {
        id.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keeps the digits and a leading `+`; drops separators.
fn parse_number(s: &str) -> Result<String, PartyError> {
    let mut number = String::new();
    for (i, c) in s.trim().char_indices() {
        match c {
            '+' if i == 0 => number.push('+'),
            '0'..='9' => number.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' => {}
            _ => return Err(PartyError::Number),
        }
    }
    let digits = number.trim_start_matches('+').len();
    if (2..=20).contains(&digits) { Ok(number) } else { Err(PartyError::Number) }
}

/// The caller's number (automatic number identification). Personal: prints as a mask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ani(Pii<String>);

impl Ani {
    /// The digits, with a leading `+` where one was given. Never pass it to a log.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl FromStr for Ani {
    type Err = PartyError;

    fn from_str(s: &str) -> Result<Ani, PartyError> {
        parse_number(s).map(|n| Ani(Pii::new(n)))
    }
}

impl TryFrom<String> for Ani {
    type Error = PartyError;

    fn try_from(s: String) -> Result<Ani, PartyError> {
        s.parse()
    }
}

impl From<Ani> for String {
    fn from(ani: Ani) -> String {
        ani.0.into_exposed()
    }
}

/// The number that was dialled (dialled number identification service).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dnis(String);

impl Dnis {
    /// The digits, with a leading `+` where one was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Dnis {
    type Err = PartyError;

    fn from_str(s: &str) -> Result<Dnis, PartyError> {
        parse_number(s).map(Dnis)
    }
}

impl TryFrom<String> for Dnis {
    type Error = PartyError;

    fn try_from(s: String) -> Result<Dnis, PartyError> {
        s.parse()
    }
}

impl From<Dnis> for String {
    fn from(dnis: Dnis) -> String {
        dnis.0
    }
}

/// One of the sixteen keys of ITU-T Q.23.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Dtmf(u8);

impl Dtmf {
    /// Key 0: the operator, everywhere.
    pub const ZERO: Dtmf = Dtmf(b'0');
    /// Key `*`.
    pub const STAR: Dtmf = Dtmf(b'*');
    /// Key `#`, which ends an entry.
    pub const POUND: Dtmf = Dtmf(b'#');
    /// All sixteen, in the order of Q.23's rows.
    pub const ALL: [Dtmf; 16] = [
        Dtmf(b'1'),
        Dtmf(b'2'),
        Dtmf(b'3'),
        Dtmf(b'A'),
        Dtmf(b'4'),
        Dtmf(b'5'),
        Dtmf(b'6'),
        Dtmf(b'B'),
        Dtmf(b'7'),
        Dtmf(b'8'),
        Dtmf(b'9'),
        Dtmf(b'C'),
        Dtmf(b'*'),
        Dtmf(b'0'),
        Dtmf(b'#'),
        Dtmf(b'D'),
    ];

    /// `0` to `9`, `*`, `#`, `A` to `D`.
    pub const fn as_char(self) -> char {
        self.0 as char
    }

    /// The digit's value, for the keys `0` to `9`.
    pub const fn digit(self) -> Option<u8> {
        if self.0.is_ascii_digit() { Some(self.0 - b'0') } else { None }
    }
}

impl TryFrom<char> for Dtmf {
    type Error = PartyError;

    fn try_from(c: char) -> Result<Dtmf, PartyError> {
        match c.to_ascii_uppercase() {
            c @ ('0'..='9' | '*' | '#' | 'A'..='D') => Ok(Dtmf(c as u8)),
            _ => Err(PartyError::Key),
        }
    }
}

impl From<Dtmf> for char {
    fn from(key: Dtmf) -> char {
        key.as_char()
    }
}

impl fmt::Display for Dtmf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_separators() {
        assert_eq!(
            "+1 (555) 01-00".parse::<Ani>().map(|a| a.expose().to_owned()),
            Ok("+15550100".to_owned())
        );
        assert_eq!("anonymous".parse::<Ani>(), Err(PartyError::Number));
        assert_eq!("5+5".parse::<Dnis>(), Err(PartyError::Number));
    }

    #[test]
    fn an_ani_prints_as_a_mask() {
        let ani: Ani = "5550100".parse().expect("a number");
        assert!(!format!("{ani:?}").contains('5'));
    }

    #[test]
    fn a_call_id_cannot_be_a_path() {
        assert_eq!("../x".parse::<CallId>(), Err(PartyError::CallId));
        assert!("20261121-a1_B".parse::<CallId>().is_ok());
    }

    #[test]
    fn keys_round_trip() {
        for key in Dtmf::ALL {
            assert_eq!(Dtmf::try_from(key.as_char()), Ok(key));
        }
        assert_eq!(Dtmf::try_from('x'), Err(PartyError::Key));
    }
}
