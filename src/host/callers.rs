//! The voices of test callers: what they say, as it sounds at the far end of a telephone line.
//!
//! None of them is the line's own voice talking to itself in the clear: each is put through the telephone
//! band and G.711, and through noise where the suite says so.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::{Command, Stdio};

use crate::audio::{Law, NoiseColor, SplitMix64, apply_gain, noise, rms_dbfs, telephone};
use crate::channel::wav::{self, WavError};
use crate::voice::{Synthesizer, VoiceError, VoiceName, VoiceSettings, default_synthesizer};

/// Level at which a caller's speech arrives, RMS over the clip: a telephone line's usual −23 dBFS or so.
const SPEECH_DBFS: f32 = -23.0;

/// Seconds of a room's noise before it repeats.
const NOISE_SECONDS: usize = 8;

/// What is said backwards when a caller is to be unintelligible: speech in every respect but its words.
const MUMBLE: &str = "nobody could ever understand the meaning of this";

/// Why a caller has no voice.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// A synthesiser of the line's own kind.
    #[error(transparent)]
    Voice(#[from] VoiceError),
    /// Festival is not there or failed.
    #[error("the caller's voice festival:{voice} failed: {why}; install festival and {package}")]
    Festival {
        /// The voice.
        voice: String,
        /// Why.
        why: String,
        /// The package that holds it.
        package: &'static str,
    },
    /// What festival wrote cannot be read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// The engine's name is unknown.
    #[error("no engine '{0}' for a caller's voice: expected a voice of the line, or festival:ked_diphone")]
    Unknown(String),
}

/// One caller's voice and line.
pub struct CallerVoice {
    speaker: Speaker,
    /// The line's law.
    law: Law,
    /// Speech to noise in dB; `None` is a quiet room.
    noise_db: Option<f32>,
    seed: u64,
}

enum Speaker {
    Own(std::sync::Arc<dyn Synthesizer>),
    Festival(String),
}

impl CallerVoice {
    /// `engine` is a voice as the settings name it (`slt`, `espeak-ng:en-us+m3` …) or
    /// `festival:ked_diphone`; `stretch` is the length of speech against the voice's own.
    ///
    /// # Errors
    /// The engine is unknown or missing.
    pub fn open(
        engine: &str,
        stretch: f32,
        law: Law,
        noise_db: Option<f32>,
        seed: u64,
    ) -> Result<CallerVoice, CallerError> {
        let speaker = match engine.split_once(':') {
            Some(("festival", voice)) => Speaker::Festival(voice.to_owned()),
            _ => {
                let voice: VoiceName = engine.parse()?;
                Speaker::Own(default_synthesizer(&VoiceSettings { voice: Some(voice), stretch })?)
            }
        };
        Ok(CallerVoice { speaker, law, noise_db, seed })
    }

    /// A sentence as it arrives at the line, 16 kHz mono; `None` is something unintelligible.
    ///
    /// # Errors
    /// The engine failed.
    pub fn say(&self, text: Option<&str>) -> Result<Vec<i16>, CallerError> {
        let mut pcm = self.raw(text.unwrap_or(MUMBLE))?;
        if text.is_none() {
            pcm.reverse();
        }
        let gain = SPEECH_DBFS - rms_dbfs(&pcm);
        apply_gain(&mut pcm, gain);
        Ok(telephone(&pcm, self.law))
    }

    /// The sound of the caller's room, as it arrives at the line.
    pub fn background(&self) -> Vec<i16> {
        let Some(snr_db) = self.noise_db else { return Vec::new() };
        let len = NOISE_SECONDS * crate::audio::RATE_HZ as usize;
        let rms = 32_768.0 * 10f32.powf((SPEECH_DBFS - snr_db) / 20.0);
        let seed = SplitMix64::new(self.seed).next_u64();
        telephone(&noise(len, NoiseColor::Pink, rms, seed), self.law)
    }

    fn raw(&self, text: &str) -> Result<Vec<i16>, CallerError> {
        match &self.speaker {
            Speaker::Own(voice) => {
                let mut pcm = Vec::new();
                voice.speak(text, &mut |piece| {
                    pcm.extend_from_slice(piece);
                    ControlFlow::Continue(())
                })?;
                Ok(pcm)
            }
            Speaker::Festival(voice) => festival(voice, text),
        }
    }
}

/// Festival as a process: it speaks what comes in and writes a WAV.
fn festival(voice: &str, text: &str) -> Result<Vec<i16>, CallerError> {
    let package = if voice == "ked_diphone" { "festvox-kdlpc16k" } else { "festvox-us-slt-hts" };
    let failed = |why: String| CallerError::Festival { voice: voice.to_owned(), why, package };
    if !voice.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(CallerError::Unknown(format!("festival:{voice}")));
    }
    // Written to a pipe, its header would hold no length.
    let file = std::env::temp_dir().join(format!("attendant-caller-{}.wav", super::unique()));
    let mut child = Command::new("text2wave")
        .args(["-eval", &format!("(voice_{voice})"), "-F", "16000", "-o"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("text2wave: {e}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(|e| failed(e.to_string()))?;
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    let pcm = wav::read(&file);
    let _ = std::fs::remove_file(&file);
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    Ok(pcm?)
}
