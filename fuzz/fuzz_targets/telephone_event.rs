//! Keys as named events: what any packets come to, and presses of which packets are lost, late and doubled.
//!
//! The first byte chooses: packets of eight bytes each (timestamp, payload), or presses of four bytes each (key, length in
//! 4 ms, which of its packets arrive, which of those once more behind the next press).
#![no_main]

use std::collections::BTreeSet;

use attendant::call::Dtmf;
use attendant::wire::telephone_event::{EventReceiver, press};
use libfuzzer_sys::fuzz_target;

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

fn packets(bytes: &[u8]) {
    let (mut receiver, mut begun, mut keys) = (EventReceiver::default(), BTreeSet::new(), 0);
    for chunk in bytes.chunks(8) {
        let Some((timestamp, payload)) = chunk.split_first_chunk::<4>() else { break };
        let timestamp = u32::from_be_bytes(*timestamp);
        keys += usize::from(receiver.handle_packet(timestamp, payload).is_some());
        begun.insert((timestamp, payload.first().copied()));
        // One is forgotten after sixteen others, and may count again then.
        if begun.len() > 16 {
            return;
        }
    }
    assert!(keys <= begun.len(), "{keys} keys of {} events", begun.len());
}

fn presses(bytes: &[u8]) {
    let mut receiver = EventReceiver::default();
    let (mut wanted, mut heard, mut late) = (String::new(), String::new(), Vec::new());
    let mut timestamp = 0_u32;
    for [key, length, arriving, again] in bytes.as_chunks::<4>().0 {
        let key = Dtmf::try_from(char::from(KEYS[usize::from(key % 16)])).expect("a key");
        let burst = press(key, u16::from(*length) * 4);
        let arrives = |n: usize, mask: u8| mask >> (n % 8) & 1 == 1;
        let came: Vec<_> = (0..burst.len()).filter(|n| arrives(*n, *arriving)).collect();
        if !came.is_empty() {
            wanted.push(key.as_char());
        }
        for payload in came.iter().map(|n| (timestamp, burst[*n])).chain(std::mem::take(&mut late)) {
            heard.extend(receiver.handle_packet(payload.0, &payload.1).map(Dtmf::as_char));
        }
        late.extend(came.iter().filter(|n| arrives(**n, *again)).map(|n| (timestamp, burst[*n])));
        timestamp = timestamp.wrapping_add(8_000);
    }
    assert_eq!(heard, wanted, "each press once, and none besides");
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((choice, rest)) if choice % 2 == 0 => packets(rest),
        Some((_, rest)) => presses(rest),
        None => {}
    }
});
