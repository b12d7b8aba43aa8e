//! Postcodes: what they look like in each country, and which of them can exist.

use std::sync::LazyLock;

use super::shape::Shape;
use super::symbols::{Class, DIGITS, only};
use super::telephone::Region;

/// The 124 postcode areas of the Royal Mail, Guernsey, Jersey and the Isle of Man among them.
const GB_AREAS: &[&str] = &[
    "AB", "AL", "B", "BA", "BB", "BD", "BH", "BL", "BN", "BR", "BS", "BT", "CA", "CB", "CF", "CH", "CM",
    "CO", "CR", "CT", "CV", "CW", "DA", "DD", "DE", "DG", "DH", "DL", "DN", "DT", "DY", "E", "EC", "EH",
    "EN", "EX", "FK", "FY", "G", "GL", "GU", "GY", "HA", "HD", "HG", "HP", "HR", "HS", "HU", "HX", "IG",
    "IM", "IP", "IV", "JE", "KA", "KT", "KW", "KY", "L", "LA", "LD", "LE", "LL", "LN", "LS", "LU", "M", "ME",
    "MK", "ML", "N", "NE", "NG", "NN", "NP", "NR", "NW", "OL", "OX", "PA", "PE", "PH", "PL", "PO", "PR",
    "RG", "RH", "RM", "S", "SA", "SE", "SG", "SK", "SL", "SM", "SN", "SO", "SP", "SR", "SS", "ST", "SW",
    "SY", "TA", "TD", "TF", "TN", "TQ", "TR", "TS", "TW", "UB", "W", "WA", "WC", "WD", "WF", "WN", "WR",
    "WS", "WV", "YO", "ZE",
];

/// The symbols of `all` as a class.
fn any(all: &str) -> Class {
    all.bytes().map(only).fold(0, |a, b| a | b)
}

/// British postcodes as BS 7666 has them: a form for each length and each initial of an area, so that no
/// area is spelled that does not exist.
static GB: LazyLock<Shape> = LazyLock::new(|| {
    // The letters that never stand in the inward part.
    let inward = any("ABDEFGHJLNPQRSTUWXYZ");
    let third = any("ABCDEFGHJKPSTUW");
    let fourth = any("ABEHMNPRVWXY");
    let one: String = GB_AREAS.iter().filter(|a| a.len() == 1).copied().collect();
    let mut areas: Vec<Vec<Class>> = vec![vec![any(&one)]];
    for initial in 'A'..='Z' {
        let seconds: String =
            GB_AREAS.iter().filter(|a| a.starts_with(initial)).filter_map(|a| a.chars().nth(1)).collect();
        if !seconds.is_empty() {
            areas.push(vec![only(initial as u8), any(&seconds)]);
        }
    }
    let mut forms = Vec::new();
    for area in areas {
        let letter = if area.len() == 1 { third } else { fourth };
        for district in [vec![DIGITS], vec![DIGITS, DIGITS], vec![DIGITS, letter]] {
            let outward: Vec<Class> = area.iter().copied().chain(district).collect();
            let space = outward.len();
            forms.push((outward.into_iter().chain([DIGITS, inward, inward]).collect(), space));
        }
    }
    Shape::spaced(forms)
});

fn parsed(pattern: &[&str]) -> Shape {
    let patterns: Vec<String> = pattern.iter().map(|p| (*p).to_owned()).collect();
    Shape::parse(&patterns, None).expect("the patterns of this file are valid")
}

static FOUR: LazyLock<Shape> = LazyLock::new(|| parsed(&["####"]));
static FIVE: LazyLock<Shape> = LazyLock::new(|| parsed(&["#####"]));
static SIX: LazyLock<Shape> = LazyLock::new(|| parsed(&["######"]));
static US: LazyLock<Shape> = LazyLock::new(|| parsed(&["#####", "#####-####"]));
static CA: LazyLock<Shape> = LazyLock::new(|| parsed(&["[ABCEGHJKLMNPRSTVXY]#@ #@#"]));
static NL: LazyLock<Shape> = LazyLock::new(|| parsed(&["[123456789]### @@"]));
static IE: LazyLock<Shape> = LazyLock::new(|| parsed(&["[ACDEFHKNPRTVWXY]#[0123456789W] ****"]));

/// What a postcode of `region` looks like.
pub(super) fn shape(region: Region) -> &'static Shape {
    match region {
        Region::Gb => &GB,
        Region::Us => &US,
        Region::Ca => &CA,
        Region::Nl => &NL,
        Region::Ie => &IE,
        Region::De | Region::Fr | Region::Es | Region::It => &FIVE,
        Region::At | Region::Au | Region::Be | Region::Ch | Region::Dk | Region::Nz => &FOUR,
        Region::In => &SIX,
    }
}

/// Whether letters stand in it: few of their combinations exist, so near ones are worth a try.
pub(super) fn is_lettered(region: Region) -> bool {
    matches!(region, Region::Gb | Region::Ca)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_that_do_not_exist_are_no_postcodes() {
        let fits = |code: &str| {
            let forms = code.bytes().enumerate().fold(GB.all(), |forms, (i, s)| GB.accept(forms, i, s));
            GB.complete(forms, code.len()).is_some()
        };
        for code in ["SW1A1AA", "M11AE", "B338TH", "CR26XH", "DN551PT", "EC1A1BB", "W1A0AX"] {
            assert!(fits(code), "{code}");
        }
        for code in ["QQ11AA", "SW1A1CA", "AA99AA", "V11AA", "SW1I1AA"] {
            assert!(!fits(code), "{code}");
        }
    }
}
