//! Numbers, codes, postcodes, amounts and dates as callers say them: `tests/spoken/cases.tsv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use attendant::call::Hypothesis;
use attendant::understanding::{Context, EntitySpec, candidates};

/// The bar: exactly right, of all cases.
const BAR: f64 = 0.98;

/// What is less sure than this the line does not believe: the default of its `reject` threshold.
const BELIEVED: f32 = 0.25;

/// The clock that the cases' relative dates count from.
const NOW: jiff::civil::DateTime = jiff::civil::date(2026, 3, 11).at(10, 0, 0, 0);

#[test]
fn what_callers_say_is_understood() {
    let specs = EntitySpec::parse_all("tests/spoken/entities.toml", include_str!("../spoken/entities.toml"))
        .expect("the entities of the suite");
    let context = Context { now: Some(NOW), ..Context::default() };
    let mut wrong = String::new();
    let mut score: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (line, case) in include_str!("../spoken/cases.tsv").lines().enumerate() {
        if case.is_empty() || case.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = case.split('\t').collect();
        let [entity, said, expected] = fields[..] else {
            panic!("line {}: three fields, found {case}", line + 1)
        };
        let spec = specs.iter().find(|s| s.name == entity).unwrap_or_else(|| panic!("no entity '{entity}'"));
        let heard = [Hypothesis { text: said.into(), confidence: 1.0 }];
        let found = candidates(&heard, spec, &context).into_iter().next();
        let found = found.filter(|e| e.confidence >= BELIEVED).map(|e| e.value.into_exposed());
        let found = found.as_deref().unwrap_or("-");
        let counted = score.entry(entity).or_default();
        counted.1 += 1;
        if found == expected {
            counted.0 += 1;
        } else {
            writeln!(wrong, "{}: {entity}: \"{said}\" is {expected}, found {found}", line + 1)
                .expect("a string");
        }
    }
    let right: usize = score.values().map(|s| s.0).sum();
    let all: usize = score.values().map(|s| s.1).sum();
    let share = |right: usize, all: usize| 100.0 * right as f64 / all as f64;
    let report = format!("{wrong}{right} of {all} right, {:.1} %; {score:?}", share(right, all));
    assert!(all >= 400, "{report}");
    assert!(right as f64 >= BAR * all as f64, "\n{report}");
}
