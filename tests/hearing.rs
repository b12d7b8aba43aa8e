//! What the pure hearing does on recordings of people: keys that nobody pressed, and voices found or
//! missed.
//!
//! The recordings are no part of the repository: `$ATTENDANT_SPEECH`, else `../shared/speech`. Where they
//! are absent, the tests say so and pass.

use std::path::{Path, PathBuf};

use attendant::audio::{DtmfDetector, Frame, RATE_HZ, resample};

/// Folders that hold speech.
const SPEECH: [&str; 7] = [
    "librispeech_8k_vad",
    "picovoice_s2i",
    "vctk_p239",
    "speechocean762",
    "fsdd",
    "speech_commands",
    "oov_keywords",
];

/// Recordings measured without optimisation, in seconds: the detectors are twenty times slower then, and
/// this is to take a few seconds.
const UNOPTIMISED_S: f64 = 600.0;

fn recordings() -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDANT_SPEECH")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/speech"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no recordings in {}", root.display());
    None
}

/// Every `.flac` in a folder, at 16 kHz, in the order of names.
fn folder(root: &Path, name: &str) -> impl Iterator<Item = Vec<i16>> {
    let mut paths = Vec::new();
    find(&root.join(name), &mut paths);
    paths.sort();
    paths.into_iter().map(|path| {
        let mut reader = claxon::FlacReader::open(&path).expect("a FLAC file");
        let info = reader.streaminfo();
        let pcm: Vec<i16> = reader
            .samples()
            .step_by(info.channels as usize)
            .map(|sample| i16::try_from(sample.expect("whole")).expect("sixteen bits"))
            .collect();
        if info.sample_rate == RATE_HZ { pcm } else { resample(&pcm, info.sample_rate, RATE_HZ) }
    })
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) {
    for path in
        std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
    {
        if path.is_dir() {
            find(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "flac") {
            paths.push(path);
        }
    }
}

#[test]
fn voices_press_no_keys() {
    let Some(root) = recordings() else { return };
    let (mut keys, mut seconds, mut marked) = (Vec::new(), 0.0, 0usize);
    // One after another from each folder, so that a part of them has some of all.
    let mut folders: Vec<_> = SPEECH.iter().map(|name| folder(&root, name)).collect();
    loop {
        let before = seconds;
        for (name, clips) in SPEECH.iter().zip(&mut folders) {
            let Some(pcm) = clips.next() else { continue };
            let mut detector = DtmfDetector::new();
            for chunk in pcm.chunks(320) {
                keys.extend(detector.handle_frame(&Frame::from_padded(chunk)).map(|key| (*name, key)));
                marked += usize::from(detector.is_tone_active());
            }
            seconds += pcm.len() as f64 / f64::from(RATE_HZ);
        }
        if before == seconds || (cfg!(debug_assertions) && seconds > UNOPTIMISED_S) {
            break;
        }
    }
    println!("{} keys in {seconds:.0} s of speech: {keys:?}; {marked} frames marked", keys.len());
    assert!(keys.len() as f64 <= (seconds / 3600.0).max(1.0).floor(), "{keys:?}");
}

#[test]
fn a_person_at_a_telephone_dials_what_is_heard() {
    let Some(root) = recordings() else { return };
    let heard: Vec<String> = folder(&root, "dtmf")
        .map(|pcm| {
            let mut detector = DtmfDetector::new();
            pcm.chunks(320)
                .filter_map(|c| detector.handle_frame(&Frame::from_padded(c)))
                .map(char::from)
                .collect()
        })
        .collect();
    assert!(heard.is_empty() || heard == ["0123456789"], "{heard:?}");
}
