//! Seeded random callers against the demo line, with faults injected at any moment: whatever happens,
//! every call ends with one record, nobody waits in silence, and a person can be reached.

use attendant::audio::SplitMix64;
use attendant::call::Disposition;
use attendant::conversation::script::{Script, run};

use super::calls::flow;

const CALLERS: u64 = 600;

/// A caller is never left without a sound for longer than this, the line's own time-outs included.
const LONGEST_SILENCE_MS: u64 = 8_000;

const SENTENCES: &[&str] = &[
    "where is my order",
    "i want a refund",
    "billing",
    "i don't know",
    "yes",
    "no",
    "agent",
    "help",
    "repeat",
    "four five one two eight eight",
    "four five one",
    "no four five one two eight nine",
    "that's all",
    "goodbye",
    "start over",
    "what is the weather",
    "uh",
    "my router is broken",
    "i don't have it",
    "double four one two three four",
];

const FAULTS: &[&str] = &["timeout", "failed", "overloaded", "none"];

fn pick<'a>(random: &mut SplitMix64, from: &[&'a str]) -> &'a str {
    from[(random.next_u64() % from.len() as u64) as usize]
}

/// A caller who does anything, in any order, and in the end hangs up or stays silent.
fn caller(seed: u64) -> String {
    let mut random = SplitMix64::new(seed);
    let mut script = String::from("call ani=5550100 dnis=800\n");
    if random.next_u64().is_multiple_of(2) {
        script +=
            "given order_by_number 451288 number=451288 item=lamp status=shipped expected_on=2026-05-04\n";
        script += "given open_orders_by_ani 5550100 number=451288 item=lamp placed_on=2026-05-01\n";
    }
    for _ in 0..random.next_u64() % 12 {
        if random.next_u64().is_multiple_of(4) {
            script += &format!("barge {}ms ", random.next_u64() % 3000);
        }
        match random.next_u64() % 12 {
            0 => script += "mumble\n",
            1 => script += "mumble 200ms\n",
            2 => script += &format!("silence {}s\n", random.next_u64() % 12),
            3 => script += &format!("keys {}\n", random.next_u64() % 1_000_000),
            4 => script += &format!("keys {}\n", pick(&mut random, &["1", "5", "9", "#", "*", "12#", "0"])),
            5 => {
                let part = pick(&mut random, &["asr", "nlu", "store", "transfer"]);
                script += &format!("fault {part} {}\n", pick(&mut random, FAULTS));
            }
            6 if random.next_u64().is_multiple_of(4) => script += "hangup\n",
            _ => {
                let confidence = (random.next_u64() % 100) as f32 / 100.0;
                let intent = pick(
                    &mut random,
                    &["", " intent=order_status:0.8", " intent=billing:0.5", " intent=agent:0.9"],
                );
                script += &format!("say \"{}\" conf={confidence}{intent}\n", pick(&mut random, SENTENCES));
            }
        }
    }
    script
}

#[test]
fn random_callers_are_never_trapped() {
    let flow = flow();
    let mut ended = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..CALLERS {
        let text = caller(seed);
        let script = Script::parse("sim.call", &text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
        let outcome = run(&flow, &script);
        let context = || format!("seed {seed}\n{text}\n{}", outcome.timeline);
        let record = outcome.record.as_ref().unwrap_or_else(|| panic!("no record: {}", context()));
        assert_eq!(outcome.timeline.matches("< record ").count(), 1, "{}", context());
        assert!(
            outcome.longest_silence_ms <= LONGEST_SILENCE_MS,
            "{} ms: {}",
            outcome.longest_silence_ms,
            context()
        );
        assert!(record.duration.as_millis() < 10 * 60_000, "ten minutes are a trap: {}", context());
        *ended.entry(record.disposition.to_string()).or_default() += 1;
    }
    // The simulation must reach every end, or it simulates nothing.
    for disposition in
        [Disposition::Resolved, Disposition::Transferred, Disposition::Abandoned, Disposition::Unresolved]
    {
        assert!(ended.contains_key(&disposition.to_string()), "no call ended {disposition}: {ended:?}");
    }
}

#[test]
fn a_person_is_reached_at_once_from_anywhere() {
    let flow = flow();
    for seed in 0..CALLERS / 3 {
        let steps: String = caller(seed)
            .lines()
            .filter(|l| !l.contains("hangup") && !l.contains("fault"))
            .fold(String::new(), |mut all, line| {
                all += line;
                all.push('\n');
                all
            });
        let script = Script::parse("sim.call", &format!("{steps}keys 0\n")).expect("a script");
        let outcome = run(&flow, &script);
        let record = outcome.record.expect("a record");
        let reached = record.handoff.is_some();
        let over = outcome.timeline.contains("hang up line");
        assert!(reached || over, "seed {seed}: neither a person nor an end\n{steps}\n{}", outcome.timeline);
    }
}
