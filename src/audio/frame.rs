//! The unit in which sound moves through the house.

use std::time::Duration;

/// Samples a second everywhere inside; channels resample once, at their edge.
pub const RATE_HZ: u32 = 16_000;

/// Samples in a frame: 20 ms at 16 kHz, the packet length that RFC 3551 recommends.
pub const FRAME_SAMPLES: usize = 320;

/// Length of a frame.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// 20 ms of 16-bit mono PCM at 16 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame([i16; FRAME_SAMPLES]);

impl Frame {
    /// 20 ms of digital silence.
    pub const SILENCE: Frame = Frame([0; FRAME_SAMPLES]);

    /// The samples.
    pub fn samples(&self) -> &[i16; FRAME_SAMPLES] {
        &self.0
    }

    /// Takes up to 320 samples and pads with silence.
    pub fn from_padded(samples: &[i16]) -> Frame {
        let mut frame = [0; FRAME_SAMPLES];
        let n = samples.len().min(FRAME_SAMPLES);
        frame[..n].copy_from_slice(&samples[..n]);
        Frame(frame)
    }
}

impl From<[i16; FRAME_SAMPLES]> for Frame {
    fn from(samples: [i16; FRAME_SAMPLES]) -> Frame {
        Frame(samples)
    }
}
