//! Keypad tones: making them, and finding them in a caller's audio.
//!
//! The detector is built towards ITU-T Q.24's table A.1 (the operating ranges of the administrations;
//! where they differ, AT&T's). It measures instead of guessing: the two frequencies from how their
//! phases turn between windows, the length from where the envelope passes half its height.

use std::collections::VecDeque;
use std::f32::consts::{PI, TAU};
use std::time::Duration;

use super::level::{sine_amplitude, to_sample};
use super::{Frame, RATE_HZ};
use crate::call::Dtmf;

/// ITU-T Q.23's low group in Hz, one for each row of the keypad.
const ROW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];

/// ITU-T Q.23's high group in Hz, one for each column.
const COLUMN_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// The tones of `key` at 16 kHz, each of the two at `level_dbm0`. Above −2.9 dBm0 their sum clips.
pub fn tone(key: Dtmf, duration: Duration, level_dbm0: f32) -> Vec<i16> {
    let place = Dtmf::ALL.iter().position(|&k| k == key).expect("every key is one of the sixteen");
    let (row, column) = (ROW_HZ[place / 4], COLUMN_HZ[place % 4]);
    two_tones([row, column], [level_dbm0; 2], duration)
}

/// Two sines of any frequency in Hz and level in dBm0, added, at 16 kHz: what a bad telephone sends,
/// for tests.
pub fn two_tones(hz: [f32; 2], level_dbm0: [f32; 2], duration: Duration) -> Vec<i16> {
    let samples = (duration.as_secs_f64() * f64::from(RATE_HZ)).round() as usize;
    let amplitude = level_dbm0.map(sine_amplitude);
    (0..samples)
        .map(|i| {
            // In double precision: a phase of thousands of radians has few digits left in single.
            let sine = |hz: f32| {
                let turns = f64::from(hz) * i as f64 / f64::from(RATE_HZ);
                (turns.fract() * std::f64::consts::TAU).sin() as f32
            };
            to_sample(amplitude[0] * sine(hz[0]) + amplitude[1] * sine(hz[1]))
        })
        .collect()
}

/// Samples in an analysis window: 16 ms. Short enough that 23 ms of tone fill hardly more than one,
/// long enough that a Hann window separates neighbouring rows (73 Hz).
const WINDOW: usize = 256;

/// Samples between windows: 5 ms, which divides a frame.
const HOP: usize = 80;

/// Windows that are remembered: 60 ms.
const MEMORY: usize = 12;

/// Accepted deviation from the nominal frequency: halfway between 1.5 %, which Q.24 wants accepted,
/// and 3.5 %, which it wants refused.
const MAX_DEVIATION: f32 = 0.025;

/// Lowest level of a single tone, in dBm0: between the −25 that Q.24 wants accepted and the −55 that
/// it wants refused.
const MIN_LEVEL_DBM0: f32 = -40.0;

/// High tone over low tone, in dB: Q.24 wants −8 to +4 accepted; two more at either end, for noise.
const TWIST_DB: std::ops::RangeInclusive<f32> = -10.0..=6.0;

/// Least share of a full window's power that the two tones must have. 15 dB of noise leave 0.97; at
/// 0.85, 80 minutes of speech pressed one key, at 0.9 none (`tests/hearing.rs`).
const MIN_PURITY: f32 = 0.9;

/// Windows at half height or more that make a key: above 30 ms. Q.24 wants 40 ms accepted and 23 ms
/// refused, which give eight and five.
const MIN_WINDOWS: usize = 7;

/// How many of them must be pure; those at the edges are half empty.
const MIN_PURE_WINDOWS: usize = 3;

/// A key's tones neither swell nor glide: among the pure windows the weakest has at least this share of
/// the strongest's amplitude (15 dB of noise and a half-filled edge leave 0.8) …
const MIN_STEADINESS: f32 = 0.7;

/// … and their phases turn alike: length of the mean turn over the mean of the lengths. 0.97 is a spread
/// of 14°, some 8 Hz from window to window; noise makes it 4°.
const MIN_COHERENCE: f32 = 0.97;

/// Windows without the key before it counts as released: 25 ms. Q.24 wants gaps of 10 ms joined and
/// of 40 ms heard; a lost packet is a gap of 20 ms.
const RELEASE_WINDOWS: u8 = 5;

/// A held key's envelope may fall to this share of its height.
const HOLD_SHARE: f32 = 0.35;

/// Finds keypad tones in a stream of frames. One a call; see [`DtmfDetector::handle_frame`].
pub struct DtmfDetector {
    /// Hann-windowed cosines and sines of the eight frequencies, sample by sample.
    bank: Vec<[f32; 16]>,
    hann: Vec<f32>,
    /// Sum of the window, and of its squares.
    window_sum: f32,
    window_power: f32,
    /// The last `WINDOW` samples, high-passed.
    recent: VecDeque<f32>,
    high_pass: (f32, f32),
    /// The eight spectral lines of the window before, for their phases.
    lines_before: [Line; 8],
    /// Latest last.
    looks: VecDeque<Look>,
    held: Option<Held>,
}

/// A complex amplitude.
type Line = (f32, f32);

/// What one window showed: the strongest row and column.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    place: Option<usize>,
    amplitudes: [f32; 2],
    /// How far the phases turned beyond the nominal since the window before, as complex products.
    turns: [Line; 2],
    pure: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    place: usize,
    amplitudes: [f32; 2],
    missing: u8,
}

impl Default for DtmfDetector {
    fn default() -> DtmfDetector {
        DtmfDetector::new()
    }
}

impl DtmfDetector {
    /// A detector that has heard nothing yet.
    pub fn new() -> DtmfDetector {
        let hann: Vec<f32> =
            (0..WINDOW).map(|i| 0.5 - 0.5 * (TAU * (i as f32 + 0.5) / WINDOW as f32).cos()).collect();
        let bank = (0..WINDOW)
            .map(|i| {
                std::array::from_fn(|k| {
                    let angle = TAU * nominal_hz(k / 2) * i as f32 / RATE_HZ as f32;
                    hann[i] * if k % 2 == 0 { angle.cos() } else { -angle.sin() }
                })
            })
            .collect();
        DtmfDetector {
            bank,
            window_sum: hann.iter().sum(),
            window_power: hann.iter().map(|h| h * h).sum(),
            hann,
            recent: VecDeque::from(vec![0.0; WINDOW]),
            high_pass: (0.0, 0.0),
            lines_before: [(0.0, 0.0); 8],
            looks: VecDeque::from(vec![Look::default(); MEMORY]),
            held: None,
        }
    }

    /// Whether a key's tones sound, or seem to begin: such a frame is no speech. Turns true about
    /// 15 ms after a tone's start, before [`handle_frame`](Self::handle_frame) can be sure of it.
    pub fn is_tone_active(&self) -> bool {
        let last: Vec<&Look> = self.looks.iter().rev().take(2).collect();
        self.held.is_some() || last.iter().all(|look| look.pure && look.place == last[0].place)
    }

    /// The next 20 ms. Gives each press of a key once, 30 to 60 ms after its start: as soon as the tone
    /// is longer than what a voice or an echo may look like. The same key again needs a gap of more
    /// than 25 ms before it.
    pub fn handle_frame(&mut self, frame: &Frame) -> Option<Dtmf> {
        let mut heard = None;
        for hop in frame.samples().chunks_exact(HOP) {
            self.take(hop);
            let look = self.look();
            self.looks.pop_front();
            self.looks.push_back(look);
            self.follow_held(look);
            heard = heard.or(self.new_key());
        }
        heard
    }

    /// Takes the next samples, without what lies below the tones: an offset or mains hum would count
    /// against their purity. A first-order high-pass at 100 Hz costs the lowest tone 0.1 dB.
    fn take(&mut self, samples: &[i16]) {
        const POLE: f32 = 0.961;
        for &sample in samples {
            let x = f32::from(sample);
            let y = x - self.high_pass.0 + POLE * self.high_pass.1;
            self.high_pass = (x, y);
            self.recent.pop_front();
            self.recent.push_back(y);
        }
    }

    fn look(&mut self) -> Look {
        let (lines, power) = self.analyse();
        let before = std::mem::replace(&mut self.lines_before, lines);
        let floor = sine_amplitude(MIN_LEVEL_DBM0);
        let strongest = |from: usize| {
            (from..from + 4).max_by(|&a, &b| magnitude(lines[a]).total_cmp(&magnitude(lines[b])))
        };
        let (Some(row), Some(column)) = (strongest(0), strongest(4)) else { return Look::default() };
        let turns = [row, column].map(|k| turn(lines[k], before[k], nominal_hz(k)));
        let amplitudes: [f32; 2] = std::array::from_fn(|i| {
            let k = [row, column][i];
            2.0 * magnitude(lines[k]) / self.window_sum / hann_response(deviation_hz(turns[i]))
        });
        if amplitudes.iter().any(|&amplitude| amplitude < floor) {
            return Look::default();
        }
        let tones: f32 = amplitudes.iter().map(|a| a * a / 2.0).sum();
        let pure = tones * self.window_power >= MIN_PURITY * power;
        Look { place: Some(row * 4 + column - 4), amplitudes, turns, pure }
    }

    /// The eight lines of the current window, and the window's power. Too little power for two tones
    /// at the lowest level saves the lines.
    fn analyse(&mut self) -> ([Line; 8], f32) {
        let samples = self.recent.make_contiguous();
        let power: f32 = samples.iter().zip(&self.hann).map(|(sample, hann)| (sample * hann).powi(2)).sum();
        let mut sums = [0.0f32; 16];
        if power >= self.window_power * sine_amplitude(MIN_LEVEL_DBM0).powi(2) {
            for (&sample, weights) in samples.iter().zip(&self.bank) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += sample * weight;
                }
            }
        }
        (std::array::from_fn(|k| (sums[2 * k], sums[2 * k + 1])), power)
    }

    fn follow_held(&mut self, look: Look) {
        let Some(held) = &mut self.held else { return };
        let still = look.place == Some(held.place)
            && look.amplitudes.iter().zip(&held.amplitudes).all(|(now, then)| *now >= HOLD_SHARE * then);
        held.missing = if still { 0 } else { held.missing + 1 };
        if held.missing >= RELEASE_WINDOWS {
            self.held = None;
        }
    }

    /// The key that the latest windows amount to, unless it is held already.
    fn new_key(&mut self) -> Option<Dtmf> {
        let place = self.looks.back()?.place?;
        if self.held.is_some_and(|held| held.place == place) {
            return None;
        }
        let run: Vec<&Look> = self.looks.iter().rev().take_while(|look| look.place == Some(place)).collect();
        let height: [f32; 2] =
            std::array::from_fn(|i| run.iter().map(|look| look.amplitudes[i]).fold(0.0, f32::max));
        let tall = |look: &Look| look.amplitudes.iter().zip(&height).all(|(a, h)| 2.0 * a >= *h);
        let windows = run.iter().take_while(|look| tall(look)).count();
        let pure: Vec<&&Look> = run[..windows].iter().filter(|look| look.pure).collect();
        if windows < MIN_WINDOWS || pure.len() < MIN_PURE_WINDOWS {
            return None;
        }
        let is_key = [place / 4, 4 + place % 4].iter().enumerate().all(|(i, &k)| {
            let turned = pure.iter().fold((0.0, 0.0), |sum, look| add(sum, look.turns[i]));
            let lengths: f32 = pure.iter().map(|look| magnitude(look.turns[i])).sum();
            let weakest = pure.iter().map(|look| look.amplitudes[i]).fold(f32::MAX, f32::min);
            let strongest = pure.iter().map(|look| look.amplitudes[i]).fold(0.0, f32::max);
            deviation_hz(turned).abs() <= MAX_DEVIATION * nominal_hz(k)
                && magnitude(turned) >= MIN_COHERENCE * lengths
                && weakest >= MIN_STEADINESS * strongest
        });
        let sum = |i: usize| pure.iter().map(|look| look.amplitudes[i]).sum::<f32>();
        let twist_db = 20.0 * (sum(1) / sum(0)).log10();
        if !is_key || !TWIST_DB.contains(&twist_db) {
            return None;
        }
        self.held = Some(Held { place, amplitudes: height, missing: 0 });
        Some(Dtmf::ALL[place])
    }
}

/// Rows first, then columns.
fn nominal_hz(k: usize) -> f32 {
    if k < 4 { ROW_HZ[k] } else { COLUMN_HZ[k - 4] }
}

fn magnitude((re, im): Line) -> f32 {
    re.hypot(im)
}

fn add(a: Line, b: Line) -> Line {
    (a.0 + b.0, a.1 + b.1)
}

/// a · conj(b), turned back by what a hop turns the nominal frequency.
fn turn(a: Line, b: Line, hz: f32) -> Line {
    let (re, im) = (a.0 * b.0 + a.1 * b.1, a.1 * b.0 - a.0 * b.1);
    let (sin, cos) = (TAU * hz * HOP as f32 / RATE_HZ as f32).sin_cos();
    (re * cos + im * sin, im * cos - re * sin)
}

/// Deviation from the nominal frequency; unambiguous to ±100 Hz, twice what has to be told apart.
fn deviation_hz((re, im): Line) -> f32 {
    im.atan2(re) / TAU * RATE_HZ as f32 / HOP as f32
}

/// What a Hann window leaves of a sine that is `hz` off the line: sinc(b) / (1 − b²), with b in lines
/// (fredric j. harris, "On the use of windows", Proc. IEEE 66, 1978). Beyond 0.8 lines a guess from
/// noisy phases would blow up noise.
fn hann_response(hz: f32) -> f32 {
    let b = (hz.abs() * WINDOW as f32 / RATE_HZ as f32).min(0.8);
    if b < 1e-3 { 1.0 } else { (PI * b).sin() / (PI * b) / (1.0 - b * b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Law, NoiseColor, add_noise, noise};

    const MS: Duration = Duration::from_millis(1);

    /// `tones` with silence around, 3 ms later each time so that frames cut them anywhere, through
    /// µ-law at 16 kHz and under a little noise; the keys found.
    fn keys(tones: &[i16], shift: usize, snr_db: Option<f32>) -> Vec<char> {
        let mut line = noise(1_600 + shift * 48, NoiseColor::White, 1.0, shift as u64);
        let mut tones = tones.to_vec();
        if let Some(snr_db) = snr_db {
            add_noise(&mut tones, NoiseColor::White, snr_db, shift as u64);
        }
        line.extend(tones);
        line.extend(noise(1_600, NoiseColor::White, 1.0, 99));
        let coded = Law::Mu.decode_all(&Law::Mu.encode_all(&line));
        let mut detector = DtmfDetector::new();
        coded
            .chunks(320)
            .filter_map(|chunk| detector.handle_frame(&Frame::from_padded(chunk)))
            .map(Dtmf::as_char)
            .collect()
    }

    /// How many of 16 keys × 4 positions are heard, each exactly once and as itself.
    fn heard(make: impl Fn(f32, f32) -> Vec<i16>, snr_db: Option<f32>) -> usize {
        (0..64)
            .filter(|i| {
                let (place, shift) = (i / 4, i % 4);
                let tones = make(ROW_HZ[place / 4], COLUMN_HZ[place % 4]);
                keys(&tones, shift, snr_db) == [Dtmf::ALL[place].as_char()]
            })
            .count()
    }

    /// How many of 64 are heard as anything at all.
    fn mistaken(make: impl Fn(f32, f32) -> Vec<i16>) -> usize {
        (0..64)
            .filter(|i| {
                let (place, shift) = (i / 4, i % 4);
                !keys(&make(ROW_HZ[place / 4], COLUMN_HZ[place % 4]), shift, None).is_empty()
            })
            .count()
    }

    #[test]
    fn frequencies_a_little_off_are_heard_and_far_off_are_not() {
        for (low, high) in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015)] {
            assert_eq!(heard(|r, c| two_tones([r * low, c * high], [-10.0; 2], 50 * MS), None), 64);
            assert_eq!(heard(|r, c| two_tones([r * low, c * high], [-10.0; 2], 50 * MS), Some(15.0)), 64);
        }
        for (low, high) in [(1.035, 1.0), (0.965, 1.0), (1.0, 1.035), (1.0, 0.965)] {
            assert_eq!(mistaken(|r, c| two_tones([r * low, c * high], [-10.0; 2], 50 * MS)), 0);
        }
    }

    #[test]
    fn twist_of_a_long_line_is_heard() {
        for levels in [[-10.0, -18.0], [-14.0, -10.0], [-17.0, -25.0], [-25.0, -21.0]] {
            assert_eq!(heard(|r, c| two_tones([r, c], levels, 50 * MS), None), 64, "{levels:?}");
            assert_eq!(heard(|r, c| two_tones([r, c], levels, 50 * MS), Some(15.0)), 64, "{levels:?}");
        }
    }

    #[test]
    fn forty_milliseconds_are_heard_and_twenty_three_are_not() {
        assert_eq!(heard(|r, c| two_tones([r, c], [-10.0; 2], 40 * MS), None), 64);
        assert_eq!(heard(|r, c| two_tones([r, c], [-10.0; 2], 40 * MS), Some(15.0)), 64);
        assert_eq!(mistaken(|r, c| two_tones([r, c], [-10.0; 2], 23 * MS)), 0);
    }

    #[test]
    fn levels_from_loud_to_faint_are_heard_and_crosstalk_is_not() {
        for level in [0.0, -10.0, -25.0] {
            assert_eq!(heard(|r, c| two_tones([r, c], [level; 2], 50 * MS), None), 64, "{level}");
        }
        assert_eq!(mistaken(|r, c| two_tones([r, c], [-55.0; 2], 100 * MS)), 0);
    }

    #[test]
    fn a_short_break_does_not_split_a_key_and_a_pause_does() {
        let with_gap = |gap_ms: usize| {
            move |r: f32, c: f32| {
                let mut tones = two_tones([r, c], [-10.0; 2], 120 * MS);
                tones[60 * 16..(60 + gap_ms) * 16].fill(0);
                tones
            }
        };
        assert_eq!(heard(with_gap(10), None), 64);
        assert_eq!(heard(with_gap(20), None), 64);
        for key in Dtmf::ALL {
            let press = tone(key, 45 * MS, -10.0);
            let twice = [press.clone(), vec![0; 40 * 16], press].concat();
            for shift in 0..4 {
                assert_eq!(keys(&twice, shift, None), [key.as_char(); 2]);
            }
        }
    }

    #[test]
    fn fast_dialling_through_the_line_keeps_every_key_in_order() {
        let mut dialled: Vec<i16> = Vec::new();
        for key in Dtmf::ALL {
            dialled.extend(tone(key, 50 * MS, -8.0));
            dialled.extend([0; 50 * 16]);
        }
        let line = crate::audio::telephone(&dialled, Law::A);
        assert_eq!(keys(&line, 1, None).iter().collect::<String>(), "123A456B789C*0#D");
    }

    #[test]
    fn tones_are_marked_from_early_on_until_released() {
        let mut line = vec![0; 640];
        line.extend(tone(Dtmf::POUND, 100 * MS, -10.0));
        line.extend([0; 1_600]);
        let mut detector = DtmfDetector::new();
        let active: Vec<bool> = line
            .chunks(320)
            .map(|chunk| {
                detector.handle_frame(&Frame::from_padded(chunk));
                detector.is_tone_active()
            })
            .collect();
        // Frames 2 to 6 hold the tone; 25 ms after it are still the key's.
        assert_eq!(active, [[false; 2].as_slice(), &[true; 6], &[false; 4]].concat());
    }

    #[test]
    fn single_tones_and_noise_are_no_keys() {
        for seed in 0..4 {
            assert!(keys(&noise(32_000, NoiseColor::Pink, 4_000.0, seed), 0, None).is_empty());
        }
        assert_eq!(mistaken(|r, _| two_tones([r, r], [-16.0; 2], 100 * MS)), 0);
        assert_eq!(mistaken(|_, c| two_tones([440.0, c], [-10.0; 2], 100 * MS)), 0);
    }
}
