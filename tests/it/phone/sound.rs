//! Sound and keys over RTP, as networks and telephones mangle them.

use attendant::audio::{LINE_RATE_HZ, rms_dbfs, tone};
use attendant::call::Dtmf;

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

#[test]
fn a_key_by_info_and_by_event_is_one_key() {
    let keys = keys_of(|caller| {
        let info = |caller: &mut Caller, signal: char| {
            let body = format!("Signal={signal}\r\nDuration=160\r\n");
            let info = caller.request("INFO", "Content-Type: application/dtmf-relay\r\n", &body);
            caller.send(&info);
            assert_eq!(caller.answer().status(), 200);
        };
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
    let wide = tone(Dtmf::ZERO, std::time::Duration::from_millis(100), -10.0);
    let narrow: Vec<i16> = attendant::audio::resample(&wide, 16_000, LINE_RATE_HZ);
    caller.speak(&narrow, |_| false);
    caller.silence(20);
    caller.hang_up();
    let record = &line.held(1)[0].record;
    let keys = record.turns.iter().find_map(|turn| turn.keys.as_ref()).expect("a turn by keys");
    assert_eq!(keys.expose(), "0");
}
