use proptest::prelude::*;

use super::*;
use crate::wire::rtp::Packet;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal"))
        .collect()
}

/// RFC 3711, appendix B.3.
fn master() -> Key {
    let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    Key(key.try_into().expect("thirty bytes"))
}

fn packet(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let packet = Packet { payload_type: 0, marker: false, sequence, timestamp: 7, ssrc: 9, payload };
    let mut out = Vec::new();
    packet.write(&mut out);
    out
}

/// What a sealer makes of a packet of that index.
fn sealed(suite: Suite, index: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = packet(index as u16, payload);
    Sealer::new(&master()).seal(suite, &mut out, index >> 16);
    out
}

/// Whether a packet is the peer's and new.
fn opens(opener: &mut Opener, packet: &[u8]) -> bool {
    opener.open(&mut packet.to_vec()).is_some()
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let key: [u8; 16] = bytes("2B7E151628AED2A6ABF7158809CF4F3C").try_into().expect("sixteen bytes");
    let first = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().expect("sixteen bytes");
    let mut stream = [0; 48];
    apply(&key, first, &mut stream);
    let expected =
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream.to_vec(), bytes(expected));
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let keys = Keys::derive(&master(), FOR_SOUND);
    assert_eq!(keys.cipher.to_vec(), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(keys.salt.to_vec(), bytes("30CBBC08863D8C85D49DB34A9AE1"));
    // The authentication key itself stays in the MAC: both have to give the same tag.
    let auth = bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4");
    let expected = Hmac::<Sha1>::new_from_slice(&auth).expect("a key").chain_update(b"tag").finalize();
    assert_eq!(keys.mac([b"tag", b""]).finalize().into_bytes(), expected.into_bytes());
}

/// The packets that libsrtp checks itself by, under the same key.
#[test]
fn whole_packets_are_those_of_another_implementation() {
    let mut sound = bytes("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    Sealer::new(&master()).seal(Suite::Tag80, &mut sound, 0);
    let expected = "800f1234 decafbad cafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb";
    assert_eq!(sound, bytes(expected));
    let mut report = bytes("81c8000b cafebabe abababab abababab abababab abababab");
    Sealer::new(&master()).seal_report(&mut report);
    let expected = "81c8000b cafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798";
    assert_eq!(report, bytes(expected));
}

#[test]
fn what_is_sealed_is_opened_once() {
    for (suite, tag) in [(Suite::Tag80, 10), (Suite::Tag32, 4)] {
        let mut opener = Opener::new(suite, &master(), 0);
        let plain = packet(5, b"sound");
        let mut under_way = sealed(suite, 5, b"sound");
        assert_eq!(under_way.len(), plain.len() + tag);
        assert_ne!(&under_way[12..17], b"sound");
        let again = under_way.clone();
        let length = opener.open(&mut under_way).expect("the peer's own");
        assert_eq!(under_way[..length], plain);
        assert!(!opens(&mut opener, &again), "a packet that comes again");
    }
}

#[test]
fn a_report_is_opened_once_and_counted() {
    let (mut sealer, mut opener) = (Sealer::new(&master()), Opener::new(Suite::Tag32, &master(), 0));
    for _ in 0..3 {
        let plain = rtp::goodbye(9);
        let mut report = plain.clone();
        sealer.seal_report(&mut report);
        let again = report.clone();
        let length = opener.open_report(&mut report).expect("the peer's own");
        assert_eq!(report[..length], plain);
        assert_eq!(opener.open_report(&mut again.clone()), None);
    }
    assert_eq!(sealer.reported, 3);
}

#[test]
fn forged_packets_are_nothing_and_shut_nobody_out() {
    let mut opener = Opener::new(Suite::Tag80, &master(), 0);
    let mut stranger = packet(20_000, b"noise");
    Sealer::new(&Key([7; KEY_BYTES])).seal(Suite::Tag80, &mut stranger, 0);
    assert!(!opens(&mut opener, &stranger), "another key");
    assert!(!opens(&mut opener, &packet(1, b"in the clear")));
    assert!(opener.sources.0.is_empty(), "nothing is remembered of them");
    let mut bent = sealed(Suite::Tag80, 6, b"sound");
    bent[13] ^= 1;
    assert!(!opens(&mut opener, &bent));
    assert!(opens(&mut opener, &sealed(Suite::Tag80, 6, b"sound")), "the whole one still counts");
}

#[test]
fn packets_may_be_late_by_a_window_and_numbers_begin_anew() {
    let mut opener = Opener::new(Suite::Tag80, &master(), 0);
    // Across two ends of the sequence numbers, every other packet late by one.
    for step in 0..3_000u32 {
        for index in [64_001 + step * 40, 64_000 + step * 40] {
            assert!(opens(&mut opener, &sealed(Suite::Tag80, index, b"s")), "{index}");
        }
    }
    let newest = 64_001 + 2_999 * 40;
    assert!(opens(&mut opener, &sealed(Suite::Tag80, newest - 62, b"s")), "late, and within the window");
    assert!(!opens(&mut opener, &sealed(Suite::Tag80, newest - 70, b"s")), "too late");
}

#[test]
fn a_source_whose_first_packets_are_lost_is_heard() {
    let mut opener = Opener::new(Suite::Tag80, &master(), 0);
    assert!(opens(&mut opener, &sealed(Suite::Tag80, 65_540, b"the first that comes")));
    assert!(opens(&mut opener, &sealed(Suite::Tag80, 65_530, b"one from before")));
}

#[test]
fn the_name_of_a_key_is_passed_over() {
    let mut named = sealed(Suite::Tag80, 3, b"sound");
    let at = named.len() - 10;
    named.splice(at..at, [0, 0, 0, 1]);
    let mut opener = Opener::new(Suite::Tag80, &master(), 4);
    assert_eq!(opener.open(&mut named), Some(17));
    assert_eq!(&named[12..17], b"sound");
}

#[test]
fn what_is_remembered_of_sources_is_bounded() {
    let mut opener = Opener::new(Suite::Tag32, &master(), 0);
    let sealer = Sealer::new(&master());
    for ssrc in 0..100 {
        let packet =
            Packet { payload_type: 0, marker: false, sequence: 1, timestamp: 7, ssrc, payload: b"s" };
        let mut out = Vec::new();
        packet.write(&mut out);
        sealer.seal(Suite::Tag32, &mut out, 0);
        assert!(opener.open(&mut out).is_some(), "a switch may change its source");
    }
    assert_eq!(opener.sources.0.len(), SOURCES);
}

proptest! {
    #[test]
    fn any_datagram_is_opened_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), mki in 0usize..200,
    ) {
        let mut opener = Opener::new(Suite::Tag32, &master(), mki);
        prop_assert_eq!(opener.open(&mut bytes.clone()), None);
        prop_assert_eq!(opener.open_report(&mut bytes.clone()), None);
    }

    #[test]
    fn every_packet_is_read_by_whoever_has_the_key(
        index in 0u32..130_000, payload in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut under_way = sealed(Suite::Tag80, index, &payload);
        let length = Opener::new(Suite::Tag80, &master(), 0).open(&mut under_way);
        let read = length.and_then(|length| Packet::parse(&under_way[..length]));
        prop_assert_eq!(read.map(|packet| packet.payload), Some(&payload[..]));
    }
}
