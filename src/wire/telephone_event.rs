//! Keys as named events in RTP (RFC 4733).
//!
//! A press is a burst of packets that share a timestamp. It counts at the first packet that arrives, whichever
//! of the burst that is, so that no packet of it is indispensable.

use std::collections::VecDeque;

use crate::call::Dtmf;

/// Presses remembered, so that a late packet of one does not count again.
const REMEMBERED: usize = 16;

/// The longest duration that one event can state, in timestamp units (RFC 4733, section 2.5.1.3).
const SEGMENT: u32 = 0xffff;

/// Finds the presses in a stream of telephone-event packets.
#[derive(Clone, Debug, Default)]
pub struct EventReceiver {
    /// Event code, timestamp and the longest duration seen, newest last.
    seen: VecDeque<(u8, u32, u16)>,
}

impl EventReceiver {
    /// Takes a packet's timestamp and payload; gives the key where this is the first that is heard of a press.
    pub fn handle_packet(&mut self, timestamp: u32, payload: &[u8]) -> Option<Dtmf> {
        let &[code, _flags, d0, d1] = payload.first_chunk::<4>()?;
        let key = key(code)?;
        let duration = u16::from_be_bytes([d0, d1]);
        if let Some(known) = self.seen.iter_mut().find(|seen| (seen.0, seen.1) == (code, timestamp)) {
            known.2 = known.2.max(duration);
            return None;
        }
        // A key held for longer than a duration can say goes on in another event that begins where it ended.
        let goes_on = self.seen.back().is_some_and(|&(held, began, length)| {
            held == code && u32::from(length) == SEGMENT && timestamp == began.wrapping_add(SEGMENT)
        });
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((code, timestamp, duration));
        (!goes_on).then_some(key)
    }
}

/// The key of an event code (RFC 4733, table 3: events 0 to 15).
fn key(code: u8) -> Option<Dtmf> {
    let c = match code {
        0..=9 => b'0' + code,
        10 => b'*',
        11 => b'#',
        12..=15 => b'A' + code - 12,
        _ => return None,
    };
    Dtmf::try_from(char::from(c)).ok()
}

/// The event code of a key.
pub fn code(key: Dtmf) -> u8 {
    match key.as_char() {
        '*' => 10,
        '#' => 11,
        c @ 'A'..='D' => c as u8 - b'A' + 12,
        c => c as u8 - b'0',
    }
}

/// The payloads of a press, one every 20 ms at a clock of 8 kHz, the last three with the end mark.
pub fn press(key: Dtmf, milliseconds: u16) -> Vec<[u8; 4]> {
    press_at(key, milliseconds, 8_000)
}

/// The payloads of a press at a clock of `clock_hz`.
pub fn press_at(key: Dtmf, milliseconds: u16, clock_hz: u32) -> Vec<[u8; 4]> {
    let packets = (milliseconds / 20).max(1);
    let step = u16::try_from(clock_hz / 50).unwrap_or(u16::MAX);
    let payload = |n: u16, end: bool| {
        let [d0, d1] = (n.saturating_mul(step)).to_be_bytes();
        [code(key), u8::from(end) << 7 | 10, d0, d1]
    };
    (1..=packets).map(|n| payload(n, false)).chain([payload(packets, true); 3]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(packets: &[(u32, [u8; 4])]) -> String {
        let mut receiver = EventReceiver::default();
        packets.iter().filter_map(|(at, p)| receiver.handle_packet(*at, p)).map(Dtmf::as_char).collect()
    }

    fn five() -> Dtmf {
        Dtmf::try_from('5').expect("a key")
    }

    #[test]
    fn a_press_counts_at_its_first_packet_and_without_its_end() {
        let burst: Vec<(u32, [u8; 4])> = press(five(), 100).into_iter().map(|p| (1_000, p)).collect();
        assert_eq!(burst.len(), 8);
        assert_eq!(keys(&burst), "5");
        assert_eq!(keys(&burst[..1]), "5", "only the first");
        assert_eq!(keys(&burst[..5]), "5", "every end lost");
        assert_eq!(keys(&burst[7..]), "5", "only the last");
    }

    #[test]
    fn the_same_key_again_is_another_press_even_where_no_end_came() {
        let press = press(five(), 40);
        assert_eq!(keys(&[(1_000, press[0]), (2_000, press[0]), (1_000, press[4])]), "55");
    }

    #[test]
    fn a_key_that_is_held_for_long_is_one_press() {
        let held = [5, 10, 0xff, 0xff];
        assert_eq!(keys(&[(0, held), (0xffff, [5, 10, 0, 160]), (2 * 0xffff, [5, 10, 0, 160])]), "55");
        assert_eq!(keys(&[(0, held), (0xffff, held), (2 * 0xffff, [5, 10, 0, 160])]), "5");
    }

    #[test]
    fn all_keys_have_a_code_and_other_events_none() {
        for key in Dtmf::ALL {
            assert_eq!(super::key(code(key)), Some(key));
        }
        assert_eq!(keys(&[(0, [16, 0, 0, 160])]), "", "a flash");
    }

    proptest! {
        #[test]
        fn anything_is_at_most_one_key(
            packets in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..8)), 0..200)
        ) {
            let mut receiver = EventReceiver::default();
            for (at, payload) in &packets {
                receiver.handle_packet(*at, payload);
                prop_assert!(receiver.seen.len() <= REMEMBERED);
            }
        }

        /// Whatever is lost, doubled or out of order: every press of which a packet came counts once.
        #[test]
        fn each_press_counts_once(
            pressed in proptest::collection::vec(0usize..16, 1..8),
            kept in proptest::collection::vec(any::<bool>(), 64),
            swaps in proptest::collection::vec((0usize..64, 0usize..4), 0..20),
        ) {
            let mut stream = Vec::new();
            for (n, key) in pressed.iter().enumerate() {
                let at = 8_000 * n as u32;
                stream.extend(press(Dtmf::ALL[*key], 80).into_iter().map(|p| (at, n, p)));
            }
            let mut kept = kept.iter().cycle();
            stream.retain(|_| *kept.next().expect("endless"));
            for (at, by) in swaps {
                if at + by < stream.len() {
                    stream.swap(at, at + by);
                }
            }
            let mut arrived: Vec<usize> = Vec::new();
            let mut receiver = EventReceiver::default();
            for (at, n, payload) in &stream {
                if let Some(key) = receiver.handle_packet(*at, payload) {
                    prop_assert_eq!(key, Dtmf::ALL[pressed[*n]]);
                    prop_assert!(!arrived.contains(n));
                    arrived.push(*n);
                }
            }
            let mut wanted: Vec<usize> = stream.iter().map(|(_, n, _)| *n).collect();
            wanted.sort_unstable();
            wanted.dedup();
            arrived.sort_unstable();
            prop_assert_eq!(arrived, wanted);
        }
    }
}
