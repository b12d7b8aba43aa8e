//! The line's voice: synthesis, recorded prompts and the cache of rendered ones. Blocking compute.

use std::ops::ControlFlow;

/// Why a prompt could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum VoiceError {
    /// The synthesiser is not there or broke.
    #[error("the voice '{voice}' failed: {why}")]
    Engine {
        /// The voice's name.
        voice: String,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Anything that speaks.
pub trait Synthesizer: Send + Sync {
    /// Engine, voice and settings in one stable word: the cache's key.
    fn name(&self) -> &str;

    /// Speaks `text` as 16-bit mono PCM at 16 kHz, handing each piece to `sink` as soon as it is
    /// there; stops early when `sink` breaks.
    ///
    /// # Errors
    /// Where the engine is missing or broke; pieces already handed over stay valid.
    fn speak(&self, text: &str, sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>) -> Result<(), VoiceError>;
}
