//! Seeded random callers against all lines, with faults injected at any moment: whatever happens, every
//! call ends with one record, nobody waits in silence, a person can be reached, and nothing is done that
//! the caller has not agreed to or may not have.
//!
//! `make sim` plays ten thousand; `make test` a sample. A seed that fails prints the command that plays
//! it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use attendant::audio::SplitMix64;
use attendant::call::{Disposition, LOOK_UPS};
use attendant::conversation::script::{Outcome, Script, run};
use attendant::dialogue::Flow;

use super::calls::{LINES, flow_of};

/// Callers of the sample.
const CALLERS: u64 = 240;

/// A caller is never left without a sound for longer than this, the line's own time-outs included.
const LONGEST_SILENCE_MS: u64 = 8_000;

/// Nobody is kept for longer, in milliseconds: a caller does a dozen things at most.
const LONGEST_CALL_MS: u64 = 12 * 60_000;

const SENTENCES: &[&str] = &[
    "where is my order",
    "i want a refund",
    "billing",
    "i don't know",
    "yes",
    "yes please",
    "no",
    "agent",
    "help",
    "repeat",
    "slower",
    "go back",
    "hold on",
    "done",
    "both",
    "the second one",
    "four five one two eight eight",
    "four five one",
    "no four five one three",
    "no i meant four five one two eight nine",
    "two double oh four five five one one",
    "nine oh two one seven",
    "that's all",
    "that's wrong",
    "goodbye",
    "start over",
    "what is the weather",
    "uh",
    "i don't have it",
    "double four one two three four",
    "can i see doctor lee on monday",
    "doctor novak",
    "tuesday",
    "no on friday",
    "cancel my appointment",
    "are my test results there",
    "my internet is down",
    "they are red",
    "my bill is too high",
    "i am moving",
    "five",
    "this is ridiculous and i already told you",
];

const INTENTS: &[&str] = &[
    "",
    "",
    " intent=order_status:0.8",
    " intent=billing:0.5 intent=return_refund:0.4",
    " intent=agent:0.9",
    " intent=book_appointment:0.9",
    " intent=test_results:0.9",
    " intent=no_internet:0.9",
    " intent=bill:0.45 intent=moving:0.4",
];

const GIVEN: &str = "\
given customer_by_ani 5550100 id=1 name=\"Maria Lopez\" first_name=Maria
given order_by_number 451288 number=451288 item=lamp status=shipped expected_on=2026-05-04
given open_orders_by_ani 5550100 number=451288 item=lamp placed_on=2026-05-01
given open_orders_by_ani 5550100 number=451289 item=chair placed_on=2026-05-02
given free_times * when=2026-05-11T09:30
given free_times * when=2026-05-12T15:00
given book_appointment * doctor=\"Doctor Lee\" when=2026-05-11T09:30
given my_appointments * id=7 doctor=\"Doctor Lee\" when=2026-05-11T09:30
given cancel_appointment * doctor=\"Doctor Lee\" when=2026-05-11T09:30
given test_results * ready=yes finding=good
given verify_date_of_birth * result=wrong
given verify_pin 1,4711 result=right
given verify_pin * result=wrong
given verify_postcode * result=right
given account_by_number * account=77
given bill_of_account * amount=89.90 usual=44.95 due=2026-05-15
given open_ticket * ticket=8812 technician_on=2026-05-06
";

fn pick<'a>(random: &mut SplitMix64, from: &[&'a str]) -> &'a str {
    from[(random.next_u64() % from.len() as u64) as usize]
}

/// For some callers the line is too busy to listen.
const KEYPAD_ONLY: &str = "keypad_only=yes";

/// A caller who does anything, in any order, and in the end hangs up or stays silent.
fn caller(seed: u64) -> String {
    let mut random = SplitMix64::new(seed);
    let mut script = match random.next_u64() % 4 {
        0 => String::from("call dnis=800\n"),
        _ => String::from("call ani=5550100 dnis=800 at=2026-05-04T10:00\n"),
    };
    if seed % 7 == 3 {
        script = script.replacen("call ", &format!("call {KEYPAD_ONLY} "), 1);
    }
    if !random.next_u64().is_multiple_of(4) {
        script += GIVEN;
    }
    if random.next_u64().is_multiple_of(8) {
        script += "given dropped_call 5550100 intent=order_status slot.order_number=451288\n";
    }
    for _ in 0..random.next_u64() % 14 {
        if random.next_u64().is_multiple_of(4) {
            script += &format!("barge {}ms ", random.next_u64() % 3000);
        }
        script += &act(&mut random);
    }
    script
}

fn act(random: &mut SplitMix64) -> String {
    const PARTS: &[&str] = &["asr", "nlu", "store", "transfer"];
    match random.next_u64() % 16 {
        0 => "mumble\n".to_owned(),
        1 => "mumble 200ms\n".to_owned(),
        2 => format!("silence {}s\n", random.next_u64() % 12),
        3 => format!("keys {}\n", random.next_u64() % 1_000_000),
        4 => format!(
            "keys {}\n",
            pick(random, &["1", "2", "5", "9", "#", "*", "12#", "0", "*4", "*2", "*7", "*9", "4711"])
        ),
        5 => format!(
            "fault {} {}\n",
            pick(random, PARTS),
            pick(random, &["timeout", "failed", "overloaded", "none"])
        ),
        6 => format!("slow {} {}ms\n", pick(random, PARTS), random.next_u64() % 9_000),
        7 if random.next_u64().is_multiple_of(4) => {
            pick(random, &["hangup\n", "hangup dropped\n"]).to_owned()
        }
        _ => {
            let confidence = (random.next_u64() % 100) as f32 / 100.0;
            let level = -40 + (random.next_u64() % 30) as i64;
            let (sentence, intent) = (pick(random, SENTENCES), pick(random, INTENTS));
            format!("say \"{sentence}\" conf={confidence} level={level}{intent}\n")
        }
    }
}

fn play(flow: &Arc<Flow>, text: &str) -> Outcome {
    run(flow, &Script::parse("sim.call", text).unwrap_or_else(|e| panic!("{e}\n{text}")))
}

/// How often the same question may be put without anything decided in between: its tries, and twice the
/// line's own apology for its hearing.
fn most_asked(flow: &Flow) -> usize {
    usize::from(flow.line.tries.slot) + 2
}

/// What must hold in every call; the complaint otherwise.
fn complaint(flow: &Flow, outcome: &Outcome) -> Option<String> {
    let Some(record) = &outcome.record else { return Some("no record".to_owned()) };
    if outcome.timeline.matches("< record ").count() != 1 {
        return Some("not exactly one record".to_owned());
    }
    if outcome.longest_silence_ms > LONGEST_SILENCE_MS {
        return Some(format!("{} ms of silence", outcome.longest_silence_ms));
    }
    if record.duration.as_millis() > LONGEST_CALL_MS {
        return Some(format!("the call took {}", record.duration));
    }
    let transferred = outcome.timeline.contains("agent answered");
    if transferred != (record.disposition == Disposition::Transferred) {
        return Some(format!("an agent answered: {transferred}, but the call was {}", record.disposition));
    }
    undue_look_up(flow, outcome).or_else(|| asked_too_often(flow, outcome)).or_else(|| shown_secret(outcome))
}

/// An action without its yes, or an answer without its proof.
fn undue_look_up(flow: &Flow, outcome: &Outcome) -> Option<String> {
    let (mut agreed, mut verified) = (false, false);
    for line in outcome.timeline.lines() {
        agreed |= line.contains("< confirmed (the caller wants it done)");
        verified |= line.contains("< verified (");
        let Some(name) = line.split_once("< look_up ").and_then(|(_, l)| l.split_whitespace().next()) else {
            continue;
        };
        for spec in flow.intents.values() {
            let fulfil =
                spec.fulfil.as_ref().filter(|f| f.look_up.as_ref().is_some_and(|l| l.get_ref() == name));
            let Some(fulfil) = fulfil else { continue };
            if fulfil.confirm.is_some() && !std::mem::take(&mut agreed) {
                return Some(format!("{name} without a yes"));
            }
            if spec.verify.is_some() && !std::mem::take(&mut verified) {
                return Some(format!("{name} without a proof"));
            }
        }
    }
    None
}

fn asked_too_often(flow: &Flow, outcome: &Outcome) -> Option<String> {
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for line in outcome.timeline.lines() {
        let Some((_, text)) = line.split_once(" < ") else { continue };
        let stem = text.strip_prefix("say ").and_then(|t| t.split_once(".ask")).map(|(stem, _)| stem);
        if let Some(stem) = stem {
            let times = asked.entry(stem).or_default();
            *times += 1;
            if *times > most_asked(flow) {
                return Some(format!("{stem} was asked {times} times"));
            }
        } else if text.ends_with(')')
            && !["no_match", "hearing_fault", "upset"].iter().any(|w| text.starts_with(w))
        {
            // Something was decided.
            asked.clear();
        }
    }
    None
}

/// The one PIN that is right, and is keyed in only.
fn shown_secret(outcome: &Outcome) -> Option<String> {
    let asked = outcome.timeline.find("verification.pin.ask")?;
    let after = outcome.timeline.get(asked..)?;
    let checked = after.split("look_up verify_pin").next().unwrap_or(after);
    checked.contains("key 4\n").then(|| "a key of the PIN is shown".to_owned())
}

fn callers() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_CALLERS").unwrap_or(CALLERS),
    }
}

/// What a developer has to type to see a seed's call again.
fn again(seed: u64, text: &str, timeline: &str) -> String {
    format!(
        "seed {seed}; again: SIM_SEED={seed} cargo test --no-default-features --test it sim::\n{text}\n{timeline}"
    )
}

fn flows() -> Vec<Arc<Flow>> {
    LINES.iter().map(|(_, intents)| flow_of(intents)).collect()
}

#[test]
fn random_callers_are_never_trapped() {
    let flows = flows();
    let mut ended = BTreeMap::<String, u32>::new();
    for seed in callers() {
        let text = caller(seed);
        let flow = &flows[(seed % flows.len() as u64) as usize];
        let outcome = play(flow, &text);
        if let Some(complaint) = complaint(flow, &outcome) {
            panic!("{complaint}: {}", again(seed, &text, &outcome.timeline));
        }
        let record = outcome.record.expect("a call without one was complained about");
        *ended.entry(record.disposition.to_string()).or_default() += 1;
        for decision in record.turns.iter().map(|t| &t.decision) {
            *ended.entry(decision.clone()).or_default() += 1;
        }
    }
    if callers().count() < 5_000 {
        return;
    }
    // The simulation must reach every end and every part of the dialogue, or it simulates nothing.
    let wanted = [
        "resolved",
        "transferred",
        "abandoned",
        "unresolved",
        "accept",
        "confirm",
        "choose",
        "fill",
        "echo",
        "check",
        "corrected",
        "dont_know",
        "go_back",
        "slower",
        "wait",
        "repeat",
        "help",
        "start_over",
        "confirmed",
        "denied",
        "upset",
        "step_yes",
        "step_no",
        "hearing_fault",
        "no_match",
        "menu",
        "keypad_only",
    ];
    for what in wanted {
        assert!(ended.contains_key(what), "no call had '{what}': {ended:?}");
    }
}

#[test]
fn a_person_is_reached_in_two_turns_from_anywhere() {
    let flows = flows();
    for seed in callers().take(usize::try_from(CALLERS / 3).unwrap_or(usize::MAX)) {
        let flow = &flows[(seed % flows.len() as u64) as usize];
        // Whoever is not listened to reaches a person by key alone.
        let steps: String = caller(seed)
            .replace(KEYPAD_ONLY, "")
            .lines()
            .filter(|l| !["hangup", "fault", "slow"].iter().any(|word| l.contains(word)))
            .flat_map(|line| [line, "\n"])
            .collect();
        for person in ["keys 0\n", "barge 100ms keys *0\n", "say \"a person\"\nsay \"a person please\"\n"] {
            let text = format!("{steps}{person}");
            let outcome = play(flow, &text);
            let record = outcome.record.as_ref().expect("a record");
            let over = outcome.timeline.contains("hang up line");
            let reached = record.handoff.is_some() || over;
            assert!(reached, "neither a person nor an end: {}", again(seed, &text, &outcome.timeline));
        }
    }
}

#[test]
fn the_look_ups_of_the_simulation_are_there() {
    for line in GIVEN.lines() {
        let name = line.split_whitespace().nth(1).expect("a name");
        let own = LOOK_UPS.iter().any(|l| l.name == name);
        let hook = flows().iter().any(|flow| flow.line.webhook.contains_key(name));
        assert!(own || hook, "{name} is nobody's look-up");
    }
}
