//! Any body is read as SDP or refused, and what is agreed on can be written.
#![no_main]

use attendant::wire::sdp::{Codec, Encryption, Offer, Ours};
use attendant::wire::srtp::Key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(offer) = Offer::parse_as(bytes, Encryption::Possible) else { return };
    let Ok(agreed) = offer.agree(&Codec::ALL) else { return };
    let rtp = "192.0.2.1:5004".parse().expect("an address");
    let answer = offer.answer(&agreed, &Ours { rtp, session: 1, version: 1, key: Some(Key([7; 30])) });
    let encrypted = answer.lines().any(|line| line.starts_with("a=crypto:"));
    assert_eq!(encrypted, agreed.crypto.is_some(), "{answer}");
    assert!(answer.lines().any(|line| line.starts_with("m=audio 5004 ")), "no line of ours: {answer}");
});
