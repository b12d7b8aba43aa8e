//! How long a caller's sentence takes to be understood, on one core and however busy the machine is.
//!
//! `cargo bench --bench latency [-- --json]`. A sentence of ten words that was never heard before, with its
//! alternatives: intent, out-of-scope score, an order number among the caller's own, yes or no. Beside the
//! clock's time stands the processor's, of all threads together: what an idle core would need, though caches
//! shared with other programs make it more. A loop of multiplications that touches no memory tells how fast
//! the core multiplies at best.
//!
//! Needs the sentence encoder and a trained head's files (`intents/`); ends with a word without.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

#[path = "measuring/demo.rs"]
mod demo;
#[path = "measuring/quantile.rs"]
mod quantile;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use attendant::call::Hypothesis;
use attendant::understanding::classifier::{Classifier, Encoder, IntentClassifier, TrainingOptions, train};
use attendant::understanding::{Context, EntitySpec, Known, answer, candidates};
use pulp::{Arch, Simd, WithSimd};
use rustix::time::{ClockId, clock_gettime};

use crate::demo::demo_set;
use crate::quantile::quantile;

const ENCODER: &str = "models/cache/all-MiniLM-L6-v2";
/// Sentences timed for each figure: enough for a 99th part.
const SENTENCES: u32 = 400;
/// Steps of the loop: half a millisecond or so.
const STEPS: usize = 60_000;
/// Weights that a word meets in the encoder's six layers, and two operations each.
const OPERATIONS_A_WORD: f64 = 2.0 * 10.6e6;

/// Multiplications and additions in registers alone; gives how many.
struct Spin(usize);

impl WithSimd for Spin {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (a, b) = (simd.splat_f32s(black_box(0.999_9)), simd.splat_f32s(black_box(1e-4)));
        let mut sums = [simd.splat_f32s(0.5); 16];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, a, b);
            }
        }
        black_box(sums.map(|s| simd.reduce_sum_f32s(s)));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let operations = (2 * 16 * S::F32_LANES * self.0) as f64;
        operations
    }
}

/// Times of one kind of work, in milliseconds.
struct Times {
    what: String,
    /// By the clock and of the processor; both sorted.
    clock: Vec<f64>,
    processor: Vec<f64>,
}

/// What this process has had of the processor, in milliseconds.
fn processor_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds and nanoseconds")]
    let ms = time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6;
    ms
}

fn measure(what: &str, mut work: impl FnMut(u32)) -> Times {
    let (mut clock, mut processor) = (Vec::new(), Vec::new());
    for n in 0..SENTENCES {
        let (began, before) = (Instant::now(), processor_ms());
        work(n);
        processor.push(processor_ms() - before);
        clock.push(began.elapsed().as_secs_f64() * 1e3);
    }
    clock.sort_by(f64::total_cmp);
    processor.sort_by(f64::total_cmp);
    Times { what: what.to_owned(), clock, processor }
}

/// Billions of operations a second in registers alone: the best of many short loops.
fn peak() -> f64 {
    let rates = (0..SENTENCES).map(|_| {
        let before = processor_ms();
        let operations = Arch::new().dispatch(Spin(STEPS));
        operations / (processor_ms() - before) / 1e6
    });
    rates.fold(0.0, f64::max)
}

/// Ten words in so many versions, none of which comes again. Three digits are no number to be masked.
fn heard(kind: u32, n: u32, alternatives: u32) -> Vec<Hypothesis> {
    let items = ["order", "parcel", "chair", "invoice", "lamp", "refund", "letter", "shirt"];
    let text = |i: u32| {
        let n = (kind * SENTENCES + n) * 3 + i;
        let item = items[usize::try_from(n % 8).unwrap_or(0)];
        format!("i want to know when my {item} {} will come", 100 + n / 8)
    };
    (0..alternatives).map(|i| Hypothesis { text: text(i).as_str().into(), confidence: 0.8 }).collect()
}

/// Memory of this process that lies in the machine's, in MiB; `None` where the system does not tell.
fn resident_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn main() {
    let json = std::env::args().any(|a| a == "--json");
    if !Path::new(ENCODER).is_dir() {
        eprintln!("skipped: no sentence encoder in {ENCODER}; `attendant models pull` fetches it");
        return;
    }
    let before = resident_mib();
    let encoder = Encoder::load(Path::new(ENCODER)).expect("a valid encoder");
    let options = TrainingOptions { seed: 1, ..Default::default() };
    let head = train(&demo_set(), Some(&encoder), &options, &mut |_| {}).expect("a head").head;
    let alone = Encoder::load(Path::new(ENCODER)).expect("a valid encoder");
    let classifier = IntentClassifier::new(head, Some(encoder)).expect("the same encoder");

    let specs = [EntitySpec::digits("order_number", 6, 6)];
    let known: Vec<Known> = ["451288", "318205", "207733"].map(Known::from).to_vec();
    let understand = |said: Vec<Hypothesis>| {
        let meant = classifier.interpret(&said).expect("an interpretation");
        let context = Context { now: None, known: &known };
        let values = candidates(&said, &specs[0], &context);
        black_box((meant, values, answer(said[0].text.expose())));
    };
    let mut all = Vec::new();
    all.push(measure("encoder alone, ten words", |n| {
        let text = heard(0, n, 1).remove(0).text.expose().clone();
        black_box(alone.embed(&[text.as_str()], &mut |_| {}).expect("a vector"));
    }));
    for (kind, alternatives) in [(1, 1), (2, 3)] {
        let what = format!("understood, ten words, {alternatives} hypotheses");
        all.push(measure(&what, |n| understand(heard(kind, n, alternatives))));
    }
    let resident = resident_mib().zip(before).map(|(after, before)| after - before);
    print(&all, peak(), resident, json);
}

fn print(all: &[Times], peak: f64, resident: Option<f64>, json: bool) {
    let of = |values: &[f64]| [0.5, 0.9, 0.99].map(|share| quantile(values, share));
    let limit = 12.0 * OPERATIONS_A_WORD / (peak * 1e6);
    if json {
        let figure = |t: &Times| serde_json::json!({ "what": t.what, "processor_ms": of(&t.processor), "clock_ms": of(&t.clock) });
        let figures: Vec<_> = all.iter().map(figure).collect();
        println!(
            "{}",
            serde_json::json!({
                "percentiles": [50, 90, 99], "figures": figures, "peak_gflops": peak, "limit_ms": limit,
                "resident_mib": resident,
            })
        );
        return;
    }
    println!("{:<36} {:>24}  {:>24}", "p50, p90, p99 in ms", "of the processor", "by the clock");
    for t in all {
        let ([a, b, c], [x, y, z]) = (of(&t.processor), of(&t.clock));
        println!("{:<36} {a:>8.2}{b:>8.2}{c:>8.2}  {x:>8.2}{y:>8.2}{z:>8.2}", t.what);
    }
    println!("multiplying in registers alone: {peak:.0} billion operations a second");
    println!("twelve word pieces through the encoder's weights at that rate: {limit:.2} ms");
    if let Some(mib) = resident {
        println!("resident: {mib:.0} MiB more than before, two encoders and a head among them");
    }
}
