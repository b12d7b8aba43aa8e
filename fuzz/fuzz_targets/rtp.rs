//! Any run of datagrams goes through the receiving side: packets, keys, the jitter buffer, reports; and once more to whoever
//! opens encrypted ones. Before each datagram stands its length, a byte.
#![no_main]

use attendant::audio::{JitterBuffer, Pull};
use attendant::wire::rtp::{Packet, Reception, SenderInfo, sender_report};
use attendant::wire::srtp::{Key, Opener, Suite};
use attendant::wire::telephone_event::EventReceiver;
use libfuzzer_sys::fuzz_target;

fn datagrams(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut datagrams = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (datagram, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        datagrams.push(datagram);
        bytes = rest;
    }
    datagrams
}

fuzz_target!(|bytes: &[u8]| {
    let datagrams = datagrams(bytes);
    let mut jitter = JitterBuffer::new(2, 10);
    let mut events = EventReceiver::default();
    let mut reception = Reception::default();
    let mut opener = Opener::new(Suite::Tag32, &Key([7; 30]), 1);
    let mut played = 0;
    for (n, bytes) in datagrams.iter().enumerate() {
        if let Some(packet) = Packet::parse(bytes) {
            reception.handle_packet(&packet, 160 * n as u32);
            events.handle_packet(packet.timestamp, packet.payload);
            jitter.push(packet.ssrc, packet.sequence, packet.payload);
        }
        assert_eq!(opener.open(&mut bytes.to_vec()), None, "nobody has the key");
        assert_eq!(opener.open_report(&mut bytes.to_vec()), None, "nobody has the key");
        if n % 2 == 0 && matches!(jitter.pull(), Pull::Packet(_)) {
            played += 1;
        }
    }
    assert!(played <= datagrams.len(), "more came out than went in");
    let info = SenderInfo { ssrc: 1, ntp: 2, timestamp: 3, packets: 4, octets: 5 };
    assert_eq!(sender_report(&info, &mut reception, "attendant").len() % 4, 0);
});
