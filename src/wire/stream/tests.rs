//! Each provider's messages as its documentation has them, and what strangers make of them.

use super::audiosocket::AudioSocket;
use super::chan_websocket::ChanWebsocket;
use super::jambonz::Jambonz;
use super::twilio::Twilio;
use super::vonage::Vonage;
use super::*;
use crate::audio::{FRAME_SAMPLES, Frame, SplitMix64, rms_dbfs, tone};

const TWILIO_START: &str = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ18","callSid":"CA77","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"from":"+15550100","to":"+15550800"}},"streamSid":"MZ18"}"#;

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

fn said(dialect: &mut dyn Dialect, message: &Message) -> Vec<Said> {
    let mut said = VecDeque::new();
    dialect.read(message, &mut said);
    said.into()
}

fn key(c: char) -> Said {
    Said::Key(Dtmf::try_from(c).expect("a key"))
}

fn started(call: &str, from: Option<&str>, to: Option<&str>) -> Vec<Said> {
    vec![Said::Started(Start::read(Some(call), from, to))]
}

#[test]
fn twilio_says_and_hears_what_its_page_shows() {
    let mut twilio = Twilio::default();
    assert_eq!(twilio.clear(), None, "nothing can be sent to a stream without a name");
    assert!(
        said(&mut twilio, &text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#)).is_empty()
    );
    let start = said(&mut twilio, &text(TWILIO_START));
    assert_eq!(start, started("CA77", Some("+15550100"), Some("+15550800")));
    let media = r#"{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"/////w=="},"streamSid":"MZ18"}"#;
    let sound = vec![Said::Sound { rate_hz: 8_000, samples: vec![0; 4] }];
    assert_eq!(said(&mut twilio, &text(media)), sound);
    assert!(said(&mut twilio, &text(&media.replace("inbound", "outbound"))).is_empty());
    let dtmf = r#"{"event":"dtmf","streamSid":"MZ18","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"}}"#;
    assert_eq!(said(&mut twilio, &text(dtmf)), [key('1')]);
    let mark = r#"{"event":"mark","sequenceNumber":"4","streamSid":"MZ18","mark":{"name":"m3"}}"#;
    assert_eq!(said(&mut twilio, &text(mark)), [Said::Played(3)]);
    let stop = r#"{"event":"stop","sequenceNumber":"5","stop":{"accountSid":"AC1","callSid":"CA77"},"streamSid":"MZ18"}"#;
    assert_eq!(said(&mut twilio, &text(stop)), [Said::Ended]);
    assert_eq!(
        twilio.sound(&[0; 3]),
        Some(text(r#"{"event":"media","media":{"payload":"////"},"streamSid":"MZ18"}"#))
    );
    assert_eq!(twilio.mark(4), Some(text(r#"{"event":"mark","mark":{"name":"m4"},"streamSid":"MZ18"}"#)));
    assert_eq!(twilio.clear(), Some(text(r#"{"event":"clear","streamSid":"MZ18"}"#)));
}

#[test]
fn vonage_takes_twenty_milliseconds_at_its_rate() {
    for (rate_hz, bytes) in [(8_000, 320), (16_000, 640)] {
        let mut vonage = Vonage::default();
        let connected = format!(
            r#"{{"event":"websocket:connected","content-type":"audio/l16;rate={rate_hz}","call":"u-1","from":"447700900000","to":"442000"}}"#
        );
        assert_eq!(
            said(&mut vonage, &text(&connected)),
            started("u-1", Some("447700900000"), Some("442000"))
        );
        assert_eq!(vonage.rate_hz(), rate_hz);
        let sound = said(&mut vonage, &Message::Binary(vec![1, 0, 255, 255]));
        assert_eq!(sound, [Said::Sound { rate_hz, samples: vec![1, -1] }]);
        assert_eq!(vonage.sound(&[0; 7]), None);
        let Some(Message::Binary(frame)) = vonage.sound(&vec![0; bytes / 2]) else { panic!("no sound") };
        assert_eq!(frame.len(), bytes);
        assert_eq!(
            said(&mut vonage, &text(r#"{"event":"websocket:dtmf","digit":"5","duration":260}"#)),
            [key('5')]
        );
        assert_eq!(vonage.mark(2), Some(text(r#"{"action":"notify","payload":{"mark":"m2"}}"#)));
        let notify = r#"{"event":"websocket:notify","payload":{"mark":"m2"}}"#;
        assert_eq!(said(&mut vonage, &text(notify)), [Said::Played(2)]);
        assert_eq!(vonage.clear(), Some(text(r#"{"action":"clear"}"#)));
        assert!(said(&mut vonage, &text(r#"{"event":"websocket:cleared"}"#)).is_empty());
    }
}

#[test]
fn audiosocket_packets_may_be_cut_anywhere() {
    let mut bytes = vec![1, 0, 16];
    bytes.extend(0..16u8);
    bytes.extend([0x03, 0, 1, b'#', 0x12, 0, 4, 1, 0, 2, 0, 0x10, 0, 2, 9, 9, 0x77, 0, 1, 0, 0, 0, 0]);
    let wanted = [
        started("00010203-0405-0607-0809-0a0b0c0d0e0f", None, None),
        vec![key('#'), Said::Sound { rate_hz: 16_000, samples: vec![1, 2] }, Said::Ended],
    ]
    .concat();
    for piece in 1..=bytes.len() {
        let mut socket = AudioSocket::default();
        let pieces = bytes.chunks(piece).map(|b| Message::Binary(b.to_vec()));
        let all: Vec<Said> = pieces.flat_map(|m| said(&mut socket, &m)).collect();
        assert_eq!(all, wanted, "in pieces of {piece}");
        assert_eq!(socket.sound(&[1]), Some(Message::Binary(vec![0x12, 0, 2, 1, 0])), "in kind");
        assert_eq!(socket.hang_up(), Some(Message::Binary(vec![0, 0, 0])));
    }
}

#[test]
fn chan_websocket_writes_plain_text_or_json() {
    let plain = "MEDIA_START connection_id:e226 channel:WebSocket/c format:ulaw optimal_frame_size:160";
    let json = r#"{"event":"MEDIA_START","connection_id":"e226","channel":"WebSocket/c","format":"slin16","optimal_frame_size":640,"ptime":20}"#;
    let mut asterisk = ChanWebsocket::default();
    assert_eq!(said(&mut asterisk, &text(plain)), started("e226", None, None));
    assert_eq!(said(&mut asterisk, &text("DTMF_END digit:7")), [key('7')]);
    assert_eq!(asterisk.sound(&[0; 2]), Some(Message::Binary(vec![0xff; 2])));
    assert_eq!(asterisk.mark(1), None);
    assert_eq!(asterisk.clear(), Some(text("FLUSH_MEDIA")));
    assert_eq!(asterisk.hang_up(), Some(text("HANGUP")));

    let mut asterisk = ChanWebsocket::default();
    assert_eq!(said(&mut asterisk, &text(json)), started("e226", None, None));
    assert_eq!(said(&mut asterisk, &text(r#"{"event":"DTMF_END","digit":"*"}"#)), [key('*')]);
    let sound = said(&mut asterisk, &Message::Binary(vec![1, 0]));
    assert_eq!(sound, [Said::Sound { rate_hz: 16_000, samples: vec![1] }]);
    assert_eq!(asterisk.mark(1), Some(text(r#"{"command":"MARK_MEDIA","correlation_id":"m1"}"#)));
    let mark = r#"{"event":"MEDIA_MARK_PROCESSED","correlation_id":"m1"}"#;
    assert_eq!(said(&mut asterisk, &text(mark)), [Said::Played(1)]);
    assert_eq!(said(&mut asterisk, &text(r#"{"event":"MEDIA_XOFF"}"#)), []);
    assert_eq!(asterisk.sound(&[0; 2]), None, "what a full queue is sent is dropped there");
    assert_eq!(asterisk.clear(), Some(text(r#"{"command":"FLUSH_MEDIA"}"#)));
    assert!(asterisk.sound(&[0; 2]).is_some(), "a flush empties the queue");

    let unknown = said(&mut ChanWebsocket::default(), &text(&plain.replace("ulaw", "opus")));
    assert_eq!(unknown, [Said::Ended]);
}

#[test]
fn jambonz_begins_with_the_calls_attributes() {
    let mut jambonz = Jambonz::default();
    let first = r#"{"callSid":"c-9","direction":"inbound","from":"5550100","to":"800","callId":"x","sipStatus":200,"sampleRate":16000,"mixType":"mono"}"#;
    assert_eq!(said(&mut jambonz, &Message::Binary(vec![0; 4])), [], "no sound before the call");
    assert_eq!(said(&mut jambonz, &text(first)), started("c-9", Some("5550100"), Some("800")));
    assert_eq!(jambonz.rate_hz(), 16_000);
    assert_eq!(said(&mut jambonz, &text(r#"{"event":"dtmf","dtmf":"2","duration":"1600"}"#)), [key('2')]);
    assert_eq!(jambonz.clear(), Some(text(r#"{"type":"killAudio"}"#)));
    assert_eq!(jambonz.hang_up(), Some(text(r#"{"type":"disconnect"}"#)));
    let mark = r#"{"type":"mark","data":{"name":"m1","event":"playout"}}"#;
    assert_eq!(said(&mut jambonz, &text(mark)), [Said::Played(1)]);
}

/// A leg that has begun, and what makes it begin.
fn legs() -> Vec<(&'static str, StreamLeg, Vec<Message>)> {
    let bytes = |bytes: &[u8]| Message::Binary(bytes.to_vec());
    let media = r#"{"event":"media","media":{"track":"inbound","payload":"//8A/38="},"streamSid":"MZ18"}"#;
    let mut socket = vec![1, 0, 16];
    socket.extend([7; 16]);
    vec![
        (
            "twilio",
            StreamLeg::new(Box::new(Twilio::default())),
            vec![
                text(TWILIO_START),
                text(media),
                text(r#"{"event":"dtmf","streamSid":"MZ18","dtmf":{"digit":"1"}}"#),
                text(r#"{"event":"mark","streamSid":"MZ18","mark":{"name":"m1"}}"#),
                text(r#"{"event":"stop","streamSid":"MZ18"}"#),
            ],
        ),
        (
            "vonage",
            StreamLeg::new(Box::new(Vonage::default())),
            vec![
                text(
                    r#"{"event":"websocket:connected","content-type":"audio/l16;rate=8000","from":"5550100"}"#,
                ),
                bytes(&[1; 320]),
                text(r#"{"event":"websocket:dtmf","digit":"5","duration":260}"#),
                text(r#"{"event":"websocket:notify","payload":{"mark":"m1"}}"#),
            ],
        ),
        (
            "audiosocket",
            StreamLeg::new(Box::new(AudioSocket::default())),
            vec![
                bytes(&socket),
                bytes(&[0x10, 0, 4, 1, 2, 3, 4]),
                bytes(&[0x12, 0, 2, 1, 2, 0x03, 0, 1, b'5']),
                bytes(&[0, 0, 0]),
            ],
        ),
        (
            "chan_websocket",
            StreamLeg::new(Box::new(ChanWebsocket::default())),
            vec![
                text(r#"{"event":"MEDIA_START","connection_id":"a","format":"alaw"}"#),
                text("MEDIA_START connection_id:a channel:b format:slin48 optimal_frame_size:1920"),
                bytes(&[0x55; 160]),
                text("DTMF_END digit:7"),
                text("MEDIA_XOFF"),
                text(r#"{"event":"MEDIA_MARK_PROCESSED","correlation_id":"m1"}"#),
            ],
        ),
        (
            "jambonz",
            StreamLeg::new(Box::new(Jambonz::default())),
            vec![
                text(r#"{"callSid":"c-9","from":"5550100","to":"800","sampleRate":16000}"#),
                bytes(&[1; 640]),
                text(r#"{"event":"dtmf","dtmf":"2","duration":"1600"}"#),
                text(r#"{"type":"mark","data":{"name":"m1","event":"playout"}}"#),
            ],
        ),
    ]
}

#[test]
fn sound_gets_through_both_ways_at_its_level() {
    let hum = tone(Dtmf::ZERO, std::time::Duration::from_secs(1), -12.0);
    for (name, mut there, begin) in legs() {
        there.handle_message(&begin[0]);
        assert!(there.start().is_some(), "{name}");
        let mut back = StreamLeg::new(match name {
            "twilio" => Box::<Twilio>::default() as Box<dyn Dialect>,
            "vonage" => Box::<Vonage>::default(),
            "audiosocket" => Box::<AudioSocket>::default(),
            "chan_websocket" => Box::<ChanWebsocket>::default(),
            _ => Box::<Jambonz>::default(),
        });
        back.handle_message(&begin[0]);
        let mut heard = Vec::new();
        for frame in hum.chunks(FRAME_SAMPLES).map(Frame::from_padded) {
            there.handle_line(&frame, true);
            while let Some(message) = there.poll_message() {
                // What Twilio is sent has no track; all else looks alike both ways.
                back.handle_message(&message);
            }
            heard.extend(back.handle_line(&Frame::SILENCE, false).samples());
        }
        let level = rms_dbfs(&heard[8_000..]);
        assert!((level - rms_dbfs(&hum)).abs() < 1.0, "{name}: {level} dBFS");
    }
}

#[test]
fn a_barge_in_clears_what_waits_and_awaits_nothing() {
    for (name, mut leg, begin) in legs() {
        leg.handle_message(&begin[0]);
        leg.flush();
        assert_eq!(leg.poll_message(), None, "{name}: nothing was said");
        leg.handle_line(&Frame::SILENCE, true);
        leg.handle_line(&Frame::SILENCE, false);
        let sent: Vec<Message> = std::iter::from_fn(|| leg.poll_message()).collect();
        let marks = name != "audiosocket";
        assert_eq!(leg.is_played(), !marks, "{name}: {sent:?}");
        leg.flush();
        assert!(leg.is_played(), "{name}");
        assert_eq!(leg.poll_message().is_some(), marks, "{name}: a clear");
        // The mark comes back late, or twice, or never was: nothing changes.
        for mark in [begin.last(), begin.last()].into_iter().flatten() {
            leg.handle_message(mark);
            assert!(leg.is_played(), "{name}");
        }
    }
}

#[test]
fn a_burst_of_keys_is_kept_up_to_its_bound() {
    let (_, mut leg, begin) = legs().remove(0);
    leg.handle_message(&begin[0]);
    for _ in 0..1_000 {
        leg.handle_message(&begin[2]);
    }
    assert_eq!(std::iter::from_fn(|| leg.poll_key()).count(), 64);
}

/// Messages that begin as good ones.
const MUTATIONS: usize = if cfg!(debug_assertions) { 10_000 } else { 100_000 };

fn mutated(random: &mut SplitMix64, good: &[Message]) -> Message {
    let mut below = |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    let bytes_of = |message: &Message| match message {
        Message::Text(text) => text.clone().into_bytes(),
        Message::Binary(bytes) => bytes.clone(),
    };
    let first = &good[below(good.len())];
    let mut bytes = bytes_of(first);
    for _ in 0..below(4) {
        let at = below(bytes.len());
        match below(6) {
            0 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, [0xff, 0x10, b'"', b'{'].into_iter().take(1 + below(4)))),
            3 => bytes.extend(bytes_of(&good[below(good.len())])),
            4 if !bytes.is_empty() => drop(bytes.drain(at..(at + below(9)).min(bytes.len()))),
            _ => bytes.rotate_left(at),
        }
    }
    let as_text = matches!(first, Message::Text(_)) != (below(20) == 0);
    if as_text { Message::Text(String::from_utf8_lossy(&bytes).into_owned()) } else { Message::Binary(bytes) }
}

#[test]
fn mutated_messages_neither_break_a_leg_nor_make_it_grow() {
    for (name, _, good) in legs() {
        let mut random = SplitMix64::new(0x5742_4d53);
        let fresh = || legs().into_iter().find(|(other, ..)| *other == name).expect("it is there").1;
        let mut leg = fresh();
        let (mut begun, mut keys) = (0, 0);
        for n in 0..MUTATIONS {
            if n % 200 == 0 {
                leg = fresh();
            }
            leg.handle_message(&mutated(&mut random, &good));
            if n % 7 == 0 {
                leg.handle_line(&Frame::SILENCE, n % 14 == 0);
            }
            if n % 200 == 199 {
                begun += usize::from(leg.start().is_some());
                keys += std::iter::from_fn(|| leg.poll_key()).count();
                assert!(std::iter::from_fn(|| leg.poll_message()).count() <= 64, "{name}");
            }
        }
        assert!(begun > 0 && keys > 0, "{name}: {begun} calls and {keys} keys: the mutations reach nothing");
    }
}

#[test]
fn bytes_that_wait_are_bounded() {
    let mut socket = AudioSocket::default();
    let mut random = SplitMix64::new(9);
    for _ in 0..2_000 {
        let piece: Vec<u8> = (0..100).map(|_| random.next_u64() as u8).collect();
        said(&mut socket, &Message::Binary(piece));
        assert!(socket.waiting.len() < 65_538 + 100);
    }
}
