//! Sound and keys over RTP, as networks and telephones mangle them.

use attendant::audio::{FRAME_SAMPLES, LINE_RATE_HZ, Law, RATE_HZ, resample, rms_dbfs, tone};
use attendant::call::Dtmf;
use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::opus::{OpusDecoder, OpusEncoder};
use audio_codec::{Decoder, Encoder};

use super::TestLine;
use super::caller::Caller;

fn keys_of(play: impl Fn(&mut Caller)) -> String {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(10);
    play(&mut caller);
    caller.silence(15);
    caller.hang_up();
    line.held(1)[0].keys.clone()
}

#[test]
fn each_key_counts_once_whatever_of_its_packets_is_lost() {
    // Whole; only the first packet; no end; only the last end; and the same key again.
    for (presses, wanted) in
        [([('4', 0..9), ('5', 0..1), ('1', 0..4)], "451"), ([('3', 0..9), ('2', 6..7), ('2', 0..9)], "322")]
    {
        let keys = keys_of(|caller| {
            for (key, kept) in &presses {
                caller.press(*key, |n| kept.contains(&n));
                caller.silence(5);
            }
        });
        assert_eq!(keys, wanted);
    }
}

fn info(caller: &mut Caller, signal: char) {
    let body = format!("Signal={signal}\r\nDuration=160\r\n");
    let info = caller.request("INFO", "Content-Type: application/dtmf-relay\r\n", &body);
    caller.send(&info);
    assert_eq!(caller.answer().status(), 200);
}

/// A key's tones as a telephone plays them, for a tenth of a second.
fn narrow_tone(key: char) -> Vec<i16> {
    let wide = tone(Dtmf::try_from(key).expect("a key"), std::time::Duration::from_millis(100), -10.0);
    resample(&wide, RATE_HZ, LINE_RATE_HZ)
}

#[test]
fn a_key_by_tone_and_by_event_and_by_info_is_one_press() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(30);
    for key in ['9', '9', '7'] {
        caller.speak(&narrow_tone(key), |_| false);
        caller.press(key, |_| true);
        info(&mut caller, key);
        caller.silence(40);
    }
    caller.hang_up();
    let record = &line.held(1)[0].record;
    let keys: String =
        record.turns.iter().filter_map(|turn| Some(turn.keys.as_ref()?.expose().as_str())).collect();
    assert_eq!(keys, "997", "three presses, each by three ways");
}

type Coding<A, B> = Box<dyn FnMut(&[A]) -> Vec<B>>;

/// A codec that a caller has, and the line's sound through it.
struct Voice {
    media: &'static str,
    /// Ticks of its clock in 20 ms.
    ticks: u32,
    encode: Coding<i16, u8>,
    decode: Coding<u8, i16>,
}

fn voices() -> [Voice; 3] {
    let (mut g722, mut g722_back) = (G722Encoder::new(), G722Decoder::new());
    let (mut opus, mut opus_back) = (OpusEncoder::new(RATE_HZ, 1), OpusDecoder::new(RATE_HZ, 1));
    [
        Voice {
            media: "m=audio PORT RTP/AVP 8\r\n",
            ticks: 160,
            encode: Box::new(|wide| Law::A.encode_all(&resample(wide, RATE_HZ, LINE_RATE_HZ))),
            decode: Box::new(|payload| Law::A.decode_all(payload)),
        },
        // Its clock is said to be 8 kHz (RFC 3551, section 4.5.2).
        Voice {
            media: "m=audio PORT RTP/AVP 9\r\n",
            ticks: 160,
            encode: Box::new(move |wide| g722.encode(wide)),
            decode: Box::new(move |payload| g722_back.decode(payload)),
        },
        Voice {
            media: "m=audio PORT RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n",
            ticks: 960,
            encode: Box::new(move |wide| opus.encode(wide)),
            decode: Box::new(move |payload| opus_back.decode(payload)),
        },
    ]
}

#[test]
fn the_line_hears_and_speaks_each_codec() {
    for Voice { media, ticks, mut encode, mut decode } in voices() {
        let line = TestLine::open(&[]);
        let mut caller = Caller::new(line.address);
        let offer = caller.offer(media);
        assert_eq!(caller.invite("", &offer).status(), 200, "{media}");
        let hum: Vec<i16> = (0..RATE_HZ)
            .map(|n| (6_000.0 * (n as f32 * 200.0 / RATE_HZ as f32 * std::f32::consts::TAU).sin()) as i16)
            .collect();
        for (n, frame) in hum.chunks(FRAME_SAMPLES).enumerate() {
            caller.put(&caller.packet(caller.payload_type, n == 0, caller.timestamp, &encode(frame)));
            caller.step();
            caller.timestamp = caller.timestamp.wrapping_add(ticks - 160);
            caller.tick();
        }
        let (mut bytes, mut loud) = ([0; 1_500], 0);
        for _ in 0..40 {
            let (length, _) = caller.rtp.recv_from(&mut bytes).expect("the line's sound");
            let packet = caller.opened(&mut bytes[..length]).expect("a packet");
            assert_eq!(packet.payload_type, caller.payload_type, "{media}");
            loud += u32::from(rms_dbfs(&decode(packet.payload)) > -30.0);
        }
        assert!(loud > 5, "{media}: the line spoke in {loud} frames");
        caller.hang_up();
        let heard = line.held(1)[0].heard.clone();
        let heard =
            heard.chunks(FRAME_SAMPLES).filter(|frame| rms_dbfs(frame) > rms_dbfs(&hum) - 3.0).count();
        assert!((40..=56).contains(&heard), "{media}: {heard} frames of about 50 at full level");
    }
}

#[test]
fn a_key_by_info_and_by_event_is_one_key() {
    let keys = keys_of(|caller| {
        info(caller, '7');
        caller.silence(50);
        caller.press('8', |_| true);
        info(caller, '8');
        caller.silence(5);
    });
    assert_eq!(keys, "78");
}

#[test]
fn a_source_that_changes_in_mid_call_keeps_its_keys() {
    let keys = keys_of(|caller| {
        caller.press('1', |_| true);
        caller.ssrc = 99;
        caller.sequence = 7;
        caller.timestamp = 1_000_000;
        caller.silence(10);
        caller.press('2', |_| true);
    });
    assert_eq!(keys, "12");
}

#[test]
fn a_strangers_packets_are_not_heard() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(10);
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for n in 0..50u32 {
        let event = caller.packet(101, true, 9_000 + n * 160, &[9, 10, 0, 160]);
        stranger.send_to(&event, caller.media.expect("media")).expect("sent");
        caller.silence(1);
    }
    caller.hang_up();
    assert_eq!(line.held(1)[0].keys, "");
}

#[test]
fn a_tone_arrives_at_its_level_through_loss() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(10);
    let hum: Vec<i16> = (0..LINE_RATE_HZ)
        .map(|n| (6_000.0 * (n as f32 * 200.0 / LINE_RATE_HZ as f32 * std::f32::consts::TAU).sin()) as i16)
        .collect();
    caller.speak(&hum, |n| n % 50 == 25);
    caller.silence(10);
    caller.hang_up();
    let heard = line.held(1)[0].heard.clone();
    let wanted = rms_dbfs(&hum);
    let loud: Vec<f32> = heard.chunks(320).map(rms_dbfs).filter(|l| *l > wanted - 3.0).collect();
    assert!((45..=56).contains(&loud.len()), "{} frames of about 50 at full level", loud.len());
}

#[test]
fn in_band_tones_are_keys_too() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(30);
    caller.speak(&narrow_tone('0'), |_| false);
    caller.silence(20);
    caller.hang_up();
    let record = &line.held(1)[0].record;
    let keys = record.turns.iter().find_map(|turn| turn.keys.as_ref()).expect("a turn by keys");
    assert_eq!(keys.expose(), "0");
}

/// RFC 3550, section 6.4.1: how much has been sent, and of what came how much was lost; at the end a goodbye.
#[test]
fn the_caller_is_told_what_was_lost() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::new(line.address);
    let reports = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    reports.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("set");
    let port = reports.local_addr().expect("bound").port();
    let offer = caller.usual() + &format!("a=rtcp:{port}\r\n");
    assert_eq!(caller.invite("", &offer).status(), 200);
    // Five seconds and a little.
    caller.speak(&[0; 160 * 265], |n| n % 10 == 5);
    let mut bytes = [0; 1_500];
    let length = reports.recv(&mut bytes).expect("a report");
    assert!(length >= 52 && bytes[0] & 0x1f == 1 && bytes[1] == 200, "{:?}", &bytes[..length]);
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four"));
    assert!((200..300).contains(&number(20)), "{} packets of the line's", number(20));
    assert_eq!(number(28), caller.ssrc);
    let lost = number(32) & 0xff_ffff;
    assert!((15..=27).contains(&lost), "{lost} of about 250 packets, of which every tenth is lost");
    caller.hang_up();
    reports.recv(&mut bytes).expect("another");
    assert_eq!(bytes[1], 203, "goodbye");
    line.held(1);
}
