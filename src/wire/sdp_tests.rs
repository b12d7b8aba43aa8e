use proptest::prelude::*;

use super::*;

fn described(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{media}")
}

const PLAIN: &str = "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";

fn ours() -> Ours {
    Ours { rtp: "198.51.100.1:5004".parse().expect("an address"), session: 7, version: 1, key: None }
}

fn offer(media: &str) -> Offer {
    Offer::parse(described(media).as_bytes()).expect("SDP")
}

#[test]
fn the_peers_order_decides_among_ours() {
    let offer = offer(PLAIN);
    assert_eq!(offer.agree(&Codec::ALL).expect("agreed").codec, Codec::Pcma);
    let agreed = offer.agree(&[Codec::G722, Codec::Pcmu]).expect("agreed");
    assert_eq!((agreed.codec, agreed.payload_type, agreed.events), (Codec::Pcmu, 0, Some(101)));
    assert_eq!(agreed.rtp.to_string(), "192.0.2.7:4000");
    assert_eq!(agreed.rtcp.map(|a| a.port()), Some(4001));
    assert_eq!(offer.agree(&[Codec::Opus]), Err(SdpError::NoCodec));
}

#[test]
fn an_answer_mirrors_every_line_and_is_read_back() {
    let offer = offer(&format!("{PLAIN}a=rtcp-mux\r\na=sendonly\r\nm=video 4002 RTP/AVP 97\r\n"));
    let agreed = offer.agree(&Codec::ALL).expect("agreed");
    let answer = offer.answer(&agreed, &ours());
    assert!(answer.contains("m=audio 5004 RTP/AVP 8 101\r\n"), "{answer}");
    assert!(answer.contains("m=video 0 RTP/AVP 97\r\n"), "{answer}");
    assert!(answer.contains("a=recvonly\r\n") && answer.contains("a=rtcp-mux\r\n"), "{answer}");
    let read = Offer::parse(answer.as_bytes()).expect("our own");
    assert_eq!(read.codecs, [(Codec::Pcma, 8)]);
}

#[test]
fn dynamic_types_are_the_peers_and_clocks_have_to_fit() {
    let agreed = offer(
        "m=audio 4000 RTP/AVP 111 110\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n",
    )
    .agree(&Codec::ALL)
    .expect("agreed");
    assert_eq!((agreed.codec, agreed.payload_type, agreed.events), (Codec::Opus, 111, Some(110)));
    let wide = offer("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/16000\r\n");
    assert_eq!(wide.agree(&Codec::ALL), Err(SdpError::NoCodec));
    assert_eq!(offer("m=audio 4000 RTP/AVP 9 0\r\n").agree(&Codec::ALL).expect("static").codec, Codec::G722);
}

#[test]
fn hold_is_read_in_all_its_spellings() {
    assert_eq!(offer(&format!("{PLAIN}a=inactive\r\n")).direction, Direction::Inactive);
    assert!(!offer(&format!("{PLAIN}a=sendonly\r\n")).direction.peer_listens());
    assert_eq!(offer("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n").direction, Direction::Inactive);
}

#[test]
fn what_cannot_be_used_is_named() {
    assert_eq!(Offer::parse(b"hello"), Err(SdpError::Malformed));
    for media in ["", "m=video 1 RTP/AVP 97\r\n", "m=audio 0 RTP/AVP 0\r\n"] {
        assert_eq!(Offer::parse(described(media).as_bytes()), Err(SdpError::NoAudio), "{media}");
    }
}

#[test]
fn sound_that_must_be_encrypted_is_refused_and_a_plain_line_beside_it_taken() {
    let secure = "m=audio 4000 RTP/SAVP 0\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:QUJD|2^20\r\n";
    let parsed = |media: &str| Offer::parse(described(media).as_bytes());
    assert_eq!(parsed(secure), Err(SdpError::Encrypted));
    assert_eq!(parsed("m=audio 1 UDP/TLS/RTP/SAVPF 0\r\n"), Err(SdpError::Encrypted));
    let both = parsed(&format!("{secure}m=audio 4002 RTP/AVP 8\r\n")).expect("a plain line");
    let agreed = both.agree(&Codec::ALL).expect("agreed");
    let answer = both.answer(&agreed, &ours());
    assert!(
        answer.contains("m=audio 0 RTP/SAVP 0\r\n") && answer.contains("m=audio 5004 RTP/AVP 8"),
        "{answer}"
    );
}

#[test]
fn our_own_offer_is_agreed_on_by_ourselves() {
    let text = ours().offer(&Codec::ALL);
    let offer = Offer::parse(text.as_bytes()).expect("our own");
    assert_eq!(offer.codecs.len(), 4);
    assert_eq!(offer.agree(&[Codec::Opus]).expect("agreed").events, Some(101));
}

const SECURE: &str = "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 inline:QUJD\r\na=crypto:2 \
    AES_CM_128_HMAC_SHA1_32 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\n";

#[test]
fn encrypted_sound_is_answered_with_a_key_of_our_own_where_it_may_be() {
    let key = Key([7; 30]);
    let ours = Ours { key: Some(key), ..ours() };
    let parsed = |media: &str, encryption| Offer::parse_as(described(media).as_bytes(), encryption);
    let plain = "m=audio 4002 RTP/AVP 8\r\n";
    // Encrypted sound goes first, wherever it stands.
    let offer = parsed(&format!("{plain}{SECURE}"), Encryption::Possible).expect("encrypted");
    let agreed = offer.agree(&Codec::ALL).expect("agreed");
    let crypto = agreed.crypto.expect("the second one");
    assert_eq!((crypto.tag, crypto.suite, agreed.rtp.port()), (2, Suite::Tag32, 4000));
    let answer = offer.answer(&agreed, &ours);
    assert!(answer.contains("m=audio 0 RTP/AVP 8\r\nm=audio 5004 RTP/SAVP 0\r\n"), "{answer}");
    let read = Offer::parse_as(answer.as_bytes(), Encryption::Demanded).expect("our own");
    assert_eq!(read.crypto, Some(Crypto { key, ..crypto }));
    // A key beside sound in the clear is taken up, and the answer says so in the same words (RFC 8643).
    let offer = parsed(&SECURE.replace("SAVP", "AVP"), Encryption::Possible).expect("encrypted");
    let answer = offer.answer(&offer.agree(&Codec::ALL).expect("agreed"), &ours);
    assert!(answer.contains("RTP/AVP 0\r\n") && answer.contains("a=crypto:2 AES"), "{answer}");
    let unkeyed = parsed("m=audio 4000 RTP/SAVP 0\r\n", Encryption::Possible);
    assert_eq!(unkeyed, Err(SdpError::Encrypted), "no key at all");
    assert!(parsed(plain, Encryption::Possible).expect("in the clear").crypto.is_none());
    assert_eq!(parsed(plain, Encryption::Demanded), Err(SdpError::Clear));
}

#[test]
fn our_own_offer_of_encrypted_sound_is_agreed_on_by_ourselves() {
    let text = Ours { key: Some(Key([7; 30])), ..ours() }.offer(&Codec::ALL);
    assert_eq!(Offer::parse(text.as_bytes()), Err(SdpError::Encrypted));
    let offer = Offer::parse_as(text.as_bytes(), Encryption::Demanded).expect("our own");
    assert_eq!(offer.crypto.map(|crypto| (crypto.tag, crypto.suite)), Some((1, Suite::Tag80)));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Offer::parse(&bytes);
    }

    #[test]
    fn a_bent_description_is_read_or_refused(at in 0usize..300, byte: u8, cut in 0usize..300) {
        let mut bytes = described(&format!("{SECURE}{PLAIN}")).into_bytes();
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes.truncate(len - cut % len);
        if let Ok(offer) = Offer::parse_as(&bytes, Encryption::Possible) && let Ok(agreed) = offer.agree(&Codec::ALL) {
            let answer = offer.answer(&agreed, &Ours { key: Some(Key([7; 30])), ..ours() });
            let read = Offer::parse_as(answer.as_bytes(), Encryption::Possible);
            prop_assert!(read.is_ok_and(|read| read.crypto.is_some() == agreed.crypto.is_some()), "{answer}");
        }
    }
}
