//! The jitter buffer: packets as a network delivers them in, packets at an even pace out.
//!
//! It holds payloads still encoded and knows no clock: whoever plays pulls a packet whenever the last one has
//! been played. The delay follows what the network does; a packet that comes after its turn is left out and
//! the delay grows.

use std::collections::BTreeMap;

/// Packets held at most: two seconds at 20 ms. A flood pushes out the oldest.
const MOST: usize = 100;

/// A sequence number so far from the last one played begins the stream anew (RFC 3550, appendix A.1:
/// MAX_DROPOUT is 3,000; speech of a minute ago is as useless).
const FAR: u64 = 1_000;

/// Pulls with nothing there, after which the sender is silent and the next packet begins a new stretch.
const DRY: u32 = 3;

/// Pulls between two looks at whether the delay may shrink: a second of 20 ms packets.
const LOOK: u32 = 50;

/// What a pull gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pull {
    /// The next packet's payload.
    Packet(Vec<u8>),
    /// The next packet is lost, but later ones are there: what it held has to be made up.
    Lost,
    /// Nothing is there to be played.
    Nothing,
}

/// Numbers of a stream's life, for logs and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterFigures {
    /// Packets played.
    pub played: u64,
    /// Packets that were made up.
    pub lost: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets left out to catch up.
    pub skipped: u64,
}

/// Puts packets back in order and evens out their pace.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    waiting: BTreeMap<u64, Vec<u8>>,
    /// The extended number of the next packet to play; `None` before the first.
    next: Option<u64>,
    ssrc: Option<u32>,
    filling: bool,
    /// Packets that wait before a stretch begins.
    target: usize,
    least: usize,
    largest: usize,
    dry: u32,
    pulls: u32,
    /// The least number of packets that waited since the last look.
    shallowest: usize,
    late_since_look: u32,
    figures: JitterFigures,
}

impl JitterBuffer {
    /// A buffer that holds back `least` to `largest` packets.
    pub fn new(least: usize, largest: usize) -> JitterBuffer {
        JitterBuffer {
            waiting: BTreeMap::new(),
            next: None,
            ssrc: None,
            filling: true,
            target: least,
            least,
            largest: largest.clamp(least, MOST / 2),
            dry: 0,
            pulls: 0,
            shallowest: usize::MAX,
            late_since_look: 0,
            figures: JitterFigures::default(),
        }
    }

    /// What became of the packets so far.
    pub fn figures(&self) -> JitterFigures {
        self.figures
    }

    /// Packets that are held back before a stretch of sound begins.
    pub fn target(&self) -> usize {
        self.target
    }

    /// Takes a packet as it arrives.
    pub fn push(&mut self, ssrc: u32, sequence: u16, payload: &[u8]) {
        if self.ssrc.replace(ssrc).is_some_and(|before| before != ssrc) {
            self.begin_anew();
        }
        let number = match self.next {
            // A packet before the first one played still has a number: the first is no zero.
            None => {
                self.waiting.keys().next().map_or(1 << 32 | u64::from(sequence), |n| extend(*n, sequence))
            }
            Some(next) => extend(next, sequence),
        };
        if let Some(next) = self.next {
            if number.abs_diff(next) > FAR {
                self.begin_anew();
                return self.push(ssrc, sequence, payload);
            }
            if number < next {
                self.figures.late += 1;
                self.late_since_look += 1;
                return;
            }
        }
        self.waiting.entry(number).or_insert_with(|| payload.to_vec());
        if self.waiting.len() > MOST {
            self.waiting.pop_first();
            self.figures.skipped += 1;
            self.next = self.waiting.keys().next().copied();
        }
    }

    /// Gives what is to be played next.
    pub fn pull(&mut self) -> Pull {
        self.look();
        if self.filling {
            if self.waiting.len() < self.target.max(1) {
                return Pull::Nothing;
            }
            self.filling = false;
            self.next = self.waiting.keys().next().copied();
        }
        let Some(next) = self.next else { return Pull::Nothing };
        if let Some(payload) = self.waiting.remove(&next) {
            self.dry = 0;
            self.next = Some(next + 1);
            self.figures.played += 1;
            return Pull::Packet(payload);
        }
        if self.waiting.is_empty() {
            self.dry += 1;
            if self.dry >= DRY {
                self.filling = true;
                self.dry = 0;
            }
            return Pull::Nothing;
        }
        self.dry = 0;
        self.next = Some(next + 1);
        self.figures.lost += 1;
        Pull::Lost
    }

    fn begin_anew(&mut self) {
        self.waiting.clear();
        self.next = None;
        self.filling = true;
        self.dry = 0;
    }

    /// Now and then: whether more or less has to be held back, and whether more waits than has to.
    fn look(&mut self) {
        if !self.filling {
            self.shallowest = self.shallowest.min(self.waiting.len());
        }
        self.pulls += 1;
        if self.late_since_look > 1 && !self.filling && self.target < self.largest {
            // What came late would have been in time with one packet more.
            self.target += 1;
            self.late_since_look = 0;
            self.filling = self.waiting.len() < self.target;
        }
        if self.pulls < LOOK {
            return;
        }
        self.pulls = 0;
        let shallowest = std::mem::replace(&mut self.shallowest, usize::MAX);
        if self.late_since_look == 0 && shallowest != usize::MAX {
            if shallowest > 1 && self.target > self.least {
                self.target -= 1;
            }
            // Even at its emptiest more waited than is held back: the sender's clock is faster, or a burst
            // came after a pause. One packet a second is left out.
            if shallowest > self.target && self.waiting.pop_first().is_some() {
                self.figures.skipped += 1;
                self.next = self.waiting.keys().next().copied().or(self.next);
            }
        }
        self.late_since_look = 0;
    }
}

/// The number near `near` whose last sixteen bits are `sequence`.
fn extend(near: u64, sequence: u16) -> u64 {
    let step = sequence.wrapping_sub(near as u16).cast_signed();
    near.wrapping_add_signed(i64::from(step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Plays packets 0 to `count` of which `arrival` says after how many ticks they come; the packets played
    /// and how many were made up.
    fn play(count: u16, mut arrival: impl FnMut(u16) -> Option<u32>) -> (Vec<u16>, JitterFigures) {
        let mut buffer = JitterBuffer::new(2, 10);
        let first = 65_530u16;
        let mut due: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
        for n in 0..count {
            if let Some(late) = arrival(n) {
                due.entry(u32::from(n) + late).or_default().push(n);
            }
        }
        let mut played = Vec::new();
        for tick in 0..u32::from(count) + 60 {
            for n in due.remove(&tick).unwrap_or_default() {
                buffer.push(7, first.wrapping_add(n), &n.to_be_bytes());
            }
            if let Pull::Packet(payload) = buffer.pull() {
                played.push(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        (played, buffer.figures())
    }

    #[test]
    fn an_even_stream_passes_whole_and_in_order() {
        let (played, figures) = play(300, |_| Some(0));
        assert_eq!(played, (0..300).collect::<Vec<_>>());
        assert_eq!((figures.lost, figures.late, figures.skipped), (0, 0, 0));
    }

    #[test]
    fn what_is_lost_is_made_up_and_nothing_else() {
        let (played, figures) = play(300, |n| (n % 50 != 20).then_some(0));
        assert_eq!(played.len(), 294);
        assert_eq!(figures.lost, 6);
    }

    #[test]
    fn disorder_within_the_delay_costs_nothing() {
        let (played, figures) = play(300, |n| Some(u32::from(n % 3 == 1)));
        assert_eq!(played, (0..300).collect::<Vec<_>>());
        assert_eq!(figures.lost, 0);
    }

    #[test]
    fn thirty_milliseconds_of_jitter_are_learnt() {
        let mut random = crate::audio::SplitMix64::new(30);
        let (played, figures) = play(3_000, |_| Some((random.next_u64() % 4) as u32));
        assert!(played.is_sorted());
        assert!(figures.late <= 6, "{figures:?}");
        assert!(played.len() >= 2_990, "{figures:?}");
    }

    #[test]
    fn a_source_that_changes_or_begins_anew_is_followed() {
        let mut buffer = JitterBuffer::new(2, 10);
        for n in 0..4 {
            buffer.push(1, n, &[1]);
        }
        assert_eq!(buffer.pull(), Pull::Packet(vec![1]));
        for n in 0..4 {
            buffer.push(2, 40_000 + n, &[2]);
        }
        assert_eq!(buffer.pull(), Pull::Packet(vec![2]));
        for n in 0..4 {
            buffer.push(2, 10_000 + n, &[3]);
        }
        assert_eq!(buffer.pull(), Pull::Packet(vec![3]));
    }

    #[test]
    fn a_burst_after_a_stall_is_caught_up_with() {
        let (played, figures) = play(2_000, |n| {
            Some(if n < 100 {
                0
            } else {
                100u32.saturating_sub(n.into()).max(if n < 112 { 112 - u32::from(n) } else { 0 })
            })
        });
        assert!(played.is_sorted());
        assert!(figures.skipped >= 8, "{figures:?}");
        assert!(played.len() + figures.skipped as usize + figures.late as usize >= 2_000, "{figures:?}");
    }

    proptest! {
        /// Whatever comes: bounded, in order, each packet once.
        #[test]
        fn any_stream_is_played_in_order(
            steps in proptest::collection::vec((any::<bool>(), 0u16..400, 0u8..20), 0..600)
        ) {
            let mut buffer = JitterBuffer::new(2, 10);
            let mut last: Option<u16> = None;
            for (pull, sequence, kind) in steps {
                if pull {
                    if let Pull::Packet(payload) = buffer.pull() {
                        let n = u16::from_be_bytes([payload[0], payload[1]]);
                        prop_assert!(last.is_none_or(|last| n > last), "{n} after {last:?}");
                        last = Some(n);
                    }
                } else if kind > 0 {
                    buffer.push(1, sequence, &sequence.to_be_bytes());
                }
                prop_assert!(buffer.waiting.len() <= MOST);
            }
        }

        #[test]
        fn wild_sequence_numbers_do_no_harm(
            steps in proptest::collection::vec((any::<bool>(), any::<u16>(), 0u32..3), 0..2_000)
        ) {
            let mut buffer = JitterBuffer::new(2, 10);
            for (pull, sequence, ssrc) in steps {
                if pull { buffer.pull(); } else { buffer.push(ssrc, sequence, &[0]); }
                prop_assert!(buffer.waiting.len() <= MOST && buffer.target <= 10);
            }
        }
    }
}
