//! How well values are read from what real callers said and from public test sets, and how long it takes.
//!
//! `cargo bench --bench entities [-- --json] [-- --wrong SET]`. The sets lie in `$ATTENDANT_DATA` or
//! `../shared/nlu`, their origins and licences beside them; without them the bench says so and ends.

#![expect(clippy::print_stdout, reason = "its report is its output")]

mod evi;

use std::path::PathBuf;

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
    let Some(data) = data() else {
        println!("entities: skipped: no sets in $ATTENDANT_DATA or ../shared/nlu");
        return;
    };
    let mut scores = Vec::new();
    let mut wrong: Vec<(String, Wrong)> = Vec::new();
    evi::measure(&data, &mut scores, &mut wrong);
    if let Some(set) = shown {
        for (_, (said, expected, found)) in wrong.iter().filter(|(s, _)| s.contains(set.as_str())) {
            println!("{expected}\t{found}\t{said}");
        }
    }
    print(&scores, json);
}

fn print(scores: &[Score], json: bool) {
    if json {
        let sets: Vec<serde_json::Value> = scores
            .iter()
            .map(|s| {
                serde_json::json!({
                    "set": s.set, "right": s.right, "all": s.all, "percent": s.percent(), "bar": s.bar, "goal": s.goal,
                })
            })
            .collect();
        println!("{}", serde_json::json!({ "sets": sets }));
        return;
    }
    println!("{:<56} {:>13} {:>7} {:>6} {:>6}", "set", "right", "%", "bar", "goal");
    for s in scores {
        let limit = |l: Option<f64>| l.map_or_else(|| "-".to_owned(), |l| format!("{l:.0}"));
        let share = format!("{} / {}", s.right, s.all);
        println!("{:<56} {share:>13} {:>7.1} {:>6} {:>6}", s.set, s.percent(), limit(s.bar), limit(s.goal));
    }
}
