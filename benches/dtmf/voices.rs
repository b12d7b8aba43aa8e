//! Talk-off: what detectors take for keys in recordings of people who only speak.

use std::path::{Path, PathBuf};

use attendant::audio::{LINE_RATE_HZ, Law, resample};

/// Folders of the recordings that hold speech, clean or in noise, and no keypad.
const FOLDERS: [&str; 8] = [
    "fsdd",
    "librispeech_8k_vad",
    "noizeus",
    "oov_keywords",
    "picovoice_s2i",
    "speech_commands",
    "speechocean762",
    "vctk_p239",
];

/// Where the recordings are, if they are.
pub(crate) fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("ATTENDANT_SPEECH")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/speech"), PathBuf::from);
    root.is_dir().then_some(root)
}

/// All recordings under `root`, one after another, as they come off a telephone line: 8 kHz, µ-law.
pub(crate) fn recordings(root: &Path) -> impl Iterator<Item = Vec<i16>> + '_ {
    FOLDERS
        .iter()
        .flat_map(|name| {
            let mut paths = Vec::new();
            find(&root.join(name), &mut paths);
            paths.sort();
            paths
        })
        .filter_map(|path| read(&path))
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|e| e.path()) {
        if path.is_dir() {
            find(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "flac") {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> Option<Vec<i16>> {
    let mut reader = claxon::FlacReader::open(path).ok()?;
    let info = reader.streaminfo();
    let samples = reader.samples().step_by(info.channels as usize);
    let pcm: Vec<i16> = samples.map_while(|s| s.ok().and_then(|s| i16::try_from(s).ok())).collect();
    let line = resample(&pcm, info.sample_rate, LINE_RATE_HZ);
    Some(Law::Mu.decode_all(&Law::Mu.encode_all(&line)))
}
