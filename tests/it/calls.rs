//! Every script in `tests/calls` at text level, with its whole timeline as a snapshot beside it; and
//! what must hold in every call, whatever happens in it.

use std::path::PathBuf;
use std::sync::Arc;

use attendant::conversation::script::{Outcome, Script, of_record, run};
use attendant::dialogue::{Flow, Source};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(name: &str, extension: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder(name)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == extension));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (stem, std::fs::read_to_string(&path).expect("UTF-8"))
        })
        .collect()
}

/// Whose scripts lie where, and whose intents they call.
pub(crate) const LINES: [(&str, &str); 3] = [
    ("tests/calls", "intents"),
    ("tests/calls/clinic", "examples/clinic/intents"),
    ("tests/calls/internet", "examples/internet/intents"),
];

pub(crate) fn sources(intents: &str) -> Vec<Source> {
    let read = files(intents, "toml").into_iter();
    read.map(|(stem, text)| Source { path: format!("{intents}/{stem}.toml"), text }).collect()
}

pub(crate) fn flow_of(intents: &str) -> Arc<Flow> {
    Arc::new(Flow::parse(&sources(intents)).unwrap_or_else(|e| panic!("{e}")))
}

#[cfg(feature = "host")]
pub(crate) fn flow() -> Arc<Flow> {
    flow_of("intents")
}

fn play(flow: &Arc<Flow>, path: &str, text: &str) -> Outcome {
    let script = Script::parse(path, text).unwrap_or_else(|e| panic!("{e}"));
    run(flow, &script)
}

/// Every script of every line, played: its path and what came of it.
fn each_script(mut check: impl FnMut(&str, &str, &str, &Arc<Flow>)) {
    for (scripts, intents) in LINES {
        let flow = flow_of(intents);
        for (name, text) in files(scripts, "call") {
            check(scripts, &name, &text, &flow);
        }
    }
}

/// A caller is never left without a sound for longer than this.
const LONGEST_SILENCE_MS: u64 = 8_000;

#[test]
fn every_script_has_its_timeline() {
    let mut count = 0;
    each_script(|scripts, name, text, flow| {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder(scripts).join("snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            let outcome = play(flow, &format!("{scripts}/{name}.call"), text);
            insta::assert_snapshot!(name, outcome.timeline);
        });
        count += 1;
    });
    assert!(count >= 60, "only {count} scripts");
}

#[test]
fn every_call_ends_with_one_record_and_no_long_silence() {
    each_script(|_, name, text, flow| {
        let outcome = play(flow, name, text);
        assert!(outcome.record.is_some(), "{name}: no record\n{}", outcome.timeline);
        let records = outcome.timeline.matches("< record ").count();
        assert_eq!(records, 1, "{name}\n{}", outcome.timeline);
        assert!(
            outcome.longest_silence_ms <= LONGEST_SILENCE_MS,
            "{name}: {} ms of silence\n{}",
            outcome.longest_silence_ms,
            outcome.timeline
        );
    });
}

#[test]
fn a_script_gives_the_same_timeline_twice() {
    each_script(|_, name, text, flow| {
        assert_eq!(play(flow, name, text).timeline, play(flow, name, text).timeline, "{name}");
    });
}

/// A kept call, turned into a script, is a script; where nothing was said over the line's words and nothing
/// broke or was slow, it comes out as it did.
#[test]
fn a_kept_call_plays_again() {
    let (mut played, mut plain) = (0, 0);
    each_script(|_, name, text, flow| {
        let record = play(flow, name, text).record.expect("every call has a record");
        let local = Script::parse(name, text).expect("it was just played").local;
        let again = of_record(&record, local);
        let outcome = play(flow, &format!("replay of {name}"), &again);
        let end = |r: &attendant::call::CallRecord| (r.disposition, r.handoff.as_ref().map(|h| h.reason));
        let is = outcome.record.as_ref().map(end);
        let odd = ["barge", "desk", "fault", "slow", "silence", "level", "mumble"];
        if !odd.iter().any(|word| text.contains(word)) {
            plain += 1;
            assert_eq!(is, Some(end(&record)), "{name}\n{again}\n{}", outcome.timeline);
        }
        played += 1;
    });
    assert!(played > 90 && plain > 60, "{plain} of {played}");
}

#[test]
fn all_lines_can_be_listed_and_drawn() {
    for (_, intents) in LINES {
        let flow = flow_of(intents);
        let svg = flow.graph();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{intents}");
        for name in flow.intents.keys() {
            assert!(svg.contains(&format!(">{name}<")), "{name} is not in the picture");
        }
        let long: Vec<_> = flow.audit().into_iter().filter(|s| s.seconds > 20.0).collect();
        assert!(long.is_empty(), "{intents}: {long:?}");
    }
}
