//! Personal data that must not reach a log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Speech, numbers and names of callers. `Debug` and `Display` print a mask; whoever truly needs the
/// value says so with [`Pii::expose`].
///
/// Serialising writes the value: a store or a webhook needs it. Logs use `Debug` and `Display`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Marks `value` as personal.
    pub const fn new(value: T) -> Pii<T> {
        Pii(value)
    }

    /// The value itself. Never pass it to a log or an error message.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the value. Never pass it to a log or an error message.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Pii<T> {
        Pii(value)
    }
}

impl From<&str> for Pii<String> {
    fn from(value: &str) -> Pii<String> {
        Pii(value.to_owned())
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_value() {
        let number = Pii::new("5550100".to_owned());
        let shown = format!("{number} {number:?} {:?}", Some(&number));
        assert!(!shown.contains("555"), "{shown}");
        assert_eq!(number.expose(), "5550100");
    }
}
