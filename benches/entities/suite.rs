//! The project's own suite, `tests/spoken/cases.tsv`, as the tests run it.

use attendant::call::Hypothesis;
use attendant::understanding::{Context, EntitySpec, candidates};

use super::{Score, Wrong};

const NAME: &str = "as callers say it (tests/spoken)";
/// Below this the line believes nothing.
const BELIEVED: f32 = 0.25;

pub(super) fn measure(scores: &mut Vec<Score>, wrong: &mut Vec<(String, Wrong)>) {
    let entities = include_str!("../../tests/spoken/entities.toml");
    let specs = EntitySpec::parse_all("tests/spoken/entities.toml", entities).expect("the suite's entities");
    let now = Some(jiff::civil::date(2026, 3, 11).at(10, 0, 0, 0));
    let (mut right, mut all) = (0, 0);
    for case in include_str!("../../tests/spoken/cases.tsv").lines().filter(|l| !l.starts_with('#')) {
        let [entity, said, expected] = case.split('\t').collect::<Vec<_>>()[..] else { continue };
        let spec = specs.iter().find(|s| s.name == entity).expect("a declared entity");
        let heard = [Hypothesis { text: said.into(), confidence: 1.0 }];
        let found = candidates(&heard, spec, &Context { now, known: &[] }).into_iter().next();
        let found = found.filter(|e| e.confidence >= BELIEVED).map(|e| e.value.into_exposed());
        let found = found.unwrap_or_else(|| "-".to_owned());
        all += 1;
        if found == expected {
            right += 1;
        } else {
            wrong.push((NAME.to_owned(), (said.to_owned(), expected.to_owned(), found)));
        }
    }
    scores.push(Score { set: NAME.to_owned(), right, all, bar: Some(98.0), goal: Some(100.0) });
}
