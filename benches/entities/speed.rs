//! How long it takes to find the values in a sentence of ten words with four alternatives beside it.

use std::hint::black_box;
use std::time::Instant;

use attendant::call::Hypothesis;
use attendant::understanding::{Context, EntitySpec, Known, candidates};

/// What was timed.
pub(super) struct Time {
    pub(super) work: String,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

const ROUNDS: usize = 300;

fn heard(texts: [&str; 5]) -> Vec<Hypothesis> {
    texts.iter().map(|t| Hypothesis { text: (*t).into(), confidence: 0.6 }).collect()
}

pub(super) fn measure() -> Vec<Time> {
    let entities = include_str!("../../tests/spoken/entities.toml");
    let specs = EntitySpec::parse_all("tests/spoken/entities.toml", entities).expect("the suite's entities");
    let number = heard([
        "my order number is four five one two eight eight",
        "my order number is four five one to eight eight",
        "my order number is for five one two eight ate",
        "my order number is four nine one two eight eight",
        "my order numbers are four five one two double eight",
    ]);
    let postcode = heard([
        "it's n for november g nine two t for tommy d",
        "it's and for november g nine to t for tommy d",
        "it's an for november jee nine two tea for tommy the",
        "it's m for november g nine two t for tommy d",
        "it's n for november gene i in two t for tommy d",
    ]);
    let day = heard([
        "i ordered it on the third of may last year",
        "i ordered it on the third of may last yeah",
        "i ordered it on a third of may last year",
        "i ordered at on the third of may last year",
        "i ordered it on the third may last year",
    ]);
    let plain = heard([
        "hello i would like to know where my parcel is",
        "hello i would like to know where my parcels",
        "hello i would like to know when my parcel is",
        "hello i would like to no where my parcel is",
        "hello i'd like to know where my parcel is now",
    ]);
    let known: Vec<Known> = ["451288", "451299", "387012", "900144", "118822"].map(Known::from).to_vec();
    let spec = |name: &str| specs.iter().filter(|s| s.name == name).collect::<Vec<_>>();
    let all: Vec<&EntitySpec> = specs.iter().collect();
    vec![
        time("an order number", &number, &spec("order_number"), &[]),
        time("an order number, five known", &number, &spec("order_number"), &known),
        time("a code of two letters and four digits", &number, &spec("reference"), &[]),
        time("a British postcode, misheard", &postcode, &spec("postcode"), &[]),
        time("a date", &day, &spec("day"), &[]),
        time("an amount", &day, &spec("amount"), &[]),
        time("nothing, looked for an order number", &plain, &spec("order_number"), &[]),
        time(&format!("nothing, looked for {} kinds one after another", all.len()), &plain, &all, &[]),
    ]
}

fn time(work: &str, heard: &[Hypothesis], specs: &[&EntitySpec], known: &[Known]) -> Time {
    let now = Some(jiff::civil::date(2026, 3, 11).at(10, 0, 0, 0));
    let context = Context { now, known };
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for spec in specs {
                black_box(candidates(black_box(heard), spec, &context));
            }
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    Time { work: work.to_owned(), p50_us: times[ROUNDS / 2], p99_us: times[ROUNDS * 99 / 100] }
}
