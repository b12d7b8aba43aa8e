use std::sync::Mutex;

use super::*;
use crate::audio::SplitMix64;
use crate::call::{Hypothesis, Pii};

/// Hears the same words whenever there is sound, and remembers how it was asked.
pub(in crate::host) struct Parrot {
    says: &'static str,
    asked: Mutex<Vec<Expect>>,
}

impl Parrot {
    pub(in crate::host) fn new(says: &'static str) -> Parrot {
        Parrot { says, asked: Mutex::default() }
    }
}

impl Recognizer for Parrot {
    fn recognize(&self, _: &Utterance, expect: &Expect) -> Result<Recognition, AsrError> {
        self.asked.lock().expect("no panic").push(expect.clone());
        let hypotheses = vec![Hypothesis { text: Pii::from(self.says), confidence: 0.9 }];
        Ok(Recognition { hypotheses, ..Recognition::default() })
    }
}

fn clip(said: &str) -> Clip {
    Clip {
        file: "a.flac".into(),
        words: Some(said.to_owned()),
        speaker: "anna".to_owned(),
        set: "fsdd".to_owned(),
        line: 2,
    }
}

/// A hum with overtones that swells like syllables: the detector takes it for a voice.
pub(in crate::host) fn voice(seconds: f32) -> Vec<i16> {
    let mut random = SplitMix64::new(7);
    (0..(seconds * 16_000.0) as usize)
        .map(|n| {
            let t = n as f32 / 16_000.0;
            let pitch = 130.0 + 25.0 * (t * 5.0).sin();
            let hum: f32 =
                (1..20).map(|k| (t * pitch * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum();
            ((hum * 5_000.0 + random.next_normal() * 200.0) * (t * 12.0).sin().abs()) as i16
        })
        .collect()
}

#[test]
fn what_is_said_tells_what_would_have_been_asked() {
    assert_eq!(expectation("four oh one"), Expect::Digits { min: 3, max: 3 });
    assert_eq!(expectation("a b four i"), Expect::Spelled);
    assert_eq!(expectation("no thank you"), Expect::YesNo);
    assert_eq!(expectation("i don't know"), Expect::YesNo);
    assert_eq!(expectation("where is my order"), Expect::Open);
    assert_eq!(
        ["six", "one two", "yes", "two shoes"].map(kind),
        ["single digits", "numbers", "answers", "sentences"]
    );
}

#[test]
fn right_is_what_serves_the_caller_as_well() {
    for (said, heard, right) in [
        ("zero one", "oh one", true),
        ("zero one", "zero one one", false),
        ("four", "for", false),
        ("yes", "yeah", true),
        ("yes", "no", false),
        ("yes", "", false),
        ("where is it", "where was it", false),
        ("three", "", false),
    ] {
        assert_eq!(is_right(said, heard), right, "{said} / {heard}");
    }
}

#[test]
fn a_recording_is_heard_in_turns_and_once_more_as_it_was_asked_for() {
    let parrot = Parrot::new("four two");
    let conditions = Conditions { law: Some(Law::Mu), snr_db: Some(30.0) };
    let report = hear(&parrot, &clip("four two"), &voice(1.0), conditions, true).expect("it hears");
    assert_eq!((report.turns, report.words, report.errors), (1, 2, 0));
    assert!(report.exact && report.right && report.right_constrained == Some(true));
    assert_eq!(*parrot.asked.lock().expect("no panic"), [Expect::Open, Expect::Digits { min: 2, max: 2 }]);
    // The turn is the voice with 300 ms before it and 200 ms after it, not the line around it.
    assert!((1.2..1.7).contains(&report.audio_s), "{}", report.audio_s);
}

#[test]
fn figures_are_kept_apart_by_set_speaker_and_noise() {
    let parrot = Parrot::new("yes");
    let mut reports = Vec::new();
    for (said, snr_db) in [("yes", None), ("yes", Some(10.0)), ("no", None)] {
        let conditions = Conditions { law: None, snr_db };
        reports.push(hear(&parrot, &clip(said), &voice(0.8), conditions, false).expect("it hears"));
    }
    let report = summarize(reports);
    assert_eq!(report.all.clips, 3);
    assert!((report.all.word_error - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(report.sets.keys().collect::<Vec<_>>(), ["fsdd, answers"]);
    assert_eq!(report.snr["+10 dB"].clips, 1);
    assert!((report.snr["as recorded"].right - 0.5).abs() < 1e-9);
    assert_eq!(report.all.right_constrained, None);
}
