//! Check digits: what a value must satisfy as a whole.

use serde::Deserialize;

/// A rule that the last symbols of a value make good for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckDigit {
    /// ISO/IEC 7812-1: payment cards, many customer numbers. Digits only.
    Luhn,
    /// GS1: EAN and GTIN, SSCC; weights 3 and 1 from the right. Digits only.
    Ean,
    /// ISO 2108 of 1992: nine digits and a check symbol modulo 11, 10 being `X`.
    Isbn10,
    /// ISO 7064 MOD 97-10 as ISO 13616 uses it for an IBAN: the first four symbols moved to the end,
    /// letters as 10 to 35, the whole is 1 modulo 97.
    Mod97,
    /// Damm's quasigroup of order 10. Digits only.
    Damm,
    /// Verhoeff's dihedral check. Digits only.
    Verhoeff,
}

/// The quasigroup in H. M. Damm's thesis, "Total anti-symmetrische Quasigruppen" (2004).
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

impl CheckDigit {
    /// Whether `value`, of digits and capital letters, satisfies the rule.
    pub fn holds(self, value: &str) -> bool {
        let digits: Option<Vec<u8>> = value.bytes().map(|b| b.is_ascii_digit().then(|| b - b'0')).collect();
        match (self, digits) {
            (CheckDigit::Isbn10, _) => isbn10(value),
            (CheckDigit::Mod97, _) => mod97(value),
            (_, None) => false,
            (_, Some(digits)) if digits.is_empty() => false,
            (CheckDigit::Luhn, Some(digits)) => luhn(&digits),
            (CheckDigit::Ean, Some(digits)) => ean(&digits),
            (CheckDigit::Damm, Some(digits)) => {
                digits.iter().fold(0, |row, d| DAMM[usize::from(row)][usize::from(*d)]) == 0
            }
            (CheckDigit::Verhoeff, Some(digits)) => verhoeff(&digits),
        }
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d);
            if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn ean(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate();
    let sum: u32 = weighed.map(|(i, d)| u32::from(*d) * if i % 2 == 0 { 1 } else { 3 }).sum();
    sum.is_multiple_of(10)
}

fn isbn10(value: &str) -> bool {
    let mut sum = 0;
    for (i, b) in value.bytes().enumerate() {
        let worth = match b {
            b'0'..=b'9' => u32::from(b - b'0'),
            b'X' if i == 9 => 10,
            _ => return false,
        };
        let Some(weight) = u32::try_from(i).ok().and_then(|i| 10_u32.checked_sub(i)) else { return false };
        sum += worth * weight;
    }
    value.len() == 10 && sum % 11 == 0
}

fn mod97(value: &str) -> bool {
    if value.len() < 5 || !value.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return false;
    }
    let moved = value[4..].bytes().chain(value[..4].bytes());
    let rest = moved.fold(0_u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b - b'A') + 10) % 97,
    });
    rest == 1
}

/// Product in the dihedral group of ten, whose elements below 5 are turns and the others mirrored ones.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + (b - 5)) % 5 + 5,
        (false, true) => ((a - 5) + 5 - b) % 5 + 5,
        (false, false) => ((a - 5) + 5 - (b - 5)) % 5,
    }
}

fn verhoeff(digits: &[u8]) -> bool {
    // Verhoeff's permutation, "Error Detecting Decimal Codes" (1969).
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| (0..times % 8).fold(digit, |d, _| STEP[usize::from(d)]);
    digits.iter().rev().enumerate().fold(0, |sum, (i, d)| dihedral(sum, permuted(*d, i))) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_examples_hold() {
        for (rule, value) in [
            (CheckDigit::Luhn, "79927398713"),
            (CheckDigit::Luhn, "4111111111111111"),
            (CheckDigit::Ean, "4006381333931"),
            (CheckDigit::Isbn10, "0306406152"),
            (CheckDigit::Isbn10, "080442957X"),
            (CheckDigit::Mod97, "GB82WEST12345698765432"),
            (CheckDigit::Damm, "5724"),
            (CheckDigit::Verhoeff, "2363"),
        ] {
            assert!(rule.holds(value), "{rule:?} {value}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_noticed(digits in prop::collection::vec(0u8..10, 3..12), at in 0usize..12, by in 1u8..10) {
            for rule in [CheckDigit::Luhn, CheckDigit::Ean, CheckDigit::Damm, CheckDigit::Verhoeff] {
                let stem: String = digits.iter().map(ToString::to_string).collect();
                let valid: Vec<String> =
                    (0..10).map(|d| format!("{stem}{d}")).filter(|v| rule.holds(v)).collect();
                prop_assert_eq!(valid.len(), 1, "{:?} {}", rule, stem);
                let mut wrong = valid[0].clone().into_bytes();
                let at = at % wrong.len();
                wrong[at] = b'0' + (wrong[at] - b'0' + by) % 10;
                let wrong = String::from_utf8(wrong).expect("digits");
                prop_assert!(!rule.holds(&wrong), "{:?} {}", rule, wrong);
            }
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,40}") {
            for rule in [
                CheckDigit::Luhn, CheckDigit::Ean, CheckDigit::Isbn10, CheckDigit::Mod97, CheckDigit::Damm,
                CheckDigit::Verhoeff,
            ] {
                let _ = rule.holds(&text);
            }
        }
    }
}
