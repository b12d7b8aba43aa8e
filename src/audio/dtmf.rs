//! Keypad tones: making them, and finding them in a caller's audio.
//!
//! The detector meets ITU-T Q.24's table A.1 (the operating ranges of the administrations; where they
//! differ, AT&T's): `tests/it/keypad.rs` holds it to that, `cargo bench --bench dtmf` compares it. It
//! measures instead of guessing: the two frequencies from how their phases turn between windows, the
//! length from where the envelope passes half its height.

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

/// Accepted deviation from the nominal frequency: a little more than the 1.8 % that Japan and Brazil want
/// accepted (Q.24's others say 1.5), and well below the 3 to 3.5 % that are to be refused. At 2.5 %, 87
/// minutes of speech pressed one key; at 1.9 %, three hours none.
const MAX_DEVIATION: f32 = 0.019;

/// Lowest level of a single tone, in dBm0: between the −25 that Q.24 wants accepted and the −55 that
/// it wants refused.
const MIN_LEVEL_DBM0: f32 = -40.0;

/// High tone over low tone, in dB: Q.24 wants −8 to +4 accepted; two more at either end, for noise.
const TWIST_DB: std::ops::RangeInclusive<f32> = -10.0..=6.0;

/// Least share of a full window's power that the two tones must have. 15 dB of noise leave 0.97, 9 dB
/// 0.89; at 0.85, three hours of speech pressed two keys, at 0.88 and 10 dB too loud two, at 0.89 none.
const MIN_PURITY: f32 = 0.89;

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

/// Finds keypad tones in a stream of frames. One a call; see [`DtmfDetector::handle_frame`], which
/// allocates nothing.
pub struct DtmfDetector {
    /// Hann-windowed cosines and sines of the eight frequencies, sample by sample.
    bank: Box<[[f32; 16]; WINDOW]>,
    hann: [f32; WINDOW],
    /// Sum of the window, and of its squares.
    window_sum: f32,
    window_power: f32,
    /// The last samples, high-passed.
    recent: [f32; WINDOW],
    high_pass: (f32, f32),
    /// The eight spectral lines of the window before, for their phases.
    lines_before: [Line; 8],
    /// Latest last.
    looks: [Look; MEMORY],
    held: Option<Held>,
}

/// A complex amplitude.
type Line = (f32, f32);

/// What one window showed: the strongest row and column.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    place: Option<usize>,
    /// Of the two lines. A tone beside its nominal frequency has more: see [`hann_response`].
    amplitudes: [f32; 2],
    /// How far the phases turned beyond the nominal since the window before, as complex products.
    turns: [Line; 2],
    /// Of the whole window, in the scale of the amplitudes' squares.
    power: f32,
}

impl Look {
    /// The two tones' share of the window's power, where they are `off_hz` from the nominal.
    fn purity(&self, off_hz: [f32; 2]) -> f32 {
        let tone = |i: usize| (self.amplitudes[i] / hann_response(off_hz[i])).powi(2) / 2.0;
        (tone(0) + tone(1)) / self.power.max(f32::MIN_POSITIVE)
    }

    /// Whether both tones have at least `share` of `height`.
    fn reaches(&self, share: f32, height: &[f32; 2]) -> bool {
        self.amplitudes.iter().zip(height).all(|(amplitude, height)| *amplitude >= share * height)
    }
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
        let hann: [f32; WINDOW] =
            std::array::from_fn(|i| 0.5 - 0.5 * (TAU * (i as f32 + 0.5) / WINDOW as f32).cos());
        let bank = std::array::from_fn(|i| {
            std::array::from_fn(|k| {
                let angle = TAU * nominal_hz(k / 2) * i as f32 / RATE_HZ as f32;
                hann[i] * if k % 2 == 0 { angle.cos() } else { -angle.sin() }
            })
        });
        DtmfDetector {
            bank: Box::new(bank),
            window_sum: hann.iter().sum(),
            window_power: hann.iter().map(|h| h * h).sum(),
            hann,
            recent: [0.0; WINDOW],
            high_pass: (0.0, 0.0),
            lines_before: [(0.0, 0.0); 8],
            looks: [Look::default(); MEMORY],
            held: None,
        }
    }

    /// Whether a key's tones sound, or seem to begin: such a frame is no speech. Turns true about
    /// 15 ms after a tone's start, before [`handle_frame`](Self::handle_frame) can be sure of it.
    pub fn is_tone_active(&self) -> bool {
        let [.., before, last] = &self.looks;
        let seems = |look: &Look| look.purity(look.turns.map(deviation_hz)) >= MIN_PURITY;
        self.held.is_some()
            || (last.place == before.place && last.place.is_some() && seems(last) && seems(before))
    }

    /// The next 20 ms. Gives each press of a key once, 30 to 60 ms after its start: as soon as the tone
    /// is longer than what a voice or an echo may look like. The same key again needs a gap of more
    /// than 25 ms before it.
    pub fn handle_frame(&mut self, frame: &Frame) -> Option<Dtmf> {
        let mut heard = None;
        for hop in frame.samples().chunks_exact(HOP) {
            self.take(hop);
            let look = self.look();
            self.looks.rotate_left(1);
            self.looks[MEMORY - 1] = look;
            self.follow_held(look);
            heard = heard.or(self.new_key());
        }
        heard
    }

    /// Takes the next samples, without what lies below the tones: an offset or mains hum would count
    /// against their purity. A first-order high-pass at 100 Hz costs the lowest tone 0.1 dB.
    fn take(&mut self, samples: &[i16]) {
        const POLE: f32 = 0.961;
        const SILENT: f32 = 1e-3;
        self.recent.copy_within(HOP.., 0);
        for (recent, &sample) in self.recent[WINDOW - HOP..].iter_mut().zip(samples) {
            let x = f32::from(sample);
            let y = x - self.high_pass.0 + POLE * self.high_pass.1;
            // In digital silence it would fade to the smallest numbers that there are and stay there, and processors
            // take many times as long for those.
            let y = if y.abs() < SILENT { 0.0 } else { y };
            self.high_pass = (x, y);
            *recent = y;
        }
    }

    fn look(&mut self) -> Look {
        let (lines, power) = self.analyse();
        let before = std::mem::replace(&mut self.lines_before, lines);
        let strongest = |from: usize| {
            (from..from + 4).max_by(|&a, &b| magnitude(lines[a]).total_cmp(&magnitude(lines[b])))
        };
        let (Some(row), Some(column)) = (strongest(0), strongest(4)) else { return Look::default() };
        let pair = [row, column];
        let amplitudes = pair.map(|k| 2.0 * magnitude(lines[k]) / self.window_sum);
        if amplitudes.iter().any(|&amplitude| amplitude < sine_amplitude(MIN_LEVEL_DBM0)) {
            return Look::default();
        }
        Look {
            place: Some(row * 4 + column - 4),
            amplitudes,
            turns: pair.map(|k| turn(lines[k], before[k], nominal_hz(k))),
            power: power / self.window_power,
        }
    }

    /// The eight lines of the current window, and the window's power. Too little power for two tones
    /// at the lowest level saves the lines.
    fn analyse(&self) -> ([Line; 8], f32) {
        let power = self.recent.iter().zip(&self.hann).map(|(sample, hann)| (sample * hann).powi(2)).sum();
        let mut sums = [0.0f32; 16];
        if power >= self.window_power * sine_amplitude(MIN_LEVEL_DBM0).powi(2) {
            for (&sample, weights) in self.recent.iter().zip(self.bank.iter()) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += sample * weight;
                }
            }
        }
        (std::array::from_fn(|k| (sums[2 * k], sums[2 * k + 1])), power)
    }

    fn follow_held(&mut self, look: Look) {
        let Some(held) = &mut self.held else { return };
        let still = look.place == Some(held.place) && look.reaches(HOLD_SHARE, &held.amplitudes);
        held.missing = if still { 0 } else { held.missing + 1 };
        if held.missing >= RELEASE_WINDOWS {
            self.held = None;
        }
    }

    /// The key that the latest windows amount to, unless it is held already.
    fn new_key(&mut self) -> Option<Dtmf> {
        let place = self.looks[MEMORY - 1].place?;
        if self.held.is_some_and(|held| held.place == place) {
            return None;
        }
        let run = latest(&self.looks, |look| look.place == Some(place));
        let height = highest(run);
        let tall = latest(run, |look| look.reaches(0.5, &height));
        if tall.len() < MIN_WINDOWS || !is_key(place, tall, &height) {
            return None;
        }
        self.held = Some(Held { place, amplitudes: height, missing: 0 });
        Some(Dtmf::ALL[place])
    }
}

/// The longest end of `looks` of which all are `so`.
fn latest(looks: &[Look], so: impl Fn(&Look) -> bool) -> &[Look] {
    let from = looks.iter().rposition(|look| !so(look)).map_or(0, |last_not| last_not + 1);
    &looks[from..]
}

fn highest(looks: &[Look]) -> [f32; 2] {
    std::array::from_fn(|i| looks.iter().map(|look| look.amplitudes[i]).fold(0.0, f32::max))
}

/// Whether the windows at half height and more are those of two steady tones, near enough to their
/// nominal frequencies and to each other's level, and of little else.
fn is_key(place: usize, tall: &[Look], height: &[f32; 2]) -> bool {
    let nominal = [nominal_hz(place / 4), nominal_hz(4 + place % 4)];
    // A phase at an edge, where a window is half empty, says nothing of the frequency.
    let (mut turned, mut lengths) = ([(0.0, 0.0); 2], [0.0; 2]);
    for pair in tall.windows(2).filter(|pair| pair.iter().all(|look| look.reaches(MIN_STEADINESS, height))) {
        for i in 0..2 {
            turned[i] = add(turned[i], pair[1].turns[i]);
            lengths[i] += magnitude(pair[1].turns[i]);
        }
    }
    let off_hz = turned.map(deviation_hz);
    let steady = (0..2).all(|i| {
        off_hz[i].abs() <= MAX_DEVIATION * nominal[i] && magnitude(turned[i]) >= MIN_COHERENCE * lengths[i]
    });
    if !steady {
        return false;
    }
    let pure = || tall.iter().filter(|look| look.purity(off_hz) >= MIN_PURITY);
    let sums =
        pure().fold([0.0, 0.0], |sums, look| [sums[0] + look.amplitudes[0], sums[1] + look.amplitudes[1]]);
    let responses = off_hz.map(hann_response);
    let twist_db = 20.0 * (sums[1] / responses[1] / (sums[0] / responses[0])).log10();
    pure().count() >= MIN_PURE_WINDOWS
        && TWIST_DB.contains(&twist_db)
        && pure().all(|look| look.reaches(MIN_STEADINESS, height))
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
    use crate::audio::{FRAME_SAMPLES, Law, NoiseColor, noise};

    const MS: Duration = Duration::from_millis(1);

    /// A telephone that is muted sends zeros, and two fifths of a call's time went into numbers next to them.
    #[test]
    fn silence_becomes_nothing_at_all() {
        let mut detector = DtmfDetector::new();
        for chunk in tone(Dtmf::ZERO, 100 * MS, -10.0).chunks(FRAME_SAMPLES) {
            detector.handle_frame(&Frame::from_padded(chunk));
        }
        for _ in 0..50 {
            detector.handle_frame(&Frame::SILENCE);
        }
        assert!(detector.recent.iter().all(|sample| *sample == 0.0), "{:?}", &detector.recent[..4]);
    }

    /// `tones` with silence around, 3 ms later each time so that frames cut them anywhere, through
    /// µ-law at 16 kHz; the keys found.
    fn keys(tones: &[i16], shift: usize) -> Vec<char> {
        let mut line = noise(1_600 + shift * 48, NoiseColor::White, 1.0, shift as u64);
        line.extend_from_slice(tones);
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
    fn heard(make: impl Fn(f32, f32) -> Vec<i16>) -> usize {
        (0..64)
            .filter(|i| {
                let (place, shift) = (i / 4, i % 4);
                let tones = make(ROW_HZ[place / 4], COLUMN_HZ[place % 4]);
                keys(&tones, shift) == [Dtmf::ALL[place].as_char()]
            })
            .count()
    }

    /// How many of 64 are heard as anything at all.
    fn mistaken(make: impl Fn(f32, f32) -> Vec<i16>) -> usize {
        (0..64)
            .filter(|i| {
                let (place, shift) = (i / 4, i % 4);
                !keys(&make(ROW_HZ[place / 4], COLUMN_HZ[place % 4]), shift).is_empty()
            })
            .count()
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
        assert_eq!(heard(with_gap(20)), 64);
        for key in Dtmf::ALL {
            let press = tone(key, 45 * MS, -10.0);
            let twice = [press.clone(), vec![0; 40 * 16], press].concat();
            for shift in 0..4 {
                assert_eq!(keys(&twice, shift), [key.as_char(); 2]);
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
        assert_eq!(keys(&line, 1).iter().collect::<String>(), "123A456B789C*0#D");
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
            assert!(keys(&noise(32_000, NoiseColor::Pink, 4_000.0, seed), 0).is_empty());
        }
        assert_eq!(mistaken(|r, _| two_tones([r, r], [-16.0; 2], 100 * MS)), 0);
        assert_eq!(mistaken(|_, c| two_tones([440.0, c], [-10.0; 2], 100 * MS)), 0);
    }
}
