//! A report as CSV: one line for each key, in a form that spreadsheets read.

use super::{By, Calls, Report};

/// Names of the columns, in order.
const HEADER: [&str; 13] = [
    "by",
    "key",
    "calls",
    "resolved",
    "transferred",
    "abandoned",
    "unresolved",
    "callbacks",
    "containment",
    "abandonment",
    "seconds",
    "first_call_resolution",
    "csat",
];

impl Report {
    /// The calls, in all and by each dimension; then what no intent took, with the times in the column of the calls.
    pub fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |fields: &[String]| {
            writer.write_record(fields).expect("memory takes it");
        };
        write(&HEADER.map(str::to_owned));
        write(&line("total", "", &self.total));
        for by in By::ALL {
            for (key, calls) in self.by.get(&by).into_iter().flatten() {
                write(&line(by.name(), key, calls));
            }
        }
        for one in &self.unmatched {
            let mut fields: [String; 13] = Default::default();
            fields[..3].clone_from_slice(&[
                "words".to_owned(),
                no_formula(&one.words),
                one.times.to_string(),
            ]);
            write(&fields);
        }
        String::from_utf8(writer.into_inner().expect("memory takes it")).expect("only text was written")
    }
}

/// What begins with = + - or @ would be a formula to a spreadsheet.
fn no_formula(key: &str) -> String {
    if key.starts_with(['=', '+', '@']) { format!("'{key}") } else { key.to_owned() }
}

fn line(by: &str, key: &str, c: &Calls) -> [String; 13] {
    let optional = |value: Option<f64>| value.map(|v| format!("{v:.4}")).unwrap_or_default();
    [
        by.to_owned(),
        no_formula(key),
        c.calls.to_string(),
        c.resolved.to_string(),
        c.transferred.to_string(),
        c.abandoned.to_string(),
        c.unresolved.to_string(),
        c.callbacks.to_string(),
        format!("{:.4}", c.containment),
        format!("{:.4}", c.abandonment),
        format!("{:.1}", c.seconds),
        optional(c.first_call_resolution),
        optional(c.csat),
    ]
}
