//! Key presses as bad telephones send them, condition by condition of ITU-T Q.24's table A.1, coded by either
//! law at 8 kHz: what a detector has to hear, and what it must not.
//!
//! The bench prints how detectors do on them, and `tests/it/keypad.rs` holds ours to them.

use std::f64::consts::TAU;
use std::fmt;

use attendant::audio::{FULL_SCALE_SINE_DBM0, LINE_RATE_HZ, Law, NoiseColor, SplitMix64, noise};
use attendant::call::Dtmf;

/// ITU-T Q.23's low group in Hz, one for each row of the keypad.
pub(crate) const ROW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];

/// ITU-T Q.23's high group in Hz, one for each column.
pub(crate) const COLUMN_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// What each key is tried with: where frames and windows cut it, with which phases its tones begin.
const ALIGNMENTS: u64 = 8;

/// What a detector is to make of a press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The key, so often.
    Times(usize),
    /// Nothing.
    Nothing,
}

impl Wanted {
    /// Whether `heard` is what was wanted where `key` was pressed.
    pub(crate) fn is(self, key: Dtmf, heard: &str) -> bool {
        match self {
            Wanted::Times(times) => heard == key.to_string().repeat(times),
            Wanted::Nothing => heard.is_empty(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Times(1) => f.pad("once"),
            Wanted::Times(times) => f.pad(&format!("{times} times")),
            Wanted::Nothing => f.pad("nothing"),
        }
    }
}

/// One press, or several of the same key.
#[derive(Clone, Debug)]
pub(crate) struct Press {
    /// Row and column tone against the nominal frequency, as factors.
    pub off: [f64; 2],
    /// Row and column tone, in dBm0.
    pub dbm0: [f64; 2],
    /// Tone and gap in turn, in milliseconds.
    pub on_off_ms: Vec<f64>,
    /// Both tones' power over that of white noise in the whole 4 kHz, which also fills the pauses.
    pub snr_db: Option<f64>,
}

impl Press {
    /// 50 ms at −10 dBm0 a tone, on a quiet line.
    fn nominal() -> Press {
        Press { off: [1.0; 2], dbm0: [-10.0; 2], on_off_ms: vec![50.0], snr_db: None }
    }

    fn off(low: f64, high: f64) -> Press {
        Press { off: [1.0 + low / 100.0, 1.0 + high / 100.0], ..Press::nominal() }
    }

    fn at(low: f64, high: f64) -> Press {
        Press { dbm0: [low, high], ..Press::nominal() }
    }

    fn lasting(on_off_ms: &[f64]) -> Press {
        Press { on_off_ms: on_off_ms.to_vec(), ..Press::nominal() }
    }

    fn under_noise(self, snr_db: f64) -> Press {
        Press { snr_db: Some(snr_db), ..self }
    }
}

/// A row of the report: presses that have one thing in common.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// For the report.
    pub name: &'static str,
    /// Whether Q.24, and with it the project's bar, says what is wanted. The others show the margins.
    pub required: bool,
    /// What a detector is to make of each press.
    pub wanted: Wanted,
    /// The presses; each is tried with all keys, alignments and both laws.
    pub presses: Vec<Press>,
}

/// All conditions, the required ones first.
pub(crate) fn conditions() -> Vec<Condition> {
    let row = |name, wanted, presses| Condition { name, required: true, wanted, presses };
    let margin = |name, wanted, presses| Condition { name, required: false, wanted, presses };
    let signs = |by: f64| -> Vec<Press> {
        [(by, by), (-by, -by), (by, -by), (-by, by)].map(|(low, high)| Press::off(low, high)).to_vec()
    };
    let one_tone = |by: f64| -> Vec<Press> {
        [(by, 0.0), (-by, 0.0), (0.0, by), (0.0, -by)].map(|(low, high)| Press::off(low, high)).to_vec()
    };
    let twisted = |low: f64, high: f64| vec![Press::at(low, high)];
    let noisy = |presses: Vec<Press>| presses.into_iter().map(|p| p.under_noise(15.0)).collect::<Vec<_>>();
    let long = |presses: Vec<Press>, ms: f64| {
        presses.into_iter().map(|p| Press { on_off_ms: vec![ms], ..p }).collect::<Vec<_>>()
    };
    let once = Wanted::Times(1);
    vec![
        row("nominal, 50 ms", once, vec![Press::nominal()]),
        row("both tones ±1.5 % off", once, signs(1.5)),
        row("a tone 3.5 % off, 50 ms", Wanted::Nothing, one_tone(3.5)),
        row("a tone 3.5 % off, 500 ms", Wanted::Nothing, long(one_tone(3.5), 500.0)),
        row("both tones ±3.5 % off", Wanted::Nothing, signs(3.5)),
        row("twist +4 dB, −10 and −21 dBm0", once, [twisted(-14.0, -10.0), twisted(-25.0, -21.0)].concat()),
        row("twist −8 dB, −10 and −17 dBm0", once, [twisted(-10.0, -18.0), twisted(-17.0, -25.0)].concat()),
        row("40 ms", once, vec![Press::lasting(&[40.0])]),
        row("23 ms", Wanted::Nothing, vec![Press::lasting(&[23.0])]),
        row("15 dB of noise", once, noisy(vec![Press::nominal()])),
        row("0 dBm0 a tone", once, vec![Press::at(0.0, 0.0)]),
        row("−25 dBm0 a tone", once, vec![Press::at(-25.0, -25.0)]),
        row("−55 dBm0 a tone", Wanted::Nothing, long(vec![Press::at(-55.0, -55.0)], 100.0)),
        row(
            "10 ms interruption",
            once,
            vec![Press::lasting(&[40.0, 10.0, 40.0]), Press::lasting(&[60.0, 10.0, 50.0])],
        ),
        row("twice 40 ms, 40 ms between", Wanted::Times(2), vec![Press::lasting(&[40.0, 40.0, 40.0])]),
        margin("40 ms, ±1.5 % off, 15 dB of noise", once, noisy(long(signs(1.5), 40.0))),
        margin("both tones ±1.8 % off, 15 dB of noise", once, noisy(signs(1.8))),
        margin(
            "40 ms, twist +4 or −8 dB, 15 dB of noise",
            once,
            noisy(long([twisted(-14.0, -10.0), twisted(-10.0, -18.0)].concat(), 40.0)),
        ),
        margin(
            "40 ms, −25 dBm0 a tone, 15 dB of noise",
            once,
            noisy(long(vec![Press::at(-25.0, -25.0)], 40.0)),
        ),
        margin("10 ms interruption after 20 ms", once, vec![Press::lasting(&[20.0, 10.0, 40.0])]),
        margin("23 ms, 15 dB of noise", Wanted::Nothing, noisy(vec![Press::lasting(&[23.0])])),
        margin("a tone 3.5 % off, 15 dB of noise", Wanted::Nothing, noisy(one_tone(3.5))),
        margin("9 dB of noise", once, vec![Press::nominal().under_noise(9.0)]),
    ]
}

/// A press as it comes off the line.
pub(crate) struct Trial {
    /// The key that was pressed.
    pub key: Dtmf,
    /// Decoded samples at 8 kHz: at least 100 ms of pause, the press, 200 ms of pause.
    pub samples: Vec<i16>,
}

/// Every `step`th trial of a condition; all are each press with 16 keys, 8 alignments and 2 laws.
pub(crate) fn trials(condition: &Condition, step: usize) -> impl Iterator<Item = Trial> + '_ {
    let all = condition.presses.iter().flat_map(|press| {
        Dtmf::ALL
            .into_iter()
            .flat_map(|key| (0..ALIGNMENTS).map(move |alignment| (key, alignment)))
            .flat_map(|(key, alignment)| [Law::Mu, Law::A].map(|law| (key, alignment, law)))
            .map(move |trial| (press, trial))
    });
    all.zip(1..).step_by(step).map(|((press, (key, alignment, law)), seed)| Trial {
        key,
        samples: line(press, key, alignment, law, seed),
    })
}

fn line(press: &Press, key: Dtmf, alignment: u64, law: Law, seed: u64) -> Vec<i16> {
    let place = Dtmf::ALL.iter().position(|&k| k == key).expect("every key is one of the sixteen");
    let hz = [ROW_HZ[place / 4] * press.off[0], COLUMN_HZ[place % 4] * press.off[1]];
    let mut random = SplitMix64::new(seed);
    let phases = [0; 2].map(|_| TAU * f64::from(random.next_f32()));
    // 2.5 ms later each time, and up to a sample: over 20 ms, that is every cut of frames and windows.
    let start = 0.1 + 0.0025 * alignment as f64 + f64::from(random.next_f32()) / f64::from(LINE_RATE_HZ);
    let length = start + press.on_off_ms.iter().sum::<f64>() / 1000.0 + 0.2;
    let amplitude =
        press.dbm0.map(|dbm0| 32_768.0 * 10f64.powf((dbm0 - f64::from(FULL_SCALE_SINE_DBM0)) / 20.0));
    let power = (amplitude[0].powi(2) + amplitude[1].powi(2)) / 2.0;
    // A quiet line still moves by a step.
    let rms = press.snr_db.map_or(1.0, |snr_db| (power / 10f64.powf(snr_db / 10.0)).sqrt());
    let mut samples = noise((length * f64::from(LINE_RATE_HZ)) as usize, NoiseColor::White, rms as f32, seed);
    for (n, sample) in samples.iter_mut().enumerate() {
        let t = n as f64 / f64::from(LINE_RATE_HZ) - start;
        let value = if sounds(t, &press.on_off_ms) {
            (0..2).map(|i| amplitude[i] * (TAU * hz[i] * t + phases[i]).sin()).sum::<f64>()
        } else {
            0.0
        };
        // The cast saturates: two tones of 0 dBm0 clip, as they do on a line.
        *sample = law.decode(law.encode((f64::from(*sample) + value).round() as i16));
    }
    samples
}

fn sounds(t: f64, on_off_ms: &[f64]) -> bool {
    let mut from = 0.0;
    for (n, ms) in on_off_ms.iter().enumerate() {
        let until = from + ms / 1000.0;
        if (from..until).contains(&t) {
            return n % 2 == 0;
        }
        from = until;
    }
    false
}
