//! A recorded call as a `.call` script: what was said and keyed, what the store answered, what failed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::DateTime;

use crate::call::{CallRecord, CallTime, HangupCause, LookUpRecord, Stage, TurnRecord, look_up_spec};
use crate::conversation::KEYPAD_ONLY;

/// Silence that stands for a caller who said nothing: longer than the line waits for an answer.
const SILENCE: &str = "silence 8s";

/// Keys that stand for a secret, which no record holds.
const SECRET: &str = "keys 1111";

/// The script of a call, to be played at text level; `local` is the line's day and hour when the call
/// arrived, by which "tomorrow" is read. What was heard and what the classifier made of it are
/// the record's; what the caller said into the line's own words comes after them.
pub fn of_record(record: &CallRecord, local: Option<DateTime>) -> String {
    let mut script = format!("# Call {}: {}, ended by {}.\n", record.id, record.disposition, record.cause);
    script += "call";
    if let Some(ani) = &record.ani {
        let _ = write!(script, " ani={}", ani.expose());
    }
    if let Some(dnis) = &record.dnis {
        let _ = write!(script, " dnis={}", dnis.as_str());
    }
    if let Some(local) = local {
        let _ = write!(script, " at={local}");
    }
    if record.turns.iter().any(|turn| turn.decision == KEYPAD_ONLY) {
        script += " keypad_only=yes";
    }
    script += "\n";
    given(&mut script, &record.look_ups);
    let mut since = CallTime::ZERO;
    let mut broken = false;
    for turn in record.turns.iter().filter(|turn| turn.decision != KEYPAD_ONLY) {
        broken = faults(&mut script, record, since, turn.ended, broken);
        since = turn.ended;
        step(&mut script, turn);
    }
    match record.cause {
        HangupCause::Caller => script += "hangup\n",
        HangupCause::ChannelFailed => script += "hangup dropped\n",
        HangupCause::Line | HangupCause::Transferred | HangupCause::Shutdown => {}
    }
    script
}

/// Look-ups that failed after this turn began to be answered: from there on the store does not work, until
/// one works again.
fn faults(script: &mut String, record: &CallRecord, from: CallTime, until: CallTime, broken: bool) -> bool {
    let mut broken = broken;
    // What fails after a turn has to be broken before it ends.
    let next = record.turns.iter().map(|t| t.ended).find(|at| *at > until);
    let due = record
        .look_ups
        .iter()
        .filter(|l| l.at >= until && next.is_none_or(|next| l.at < next) && l.at >= from);
    for look_up in due {
        let fails = look_up.rows.is_none();
        if fails != broken {
            *script += if fails { "fault store failed\n" } else { "fault store none\n" };
            broken = fails;
        }
    }
    broken
}

fn given(script: &mut String, look_ups: &[LookUpRecord]) {
    let mut seen = BTreeSet::new();
    for look_up in look_ups {
        let Some(rows) = &look_up.rows else { continue };
        let values: Vec<&str> = look_up.args.values().map(|v| v.expose().as_str()).collect();
        // A secret is not in the record: whatever is keyed in then gets the answer that the caller got.
        let has_secret = look_up_spec(&look_up.name).is_some_and(|s| s.args.contains(&"value"));
        let key =
            if has_secret { values.first().copied().unwrap_or("*").to_owned() } else { values.join(",") };
        if !seen.insert((look_up.name.clone(), key.clone())) {
            continue;
        }
        for row in rows {
            let _ =
                write!(script, "given {} {}", look_up.name, quoted(if key.is_empty() { "*" } else { &key }));
            for (field, value) in row {
                let _ = write!(script, " {field}={}", quoted(value.expose()));
            }
            *script += "\n";
        }
    }
}

fn step(script: &mut String, turn: &TurnRecord) {
    if let Some(heard) = &turn.heard {
        let _ = write!(script, "say {}", quoted(heard.expose()));
        if let Some(confidence) = turn.confidence {
            let _ = write!(script, " conf={confidence:.2}");
        }
        if let (Some(intent), Some(probability)) = (&turn.intent, turn.probability) {
            let _ = write!(script, " intent={intent}:{probability:.2}");
            if let Some(second) = &turn.second {
                let _ = write!(script, " intent={}:{:.2}", second.intent, second.probability);
            }
        }
        *script += "\n";
    } else if let Some(keys) = &turn.keys {
        let _ = writeln!(script, "keys {}", keys.expose());
    } else if turn.at < turn.ended && turn.decision == "dont_know" {
        // What was said beside a secret is not in the record; what it meant is.
        *script += "say \"i don't know\"\n";
    } else if turn.at < turn.ended {
        *script += "mumble\n";
    } else if turn.decision == "hearing_fault" {
        *script += "fault asr failed\nsay \"…\"\nfault asr none\n";
    } else if turn.stage == Stage::Verification && turn.decision != "no_input" {
        *script += SECRET;
        *script += "\n";
    } else {
        *script += SILENCE;
        *script += "\n";
    }
}

/// In quotation marks where a script needs them. A quotation mark itself cannot be said.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| *c != '"').collect();
    if plain.is_empty() || plain.contains(|c: char| c.is_whitespace() || c == '#') {
        format!("\"{plain}\"")
    } else {
        plain
    }
}
