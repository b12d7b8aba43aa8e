//! How well public sets are understood, beside what others published about them.
//!
//! ```sh
//! cargo bench --bench accuracy                           # all sets, frozen encoder
//! cargo bench --bench accuracy -- banking77 hwu64        # sets whose names hold one of these
//! cargo bench --bench accuracy -- clinc150 --fine-tune   # the encoder tuned too: takes long
//! cargo bench --bench accuracy -- --json                 # one object
//! ```
//!
//! The sets lie in `../shared/nlu` or `$ATTENDANT_DATA`; one that is not there is skipped with a word, and so
//! is everything without the encoder. Thresholds come from held-out parts, never from what is measured.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

#[path = "measuring/quantile.rs"]
mod quantile;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use attendant::call::IntentName;
use attendant::understanding::TrainingSet;
use attendant::understanding::classifier::{
    Encoder, Explanation, IntentClassifier, Progress, TrainingOptions, train,
};

use crate::quantile::quantile;

const ENCODER: &str = "models/cache/all-MiniLM-L6-v2";

/// One measured figure, in percent.
struct Figure {
    set: &'static str,
    what: &'static str,
    measured: f64,
    bar: Option<f64>,
    goal: Option<f64>,
    /// What others published, with whose figure it is.
    published: &'static str,
}

/// A sentence with its label.
type Row = (String, String);

struct Bench {
    data: PathBuf,
    options: Options,
    figures: Vec<Figure>,
    seconds: BTreeMap<&'static str, f64>,
}

#[derive(Default)]
struct Options {
    names: Vec<String>,
    fine_tune: bool,
    json: bool,
}

fn main() {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => options.json = true,
            "--fine-tune" => options.fine_tune = true,
            // Cargo's own.
            "--bench" => {}
            name => options.names.push(name.to_owned()),
        }
    }
    if !Path::new(ENCODER).is_dir() {
        eprintln!("skipped: no sentence encoder in {ENCODER}; `attendant models pull` fetches it");
        return;
    }
    let data = std::env::var("ATTENDANT_DATA").map_or_else(|_| PathBuf::from("../shared/nlu"), PathBuf::from);
    let mut bench = Bench { data, options, figures: Vec::new(), seconds: BTreeMap::new() };
    bench.accuracy("banking77", ("train", "test"), (94.0, 94.5), "BERT tuned 93.66, USE+ConveRT 93.36");
    bench.accuracy("banking77-10", ("train_10", "test"), (86.5, 88.5), "USE+ConveRT 85.19, ICDA 89.79");
    bench.accuracy("hwu64", ("train", "test"), (91.5, 93.0), "-");
    bench.accuracy("hwu64-10", ("train_10", "test"), (f64::NAN, f64::NAN), "ICDA 87.41, CPFT 87.13");
    bench.accuracy("snips", ("train", "test"), (f64::NAN, f64::NAN), "-");
    bench.clinc();
    bench.out_of_scope_in_domain();
    for set in ["asr_noise_trec6", "asr_noise_trec50", "asr_noise_atis"] {
        bench.robust(set);
    }
    bench.print();
}

impl Bench {
    fn wanted(&self, set: &str, files: &[&str]) -> bool {
        let named =
            self.options.names.is_empty() || self.options.names.iter().any(|n| set.contains(n.as_str()));
        let missing = files.iter().find(|f| !self.data.join(folder(set)).join(format!("{f}.tsv")).is_file());
        if let (true, Some(file)) = (named, missing) {
            eprintln!("skipped {set}: no {file}.tsv in {}", self.data.join(folder(set)).display());
        }
        named && missing.is_none()
    }

    /// Text and label of each line; `column` picks another column as the text.
    fn rows(&self, set: &str, file: &str, column: usize) -> Vec<Row> {
        let path = self.data.join(folder(set)).join(format!("{file}.tsv"));
        let text = fs::read_to_string(&path).expect("a readable file");
        let row = |line: &str| {
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let label = if column == 0 { fields.get(1).copied().unwrap_or_default() } else { fields[1] };
            (fields[column.min(fields.len() - 1)].to_owned(), label.to_owned())
        };
        text.lines().map(row).collect()
    }

    fn train(&mut self, set: &'static str, rows: Vec<Row>) -> IntentClassifier {
        let began = Instant::now();
        let sentences = rows.into_iter().map(|(text, label)| (intent(&label), text));
        let training = TrainingSet::from_sentences(sentences, []).expect("a set of at least two intents");
        let encoder = Encoder::load(Path::new(ENCODER)).expect("a valid encoder");
        let cache = target().join("accuracy").join(set);
        let options = TrainingOptions {
            seed: 1,
            cache: Some(cache),
            fine_tune: self.options.fine_tune,
            ..Default::default()
        };
        let mut shown = usize::MAX;
        let trained = train(&training, Some(&encoder), &options, &mut |progress| {
            let (what, done, total) = match progress {
                Progress::Encoding { done, total } => ("encoding", done, total),
                Progress::Tuning { done, total } => ("tuning", done, total),
                Progress::Fitting { done, total } => ("fitting", done, total),
            };
            let percent = done * 20 / total.max(1) * 5;
            if percent != shown {
                shown = percent;
                eprintln!("{set}: {what} {percent} % after {:.0} s", began.elapsed().as_secs_f64());
            }
        });
        let trained = trained.expect("a head");
        eprintln!("{set}: {}", trained.report.to_string().lines().take(4).collect::<Vec<_>>().join("; "));
        self.seconds.insert(set, began.elapsed().as_secs_f64());
        IntentClassifier::new(trained.head, Some(encoder)).expect("the same encoder")
    }

    fn add(
        &mut self,
        set: &'static str,
        what: &'static str,
        measured: f64,
        (bar, goal): (f64, f64),
        published: &'static str,
    ) {
        let given = |value: f64| (!value.is_nan()).then_some(value);
        eprintln!("{set}: {what} {measured:.2}");
        self.figures.push(Figure { set, what, measured, bar: given(bar), goal: given(goal), published });
    }

    fn accuracy(
        &mut self,
        set: &'static str,
        (train, test): (&str, &str),
        limits: (f64, f64),
        published: &'static str,
    ) {
        if !self.wanted(set, &[train, test]) {
            return;
        }
        let classifier = self.train(set, self.rows(set, train, 0));
        let test = self.rows(set, test, 0);
        let said = explain(&classifier, &test);
        self.add(set, "accuracy", accuracy(&said, &test), limits, published);
        let kept = share(&strangeness(&said), |s| s <= 0.5);
        self.add(set, "in scope kept at the fitted gate", kept, (f64::NAN, f64::NAN), "-");
    }

    fn clinc(&mut self) {
        let set = "clinc150";
        if !self.wanted(set, &["train", "val", "test", "oos_test"]) {
            return;
        }
        let classifier = self.train(set, self.rows(set, "train", 0));
        let (held, test, outside) =
            (self.rows(set, "val", 0), self.rows(set, "test", 0), self.rows(set, "oos_test", 0));
        let said = explain(&classifier, &test);
        self.add(set, "accuracy in scope", accuracy(&said, &test), (96.5, 97.2), "BERT 96.9, MLP 93.5");
        let (inside, outside) = (strangeness(&said), strangeness(&explain(&classifier, &outside)));
        self.add(set, "out of scope, AUROC", auroc(&inside, &outside), (f64::NAN, f64::NAN), "-");
        let mut kept = strangeness(&explain(&classifier, &held));
        kept.sort_by(f32::total_cmp);
        let limit = quantile(&kept, 0.95);
        let caught = share(&outside, |s| s > limit);
        let published = "BERT by threshold 52.3 at 96.2 in scope";
        self.add(set, "out of scope found, 95 % of val kept", caught, (89.0, 95.0), published);
        self.add(set, "in scope kept then", share(&inside, |s| s <= limit), (f64::NAN, f64::NAN), "-");
        let at_half = share(&outside, |s| s > 0.5);
        self.add(set, "out of scope found at the fitted gate", at_half, (f64::NAN, f64::NAN), "-");
        let kept = share(&inside, |s| s <= 0.5);
        self.add(set, "in scope kept at the fitted gate", kept, (f64::NAN, f64::NAN), "-");
    }

    fn out_of_scope_in_domain(&mut self) {
        let set = "banking77_oos50";
        if !self.wanted(set, &["train", "test", "idoos_test"]) {
            return;
        }
        let classifier = self.train(set, self.rows(set, "train", 0));
        let (test, outside) = (self.rows(set, "test", 0), self.rows(set, "idoos_test", 0));
        let said = explain(&classifier, &test);
        self.add(set, "accuracy in scope", accuracy(&said, &test), (f64::NAN, f64::NAN), "-");
        let (inside, outside) = (strangeness(&said), strangeness(&explain(&classifier, &outside)));
        self.add(
            set,
            "out of scope within the domain, AUROC",
            auroc(&inside, &outside),
            (86.0, 90.0),
            "max-softmax 77",
        );
    }

    /// Text and what a recogniser made of it, trained on text and on both.
    fn robust(&mut self, set: &'static str) {
        if !self.wanted(set, &["train", "test"]) {
            return;
        }
        let (text, heard) = (self.rows(set, "test", 0), self.rows(set, "test", 2));
        let classifier = self.train(set, often(self.rows(set, "train", 0)));
        let on_text = accuracy(&explain(&classifier, &text), &text);
        let on_heard = accuracy(&explain(&classifier, &heard), &heard);
        self.add(set, "trained on text: text", on_text, (f64::NAN, f64::NAN), "-");
        self.add(set, "trained on text: recognised", on_heard, (f64::NAN, f64::NAN), "-");
        let mut both = self.rows(set, "train", 0);
        both.extend(self.rows(set, "train", 2));
        let classifier = self.train(set, often(both));
        let on_text = accuracy(&explain(&classifier, &text), &text);
        let on_heard = accuracy(&explain(&classifier, &heard), &heard);
        self.add(set, "trained on both: text", on_text, (f64::NAN, f64::NAN), "-");
        self.add(set, "trained on both: recognised", on_heard, (on_text - 10.0, on_text - 5.0), "-");
    }

    fn print(&self) {
        if self.options.json {
            let figures: Vec<_> = self.figures.iter().map(|f| {
                serde_json::json!({ "set": f.set, "what": f.what, "percent": f.measured, "bar": f.bar, "goal": f.goal, "published": f.published })
            }).collect();
            let object = serde_json::json!({
                "fine_tune": self.options.fine_tune, "seed": 1, "figures": figures, "training_seconds": self.seconds,
            });
            println!("{object}");
            return;
        }
        let limit = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
        println!("{:<18} {:<40} {:>8} {:>6} {:>6}  published", "set", "figure", "measured", "bar", "goal");
        for f in &self.figures {
            let (bar, goal) = (limit(f.bar), limit(f.goal));
            println!("{:<18} {:<40} {:>8.2} {bar:>6} {goal:>6}  {}", f.set, f.what, f.measured, f.published);
        }
        for (set, seconds) in &self.seconds {
            println!("{set}: trained in {seconds:.0} s");
        }
    }
}

/// The folder of a set: what comes after '-' is a part of it.
fn folder(set: &str) -> &str {
    set.split('-').next().unwrap_or(set)
}

fn target() -> PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or_else(|_| PathBuf::from("target"), PathBuf::from)
}

/// A label as an intent's name.
fn intent(label: &str) -> IntentName {
    let name: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    name.parse().expect("letters, digits and '_'")
}

/// Without the labels that have too few sentences to be an intent.
fn often(rows: Vec<Row>) -> Vec<Row> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    rows.iter().for_each(|(_, label)| *counts.entry(label.clone()).or_default() += 1);
    rows.into_iter().filter(|(_, label)| counts[label] >= attendant::understanding::MIN_EXAMPLES).collect()
}

fn explain(classifier: &IntentClassifier, rows: &[Row]) -> Vec<Explanation> {
    let texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    classifier.explain(&texts, 0, &mut |_| {}).expect("interpretations")
}

/// Share of the sentences that were taken for their label, in percent.
fn accuracy(said: &[Explanation], rows: &[Row]) -> f64 {
    let right = said.iter().zip(rows).filter(|(said, (_, label))| {
        said.interpretation.best().is_some_and(|best| best.intent == intent(label))
    });
    percent(right.count(), rows.len())
}

fn strangeness(said: &[Explanation]) -> Vec<f32> {
    said.iter().map(|s| s.interpretation.out_of_scope).collect()
}

fn share(values: &[f32], which: impl Fn(f32) -> bool) -> f64 {
    percent(values.iter().filter(|v| which(**v)).count(), values.len())
}

/// How often a sentence out of scope scores higher than one in scope, in percent; ties count half.
fn auroc(inside: &[f32], outside: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> = inside.iter().map(|s| (*s, false)).collect();
    all.extend(outside.iter().map(|s| (*s, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum) = (0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let count = |which: bool| same.iter().filter(|(_, o)| *o == which).map(|_| 1.0).sum::<f64>();
        sum += count(true) * (below + count(false) / 2.0);
        below += count(false);
    }
    let pairs = percent(inside.len(), 100) * percent(outside.len(), 100);
    100.0 * sum / pairs
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
