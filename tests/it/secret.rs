//! A PIN dialled by tones is heard by the line, and kept out of what it records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use attendant::audio::{FRAME_SAMPLES, Frame, rms_dbfs, tone};
use attendant::call::{Action, Ani, CallTime, Dtmf, Event, RequestId, Row};
use attendant::conversation::Conversation;
use attendant::dialogue::Flow;

use super::calls::sources;

/// How long a thumb stays on a key, and between keys.
const PRESSED: Duration = Duration::from_millis(230);
const RELEASED: Duration = Duration::from_millis(170);

/// The line answers its requests at once and its prompts take a second.
const PROMPT: Duration = Duration::from_secs(1);

/// The clinic, with the results of tests on its keypad.
fn clinic() -> Arc<Flow> {
    let mut sources = sources("examples/clinic/intents");
    for source in &mut sources {
        source.text = source.text.replace("intent = \"opening_hours\"", "intent = \"test_results\"");
    }
    Arc::new(Flow::parse(&sources).unwrap_or_else(|e| panic!("{e}")))
}

/// The caller's sound: keys, each pressed at its time.
fn dialled(keys: &[(u64, &str)]) -> Vec<i16> {
    let mut sound = Vec::new();
    for (at_s, keys) in keys {
        sound.resize(usize::try_from(*at_s).expect("seconds") * 16_000, 0);
        for key in keys.chars() {
            sound.extend(tone(Dtmf::try_from(key).expect("a key"), PRESSED, -10.0));
            sound.resize(sound.len() + RELEASED.as_millis() as usize * 16, 0);
        }
    }
    sound.resize(sound.len() + 3 * 16_000, 0);
    sound
}

fn row(fields: &[(&str, &str)]) -> Row {
    fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect()
}

fn rows(name: &str) -> Vec<Row> {
    match name {
        "customer_by_ani" => vec![row(&[("id", "42"), ("name", "Ann Field"), ("first_name", "Ann")])],
        "verify_pin" => vec![row(&[("result", "right")])],
        "test_results" => vec![row(&[("id", "42"), ("ready", "no")])],
        _ => Vec::new(),
    }
}

/// Plays the call: what a recorder would keep of the caller, and the names of the look-ups.
fn play(sound: &[i16]) -> (Vec<i16>, Vec<String>) {
    let mut conversation = Conversation::new(clinic());
    let (mut kept, mut looked_up) = (Vec::new(), Vec::new());
    let mut playing: VecDeque<(CallTime, RequestId)> = VecDeque::new();
    let ani = "5550142".parse::<Ani>().ok();
    let arrived = Event::CallArrived { id: "pin".parse().expect("an id"), ani, dnis: None };
    conversation.handle_event(CallTime::ZERO, arrived);
    for (n, samples) in sound.chunks(FRAME_SAMPLES).enumerate() {
        let now = CallTime::from_millis(20 * n as u64);
        let frame = Frame::from_padded(samples);
        let secret = conversation.is_sound_secret();
        kept.extend_from_slice(if secret { Frame::SILENCE.samples() } else { frame.samples() });
        conversation.handle_audio(now, &frame);
        if let Some((_, id)) = playing.pop_front_if(|(at, _)| *at <= now) {
            conversation.handle_event(now, Event::PromptFinished { id });
        }
        if conversation.poll_timeout().is_some_and(|(at, _)| at <= now) {
            conversation.handle_timeout(now);
        }
        while let Some(action) = conversation.poll_action() {
            if let Action::Say { id, .. } = action {
                playing.push_back((now + PROMPT, id));
            } else if let Action::StopPrompt { id } = action {
                playing.retain(|(_, other)| *other != id);
            } else if let Action::LookUp { id, query } = action {
                looked_up.push(query.name.clone());
                conversation.handle_event(now, Event::LookedUp { id, rows: rows(&query.name) });
            }
        }
    }
    (kept, looked_up)
}

#[test]
fn a_pin_dialled_by_tones_is_not_in_the_recording() {
    let before = [(3, "9"), (6, "3"), (9, "#")];
    let mut all = before.to_vec();
    all.push((13, "4711"));
    let sound = dialled(&all);
    let (kept, looked_up) = play(&sound);
    assert!(looked_up.iter().any(|name| name == "verify_pin"), "the PIN was heard: {looked_up:?}");
    assert!(looked_up.iter().any(|name| name == "test_results"), "and was right: {looked_up:?}");
    // The last key before the question is still down when the question begins.
    let public = 9 * 16_000;
    assert!(kept[..public] == sound[..public], "the keys before it are recorded");
    // The detector knows a key before its tone is over, and the store may answer at once.
    let loudest = kept[13 * 16_000..].chunks(80).map(rms_dbfs).fold(f32::MIN, f32::max);
    assert!(loudest < -90.0, "a part of the PIN at {loudest} dBFS is in the recording");
}
