//! Where calls come from: telephones, WAV files and a microphone; and recordings to measure with.
//!
//! A channel knows nothing of intents. It turns a source of sound into 20 ms frames at 16 kHz and plays
//! the line's frames; rates and sample formats end here.

#[cfg(feature = "host")]
pub mod flac;

#[cfg(feature = "telephone")]
pub mod gate;

#[cfg(feature = "telephone")]
pub mod load;

#[cfg(feature = "mic")]
pub mod mic;

#[cfg(feature = "telephone")]
pub mod sip;

#[cfg(feature = "telephone")]
pub mod streams;

#[cfg(feature = "host")]
pub mod wav;
