//! Reads `entities.toml`: which values callers say.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::entity::{EntityKind, EntitySpec, ListValue};
use super::normalize::normalize;
use super::spelling::{CheckDigit, Region, Shape};
use super::training_file::Lines;
use super::values::{DateReading, Prefer};

/// A mistake in the entities' file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{path}:{line}: {message}")]
pub struct EntityFileError {
    /// The file as the caller named it.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Most digits of a value that can be asked for.
const MAX_DIGITS: u8 = 32;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Table {
    Digits {
        min: u8,
        max: u8,
        check: Option<CheckDigit>,
    },
    Code {
        pattern: Patterns,
        check: Option<CheckDigit>,
    },
    Phone {
        region: Option<Region>,
    },
    Postcode {
        region: Region,
    },
    Money {
        currency: String,
    },
    Number {},
    Ordinal {},
    Date {
        region: Option<Region>,
        #[serde(default)]
        prefer: Prefer,
    },
    Time {},
    Email {},
    Name {},
    Address {},
    List {
        values: BTreeMap<String, Vec<String>>,
    },
}

/// One pattern or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Many(Vec<String>),
}

/// What a table may hold, for whoever wrote another.
const WANTED: &str = "expected kind = \"digits\" (min, max, check), \"code\" (pattern, check), \"phone\" (region), \
    \"postcode\" (region), \"money\" (currency), \"number\", \"ordinal\", \"date\" (region, prefer), \"time\", \
    \"email\", \"name\", \"address\" or \"list\" (values)";

impl EntitySpec {
    /// Reads all entities of a file, sorted by name. `path_label` is only for messages.
    ///
    /// # Errors
    /// Names the line and what was expected there.
    pub fn parse_all(path_label: &str, text: &str) -> Result<Vec<EntitySpec>, EntityFileError> {
        let lines = Lines::of(text);
        let fail = |at: usize, message: String| EntityFileError {
            path: path_label.to_owned(),
            line: lines.at(at),
            message,
        };
        // In two steps, so that a mistake in a table is reported at that table's name.
        let tables: BTreeMap<Spanned<String>, toml::Value> =
            toml::from_str(text).map_err(|e| fail(e.span().map_or(0, |s| s.start), one_line(e.message())))?;
        let mut specs = Vec::new();
        for (name, value) in tables {
            let at = name.span().start;
            let name = name.into_inner();
            let table: Table = value.try_into().map_err(|e: toml::de::Error| {
                let why = one_line(e.message());
                fail(at, format!("entity '{name}': {why}; {WANTED}"))
            })?;
            let kind = kind_of(table).map_err(|why| fail(at, format!("entity '{name}': {why}")))?;
            specs.push(EntitySpec { name, kind });
        }
        Ok(specs)
    }
}

fn kind_of(table: Table) -> Result<EntityKind, String> {
    match table {
        Table::Digits { min, max, .. } if min == 0 || min > max || max > MAX_DIGITS => {
            Err(format!("expected 1 <= min <= max <= {MAX_DIGITS}, found min = {min}, max = {max}"))
        }
        Table::Digits { min, max, check } => Ok(EntityKind::Digits { min, max, check }),
        Table::Code { pattern, check } => {
            let patterns = match pattern {
                Patterns::One(pattern) => vec![pattern],
                Patterns::Many(patterns) => patterns,
            };
            Shape::parse(&patterns, check).map(|shape| EntityKind::Code { shape }).map_err(|e| e.0)
        }
        Table::Phone { region } => Ok(EntityKind::Phone { region }),
        Table::Postcode { region } => Ok(EntityKind::Postcode { region }),
        Table::Money { currency }
            if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) =>
        {
            Err(format!("expected a currency of ISO 4217 such as \"EUR\", found \"{currency}\""))
        }
        Table::Money { currency } => Ok(EntityKind::Money { currency }),
        Table::Number {} => Ok(EntityKind::Number),
        Table::Ordinal {} => Ok(EntityKind::Ordinal),
        Table::Date { region, prefer } => {
            let month_first = region.is_some_and(Region::month_first);
            Ok(EntityKind::Date { reading: DateReading { month_first, prefer } })
        }
        Table::Time {} => Ok(EntityKind::Time),
        Table::Email {} => Ok(EntityKind::Email),
        Table::Name {} => Ok(EntityKind::Name),
        Table::Address {} => Ok(EntityKind::Address),
        Table::List { values } if values.is_empty() => {
            Err("expected at least one value in values".to_owned())
        }
        Table::List { values } => {
            let mut owners: BTreeMap<String, String> = BTreeMap::new();
            let mut read = Vec::new();
            for (value, mut spoken) in values {
                spoken.push(value.clone());
                for phrase in &mut spoken {
                    *phrase = normalize(phrase);
                    if phrase.is_empty() {
                        return Err(format!("value '{value}' has a synonym without a word"));
                    }
                    match owners.insert(phrase.clone(), value.clone()) {
                        Some(other) if other != value => {
                            return Err(format!("'{phrase}' stands for both '{other}' and '{value}'"));
                        }
                        Some(_) | None => {}
                    }
                }
                spoken.sort();
                spoken.dedup();
                read.push(ListValue { value, spoken });
            }
            Ok(EntityKind::List { values: read })
        }
    }
}

/// The first line of a parser's message.
fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error(text: &str, line: usize, part: &str) {
        let error = EntitySpec::parse_all("entities.toml", text).expect_err("a mistake");
        assert_eq!(error.line, line, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn both_kinds_are_read() {
        let text = "[order_number]\nkind = \"digits\"\nmin = 6\nmax = 6\n\n[size]\nkind = \"list\"\nvalues = { Large = [\"big\", \"Extra big\"], small = [] }\n";
        let specs = EntitySpec::parse_all("entities.toml", text).expect("valid");
        assert_eq!(specs[0], EntitySpec::digits("order_number", 6, 6));
        let EntityKind::List { values } = &specs[1].kind else { panic!("a list") };
        assert_eq!(values[0].spoken, ["big", "extra big", "large"]);
    }

    #[test]
    fn mistakes_name_their_line() {
        check_error(
            "[a]\nkind = \"digits\"\nmin = 6\nmax = 6\n[b]\nkind = \"digits\"\nmin = 6\nmax = 5\n",
            5,
            "min <= max",
        );
        check_error("\n[a]\nkind = \"colour\"\n", 2, "expected kind");
        check_error("[a]\nkind = \"list\"\nvalues = { x = [\"u\"], y = [\"u\"] }\n", 1, "both 'x' and 'y'");
        check_error("[a]\nkind = \n", 2, "");
    }
}
