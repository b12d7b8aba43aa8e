//! Understanding one utterance: numbers, values, the sentence's vector, the whole classification.
//!
//! `cargo bench --bench classify`. What needs the sentence encoder is left out, with a word, where
//! `models/cache/all-MiniLM-L6-v2` is missing.

#![expect(clippy::print_stderr, reason = "a bench that is skipped says so")]

#[path = "measuring/demo.rs"]
mod demo;

use std::hint::black_box;
use std::path::Path;

use attendant::call::Hypothesis;
use attendant::understanding::classifier::{Classifier, Encoder, IntentClassifier, TrainingOptions, train};
use attendant::understanding::{EntitySpec, answer, digits, entities};
use criterion::{Criterion, criterion_group, criterion_main};

use crate::demo::demo_set;

/// Ten words.
const SENTENCE: &str = "i want to know when my order will be delivered";
const NUMBER: &str = "it's four five one no sorry forty five twelve double eight thank you";

fn pure(c: &mut Criterion) {
    let specs = [EntitySpec::digits("order_number", 6, 6)];
    c.bench_function("digits, 12 words", |b| b.iter(|| digits(black_box(NUMBER))));
    c.bench_function("entities, 12 words", |b| b.iter(|| entities(black_box(NUMBER), &specs)));
    c.bench_function("answer, 10 words", |b| {
        b.iter(|| answer(black_box("no i don't know where my order is right now")))
    });
}

/// Hypotheses of nine words that come again only when the cache has forgotten them. Three digits are
/// no number to be masked.
fn heard(n: u32, alternatives: u32) -> Vec<Hypothesis> {
    let text = |i: u32| format!("i want to know when item {} is coming", 100 + (n * alternatives + i) % 900);
    (0..alternatives).map(|i| Hypothesis { text: text(i).into(), confidence: 0.8 }).collect()
}

fn engines(c: &mut Criterion) {
    let dir = Path::new("models/cache/all-MiniLM-L6-v2");
    if !dir.is_dir() {
        eprintln!("skipped: no sentence encoder in {}; `attendant models pull` fetches it", dir.display());
        return;
    }
    let encoder = Encoder::load(dir).expect("a valid encoder");
    c.bench_function("encode, 10 words", |b| {
        b.iter(|| encoder.embed(&[black_box(SENTENCE)], &mut |_| {}).expect("a vector"));
    });
    let many: Vec<String> =
        (0..32).map(|i| format!("i want to know when item {} is coming", 100 + i)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    c.bench_function("encode, 32 sentences of 9 words", |b| {
        b.iter(|| encoder.embed(black_box(&many), &mut |_| {}).expect("vectors"));
    });
    let (set, options) = (demo_set(), TrainingOptions { seed: 1, ..Default::default() });
    c.benchmark_group("train").sample_size(10).bench_function("demo set", |b| {
        b.iter(|| train(&set, Some(&encoder), &options, &mut |_| {}).expect("a head"));
    });
    let head = train(&set, Some(&encoder), &options, &mut |_| {}).expect("a head").head;
    let classifier = IntentClassifier::new(head, Some(encoder)).expect("the same encoder");
    for alternatives in [1, 3] {
        let mut n = 0;
        c.bench_function(&format!("interpret, 9 words, {alternatives} hypotheses"), |b| {
            b.iter(|| {
                n += 1;
                classifier.interpret(&heard(n, alternatives)).expect("an interpretation")
            });
        });
    }
    let known = heard(0, 1);
    c.bench_function("interpret, from the cache", |b| {
        b.iter(|| classifier.interpret(black_box(&known)).expect("an interpretation"));
    });
}

criterion_group!(benches, pure, engines);
criterion_main!(benches);
