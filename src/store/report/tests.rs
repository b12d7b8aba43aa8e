//! Sums that can be done by hand.

use super::*;
use crate::store::{TurnFigures, UnmatchedFigures};

fn calls(hour: i64, dnis: &str, intent: &str, disposition: &str, n: i64) -> CallFigures {
    CallFigures {
        hour,
        dnis: dnis.to_owned(),
        intent: intent.to_owned(),
        stage: "resolution".to_owned(),
        disposition: disposition.to_owned(),
        calls: n,
        duration_ms: n * 60_000,
        repeated: n / 4,
        ratings: n / 2,
        rating_sum: n / 2 * 4,
        ..CallFigures::default()
    }
}

fn unmatched(words: &str, hour: i64, dnis: &str, times: i64) -> UnmatchedFigures {
    let (intent, stage) = ("billing".to_owned(), "purpose".to_owned());
    UnmatchedFigures { words: words.to_owned(), hour, dnis: dnis.to_owned(), intent, stage, times }
}

fn report() -> Report {
    let plan = "zone = \"Europe/Berlin\"\n[[campaign]]\nname = \"spring\"\ndialled = [\"801\", \"+802\"]\n[[queue]]\nname = \"all\"";
    let plan = DeskPlan::parse("desk.toml", plan).expect("a desk");
    // 2026-11-16T23:00Z, which is the next day in Berlin.
    let hour = hour_of("2026-11-16T23:30:00Z".parse().expect("a time"));
    let turn = |decision: &str, turns| TurnFigures {
        intent: "billing".to_owned(),
        stage: "purpose".to_owned(),
        decision: decision.to_owned(),
        turns,
    };
    let waited = |outcome: &str, within, entries, handled| QueueFigures {
        queue: "all".to_owned(),
        outcome: outcome.to_owned(),
        within,
        entries,
        waited_ms: entries * 10_000,
        handled,
        handle_ms: handled * 90_000,
    };
    let all = vec![
        calls(hour, "801", "billing", "resolved", 60),
        calls(hour, "802", "billing", "transferred", 20),
        calls(hour - 1, "900", "<b>", "abandoned", 15),
        calls(hour, "", "", "unresolved", 5),
    ];
    let figures = Figures {
        hours: all.clone(),
        kinds: all,
        turns: vec![turn("accept", 80), turn("no_match", 15), turn("no_input", 5)],
        queues: vec![
            waited("answered", 10, 8, 0),
            waited("answered", 60, 2, 4),
            waited("abandoned", 30, 10, 0),
        ],
        unmatched: vec![
            unmatched("can i pay by cheque", hour, "801", 3),
            unmatched("can i pay by cheque", hour - 1, "", 4),
            unmatched("=hello", hour, "900", 9),
        ],
    };
    Report::of(&figures, &plan, hour - 1, hour + 1)
}

#[test]
fn shares_are_what_they_should_be() {
    let report = report();
    let total = &report.total;
    assert_eq!((total.calls, total.containment, total.abandonment, total.seconds), (100, 0.6, 0.15, 60.0));
    assert_eq!((total.first_call_resolution, total.csat), (Some(0.75), Some(4.0)));
    let days: Vec<(&str, i64)> = report.by[&By::Day].iter().map(|(k, c)| (k.as_str(), c.calls)).collect();
    assert_eq!(days, [("2026-11-16", 15), ("2026-11-17", 85)], "the line's own midnight");
    assert_eq!(report.by[&By::Hour][0].0, "00:00");
    let campaigns: Vec<&str> = report.by[&By::Campaign].iter().map(|(k, _)| k.as_str()).collect();
    assert_eq!(campaigns, ["spring", "900", "-"]);
    let [queue] = report.queues.as_slice() else { panic!("{report:?}") };
    assert_eq!((queue.entries, queue.answered, queue.abandoned), (20, 10, 10));
    assert_eq!((queue.service_level, queue.wait_seconds, queue.handle_seconds), (0.4, 10.0, Some(90.0)));
    let [worst] = report.no_match.as_slice() else { panic!("{report:?}") };
    assert_eq!((worst.not_understood, worst.nothing_heard, worst.share), (15, 5, 0.2));
}

#[test]
fn every_form_holds_every_key() {
    let report = report();
    let csv = report.csv();
    assert!(csv.starts_with("by,key,calls,") && csv.contains("\ncampaign,spring,80,60,20,"), "{csv}");
    let html = report.html();
    assert!(html.contains("<td>spring<td>80<td>75.0 %") && html.contains("&lt;b&gt;"), "{html}");
    assert!(!html.contains("<b>\"") && !html.contains("http"), "it needs nothing from elsewhere");
    assert_eq!(html.matches("<svg").count(), By::ALL.len());
    let json = serde_json::to_value(&report).expect("it is JSON");
    assert_eq!(json["by"]["intent"][0][1]["resolved"], 60);
}

#[test]
fn no_call_is_a_report_too() {
    let empty = Report::of(&Figures::default(), &DeskPlan::empty(), 0, 1);
    assert_eq!((empty.total.calls, empty.total.csat), (0, None));
    assert!(empty.html().contains("<b>0</b> calls"));
}

#[test]
fn what_no_intent_took_is_told_by_what_it_came_to() {
    let report = report();
    let all: Vec<(&str, i64)> = report.unmatched.iter().map(|u| (u.words.as_str(), u.times)).collect();
    assert_eq!(all, [("=hello", 9), ("can i pay by cheque", 7)]);
    let pay = &report.unmatched[1].by;
    let of = |by: By| pay[&by].iter().map(|(key, n)| (key.as_str(), *n)).collect::<Vec<_>>();
    assert_eq!(of(By::Campaign), [("-", 4), ("spring", 3)]);
    assert_eq!(of(By::Hour), [("23:00", 4), ("00:00", 3)]);
    assert_eq!((of(By::Intent), of(By::Stage)), (vec![("billing", 7)], vec![("purpose", 7)]));
    assert!(report.csv().contains("\nwords,'=hello,9,"), "{}", report.csv());
    assert!(
        report.html().contains("<td>can i pay by cheque<td>7<td>billing<td>-<td>23:00"),
        "{}",
        report.html()
    );
}
