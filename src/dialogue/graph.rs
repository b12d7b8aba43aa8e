//! The flow as a picture: one row an intent, from what starts it to where it ends, as SVG.

use std::fmt::Write as _;

use super::flow::Flow;
use super::intent_spec::{IntentSpec, SlotSpec};

const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 44;
const GAP: usize = 36;
const ROW_GAP: usize = 22;
/// Height of one line of small print under a box.
const NOTE: usize = 14;
/// Letters that fit into a box.
const LETTERS: usize = 28;

/// One box and the small print under it.
struct Step {
    class: &'static str,
    text: String,
    notes: Vec<String>,
}

impl Step {
    fn new(class: &'static str, text: impl Into<String>) -> Step {
        Step { class, text: text.into(), notes: Vec::new() }
    }
}

impl Flow {
    /// The flow as SVG 1.1: every intent with its slots, the ways to what a caller does not know, proofs,
    /// steps, look-ups and its end.
    pub fn graph(&self) -> String {
        let menu = self.line.menu.get_ref();
        let rows: Vec<Vec<Step>> = self
            .intents
            .iter()
            .map(|(name, spec)| {
                let mut row = vec![Step::new("intent", name.as_str())];
                if let Some(entry) = menu.entry.iter().find(|e| e.intent == *name) {
                    row[0].notes.push(format!("key {} of the menu", entry.key));
                }
                row[0].notes.push(format!("{} examples", spec.examples.len()));
                row.extend(steps(spec));
                row
            })
            .collect();
        draw(&self.line.name, &rows)
    }
}

fn steps(spec: &IntentSpec) -> Vec<Step> {
    let mut row: Vec<Step> = spec.slot.iter().map(slot).collect();
    if let Some(verify) = &spec.verify {
        let mut step = Step::new("verify", format!("verify, {} of:", verify.need));
        step.notes.extend(verify.by.get_ref().iter().cloned());
        step.notes.push(
            if verify.without.is_some() { "else: what may be said" } else { "else: a person" }.to_owned(),
        );
        row.push(step);
    }
    for (i, step) in spec.step.iter().enumerate() {
        let mut drawn = Step::new("step", format!("step {}", i + 1));
        drawn.notes.push(format!("yes: {:?}, no: {:?}", step.yes, step.no).to_lowercase());
        row.push(drawn);
    }
    let Some(fulfil) = &spec.fulfil else {
        row.push(Step::new("person", "a person"));
        return row;
    };
    if fulfil.confirm.is_some() {
        row.push(Step::new("slot", "shall I do it?"));
    }
    if let Some(look_up) = &fulfil.look_up {
        let mut step = Step::new("look_up", look_up.get_ref().as_str());
        step.notes.push("fails: callback or person".to_owned());
        row.push(step);
    }
    row.push(Step::new("answer", "answer"));
    if spec.next_steps.is_some() {
        row.push(Step::new("answer", "next steps"));
    }
    row.push(Step::new("purpose", "anything else?"));
    row
}

fn slot(slot: &SlotSpec) -> Step {
    let mut step = Step::new("slot", slot.name.as_str());
    for (name, value) in &slot.only_if {
        step.notes.push(format!("only if {name} = {value}"));
    }
    if !slot.needed {
        step.notes.push("only on the way to another".to_owned());
    }
    if let Some(choices) = &slot.choices {
        step.notes.push(format!("offers: {}", choices.look_up.get_ref()));
    }
    for way in &slot.dont_know {
        step.notes.push(format!("? {}", way.look_up.get_ref()));
    }
    step.notes.push("? a person".to_owned());
    step
}

fn draw(title: &str, rows: &[Vec<Step>]) -> String {
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = GAP + widest * (BOX_WIDTH + GAP);
    let mut body = String::new();
    let mut y = 60;
    for row in rows {
        for (i, step) in row.iter().enumerate() {
            let x = GAP + i * (BOX_WIDTH + GAP);
            if i > 0 {
                let (from, to, middle) = (x - GAP, x - 6, y + BOX_HEIGHT / 2);
                let _ = writeln!(
                    body,
                    r#"<path class="arrow" d="M{from} {middle}H{to}" marker-end="url(#head)"/>"#
                );
            }
            draw_step(&mut body, x, y, step);
        }
        let notes = row.iter().map(|s| s.notes.len()).max().unwrap_or(0);
        y += BOX_HEIGHT + notes * NOTE + ROW_GAP;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" font-family="sans-serif">
<style>
rect {{ fill: #fff; stroke: #333; rx: 6; }} text {{ font-size: 13px; fill: #111; }}
.note {{ font-size: 11px; fill: #555; }} .arrow {{ stroke: #333; fill: none; }} .title {{ font-size: 18px; }}
.intent {{ fill: #dbe9ff; }} .slot {{ fill: #fff6d6; }} .verify {{ fill: #ffdede; }} .step {{ fill: #f0e4ff; }}
.look_up {{ fill: #e2f5e2; }} .person {{ fill: #ffe9cc; }} .answer {{ fill: #e2f5e2; }} .purpose {{ fill: #eee; }}
</style>
<defs><marker id="head" markerWidth="8" markerHeight="8" refX="4" refY="3" orient="auto"><path d="M0 0L6 3L0 6z"/></marker></defs>
<text class="title" x="{GAP}" y="34">{}: say it, key it, or press 0 for a person at any time</text>
{body}</svg>
"##,
        escaped(title)
    )
}

fn draw_step(body: &mut String, x: usize, y: usize, step: &Step) {
    let class = step.class;
    let _ = writeln!(
        body,
        r#"<rect class="{class}" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>"#
    );
    let (left, line) = (x + 10, y + BOX_HEIGHT / 2 + 5);
    let _ = writeln!(body, r#"<text x="{left}" y="{line}">{}</text>"#, escaped(&shortened(&step.text)));
    for (i, note) in step.notes.iter().enumerate() {
        let line = y + BOX_HEIGHT + (i + 1) * NOTE;
        let _ = writeln!(
            body,
            r#"<text class="note" x="{left}" y="{line}">{}</text>"#,
            escaped(&shortened(note))
        );
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_picture() {
        let rows = [vec![Step::new("intent", "<a> & \"b\""), Step::new("person", "a person")]];
        let svg = draw("x", &rows);
        assert!(svg.contains("&lt;a&gt; &amp; &quot;b&quot;") && svg.matches("<rect ").count() == 2);
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shortened(&"a".repeat(40)).chars().count(), LETTERS);
    }
}
