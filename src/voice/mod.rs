//! The line's voice: synthesis, recorded prompts and the cache of rendered ones. Blocking compute.
//!
//! Knows nothing of calls, channels or clocks: words go in, 16 kHz PCM comes out. Read [`Synthesizer`]
//! first, then [`PromptVoice`], which is what the line speaks with.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

mod cache;

mod espeak;

mod flite;

mod prompts;

mod shape;

mod text;

pub use espeak::Espeak;
pub use flite::{Flite, FliteVoice};
pub use prompts::{PromptVoice, PromptVoiceOptions, Recordings};

/// Why a prompt could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// The synthesiser broke.
    #[error("the voice '{voice}' failed: {why}")]
    Engine {
        /// The voice's name.
        voice: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The synthesiser is not on this machine.
    #[error("the voice '{voice}' is not installed ({why}): run `apt install {packages}`")]
    NotInstalled {
        /// The voice's name.
        voice: String,
        /// What was looked for.
        why: String,
        /// Debian's names of what is missing.
        packages: &'static str,
    },
    /// A setting names no voice.
    #[error("'{0}' is no voice: expected slt, rms, awb, kal16, espeak-ng or espeak-ng:LANGUAGE")]
    UnknownVoice(String),
    /// The rate is out of bounds.
    #[error("a stretch of {0} is no speaking rate: expected {MIN_STRETCH} (fast) to {MAX_STRETCH} (slow)")]
    Stretch(f32),
    /// A recording that cannot be a prompt.
    #[error("the recorded prompt '{name}' {why}")]
    Recording {
        /// The prompt's name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The folder for rendered prompts cannot be used.
    #[error("rendered prompts cannot be kept in {}: {source}", path.display())]
    CacheFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Anything that speaks.
pub trait Synthesizer: Send + Sync {
    /// Engine, voice and settings in one stable word: the cache's key.
    fn name(&self) -> &str;

    /// Speaks `text` as 16-bit mono PCM at 16 kHz, handing each piece to `sink` as soon as it is
    /// there; stops early when `sink` breaks.
    ///
    /// `sink` must not wait for the caller's ear: an engine that serves one call at a time is held
    /// up for as long as `sink` takes.
    ///
    /// # Errors
    /// Where the engine is missing or broke; pieces already handed over stay valid.
    fn speak(&self, text: &str, sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>) -> Result<(), VoiceError>;
}

/// Fastest speech that callers still follow on a telephone: half the natural length.
pub const MIN_STRETCH: f32 = 0.5;

/// Slowest speech that still sounds like speech: twice the natural length.
pub const MAX_STRETCH: f32 = 2.0;

/// A voice by name: `slt`, `rms`, `awb`, `kal16`, `espeak-ng` or `espeak-ng:LANGUAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceName {
    /// A voice of flite.
    Flite(FliteVoice),
    /// espeak-ng, with one of its languages, `en-us` unless said otherwise.
    Espeak {
        /// As espeak-ng's `-v` takes it: letters, digits, `-`, `+` and `_`.
        language: String,
    },
}

impl FromStr for VoiceName {
    type Err = VoiceError;

    fn from_str(s: &str) -> Result<VoiceName, VoiceError> {
        if let Some(voice) = FliteVoice::ALL.into_iter().find(|v| v.as_str() == s) {
            return Ok(VoiceName::Flite(voice));
        }
        let language = match s.split_once(':') {
            None if s == "espeak-ng" => espeak::DEFAULT_LANGUAGE,
            Some(("espeak-ng", language)) => language,
            Some(_) | None => return Err(VoiceError::UnknownVoice(s.to_owned())),
        };
        let fits = !language.is_empty()
            && language.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'_'))
            && !language.starts_with('-');
        if fits {
            Ok(VoiceName::Espeak { language: language.to_owned() })
        } else {
            Err(VoiceError::UnknownVoice(s.to_owned()))
        }
    }
}

impl fmt::Display for VoiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VoiceName::Flite(voice) => f.write_str(voice.as_str()),
            VoiceName::Espeak { language } => write!(f, "espeak-ng:{language}"),
        }
    }
}

/// Which voice speaks, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct VoiceSettings {
    /// The voice; `None` takes the best one that is installed.
    pub voice: Option<VoiceName>,
    /// Length of speech against the voice's own: 1.0 natural, 1.2 slower; [`MIN_STRETCH`] to
    /// [`MAX_STRETCH`].
    pub stretch: f32,
}

impl Default for VoiceSettings {
    fn default() -> VoiceSettings {
        VoiceSettings { voice: None, stretch: 1.0 }
    }
}

/// The voice that `settings` names; without a name flite's slt, else another of flite's, else
/// espeak-ng.
///
/// # Errors
/// Where the named voice, or every voice, is missing: the text names the packages to install.
pub fn default_synthesizer(settings: &VoiceSettings) -> Result<Arc<dyn Synthesizer>, VoiceError> {
    let stretch = settings.stretch;
    if let Some(name) = &settings.voice {
        return open(name, stretch);
    }
    let first = match Flite::open(FliteVoice::Slt, stretch) {
        Ok(voice) => return Ok(Arc::new(voice)),
        Err(missing @ VoiceError::NotInstalled { .. }) => missing,
        Err(other) => return Err(other),
    };
    let others = [FliteVoice::Rms, FliteVoice::Awb, FliteVoice::Kal16].map(VoiceName::Flite);
    let espeak = VoiceName::Espeak { language: espeak::DEFAULT_LANGUAGE.to_owned() };
    for name in others.iter().chain([&espeak]) {
        if let Ok(voice) = open(name, stretch) {
            tracing::warn!(voice = voice.name(), missing = %first, "the preferred voice is not there");
            return Ok(voice);
        }
    }
    Err(VoiceError::NotInstalled {
        voice: "any".to_owned(),
        why: "neither libflite.so.1 nor espeak-ng is there".to_owned(),
        packages: "libflite1` or `apt install espeak-ng",
    })
}

/// Opens one voice.
fn open(name: &VoiceName, stretch: f32) -> Result<Arc<dyn Synthesizer>, VoiceError> {
    Ok(match name {
        VoiceName::Flite(voice) => Arc::new(Flite::open(*voice, stretch)?),
        VoiceName::Espeak { language } => Arc::new(Espeak::open(language, stretch)?),
    })
}

/// Refuses rates that no caller can follow.
fn checked_stretch(stretch: f32) -> Result<f32, VoiceError> {
    if (MIN_STRETCH..=MAX_STRETCH).contains(&stretch) {
        Ok(stretch)
    } else {
        Err(VoiceError::Stretch(stretch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voice_names_round_trip() {
        for name in ["slt", "rms", "awb", "kal16", "espeak-ng:en-gb"] {
            assert_eq!(name.parse::<VoiceName>().expect(name).to_string(), name);
        }
        assert_eq!("espeak-ng".parse::<VoiceName>().expect("a name").to_string(), "espeak-ng:en-us");
    }

    #[test]
    fn a_voice_name_cannot_smuggle_an_option() {
        for name in ["", "SLT", "espeak-ng:", "espeak-ng:--path=/etc", "espeak-ng:en us", "festival"] {
            assert!(name.parse::<VoiceName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_rate_out_of_bounds_says_what_is_allowed() {
        let settings = VoiceSettings { voice: None, stretch: f32::NAN };
        let refused = default_synthesizer(&settings).err().expect("NaN is no rate").to_string();
        assert!(refused.contains("0.5") && refused.contains('2'), "{refused}");
    }
}
