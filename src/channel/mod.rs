//! Where calls come from: WAV files.
//!
//! A channel knows nothing of intents. It turns a source of sound into 20 ms frames at 16 kHz and plays
//! the line's frames; rates and sample formats end here.

pub mod wav;
