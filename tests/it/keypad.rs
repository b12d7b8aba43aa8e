//! The detector of keypad tones on ITU-T Q.24's conditions: all sixteen keys, alignments and phases, both laws of
//! G.711, at 8 kHz as they come off the line and resampled as a channel does it. `cargo bench --bench dtmf` prints the
//! same beside another detector.

#[path = "../../benches/dtmf/trials.rs"]
mod trials;

use attendant::audio::{DtmfDetector, FRAME_SAMPLES, Frame, LINE_RATE_HZ, RATE_HZ, Resampler};
use trials::{Condition, conditions, trials};

/// Unoptimised, one trial in so many: coprime to keys, alignments and laws, so that all of them occur.
const STEP: usize = if cfg!(debug_assertions) { 13 } else { 1 };

fn heard(samples: &[i16]) -> String {
    let mut up = Resampler::new(LINE_RATE_HZ, RATE_HZ);
    let mut detector = DtmfDetector::new();
    let mut keys = String::new();
    for packet in samples.chunks(FRAME_SAMPLES / 2) {
        for samples in up.process(packet).chunks(FRAME_SAMPLES) {
            keys.extend(detector.handle_frame(&Frame::from_padded(samples)).map(char::from));
        }
    }
    keys
}

/// What went wrong in a condition, and of how many trials.
fn wrong(condition: &Condition) -> (Vec<String>, usize) {
    let mut all = 0;
    let mut wrong = Vec::new();
    for trial in trials(condition, STEP) {
        all += 1;
        let keys = heard(&trial.samples);
        if !condition.wanted.is(trial.key, &keys) {
            wrong.push(format!("{}: {} was heard as '{keys}'", condition.name, trial.key));
        }
    }
    (wrong, all)
}

#[test]
fn every_key_is_heard_as_q24_wants_it() {
    let mut complaints = Vec::new();
    for condition in conditions().iter().filter(|c| c.required) {
        let (mut wrong, all) = wrong(condition);
        assert!(all * STEP >= 200, "{}: only {all} trials", condition.name);
        complaints.append(&mut wrong);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn beyond_q24_hardly_a_key_is_lost() {
    for condition in conditions().iter().filter(|c| !c.required) {
        let (wrong, all) = wrong(condition);
        assert!(wrong.len() * 50 <= all.max(50), "{} of {all}: {wrong:?}", wrong.len());
    }
}
