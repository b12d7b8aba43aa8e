//! How well values are read from what real callers said and from public test sets, and how long it takes.
//!
//! `cargo bench --bench entities [-- --json] [-- --wrong SET]`. The sets lie in `$ATTENDANT_DATA` or
//! `../shared/nlu`, their origins and licences beside them; without them the bench says so and ends.

#![expect(clippy::print_stdout, reason = "its report is its output")]

mod evi;
mod sets;
mod speed;
mod suite;

use std::path::{Path, PathBuf};

use speed::Time;

/// A set and how much of it was read exactly.
struct Score {
    set: String,
    right: usize,
    all: usize,
    bar: Option<f64>,
    goal: Option<f64>,
}

impl Score {
    fn percent(&self) -> f64 {
        100.0 * self.right as f64 / self.all.max(1) as f64
    }
}

/// A case that was read wrongly: what was said, what it is, what was found.
type Wrong = (String, String, String);

fn data() -> Option<PathBuf> {
    let path =
        std::env::var_os("ATTENDANT_DATA").map_or_else(|| PathBuf::from("../shared/nlu"), PathBuf::from);
    path.join("itn").is_dir().then(|| path.join("itn"))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let json = args.iter().any(|a| a == "--json");
    let shown = args.iter().position(|a| a == "--wrong").and_then(|at| args.get(at + 1));
    let mut scores = Vec::new();
    let mut wrong: Vec<(String, Wrong)> = Vec::new();
    suite::measure(&mut scores, &mut wrong);
    let times = speed::measure();
    if let Some(data) = data() {
        public(&data, &mut scores, &mut wrong);
    } else if !json {
        println!("entities: the public sets are skipped: not in $ATTENDANT_DATA or ../shared/nlu");
    }
    if let Some(set) = shown {
        for (set, (said, expected, found)) in wrong.iter().filter(|(s, _)| s.contains(set.as_str())) {
            println!("{set}\t{expected}\t{found}\t{said}");
        }
    }
    print(&scores, &times, json);
}

/// The sets that lie beside the project, where they do.
fn public(data: &Path, scores: &mut Vec<Score>, wrong: &mut Vec<(String, Wrong)>) {
    evi::measure(data, scores, wrong);
    let limits = Some((90.0, 97.0));
    let from = scores.len();
    sets::run("NeMo, spoken to written", sets::nemo(data), limits, scores, wrong);
    sets::run("NeMo, written to spoken, inverted", sets::nemo_inverted(data), limits, scores, wrong);
    sets::run("text2num", sets::text2num(data), limits, scores, wrong);
    for (name, model) in [
        ("numbers", "Number_NumberModel"),
        ("ordinals", "Number_OrdinalModel"),
        ("amounts", "NumberWithUnit_CurrencyModel"),
        ("telephone numbers", "Sequence_PhoneNumberModel"),
        ("e-mail", "Sequence_EmailModel"),
        ("days", "DateTime_DateParser"),
        ("times", "DateTime_TimeParser"),
    ] {
        let cases = sets::recognizers(data, model);
        sets::run(&format!("Recognizers, {name}"), cases, limits, scores, wrong);
    }
    sets::yes_no(data, scores, wrong);
    for what in ["Numeral", "Ordinal", "AmountOfMoney", "Email", "PhoneNumber", "CreditCardNumber", "Time"] {
        sets::run(&format!("Duckling, {what}"), sets::duckling(data, what), limits, scores, wrong);
    }
    let sum = |part: fn(&Score) -> usize| scores[from..].iter().map(part).sum();
    let (right, all): (usize, usize) = (sum(|s| s.right), sum(|s| s.all));
    scores.push(Score {
        set: "all of these together".to_owned(),
        right,
        all,
        bar: Some(90.0),
        goal: Some(97.0),
    });
    sets::run("NLU++ days, times and numbers", sets::nlupp(data), None, scores, wrong);
}

fn print(scores: &[Score], times: &[Time], json: bool) {
    if json {
        let sets: Vec<serde_json::Value> = scores
            .iter()
            .map(|s| {
                serde_json::json!({
                    "set": s.set, "right": s.right, "all": s.all, "percent": s.percent(), "bar": s.bar, "goal": s.goal,
                })
            })
            .collect();
        let times: Vec<serde_json::Value> = times
            .iter()
            .map(|t| serde_json::json!({ "work": t.work, "p50_us": t.p50_us, "p99_us": t.p99_us }))
            .collect();
        println!("{}", serde_json::json!({ "sets": sets, "times": times }));
        return;
    }
    println!("{:<56} {:>13} {:>7} {:>6} {:>6}", "set", "right", "%", "bar", "goal");
    for s in scores {
        let limit = |l: Option<f64>| l.map_or_else(|| "-".to_owned(), |l| format!("{l:.0}"));
        let share = format!("{} / {}", s.right, s.all);
        println!("{:<56} {share:>13} {:>7.1} {:>6} {:>6}", s.set, s.percent(), limit(s.bar), limit(s.goal));
    }
    println!("\n{:<56} {:>13} {:>13}", "ten words, five alternatives", "p50 us", "p99 us");
    for t in times {
        println!("{:<56} {:>13.0} {:>13.0}", t.work, t.p50_us, t.p99_us);
    }
}
