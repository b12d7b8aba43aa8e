//! A prompt stops within 100 ms of speech, with the real detector on real sound.

use std::path::{Path, PathBuf};
use std::time::Duration;

use attendant::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, Law, RATE_HZ, resample, rms_dbfs, telephone};
use attendant::call::{Action, CallTime, Event, RequestId};
use attendant::conversation::Conversation;
use attendant::host::callers::CallerVoice;

use super::calls::flow;

/// The bar: what a caller who interrupts still hears of the line.
const LONGEST: Duration = Duration::from_millis(100);

/// Speech begins where 5 ms of it first reach this level, RMS in dBFS.
const ONSET_DBFS: f32 = -40.0;

/// Of a person's word, speech begins where 5 ms of it come this near to its loudest 5 ms, in dB: what lies
/// below is breath and the room.
const ONSET_BELOW_PEAK_DB: f32 = 20.0;

/// People's words that are tried; a few seconds without optimisation.
const PEOPLE: usize = 300;

/// A pause this long before the word parts it from what is no speech (a click, a breath): a stop consonant
/// closes the mouth for less. In steps of 5 ms.
const PAUSE_STEPS: usize = 20;

/// The share of people's words that must stop the prompt in time; `docs/vad.md` tells of the rest.
const PEOPLE_IN_TIME: f64 = 0.97;

/// Words of the Speech Commands set, one speaker each as far as they go, over a telephone line.
fn people() -> Vec<(PathBuf, Vec<i16>)> {
    let root = std::env::var_os("ATTENDANT_SPEECH")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/speech"), PathBuf::from);
    let mut paths: Vec<PathBuf> = walk(&root.join("speech_commands"));
    paths.sort();
    let step = (paths.len() / PEOPLE).max(1);
    paths
        .into_iter()
        .step_by(step)
        .take(PEOPLE)
        .filter_map(|path| Some((path.clone(), word(&path)?)))
        .collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|e| e.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let flac = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "flac"));
    flac.chain(folders.iter().flat_map(|folder| walk(folder))).collect()
}

/// A recording from where its speech begins: back from its loudest place to the last long pause.
fn word(path: &Path) -> Option<Vec<i16>> {
    let mut reader = claxon::FlacReader::open(path).expect("a FLAC file");
    let rate = reader.streaminfo().sample_rate;
    let pcm: Vec<i16> =
        reader.samples().map(|s| i16::try_from(s.expect("whole")).expect("sixteen bits")).collect();
    let line = telephone(&resample(&pcm, rate, RATE_HZ), Law::Mu);
    let levels: Vec<f32> = line.chunks(80).map(rms_dbfs).collect();
    let (loudest, peak) = levels.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let threshold = ONSET_DBFS.max(peak - ONSET_BELOW_PEAK_DB);
    let mut onset = loudest;
    while let Some(earlier) = (onset.saturating_sub(PAUSE_STEPS)..onset).find(|at| levels[*at] > threshold) {
        onset = earlier;
    }
    Some(line[onset * 80..].to_vec())
}

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

#[test]
fn people_too_stop_a_prompt() {
    let words = people();
    if words.is_empty() {
        println!("skipped: no recordings of people; set ATTENDANT_SPEECH to a folder with speech_commands/");
        return;
    }
    let times: Vec<_> = words.iter().map(|(path, pcm)| (path, time_to_stop(pcm))).collect();
    let mut sorted: Vec<Duration> = times.iter().filter_map(|(_, t)| *t).collect();
    sorted.sort();
    let late: Vec<_> = times.iter().filter(|(_, t)| t.is_none_or(|t| t > LONGEST)).collect();
    println!(
        "{} words: p50 {:?}, p95 {:?}, later than {LONGEST:?} {}",
        times.len(),
        sorted.get(sorted.len() / 2),
        sorted.get(sorted.len() * 95 / 100),
        late.len()
    );
    let in_time = 1.0 - late.len() as f64 / times.len() as f64;
    assert!(in_time >= PEOPLE_IN_TIME, "{late:?} of {}", times.len());
}
