//! Sound in place of a lost packet: the last pitch period goes on and fades (after ITU-T G.711 appendix I).

use std::collections::VecDeque;

/// Longest stretch that is made up; after it there is silence (G.711 appendix I, section 2.8: 60 ms).
const LONGEST_MS: usize = 60;

/// The first so many are played at full level; each 10 ms more loses a fifth.
const FULL_MS: usize = 10;

/// Periods looked for: 66 to 400 Hz, as speech has them.
const PERIOD_MS: std::ops::RangeInclusive<f32> = 2.5..=15.0;

/// Keeps what was last heard, to go on with it.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate_hz: u32,
    heard: VecDeque<i16>,
    /// Samples made up since the last that were heard.
    made_up: usize,
    period: usize,
}

impl Concealer {
    /// For sound at `rate_hz`.
    pub fn new(rate_hz: u32) -> Concealer {
        Concealer { rate_hz, heard: VecDeque::new(), made_up: 0, period: 0 }
    }

    fn samples(&self, ms: usize) -> usize {
        ms * self.rate_hz as usize / 1_000
    }

    /// Takes what was received. After a gap its beginning is blended with what had been made up.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.made_up > 0 {
            let blend = self.samples(4).min(samples.len());
            let tail = self.next(blend);
            for (n, (sample, made_up)) in samples.iter_mut().zip(tail).enumerate() {
                let weight = (n + 1) as f32 / (blend + 1) as f32;
                *sample = (f32::from(*sample) * weight + f32::from(made_up) * (1.0 - weight)) as i16;
            }
            self.made_up = 0;
        }
        self.heard.extend(samples.iter().copied());
        let keep = self.samples(3 * 15 + 5);
        let over = self.heard.len().saturating_sub(keep);
        self.heard.drain(..over);
    }

    /// Makes up `count` samples.
    pub fn conceal(&mut self, count: usize) -> Vec<i16> {
        if self.made_up == 0 {
            self.period = self.find_period();
        }
        self.next(count)
    }

    fn next(&mut self, count: usize) -> Vec<i16> {
        if self.period == 0 {
            self.made_up += count;
            return vec![0; count];
        }
        let history = self.heard.make_contiguous();
        let last = &history[history.len() - self.period..];
        let ms = self.rate_hz as usize / 1_000;
        let made_up = (self.made_up..self.made_up + count)
            .map(|n| {
                let over = (n / ms).saturating_sub(FULL_MS) as f32;
                let gain = if n / ms >= LONGEST_MS { 0.0 } else { (1.0 - over / 50.0).max(0.0) };
                (f32::from(last[n % last.len()]) * gain) as i16
            })
            .collect();
        self.made_up += count;
        made_up
    }

    /// The period with which the last 20 ms repeat best, in samples; 0 where too little was heard.
    fn find_period(&mut self) -> usize {
        let rate = self.rate_hz as f32 / 1_000.0;
        let (shortest, longest) = ((PERIOD_MS.start() * rate) as usize, (PERIOD_MS.end() * rate) as usize);
        let window = self.samples(20);
        let history = self.heard.make_contiguous();
        if history.len() < window + longest {
            return 0;
        }
        let recent = &history[history.len() - window..];
        let likeness = |period: usize| {
            let from = history.len() - window - period;
            let before = &history[from..from + window];
            let (mut dot, mut power) = (0.0f32, 1.0f32);
            for (a, b) in recent.iter().zip(before) {
                dot += f32::from(*a) * f32::from(*b);
                power += f32::from(*b) * f32::from(*b);
            }
            dot / power.sqrt()
        };
        (shortest..=longest)
            .map(|period| (period, likeness(period)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(0, |(period, _)| period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vowel(count: usize) -> Vec<i16> {
        (0..count)
            .map(|n| {
                let t = n as f32 / 8_000.0 * std::f32::consts::TAU;
                (5_000.0 * (t * 125.0).sin() + 3_000.0 * (t * 750.0).sin()) as i16
            })
            .collect()
    }

    #[test]
    fn a_vowel_goes_on_as_if_nothing_were_missing() {
        let whole = vowel(1_600);
        let mut concealer = Concealer::new(8_000);
        concealer.heard(&mut whole[..800].to_vec());
        let made_up = concealer.conceal(160);
        let error: f32 = made_up[..80]
            .iter()
            .zip(&whole[800..])
            .map(|(a, b)| (f32::from(*a) - f32::from(*b)).powi(2))
            .sum();
        let power: f32 = whole[800..880].iter().map(|b| f32::from(*b).powi(2)).sum();
        assert!(error < 0.02 * power, "{error} of {power}");
    }

    #[test]
    fn a_long_gap_ends_in_silence_and_what_comes_back_is_blended() {
        let mut concealer = Concealer::new(8_000);
        concealer.heard(&mut vowel(800));
        let made_up = concealer.conceal(8 * 100);
        assert!(made_up[8 * 60..].iter().all(|s| *s == 0));
        let mut back = vowel(160);
        let before = back.clone();
        concealer.heard(&mut back);
        assert_eq!(back[40..], before[40..]);
    }

    #[test]
    fn nothing_heard_makes_silence() {
        assert_eq!(Concealer::new(8_000).conceal(160), vec![0; 160]);
    }
}
