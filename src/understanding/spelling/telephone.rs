//! Telephone numbers: which digits make one, and how it is written for the whole world.

use std::sync::LazyLock;

use serde::Deserialize;

use super::shape::Shape;

/// A country whose numbers, postcodes and order of day and month are known. The names are those of ISO
/// 3166-1 alpha-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of countries say what they are")]
pub enum Region {
    At,
    Au,
    Be,
    Ca,
    Ch,
    De,
    Dk,
    Es,
    Fr,
    Gb,
    Ie,
    In,
    It,
    Nl,
    Nz,
    Us,
}

/// How a country numbers its subscribers, from the national plans that ITU-T publishes under E.129.
struct Plan {
    country: &'static str,
    /// Said before a national number at home and left out after the country's code.
    trunk: &'static str,
    /// Fewest and most digits without either.
    least: usize,
    most: usize,
    /// Dialled before another country's code.
    abroad: &'static str,
}

impl Region {
    fn plan(self) -> Plan {
        let plan = |country, trunk, least, most, abroad| Plan { country, trunk, least, most, abroad };
        match self {
            Region::At => plan("43", "0", 4, 13, "00"),
            Region::Au => plan("61", "0", 9, 9, "0011"),
            Region::Be => plan("32", "0", 8, 9, "00"),
            Region::Ca | Region::Us => plan("1", "1", 10, 10, "011"),
            Region::Ch => plan("41", "0", 9, 9, "00"),
            Region::De => plan("49", "0", 6, 11, "00"),
            Region::Dk => plan("45", "", 8, 8, "00"),
            Region::Es => plan("34", "", 9, 9, "00"),
            Region::Fr => plan("33", "0", 9, 9, "00"),
            Region::Gb => plan("44", "0", 9, 10, "00"),
            Region::Ie => plan("353", "0", 7, 9, "00"),
            Region::In => plan("91", "0", 10, 10, "00"),
            Region::It => plan("39", "", 6, 11, "00"),
            Region::Nl => plan("31", "0", 9, 9, "00"),
            Region::Nz => plan("64", "0", 8, 10, "00"),
        }
    }

    /// Whether dates are said and written month first.
    pub(in crate::understanding) fn month_first(self) -> bool {
        self == Region::Us
    }
}

/// Fewest and most digits of a number, codes included: ITU-T E.164 allows fifteen, and a prefix for
/// calling abroad may come before them.
const LEAST: u8 = 6;
const MOST: u8 = 18;
const E164_MOST: usize = 15;

static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::telephone(LEAST, MOST));

/// Anything that may be a number.
pub(super) fn shape() -> &'static Shape {
    &SHAPE
}

/// The number as E.164 writes it, with a plus; where no country is given and none was said, the digits as
/// they are. `None` where it is no number of that country.
pub(super) fn write(said: &str, region: Option<Region>) -> Option<String> {
    let Some(region) = region else {
        let digits = said.strip_prefix('+').unwrap_or(said);
        return (7..=E164_MOST).contains(&digits.len()).then(|| said.to_owned());
    };
    let plan = region.plan();
    let international = said.strip_prefix('+').or_else(|| said.strip_prefix(plan.abroad));
    if let Some(digits) = international {
        return match digits.strip_prefix(plan.country) {
            // "+44 (0) 20": the trunk's digit is said although it has no place there.
            Some(national) => {
                let without =
                    if plan.trunk == "0" { national.strip_prefix('0').unwrap_or(national) } else { national };
                is_national(without, region, &plan).then(|| format!("+{}{without}", plan.country))
            }
            None => (8..=E164_MOST).contains(&digits.len()).then(|| format!("+{digits}")),
        };
    }
    let trunk = if plan.trunk.is_empty() { None } else { said.strip_prefix(plan.trunk) };
    let national = match trunk {
        Some(rest) => rest,
        // Only North America says its numbers without what is dialled before them, and India.
        None if matches!(region, Region::Us | Region::Ca | Region::In) || plan.trunk.is_empty() => said,
        None => said.strip_prefix(plan.country)?,
    };
    is_national(national, region, &plan).then(|| format!("+{}{national}", plan.country))
}

fn is_national(digits: &str, region: Region, plan: &Plan) -> bool {
    let fits = (plan.least..=plan.most).contains(&digits.len())
        && (!digits.starts_with('0') || region == Region::It);
    let at = |i: usize| digits.as_bytes().get(i).copied().unwrap_or_default();
    fits && match region {
        // North American Numbering Plan: area and exchange begin with 2 to 9.
        Region::Us | Region::Ca => at(0) >= b'2' && at(3) >= b'2',
        // Ofcom's National Telephone Numbering Plan: nine digits only for some 01 and 0800 numbers; 4 and 6
        // are not in use.
        Region::Gb => {
            !matches!(at(0), b'4' | b'6')
                && (digits.len() == 10 || at(0) == b'1' || digits.starts_with("800"))
        }
        Region::In => at(0) >= b'1',
        Region::At
        | Region::Au
        | Region::Be
        | Region::Ch
        | Region::De
        | Region::Dk
        | Region::Es
        | Region::Fr
        | Region::Ie
        | Region::It
        | Region::Nl
        | Region::Nz => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, region: Region, expected: Option<&str>) {
        assert_eq!(write(said, Some(region)).as_deref(), expected, "{said}");
    }

    #[test]
    fn a_number_is_written_for_the_whole_world() {
        check("07911123456", Region::Gb, Some("+447911123456"));
        check("+4407911123456", Region::Gb, Some("+447911123456"));
        check("00447911123456", Region::Gb, Some("+447911123456"));
        check("0013125550143", Region::Gb, Some("+13125550143"));
        check("2025550143", Region::Us, Some("+12025550143"));
        check("12025550143", Region::Us, Some("+12025550143"));
        check("1025550143", Region::Us, None);
        check("5550143", Region::Us, None);
        check("03012345678", Region::De, Some("+493012345678"));
        check("0799912345678", Region::Gb, None);
        assert_eq!(write("5550143", None).as_deref(), Some("5550143"));
    }
}
