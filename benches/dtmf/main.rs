//! How our detector of keypad tones does beside spandsp's on the same presses, and on voices.
//!
//! `cargo bench --no-default-features --bench dtmf [-- --json]`. spandsp is loaded where it is installed (Debian:
//! libspandsp2); recordings of voices lie in `$ATTENDANT_SPEECH` or `../shared/speech`. What is not there is left
//! out with a word.

#![expect(clippy::print_stdout, reason = "its report is its output")]

mod spandsp;
mod trials;
mod voices;

use std::time::{Duration, Instant};

use attendant::audio::{DtmfDetector, FRAME_SAMPLES, Frame, LINE_RATE_HZ, RATE_HZ, Resampler};
use spandsp::Spandsp;
use trials::{Condition, conditions, trials};

/// One line of the report.
struct Row {
    name: String,
    wanted: String,
    all: usize,
    ours: usize,
    spandsp: Option<usize>,
}

/// The keys that our detector hears in samples of 8 kHz, cut and resampled as a channel does it, and the time that
/// the detector took.
fn ours(samples: &[i16]) -> (String, Duration) {
    let mut up = Resampler::new(LINE_RATE_HZ, RATE_HZ);
    let frames: Vec<Frame> = samples
        .chunks(FRAME_SAMPLES / 2)
        .flat_map(|packet| {
            up.process(packet).chunks(FRAME_SAMPLES).map(Frame::from_padded).collect::<Vec<_>>()
        })
        .collect();
    let mut detector = DtmfDetector::new();
    let began = Instant::now();
    let keys = frames.iter().filter_map(|frame| detector.handle_frame(frame)).map(char::from).collect();
    (keys, began.elapsed())
}

fn score(condition: &Condition, spandsp: Option<&Spandsp>) -> Row {
    let (mut all, mut our, mut their) = (0, 0, 0);
    for trial in trials(condition, 1) {
        all += 1;
        our += usize::from(condition.wanted.is(trial.key, &ours(&trial.samples).0));
        if let Some(spandsp) = spandsp {
            their += usize::from(condition.wanted.is(trial.key, &spandsp.heard(&trial.samples)));
        }
    }
    let required = if condition.required { "" } else { " (a margin)" };
    Row {
        name: format!("{}{required}", condition.name),
        wanted: condition.wanted.to_string(),
        all,
        ours: our,
        spandsp: spandsp.map(|_| their),
    }
}

/// Keys in hours of speech.
struct TalkOff {
    hours: f64,
    ours: usize,
    our_us_per_frame: f64,
    spandsp: Option<(usize, f64)>,
}

fn talk_off(spandsp: Option<&Spandsp>) -> Option<TalkOff> {
    let root = voices::folder()?;
    let (mut frames, mut our, mut their) = (0.0, 0, 0);
    let (mut our_time, mut their_time) = (Duration::ZERO, Duration::ZERO);
    for samples in voices::recordings(&root) {
        frames += samples.len() as f64 / (FRAME_SAMPLES / 2) as f64;
        let (keys, took) = ours(&samples);
        our += keys.len();
        our_time += took;
        if let Some(spandsp) = spandsp {
            let began = Instant::now();
            their += spandsp.heard(&samples).len();
            their_time += began.elapsed();
        }
    }
    let us = |time: Duration| time.as_secs_f64() * 1e6 / frames;
    Some(TalkOff {
        hours: frames / 50.0 / 3600.0,
        ours: our,
        our_us_per_frame: us(our_time),
        spandsp: spandsp.map(|_| (their, us(their_time))),
    })
}

fn print(rows: &[Row], talk: Option<&TalkOff>) {
    println!("{:52} {:10} {:>12} {:>12}", "presses", "wanted", "ours", "spandsp");
    for row in rows {
        let their = row.spandsp.map_or_else(|| "-".to_owned(), |n| format!("{n}/{}", row.all));
        println!("{:52} {:10} {:>12} {their:>12}", row.name, row.wanted, format!("{}/{}", row.ours, row.all));
    }
    let Some(talk) = talk else {
        println!("dtmf: voices are left out: no recordings in $ATTENDANT_SPEECH or ../shared/speech");
        return;
    };
    println!("voices: {:.2} hours, keys that nobody pressed: {}", talk.hours, talk.ours);
    println!("a frame of 20 ms: {:.1} µs", talk.our_us_per_frame);
    if let Some((keys, us)) = talk.spandsp {
        println!("spandsp: {keys} keys, {us:.1} µs a frame");
    }
}

fn print_json(rows: &[Row], talk: Option<&TalkOff>) {
    let rows: Vec<_> = rows
        .iter()
        .map(|r| {
            serde_json::json!({ "presses": r.name, "wanted": r.wanted, "all": r.all, "ours": r.ours, "spandsp": r.spandsp })
        })
        .collect();
    let talk = talk.map(|t| {
        serde_json::json!({
            "hours": t.hours, "ours": t.ours, "us_per_frame": t.our_us_per_frame,
            "spandsp": t.spandsp.map(|(keys, _)| keys), "spandsp_us_per_frame": t.spandsp.map(|(_, us)| us),
        })
    });
    println!("{}", serde_json::json!({ "presses": rows, "voices": talk }));
}

fn main() {
    let json = std::env::args().any(|a| a == "--json");
    let spandsp = match Spandsp::load() {
        Ok(spandsp) => Some(spandsp),
        Err(why) => {
            if !json {
                println!("dtmf: {why}");
            }
            None
        }
    };
    let rows: Vec<Row> = conditions().iter().map(|c| score(c, spandsp.as_ref())).collect();
    let talk = talk_off(spandsp.as_ref());
    if json { print_json(&rows, talk.as_ref()) } else { print(&rows, talk.as_ref()) }
}
