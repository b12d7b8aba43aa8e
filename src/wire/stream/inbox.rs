//! The caller's sound between a socket that gives it in bursts and a call that takes 20 ms at a time.

use std::collections::VecDeque;

use crate::audio::{FRAME_SAMPLES, Frame};

/// Sound that must be there before the first frame is given, and again after it ran out: two frames, which is what
/// sockets are late by on a good network.
const CUSHION: usize = 2 * FRAME_SAMPLES;

/// Sound that is kept at most: 400 ms. A burst beyond that loses its oldest part, so that the caller is never heard
/// later than that.
const MOST: usize = 20 * FRAME_SAMPLES;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    samples: VecDeque<i16>,
    flowing: bool,
}

impl Inbox {
    pub(super) fn push(&mut self, samples: &[i16]) {
        let samples = &samples[samples.len().saturating_sub(MOST)..];
        let over = (self.samples.len() + samples.len()).saturating_sub(MOST);
        self.samples.drain(..over);
        self.samples.extend(samples);
    }

    /// The next 20 ms; silence where there is not enough.
    pub(super) fn next_frame(&mut self) -> Frame {
        self.flowing =
            if self.flowing { self.samples.len() >= FRAME_SAMPLES } else { self.samples.len() >= CUSHION };
        if !self.flowing {
            return Frame::SILENCE;
        }
        let mut frame = [0; FRAME_SAMPLES];
        for (to, from) in frame.iter_mut().zip(self.samples.drain(..FRAME_SAMPLES)) {
            *to = from;
        }
        Frame::from(frame)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_comes_out_as_it_went_in_and_a_burst_loses_its_oldest_part() {
        let mut inbox = Inbox::default();
        inbox.push(&[7; FRAME_SAMPLES]);
        assert_eq!(inbox.next_frame(), Frame::SILENCE);
        inbox.push(&[8; FRAME_SAMPLES]);
        assert_eq!(inbox.next_frame().samples(), &[7; FRAME_SAMPLES]);
        assert_eq!(inbox.next_frame().samples(), &[8; FRAME_SAMPLES]);
        assert_eq!(inbox.next_frame(), Frame::SILENCE);
        for n in 0..30 {
            inbox.push(&[n; FRAME_SAMPLES]);
            assert!(inbox.len() <= MOST);
        }
        assert_eq!(inbox.next_frame().samples(), &[10; FRAME_SAMPLES]);
        inbox.push(&[9; 2 * MOST]);
        assert_eq!(inbox.len(), MOST);
    }
}
