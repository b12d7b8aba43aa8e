//! Any text is read for every kind of value: nothing panics, spans lie within the text, confidences are
//! probabilities, and what is found does not depend on the run.
#![no_main]

use std::sync::LazyLock;

use attendant::call::Hypothesis;
use attendant::understanding::{Context, EntitySpec, Known, candidates, entities_in};
use libfuzzer_sys::fuzz_target;

static SPECS: LazyLock<Vec<EntitySpec>> = LazyLock::new(|| {
    EntitySpec::parse_all("entities.toml", include_str!("../../tests/spoken/entities.toml"))
        .expect("the suite's entities")
});

fuzz_target!(|text: &str| {
    // Longer utterances are cut by the recogniser.
    if text.len() > 400 {
        return;
    }
    let known = ["451288", "AB1234", "Miller", "42 Station Road"].map(Known::from);
    let now = Some(jiff::civil::date(2026, 3, 11).at(10, 0, 0, 0));
    let context = Context { now, known: &known };
    for found in entities_in(text, &SPECS, &context) {
        assert!(text.get(found.span.clone()).is_some(), "a span outside the text");
        assert!((0.0..=1.0).contains(&found.confidence), "no probability");
    }
    let heard = [
        Hypothesis { text: text.into(), confidence: 0.7 },
        Hypothesis { text: text.to_lowercase().as_str().into(), confidence: 0.4 },
    ];
    for spec in SPECS.iter() {
        let once = candidates(&heard, spec, &context);
        assert_eq!(once, candidates(&heard, spec, &context), "another outcome the second time");
    }
});
