//! One press of a key that arrives by several ways at once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::{CallTime, Dtmf};

/// How a press is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWay {
    /// Tones in the sound.
    Tone,
    /// A telephone-event in RTP, or a provider's message.
    Event,
    /// SIP INFO.
    Info,
}

/// Ways of one press lie at most so far apart: signalling goes through more hops than sound, and a tone is
/// recognised only after it has lasted.
const APART: Duration = Duration::from_millis(800);

/// Presses remembered.
const REMEMBERED: usize = 32;

#[derive(Clone, Debug)]
struct Press {
    key: Dtmf,
    at: CallTime,
    ways: Vec<KeyWay>,
}

/// Counts each press once, however many ways it arrives.
///
/// A report belongs to the oldest recent press of the same key that the same way has not reported yet, so that
/// two quick presses of one key, each reported twice, stay two.
#[derive(Clone, Debug, Default)]
pub struct KeyMerger {
    presses: VecDeque<Press>,
}

impl KeyMerger {
    /// Whether this report is a press of its own.
    pub fn is_new(&mut self, now: CallTime, key: Dtmf, way: KeyWay) -> bool {
        self.presses.retain(|press| now.since(press.at) <= APART);
        let known = self.presses.iter_mut().find(|press| press.key == key && !press.ways.contains(&way));
        if let Some(press) = known {
            press.ways.push(way);
            return false;
        }
        if self.presses.len() == REMEMBERED {
            self.presses.pop_front();
        }
        self.presses.push_back(Press { key, at: now, ways: vec![way] });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(reports: &[(u64, char, KeyWay)]) -> usize {
        let mut merger = KeyMerger::default();
        let key = |c: char| Dtmf::try_from(c).expect("a key");
        reports.iter().filter(|(ms, c, way)| merger.is_new(CallTime::from_millis(*ms), key(*c), *way)).count()
    }

    #[test]
    fn a_press_by_three_ways_counts_once() {
        use KeyWay::{Event, Info, Tone};
        assert_eq!(count(&[(0, '5', Event), (60, '5', Tone), (300, '5', Info)]), 1);
        assert_eq!(count(&[(0, '5', Info), (60, '5', Event), (90, '5', Tone)]), 1);
    }

    #[test]
    fn quick_presses_of_one_key_stay_apart() {
        use KeyWay::{Event, Tone};
        assert_eq!(count(&[(0, '1', Event), (50, '1', Tone), (200, '1', Event), (250, '1', Tone)]), 2);
        assert_eq!(count(&[(0, '1', Event), (200, '1', Event), (250, '1', Tone), (400, '1', Tone)]), 2);
        assert_eq!(count(&[(0, '1', Tone), (100, '1', Tone), (200, '1', Tone)]), 3);
    }

    #[test]
    fn other_keys_and_later_presses_are_presses_of_their_own() {
        use KeyWay::{Event, Tone};
        assert_eq!(count(&[(0, '1', Event), (50, '2', Tone)]), 2);
        assert_eq!(count(&[(0, '1', Event), (900, '1', Tone)]), 2);
    }
}
