//! A caller who gets to a person, and one who does not.

use std::time::{Duration, Instant};

use attendant::audio::{DtmfDetector, FRAME_SAMPLES, Frame, LINE_RATE_HZ, Law, RATE_HZ, resample, rms_dbfs};
use attendant::call::{Disposition, Dtmf, HangupCause};
use attendant::wire::rtp::Packet;
use attendant::wire::telephone_event::EventReceiver;

use super::TestLine;
use super::caller::{Caller, Message};

/// An agent's telephone, and the setting that names it.
pub(super) fn agent() -> (Caller, String) {
    let agent = Caller::new("127.0.0.1:9".parse().expect("an address"));
    let uri = format!("sip:6000@127.0.0.1:{}", agent.port());
    (agent, uri)
}

pub(super) fn picks_up(agent: &mut Caller, invite: &Message) {
    let answer = agent.offer("m=audio PORT RTP/AVP 0\r\n");
    agent.belongs_to(invite);
    agent.respond(invite, "200 OK", "Content-Type: application/sdp\r\n", &answer);
}

pub(super) fn hum(hz: f32, ms: u32) -> Vec<i16> {
    (0..LINE_RATE_HZ * ms / 1_000)
        .map(|n| (6_000.0 * (n as f32 * hz / LINE_RATE_HZ as f32 * std::f32::consts::TAU).sin()) as i16)
        .collect()
}

/// Whether a hum is heard in what comes next.
pub(super) fn hears(caller: &Caller) -> bool {
    let loud = |bytes: &[u8]| rms_dbfs(&Law::Mu.decode_all(bytes)) > -30.0;
    (0..100).any(|_| loud(&caller.listen(1)))
}

#[test]
fn an_agent_is_called_briefed_and_joined() {
    let (line, mut caller, mut agent, invite) = rings(&[]);
    assert!(invite.start().starts_with("INVITE sip:6000@"), "{invite:?}");
    let context = invite.header("User-to-User").expect("a reference");
    assert!(context.ends_with(";encoding=hex") && !context.contains("5550100"), "{context}");
    picks_up(&mut agent, &invite);
    assert!(hears(&agent), "the briefing");
    // 400 ms of briefing, and the two are joined.
    caller.silence(60);
    for _ in 0..3 {
        caller.speak(&hum(300.0, 300), |_| false);
        agent.speak(&hum(300.0, 300), |_| false);
    }
    agent.drain_sound();
    caller.drain_sound();
    caller.speak(&hum(300.0, 400), |_| false);
    assert!(hears(&agent), "the agent hears the caller");
    agent.speak(&hum(300.0, 400), |_| false);
    assert!(hears(&caller), "the caller hears the agent");
    agent.hang_up();
    let bye = caller.asked();
    assert!(bye.start().starts_with("BYE "), "{bye:?}");
    caller.respond(&bye, "200 OK", "", "");
    let record = &line.held(1)[0].record;
    assert_eq!((record.disposition, record.cause), (Disposition::Transferred, HangupCause::Transferred));
    line.empty();
}

#[test]
fn where_the_agent_is_busy_the_caller_is_still_there() {
    let (line, mut caller, mut agent, invite) = rings(&[]);
    caller.drain_sound();
    agent.belongs_to(&invite);
    agent.respond(&invite, "486 Busy Here", "", "");
    assert!(hears(&caller), "the line says that nobody is free");
    caller.hang_up();
    let record = &line.held(1)[0].record;
    assert_ne!(record.disposition, Disposition::Transferred);
    line.empty();
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing() {
    let (line, mut caller, mut agent, invite) = rings(&[]);
    agent.belongs_to(&invite);
    agent.respond(&invite, "180 Ringing", "", "");
    caller.silence(10);
    caller.hang_up();
    let cancel = loop {
        let message = agent.asked();
        if !message.start().starts_with("INVITE ") {
            break message;
        }
    };
    assert!(cancel.start().starts_with("CANCEL "), "{cancel:?}");
    agent.respond(&cancel, "200 OK", "", "");
    agent.respond(&invite, "487 Request Terminated", "", "");
    line.empty();
}

/// A call whose caller is sent on, up to the answer to the REFER.
fn referred(status: &str) -> (TestLine, Caller, Message) {
    referred_at(Duration::from_secs(1), status)
}

/// The same, of a line whose second lasts so long.
fn referred_at(second: Duration, status: &str) -> (TestLine, Caller, Message) {
    let line = TestLine::open_quick(second, &[("agents", "sip:6000@192.0.2.7"), ("transfer_by", "refer")]);
    let mut caller = Caller::call(line.address);
    caller.silence(20);
    let refer = sent_on(&mut caller);
    let to = refer.header("Refer-To").expect("where to").to_owned();
    assert!(to.starts_with("<sip:6000@192.0.2.7?User-to-User="), "{to}");
    caller.drain_sound();
    caller.respond(&refer, status, "", "");
    (line, caller, refer)
}

/// Asks for a person.
fn sent_on(caller: &mut Caller) -> Message {
    caller.press('0', |_| true);
    let refer = caller.asked();
    assert!(refer.start().starts_with("REFER "), "{refer:?}");
    refer
}

fn notify(caller: &mut Caller, state: &str, status: &str) {
    notify_of(caller, "refer", state, status);
}

fn notify_of(caller: &mut Caller, event: &str, state: &str, status: &str) {
    let headers =
        format!("Event: {event}\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n");
    let notify = caller.request("NOTIFY", &headers, &format!("SIP/2.0 {status}\r\n"));
    caller.send(&notify);
    assert_eq!(caller.answer().status(), 200);
}

#[test]
fn a_refer_is_over_with_its_last_notify() {
    let (line, mut caller, _) = referred("202 Accepted");
    notify(&mut caller, "active", "100 Trying");
    caller.silence(10);
    assert_eq!(line.serving.going_on(), 1, "nothing is decided yet");
    notify(&mut caller, OVER, "200 OK");
    let bye = caller.asked();
    assert!(bye.start().starts_with("BYE "), "{bye:?}");
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.disposition, Disposition::Transferred);
}

#[test]
fn a_refer_that_fails_leaves_the_caller_with_the_line() {
    for status in ["202 Accepted", "603 Decline"] {
        let (line, mut caller, _) = referred(status);
        if status.starts_with("202") {
            notify(&mut caller, OVER, "486 Busy Here");
        }
        assert!(hears(&caller), "the line says that nobody is free");
        caller.hang_up();
        assert_ne!(line.held(1)[0].record.disposition, Disposition::Transferred);
    }
}

const OVER: &str = "terminated;reason=noresource";

/// The caller's side calls an agent who stays silent, and says no more of it.
#[test]
fn a_refer_to_a_telephone_that_nobody_answers_is_given_up_on_and_the_caller_told() {
    // 27 seconds of ringing, of 250 ms each: longer than the line is silent about it.
    let (line, mut caller, _) = referred_at(Duration::from_millis(250), "202 Accepted");
    let began = Instant::now();
    notify(&mut caller, "active", "180 Ringing");
    let said = |name: &str| line.said().iter().any(|said| said.starts_with(name));
    while !said("transfer_failed") {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", line.said());
        caller.silence(5);
    }
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(6_500), "{waited:?}");
    assert!(said("still_ringing"), "nobody waits in silence: {:?}", line.said());
    caller.drain_sound();
    assert!(hears(&caller), "the line says that nobody is free");
    // The dialogue goes on: the caller may ask again, and is told again.
    caller.silence(40);
    let second = sent_on(&mut caller);
    caller.respond(&second, "202 Accepted", "", "");
    // Late news of the first is none of the second.
    notify_of(&mut caller, "refer", OVER, "486 Busy Here");
    caller.silence(10);
    let number = second.header("CSeq").and_then(|cseq| cseq.split(' ').next()).expect("one").to_owned();
    assert!(!said("nobody_there"), "{:?}", line.said());
    notify_of(&mut caller, &format!("refer;id={number}"), OVER, "486 Busy Here");
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    assert!(said("nobody_there"), "{:?}", line.said());
    assert_ne!(line.held(1)[0].record.disposition, Disposition::Transferred);
    line.empty();
}

#[test]
fn a_caller_who_hangs_up_in_the_middle_of_a_transfer_leaves_nothing() {
    let (line, mut caller, _) = referred("202 Accepted");
    notify(&mut caller, "active", "180 Ringing");
    caller.hang_up();
    assert_eq!(line.held(1)[0].record.cause, HangupCause::Caller);
    line.empty();
    // While the agent is briefed, and once the two are joined.
    for packets in [0, 60] {
        let (line, mut caller, mut agent, invite) = rings(&[]);
        picks_up(&mut agent, &invite);
        assert!(hears(&agent), "the briefing");
        caller.silence(packets);
        caller.hang_up();
        let bye = agent.asked_for("BYE");
        agent.respond(&bye, "200 OK", "", "");
        line.held(1);
        line.empty();
    }
}

/// Whoever has got to the agent in the end is not talked to any more.
#[test]
fn a_refer_that_works_after_it_was_given_up_on_takes_the_line_out_of_the_way() {
    let (line, mut caller, _) = referred_at(Duration::from_millis(10), "202 Accepted");
    while !line.said().iter().any(|said| said.starts_with("transfer_failed")) {
        caller.silence(2);
    }
    notify(&mut caller, OVER, "200 OK");
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::Transferred);
    line.empty();
}

/// A caller who has asked for a person, the agent whose telephone rings, and the request that makes it ring.
fn rings(settings: &[(&str, &str)]) -> (TestLine, Caller, Caller, Message) {
    let (agent, uri) = agent();
    let settings: Vec<(&str, &str)> =
        [("agents", uri.as_str())].into_iter().chain(settings.iter().copied()).collect();
    let line = TestLine::open(&settings);
    let mut caller = Caller::call(line.address);
    caller.silence(20);
    caller.press('0', |_| true);
    let invite = agent.asked();
    (line, caller, agent, invite)
}

/// A caller joined to an agent, who offers `media`.
fn joined(settings: &[(&str, &str)], media: &str) -> (TestLine, Caller, Caller) {
    let (line, mut caller, mut agent, invite) = rings(settings);
    let answer = agent.offer(media);
    agent.belongs_to(&invite);
    agent.respond(&invite, "200 OK", "Content-Type: application/sdp\r\n", &answer);
    assert!(hears(&agent), "the briefing");
    caller.silence(60);
    for _ in 0..3 {
        caller.silence(10);
        agent.silence(10);
    }
    (line, caller, agent)
}

/// All packets that came, as payload types, timestamps and payloads.
fn packets(of: &Caller) -> Vec<(u8, u32, Vec<u8>)> {
    of.rtp.set_nonblocking(true).expect("set");
    let mut bytes = [0; 1_500];
    let mut came = Vec::new();
    while let Ok(length) = of.rtp.recv(&mut bytes) {
        if let Some(packet) = Packet::parse(&bytes[..length]) {
            came.push((packet.payload_type, packet.timestamp, packet.payload.to_vec()));
        }
    }
    of.rtp.set_nonblocking(false).expect("set");
    came
}

#[test]
fn keys_go_through_the_bridge_as_telephone_events() {
    let (line, mut caller, mut agent) =
        joined(&[], "m=audio PORT RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    packets(&agent);
    for key in ['4', '2', '#'] {
        caller.press(key, |_| true);
        caller.silence(5);
    }
    caller.silence(25);
    let mut receiver = EventReceiver::default();
    let came = packets(&agent);
    let keys: String = (came.iter().filter(|(pt, ..)| *pt == 101))
        .filter_map(|(_, at, payload)| receiver.handle_packet(*at, payload))
        .map(Dtmf::as_char)
        .collect();
    assert_eq!(keys, "42#");
    let ends = came.iter().filter(|(pt, _, payload)| *pt == 101 && payload[1] & 0x80 != 0).count();
    assert_eq!(ends, 9, "each press says three times that it is over");
    the_agent_ends_it(&line, &caller, &mut agent);
}

/// The agent hangs up, the line does so with the caller, and nothing is left.
fn the_agent_ends_it(line: &TestLine, caller: &Caller, agent: &mut Caller) {
    agent.hang_up();
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    line.held(1);
    line.empty();
}

#[test]
fn keys_for_an_agent_who_knows_no_events_are_tones() {
    let (line, mut caller, mut agent) = joined(&[], "m=audio PORT RTP/AVP 0\r\n");
    packets(&agent);
    for key in ['4', '2'] {
        caller.press(key, |_| true);
        caller.silence(5);
    }
    caller.silence(20);
    let sound: Vec<i16> = packets(&agent).iter().flat_map(|(_, _, p)| Law::Mu.decode_all(p)).collect();
    let mut detector = DtmfDetector::new();
    let keys: String = resample(&sound, LINE_RATE_HZ, RATE_HZ)
        .chunks(FRAME_SAMPLES)
        .filter_map(|chunk| detector.handle_frame(&Frame::from_padded(chunk)))
        .map(Dtmf::as_char)
        .collect();
    assert_eq!(keys, "42");
    the_agent_ends_it(&line, &caller, &mut agent);
}

#[test]
fn an_attended_transfer_takes_the_line_out_of_the_way() {
    let (line, mut caller, agent) = joined(&[("transfer_by", "attended")], "m=audio PORT RTP/AVP 0\r\n");
    let refer = caller.asked_for("REFER");
    let to = refer.header("Refer-To").expect("where to").to_owned();
    let replaces = to.split("Replaces=").nth(1).expect("the line's call with the agent");
    let replaces = replaces.trim_end_matches('>').replace("%3B", ";").replace("%3D", "=").replace("%40", "@");
    let (call_id, tags) = replaces.split_once(';').expect("tags");
    assert_eq!(call_id, agent.call_id());
    // The agent's own tag is 1; the other is the line's.
    assert!(tags.contains("to-tag=1;from-tag="), "{replaces}");
    caller.respond(&refer, "202 Accepted", "", "");
    notify(&mut caller, "active", "180 Ringing");
    caller.silence(10);
    assert_eq!(line.serving.going_on(), 1, "until it has worked the line stays");
    notify(&mut caller, OVER, "200 OK");
    for end in [&caller, &agent] {
        let bye = end.asked_for("BYE");
        end.respond(&bye, "200 OK", "", "");
    }
    let record = &line.held(1)[0].record;
    assert_eq!(record.disposition, Disposition::Transferred);
    agent.impatient();
    line.empty();
}

#[test]
fn an_attended_transfer_that_fails_leaves_the_bridge() {
    let (line, mut caller, mut agent) = joined(&[("transfer_by", "attended")], "m=audio PORT RTP/AVP 0\r\n");
    let refer = caller.asked_for("REFER");
    caller.respond(&refer, "603 Decline", "", "");
    caller.silence(5);
    packets(&agent);
    caller.speak(&hum(300.0, 400), |_| false);
    assert!(hears(&agent), "the agent hears the caller");
    agent.hang_up();
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.disposition, Disposition::Transferred);
    line.empty();
}

/// Two who have forgotten to hang up.
#[test]
fn a_bridge_ends_with_the_longest_call() {
    let (mut agent, uri) = agent();
    let second = Duration::from_millis(40);
    let line = TestLine::open_quick(second, &[("agents", &uri), ("longest_call_s", "60")]);
    let mut caller = Caller::call(line.address);
    let began = Instant::now();
    caller.silence(20);
    caller.press('0', |_| true);
    let invite = agent.asked();
    picks_up(&mut agent, &invite);
    while began.elapsed() < second * 60 {
        caller.silence(5);
        agent.silence(5);
    }
    for end in [&caller, &agent] {
        let bye = end.asked_for("BYE");
        end.respond(&bye, "200 OK", "", "");
    }
    let record = &line.held(1)[0].record;
    assert_eq!(record.disposition, Disposition::Transferred, "they had been joined");
    line.empty();
}

#[test]
fn an_agent_who_does_not_answer_is_given_up_on_and_the_caller_told() {
    let (mut agent, uri) = agent();
    // 27 seconds of ringing, of 20 ms each.
    let line = TestLine::open_quick(Duration::from_millis(20), &[("agents", &uri)]);
    let mut caller = Caller::call(line.address);
    caller.silence(20);
    caller.press('0', |_| true);
    let invite = agent.asked();
    let began = Instant::now();
    agent.belongs_to(&invite);
    agent.respond(&invite, "180 Ringing", "", "");
    let cancel = agent.asked_for("CANCEL");
    let rang = began.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(2)).contains(&rang), "{rang:?}");
    caller.drain_sound();
    agent.respond(&cancel, "200 OK", "", "");
    agent.respond(&invite, "487 Request Terminated", "", "");
    assert!(hears(&caller), "the line says that nobody is free");
    caller.hang_up();
    assert_ne!(line.held(1)[0].record.disposition, Disposition::Transferred);
    line.empty();
}

#[test]
fn the_line_calls_and_is_answered_or_refused() {
    let (mut callee, uri) = agent();
    let line = TestLine::open(&[]);
    let (dialled, told) = line.dial(&uri);
    let invite = callee.asked();
    picks_up(&mut callee, &invite);
    assert!(hears(&callee), "the line speaks");
    callee.silence(5);
    callee.hang_up();
    dialled.join().expect("dialled");
    assert_eq!(told.recv().expect("told"), None);
    let record = &line.held(1)[0].record;
    assert_eq!(record.ani.as_ref().map(|a| a.expose().to_owned()).as_deref(), Some("5550100"));
    assert_eq!(record.cause, HangupCause::Caller);

    let (dialled, told) = line.dial(&uri);
    let second = callee.asked_for("INVITE");
    callee.belongs_to(&second);
    callee.respond(&second, "486 Busy Here", "", "");
    dialled.join().expect("dialled");
    assert!(told.recv().expect("told").is_some_and(|why| why.contains("486")));
}
