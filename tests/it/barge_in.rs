//! A prompt stops within 100 ms of speech, with the real detector on real sound.

use std::time::Duration;

use attendant::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, Law, rms_dbfs};
use attendant::call::{Action, CallTime, Event, RequestId};
use attendant::conversation::Conversation;
use attendant::host::callers::CallerVoice;

use super::calls::flow;

/// The bar: what a caller who interrupts still hears of the line.
const LONGEST: Duration = Duration::from_millis(100);

/// Speech begins where 5 ms of it first reach this level, RMS in dBFS.
const ONSET_DBFS: f32 = -40.0;

fn clip(engine: &str, text: &str) -> Option<Vec<i16>> {
    let voice = CallerVoice::open(engine, 1.0, Law::Mu, None, 1).ok()?;
    let pcm = voice.say(Some(text)).expect("the voice speaks");
    let onset = pcm.chunks(80).position(|c| rms_dbfs(c) > ONSET_DBFS).expect("there is speech") * 80;
    Some(pcm[onset..].to_vec())
}

fn said(conversation: &mut Conversation) -> Option<RequestId> {
    let mut said = None;
    while let Some(action) = conversation.poll_action() {
        if let Action::Say { id, .. } = action {
            said = Some(id);
        }
    }
    said
}

/// Time from the first sample of speech to the order to stop.
fn time_to_stop(pcm: &[i16]) -> Option<Duration> {
    let mut conversation = Conversation::new(flow());
    let arrived = Event::CallArrived { id: "barge".parse().expect("an id"), ani: None, dnis: None };
    conversation.handle_event(CallTime::ZERO, arrived);
    said(&mut conversation).expect("the greeting");
    let mut now = CallTime::ZERO;
    // A second of the line's greeting before the caller interrupts.
    for _ in 0..50 {
        now = now + FRAME_DURATION;
        conversation.handle_audio(now, &Frame::SILENCE);
    }
    assert!(said(&mut conversation).is_none(), "the greeting goes on");
    let began = now;
    for samples in pcm.chunks(FRAME_SAMPLES) {
        // A frame is handed over when its last sample is there.
        now = now + FRAME_DURATION;
        conversation.handle_audio(now, &Frame::from_padded(samples));
        while let Some(action) = conversation.poll_action() {
            if matches!(action, Action::StopPrompt { .. }) {
                return Some(now.since(began));
            }
        }
    }
    None
}

#[test]
fn a_prompt_stops_within_a_tenth_of_a_second() {
    let voices = ["slt", "rms", "kal16", "espeak-ng:en-us", "espeak-ng:en-gb+f4"];
    let mut times = Vec::new();
    for engine in voices {
        for text in ["agent", "no that is wrong", "i don't know", "where is my order"] {
            let Some(pcm) = clip(engine, text) else { continue };
            times.push((engine, text, time_to_stop(&pcm)));
        }
    }
    if times.is_empty() {
        println!("skipped: neither flite nor espeak-ng is installed");
        return;
    }
    let late: Vec<_> = times.iter().filter(|(_, _, t)| t.is_none_or(|t| t > LONGEST)).collect();
    assert!(late.is_empty(), "{late:?} of {}", times.len());
}
