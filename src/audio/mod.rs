//! Sound as numbers: frames, G.711, resampling, levels, keypad tones in and out.
//!
//! Never touches a device, a file or a clock. Read [`Frame`] first.

mod frame;

pub use frame::{FRAME_DURATION, FRAME_SAMPLES, Frame, RATE_HZ};
