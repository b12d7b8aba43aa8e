//! What the pure hearing does on recordings of people: keys that nobody pressed, and voices found or
//! missed.
//!
//! The recordings are no part of the repository: `$ATTENDANT_SPEECH`, else `../shared/speech`. Where they
//! are absent, the tests say so and pass.

use std::path::{Path, PathBuf};

use attendant::audio::{
    DtmfDetector, Frame, Law, NoiseColor, RATE_HZ, apply_gain, noise, resample, rms_dbfs, telephone,
};
use attendant::speech::VoiceDetector;

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
const UNOPTIMISED_S: f64 = 150.0;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recordings() -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDANT_SPEECH")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/speech"), PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no recordings in {}", root.display());
    None
}

/// Every `.flac` in a folder and those within, in the order of names.
fn flac_files(root: &Path, name: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    find(&root.join(name), &mut paths);
    paths.sort();
    paths
}

/// All of a recording, at 16 kHz.
fn read(path: &Path) -> Vec<i16> {
    let mut reader = claxon::FlacReader::open(path).expect("a FLAC file");
    let info = reader.streaminfo();
    let pcm: Vec<i16> = reader
        .samples()
        .step_by(info.channels as usize)
        .map(|sample| i16::try_from(sample.expect("whole")).expect("sixteen bits"))
        .collect();
    if info.sample_rate == RATE_HZ { pcm } else { resample(&pcm, info.sample_rate, RATE_HZ) }
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
    let mut folders: Vec<_> = SPEECH.iter().map(|name| flac_files(&root, name).into_iter()).collect();
    loop {
        let before = seconds;
        for (name, clips) in SPEECH.iter().zip(&mut folders) {
            let Some(pcm) = clips.next().map(|path| read(&path)) else { continue };
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
    let heard: Vec<String> = flac_files(&root, "dtmf")
        .iter()
        .map(|path| {
            let pcm = read(path);
            let mut detector = DtmfDetector::new();
            pcm.chunks(320)
                .filter_map(|c| detector.handle_frame(&Frame::from_padded(c)))
                .map(char::from)
                .collect()
        })
        .collect();
    assert!(heard.is_empty() || heard == ["0123456789"], "{heard:?}");
}

/// Speech and backgrounds that `docs/vad.md` measures with: folder, and how many of its recordings.
const VOICES: [(&str, usize); 4] =
    [("librispeech_8k_vad", 80), ("vctk_p239", 60), ("speechocean762", 80), ("fsdd", 150)];

/// Backgrounds with a voice, or music, or a single bang.
const NO_BACKGROUND: [&str; 3] = ["babble", "guitar", "musan"];

#[test]
fn voices_are_found_in_quiet_and_in_noise() {
    let Some(root) = recordings() else { return };
    // A few recordings say less than all of them: unoptimised, every twentieth and ten points of slack.
    let (share, slack) = if cfg!(debug_assertions) { (20, 10.0) } else { (1, 0.0) };
    let backgrounds: Vec<Vec<i16>> = ["noise", "noise_noizeus"]
        .iter()
        .flat_map(|name| flac_files(&root, name))
        .filter(|path| {
            !NO_BACKGROUND
                .iter()
                .any(|no| path.file_name().is_some_and(|f| f.to_string_lossy().starts_with(no)))
        })
        .map(|path| read(&path))
        .collect();
    // Least hits and most false alarms, in percent: a little worse than what docs/vad.md says.
    for (name, level_dbfs, snr_db, least, most) in [
        ("clean", -26.0, None, 90.0, 0.1),
        ("faint", -40.0, None, 80.0, 0.1),
        ("20 dB", -26.0, Some(20.0), 86.0, 1.5),
        ("10 dB", -26.0, Some(10.0), 77.0, 8.0),
    ] {
        let mut frames = [(0u32, 0u32); 2];
        let mut index = 0;
        for (folder, count) in VOICES {
            let files = flac_files(&root, folder);
            for path in files.iter().step_by((files.len() / count).max(1)).take(count).step_by(share) {
                let voice = read(path);
                if folder != "fsdd" && !has_silence(&voice) {
                    continue;
                }
                let mut clean = [vec![0; 2 * 16_000], voice, vec![0; 24_000]].concat();
                let gain_db = level_dbfs - active_dbfs(&clean);
                apply_gain(&mut clean, gain_db);
                let background = match snr_db {
                    Some(_) => &backgrounds[index % backgrounds.len()],
                    None => &noise(clean.len(), NoiseColor::Pink, 10.0, index as u64),
                };
                let line = telephone(&over(&clean, background, index * 7_919, snr_db), Law::Mu);
                let mut detector = VoiceDetector::new();
                for (chunk, label) in line.chunks(320).zip(labels(&clean)) {
                    let voiced = detector.handle_frame(&Frame::from_padded(chunk)).voiced;
                    if let Some(is_speech) = label {
                        let count = &mut frames[usize::from(is_speech)];
                        *count = (count.0 + u32::from(voiced), count.1 + 1);
                    }
                }
                index += 1;
            }
        }
        let [false_alarms, hits] =
            frames.map(|(voiced, all)| 100.0 * f64::from(voiced) / f64::from(all.max(1)));
        println!(
            "{name}: {hits:.1} % of {} frames of speech, {false_alarms:.2} % of {} without",
            frames[1].1, frames[0].1
        );
        assert!(
            index == 0 || (hits >= least - slack && false_alarms <= most + slack),
            "{name}: {hits:.1} {false_alarms:.2}"
        );
    }
}

/// The background from its sample `from` on, round and round, `snr_db` below the voice's active level; as
/// it is where no ratio is given.
fn over(voice: &[i16], background: &[i16], from: usize, snr_db: Option<f32>) -> Vec<i16> {
    let mut under: Vec<i16> = (0..voice.len()).map(|i| background[(from + i) % background.len()]).collect();
    if let Some(snr_db) = snr_db {
        let gain_db = active_dbfs(voice) - rms_dbfs(&under) - snr_db;
        apply_gain(&mut under, gain_db);
    }
    voice.iter().zip(under).map(|(voice, under)| voice.saturating_add(under)).collect()
}

/// Mean level of the frames within 30 dB of the loudest.
fn active_dbfs(pcm: &[i16]) -> f32 {
    let levels: Vec<f32> = pcm.chunks(320).map(rms_dbfs).collect();
    let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
    let active: Vec<f32> =
        levels.into_iter().filter(|&l| l > loudest - 30.0).map(|l| 10f32.powf(l / 10.0)).collect();
    10.0 * (active.iter().sum::<f32>() / active.len() as f32).log10()
}

/// Whether a recording is clean enough to tell its speech by the level alone.
fn has_silence(pcm: &[i16]) -> bool {
    let mut levels: Vec<f32> = pcm.chunks(320).map(rms_dbfs).collect();
    levels.sort_by(f32::total_cmp);
    levels[levels.len() * 95 / 100] - levels[levels.len() / 10] > 35.0
}

/// Which frames of a clean recording are speech: those within 25 dB of its loud frames are; those 40 dB
/// below, with 60 ms around them, are not; nobody knows about the others.
fn labels(clean: &[i16]) -> Vec<Option<bool>> {
    let levels: Vec<f32> = clean.chunks(320).map(rms_dbfs).collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let loud = sorted[sorted.len() * 95 / 100].max(sorted[sorted.len() - 1] - 10.0);
    (0..levels.len())
        .map(|i| {
            let around = &levels[i.saturating_sub(3)..(i + 4).min(levels.len())];
            let is_quiet = around.iter().all(|&level| level < loud - 40.0);
            if levels[i] > loud - 25.0 { Some(true) } else { is_quiet.then_some(false) }
        })
        .collect()
}
