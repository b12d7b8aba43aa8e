//! Messages and packets that were bent on their way, to a line that listens: none stops it, and none is left in it.
//!
//! A sample of them runs with all tests; `make test-mutated` sends a hundred thousand. What is bent, and how, follows
//! from a seed, which a failure prints.

use std::net::UdpSocket;
use std::time::Duration;

use attendant::audio::{Law, SplitMix64};
use attendant::wire::sdp::{Codec, Offer, Ours};
use attendant::wire::telephone_event::{self, EventReceiver};

use super::TestLine;
use super::caller::Caller;

/// Messages of a run, unless `PHONE_MUTATED` says otherwise.
const MESSAGES: u64 = 2_000;

/// What means something to whoever reads a message.
const ODD: &[u8] = b"\r\n:;<>\" 0-,/@%=\0";

/// Messages after which the line is asked whether it is well.
const CHECK_EVERY: u64 = 500;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Changes, cuts out, doubles or inserts something, one to four times.
fn bend(bytes: &mut Vec<u8>, random: &mut SplitMix64) {
    let mut below = |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    for _ in 0..1 + below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = below(bytes.len());
        let to = (at + 1 + below(24)).min(bytes.len());
        match below(5) {
            0 => bytes[at] = below(256) as u8,
            1 => drop(bytes.drain(at..to)),
            2 => {
                let piece = bytes[at..to].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes[at] ^= 1 << below(8),
            _ => bytes.insert(at, ODD[below(ODD.len())]),
        }
    }
}

/// What telephones say to the line in and outside of a call.
fn requests(caller: &mut Caller, n: u64) -> String {
    let offer = caller.usual();
    let sdp = "Content-Type: application/sdp\r\n";
    match n % 8 {
        0 | 1 => caller.request("INVITE", sdp, &offer),
        2 => caller.request("INVITE", "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n", ""),
        3 => caller.request("OPTIONS", "Accept: application/sdp\r\n", ""),
        4 => {
            caller.request("INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n")
        }
        5 => caller.request(
            "NOTIFY",
            "Event: refer\r\nContent-Type: message/sipfrag\r\n",
            "SIP/2.0 200 OK\r\n",
        ),
        6 => caller.request("BYE", "", ""),
        _ => caller.request("CANCEL", "", ""),
    }
}

/// Whether the line answers, asked again each half second as a telephone asks: what is sent faster than it is read is
/// lost on the way.
fn is_well(line: &TestLine) -> bool {
    let mut caller = Caller::new(line.address);
    let options = caller.request("OPTIONS", "", "");
    caller.impatient();
    (0..20).any(|_| {
        caller.send(&options);
        caller.receive().is_some_and(|answer| answer.status() == 200)
    })
}

#[test]
fn mutated_requests_leave_the_line_as_it_was() {
    let (messages, seed) = (number("PHONE_MUTATED", MESSAGES), number("PHONE_SEED", 4_475));
    // An INVITE that stayed whole is a call that nobody confirms: hundreds at once, on a machine of their own.
    let line = TestLine::open_alone(&[]);
    let mut random = SplitMix64::new(seed);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for n in 0..messages {
        let mut caller = Caller::new(line.address);
        let mut bytes = requests(&mut caller, n).into_bytes();
        bend(&mut bytes, &mut random);
        socket.send_to(&bytes, line.address).expect("sent");
        if n % CHECK_EVERY == CHECK_EVERY - 1 {
            assert!(is_well(&line), "no answer after {n} messages of seed {seed}");
        }
    }
    // An INVITE that was answered and never confirmed is given up after 64 times T1 (RFC 3261, section 13.3.1.4).
    let deadline = std::time::Instant::now() + Duration::from_secs(40);
    if messages > MESSAGES {
        while line.remembered().dialogs + line.serving.gate().at_once() > 0 {
            assert!(std::time::Instant::now() < deadline, "seed {seed}: {:?}", line.remembered());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    assert!(Caller::call(line.address).listen(3).len() >= 2 * 160);
}

#[test]
fn mutated_packets_leave_a_call_as_it_was() {
    let (messages, seed) = (number("PHONE_MUTATED", MESSAGES), number("PHONE_SEED", 3_550));
    let line = TestLine::open(&[]);
    let mut random = SplitMix64::new(seed);
    let five = "5".chars().next().and_then(|c| c.try_into().ok()).expect("a key");
    let (sound, press) = (Law::Mu.encode_all(&[1_000; 160]), telephone_event::press(five, 100));
    // A call does not last for ever: each of a sample's messages' worth is another one.
    for first in (0..messages).step_by(MESSAGES as usize) {
        let mut caller = Caller::call(line.address);
        caller.silence(5);
        for n in first..(first + MESSAGES).min(messages) {
            let mut bytes = if n.is_multiple_of(2) {
                caller.packet(0, false, caller.timestamp, &sound)
            } else {
                caller.packet(101, n % 16 == 1, caller.timestamp, &press[(n / 2) as usize % press.len()])
            };
            bend(&mut bytes, &mut random);
            caller.put(&bytes);
            caller.step();
            if n % 40 == 39 {
                // No faster than the call's thread reads: 64 in 20 ms.
                caller.tick();
            }
        }
        caller.silence(5);
        assert!(caller.listen(10).len() >= 9 * 160, "the line still sends, at {first} of seed {seed}");
        caller.hang_up();
        line.forget_held();
    }
    line.empty();
}

/// Descriptions and events by themselves, without a line: here a hundred thousand take seconds.
#[test]
fn mutated_descriptions_and_events_are_read_or_refused() {
    let (messages, seed) = (number("PHONE_MUTATED", 20 * MESSAGES), number("PHONE_SEED", 4_566));
    let mut random = SplitMix64::new(seed);
    let whole = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\na=sendonly\r\n\
        m=audio 4000 RTP/AVP 96 9 0 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\na=rtcp:4001 IN IP4 192.0.2.8\r\na=rtcp-mux\r\nm=video 0 RTP/AVP 97\r\n";
    let five = "5".chars().next().and_then(|c| c.try_into().ok()).expect("a key");
    let press = telephone_event::press(five, 100);
    let mut receiver = EventReceiver::default();
    let (mut agreed, mut keys) = (0, 0u32);
    for n in 0..messages {
        let mut bytes = whole.as_bytes().to_vec();
        bend(&mut bytes, &mut random);
        if let Ok(offer) = Offer::parse(&bytes)
            && let Ok(with) = offer.agree(&Codec::ALL)
        {
            let rtp = ([192, 0, 2, 1], 5_000).into();
            let answer = offer.answer(&with, &Ours { rtp, session: 1, version: n, key: None });
            assert!(Offer::parse(answer.as_bytes()).is_ok(), "seed {seed}: {answer}");
            agreed += 1;
        }
        let mut event = press[n as usize % press.len()].to_vec();
        bend(&mut event, &mut random);
        keys += u32::from(receiver.handle_packet((n / 8) as u32 * 160, &event).is_some());
    }
    assert!(agreed > messages / 4 && keys > 0, "{agreed} were agreed on, {keys} keys heard");
}
