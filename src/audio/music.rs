//! What callers hear who wait: a short quiet piece, made here note by note, so that it belongs to nobody else.
//!
//! Four bars of broken chords on soft bells, over and over. It is quieter than the line's voice, stays within the
//! telephone band, and holds no tone of a keypad for as long as one must last to be a key.

use super::{FRAME_SAMPLES, Frame, RATE_HZ};

/// Chords of four bars, as semitones from A4 (440 Hz): A minor, F, C, G.
const BARS: [[i8; 4]; 4] = [[0, 3, 7, 12], [-4, 0, 3, 8], [-9, -5, 3, 7], [-2, 2, 5, 10]];

/// Which note of the chord sounds, eighth by eighth.
const PATTERN: [usize; 8] = [0, 2, 1, 3, 2, 1, 2, 1];

/// 75 beats a minute, two eighths a beat.
const EIGHTH_MS: u32 = 400;

/// A bell falls to a third in this time, in seconds.
const DECAY_S: f32 = 0.55;

/// The first and the third partial: a bell of wood rather than of glass.
const PARTIALS: [(f32, f32); 2] = [(1.0, 1.0), (3.0, 0.12)];

/// A note's peak. Two or three sound at once: about -27 dBFS RMS, below the voice at -20.
const PEAK: f32 = 1_800.0;

/// Notes that still sound.
const VOICES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Note {
    hz: f32,
    /// In samples.
    began: u64,
}

/// The piece, frame by frame, without an end.
#[derive(Clone, Debug, Default)]
pub struct HoldMusic {
    at: u64,
    notes: [Option<Note>; VOICES],
}

impl HoldMusic {
    /// The next 20 ms, 16 kHz.
    pub fn next_frame(&mut self) -> Frame {
        let samples: Vec<i16> = (0..FRAME_SAMPLES).map(|_| self.next_sample()).collect();
        Frame::from_padded(&samples)
    }

    fn next_sample(&mut self) -> i16 {
        let eighth = u64::from(EIGHTH_MS * RATE_HZ / 1_000);
        if self.at.is_multiple_of(eighth) {
            let n = usize::try_from(self.at / eighth).unwrap_or(0);
            let chord = BARS[n / PATTERN.len() % BARS.len()];
            let semitones = f32::from(chord[PATTERN[n % PATTERN.len()]]);
            let hz = 440.0 * (semitones / 12.0).exp2();
            self.notes[n % VOICES] = Some(Note { hz, began: self.at });
        }
        let sum: f32 = self.notes.iter().flatten().map(|note| sound_of(*note, self.at)).sum();
        self.at += 1;
        sum as i16
    }
}

fn sound_of(note: Note, at: u64) -> f32 {
    let seconds = (at - note.began) as f32 / RATE_HZ as f32;
    // Without the first five milliseconds each note would begin with a click.
    let attack = (seconds / 0.005).min(1.0);
    let level = PEAK * attack * (-seconds / DECAY_S).exp();
    let wave: f32 =
        PARTIALS.iter().map(|(n, part)| part * (note.hz * n * seconds * std::f32::consts::TAU).sin()).sum();
    level * wave
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{DtmfDetector, peak_dbfs, rms_dbfs};

    #[test]
    fn it_is_quiet_never_silent_and_presses_no_key() {
        let (mut music, mut keys) = (HoldMusic::default(), DtmfDetector::new());
        let second: Vec<Frame> = (0..50 * 14).map(|_| music.next_frame()).collect();
        for window in second.chunks(25) {
            let samples: Vec<i16> = window.iter().flat_map(|frame| frame.samples().to_vec()).collect();
            let level = rms_dbfs(&samples);
            assert!((-38.0..-20.0).contains(&level), "{level}");
            assert!(peak_dbfs(&samples) < -9.0);
        }
        assert!(second.iter().all(|frame| keys.handle_frame(frame).is_none()));
    }
}
