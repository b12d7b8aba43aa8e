//! Sound as numbers: frames, G.711, resampling, levels, keypad tones in and out.
//!
//! Never touches a device, a file or a clock. Read [`Frame`] first.

mod concealment;

mod dtmf;

mod flac;

mod frame;

mod g711;

mod jitter;

mod key_press;

mod level;

mod music;

mod noise;

mod resample;

mod telephone;

pub use concealment::Concealer;
pub use dtmf::{DtmfDetector, tone, two_tones};
pub use flac::{FlacStream, flac};
pub use frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, RATE_HZ};
pub use g711::Law;
pub use jitter::{JitterBuffer, JitterFigures, Pull};
pub use key_press::{KeyMerger, KeyWay};
pub use level::{FLOOR_DB, FULL_SCALE_SINE_DBM0, apply_gain, peak_dbfs, rms_dbfs};
pub use music::HoldMusic;
pub use noise::{NoiseColor, SplitMix64, add_noise, noise};
pub use resample::{RATES_HZ, Resampler, resample};
pub use telephone::{LINE_RATE_HZ, telephone};
