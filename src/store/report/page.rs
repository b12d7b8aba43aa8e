//! A report as one HTML page with charts, which needs nothing from anywhere else.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use super::{By, Calls, Report};

const PAGE: &str = include_str!("page.html");

/// Width and height of a chart, in the units of its SVG.
const WIDE: f64 = 640.0;
const HIGH: f64 = 150.0;

/// A bar of a chart: below what the line answered itself, above that what persons took, above that the rest.
#[derive(Serialize)]
struct Bar {
    x: f64,
    width: f64,
    key: String,
    calls: i64,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    class: &'static str,
    y: f64,
    height: f64,
}

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("percent", |share: f64| format!("{:.1} %", share * 100.0));
        environment.add_filter("one", |value: f64| format!("{value:.1}"));
        environment.add_template("page.html", PAGE).expect("the page's template is part of the program");
        let tables: Vec<_> = By::ALL
            .into_iter()
            .map(|by| {
                let rows = self.by.get(&by).cloned().unwrap_or_default();
                let bars = bars(&rows);
                context! { name => by.name(), rows => Value::from(Serde(&rows)), bars => Value::from(Serde(&bars)) }
            })
            .collect();
        let page = environment.get_template("page.html").expect("it was added");
        let context =
            context! { report => Value::from(Serde(self)), tables => tables, wide => WIDE, high => HIGH };
        page.render(context).expect("the template uses what the report has")
    }
}

fn bars(rows: &[(String, Calls)]) -> Vec<Bar> {
    /// More do not fit beside each other; the table has them all.
    const MOST: usize = 40;
    let rows = &rows[rows.len().saturating_sub(MOST)..];
    let most = rows.iter().map(|(_, calls)| calls.calls).max().unwrap_or(1).max(1) as f64;
    let step = WIDE / rows.len().max(1) as f64;
    let bar = |(n, (key, calls)): (usize, &(String, Calls))| {
        let mut y = HIGH;
        let rest = calls.abandoned + calls.unresolved;
        let parts = [("resolved", calls.resolved), ("transferred", calls.transferred), ("rest", rest)];
        let parts = parts.map(|(class, n)| {
            let height = n as f64 / most * HIGH;
            y -= height;
            Part { class, y, height }
        });
        let x = n as f64 * step;
        Bar { x, width: (step - 2.0).max(1.0), key: key.clone(), calls: calls.calls, parts: parts.into() }
    };
    rows.iter().enumerate().map(bar).collect()
}
