//! Encrypted sound: keys in the signalling (RFC 4568), packets by them (RFC 3711).

use std::net::TcpListener;
use std::time::Duration;

use attendant::audio::{Law, rms_dbfs};
use attendant::call::HangupCause;
use attendant::wire::srtp::Suite;

use super::TestLine;
use super::caller::{Caller, Message};
use super::handing_over::{hears, hum};
use super::stream::{Certificate, Connection};

/// What a test without certificates says.
const MISSING: &str = "skipped: no openssl, which makes certificates";

/// A line that listens by TLS, and its certificate; `None` where there is no openssl.
fn by_tls(changes: &[(&str, &str)]) -> Option<(TestLine, Certificate)> {
    let certificate = Certificate::make()?;
    let tls = certificate.settings();
    let tls = tls.iter().map(|(key, value)| (*key, value.as_str()));
    let line = TestLine::open(&tls.chain(changes.iter().copied()).collect::<Vec<_>>());
    Some((line, certificate))
}

/// A caller by TLS that encrypts.
fn secret(line: &TestLine, certificate: &Certificate, suite: Suite) -> Caller {
    let address = line.tls.expect("it listens by TLS");
    let mut caller = Caller::over(certificate.connect(address), line.address);
    caller.encrypts(suite);
    caller
}

fn offers(caller: &mut Caller) -> Message {
    let offer = caller.usual();
    caller.invite("", &offer)
}

#[test]
fn over_tls_sound_and_keys_are_encrypted_both_ways() {
    let Some((line, certificate)) = by_tls(&[]) else { return println!("{MISSING}") };
    for suite in [Suite::Tag80, Suite::Tag32] {
        let mut caller = secret(&line, &certificate, suite);
        // The sequence numbers begin anew in mid-call.
        caller.sequence = 65_530;
        let answer = offers(&mut caller);
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(answer.body().contains(" RTP/SAVP "), "{answer:?}");
        assert!(answer.body().contains(&format!("a=crypto:7 {} inline:", suite.name())), "{answer:?}");
        // What is not as the line encrypted it is no packet to this telephone.
        assert!(caller.listen(25).iter().any(|byte| *byte != 0xff), "the line is heard");
        caller.speak(&hum(300.0, 400), |_| false);
        caller.press('5', |_| true);
        caller.silence(5);
        caller.hang_up();
    }
    for held in line.held(2) {
        let loud = held.heard.chunks(320).filter(|frame| rms_dbfs(frame) > -35.0).count();
        assert!(loud > 15 && held.keys == "5", "the caller is heard in {loud} frames, with {:?}", held.keys);
    }
    line.empty();
}

#[test]
fn reports_are_encrypted_too() {
    let Some((line, certificate)) = by_tls(&[]) else { return println!("{MISSING}") };
    let mut caller = secret(&line, &certificate, Suite::Tag32);
    let offer = caller.usual() + "a=rtcp-mux\r\n";
    assert_eq!(caller.invite("", &offer).status(), 200);
    caller.silence(3);
    caller.hang_up();
    let last = (0..200).find_map(|_| caller.report());
    assert_eq!(last.map(|report| report[1]), Some(203), "a goodbye, by the line's key");
    line.empty();
}

#[test]
fn a_key_that_others_could_read_is_refused() {
    let Some((line, certificate)) = by_tls(&[("sip_tcp_listen", "127.0.0.1:0")]) else {
        return println!("{MISSING}");
    };
    let tcp = Connection::connect(line.tcp.expect("it listens by TCP"));
    for mut caller in [Caller::new(line.address), Caller::over(tcp, line.address)] {
        caller.encrypts(Suite::Tag80);
        assert_eq!(offers(&mut caller).status(), 488);
    }
    let Some((never, certificate_of_never)) = by_tls(&[("srtp_accept", "none")]) else { return };
    assert_eq!(offers(&mut secret(&never, &certificate_of_never, Suite::Tag80)).status(), 488);
    let guarded = TestLine::open(&[("srtp_accept", "any")]);
    let mut caller = Caller::new(guarded.address);
    caller.encrypts(Suite::Tag80);
    assert_eq!(offers(&mut caller).status(), 200);
    assert!(caller.listen(25).iter().any(|byte| *byte != 0xff), "the line is heard");
    caller.hang_up();
    // Sound in the clear stays welcome over TLS.
    let address = line.tls.expect("it listens by TLS");
    let mut plain = Caller::over(certificate.connect(address), line.address);
    assert_eq!(offers(&mut plain).status(), 200);
    plain.hang_up();
    line.empty();
}

#[test]
fn who_has_the_wrong_key_is_not_heard_and_the_call_ends() {
    let Some((line, certificate)) = by_tls(&[("rtp_timeout_s", "1")]) else { return println!("{MISSING}") };
    let mut caller = secret(&line, &certificate, Suite::Tag80);
    assert_eq!(offers(&mut caller).status(), 200);
    caller.has_the_wrong_key();
    caller.press('5', |_| true);
    caller.speak(&hum(300.0, 1_300), |_| false);
    let bye = caller.asked_for("BYE");
    caller.respond(&bye, "200 OK", "", "");
    let held = &line.held(1)[0];
    assert_eq!((held.record.cause, held.keys.as_str()), (HangupCause::ChannelFailed, ""));
    assert!(held.heard.iter().all(|sample| *sample == 0), "nothing of it is heard");
    line.empty();
}

#[test]
fn a_held_call_comes_back_with_its_key_or_another() {
    let Some((line, certificate)) = by_tls(&[]) else { return println!("{MISSING}") };
    let mut caller = secret(&line, &certificate, Suite::Tag80);
    let first = offers(&mut caller);
    caller.silence(5);
    let hold = caller.usual() + "a=sendonly\r\n";
    let second = caller.invite("", &hold);
    let key = |answer: &Message| {
        let of_crypto = |line: &&str| line.starts_with("a=crypto:");
        answer.body().lines().find(of_crypto).map(str::to_owned).expect("a key")
    };
    assert_eq!(key(&first), key(&second), "the line goes on by its own key");
    caller.drain_sound();
    caller.encrypts_anew();
    assert_eq!(offers(&mut caller).status(), 200);
    // Whether it still speaks or has done so: what can be read was encrypted by the key agreed.
    assert!(caller.listen(25).len() >= 20 * 160, "the line is heard again");
    caller.press('7', |_| true);
    caller.silence(5);
    caller.hang_up();
    assert_eq!(line.held(1)[0].keys, "7");
    line.empty();
}

#[test]
fn the_line_offers_encrypted_sound_by_tls_and_takes_nothing_less() {
    let Some((line, certificate)) = by_tls(&[("srtp_offer", "tls")]) else { return println!("{MISSING}") };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("sip:6000@{};transport=tls", listener.local_addr().expect("bound"));
    let connection = std::thread::spawn(move || listener.accept().expect("the line calls").0);

    let (dialled, told) = line.dial(&uri);
    let socket = connection.join().expect("accepted");
    let mut agent = Caller::over(certificate.accept(socket), line.address);
    let invite = agent.asked_for("INVITE");
    assert!(invite.body().contains(" RTP/SAVP "), "{invite:?}");
    agent.encrypts(Suite::Tag80);
    agent.belongs_to(&invite);
    // The line's only way is the first.
    let answer = agent.usual().replace("a=crypto:7", "a=crypto:1");
    agent.respond(&invite, "200 OK", "Content-Type: application/sdp\r\n", &answer);
    agent.asked_for("ACK");
    assert!(hears(&agent), "the line, by its key");
    agent.press('3', |_| true);
    agent.silence(5);
    agent.hang_up();
    dialled.join().expect("it ended");
    assert_eq!(told.recv().expect("told"), None);
    assert_eq!(line.held(1)[0].keys, "3");

    // Over the same connection, an agent who answers in the clear.
    let (dialled, told) = line.dial(&uri);
    let invite = agent.asked_for("INVITE");
    agent.secrecy = None;
    agent.belongs_to(&invite);
    let answer = agent.usual();
    agent.respond(&invite, "200 OK", "Content-Type: application/sdp\r\n", &answer);
    agent.asked_for("ACK");
    let bye = agent.asked_for("BYE");
    agent.respond(&bye, "200 OK", "", "");
    dialled.join().expect("it ended");
    let why = told.recv().expect("told").expect("no call");
    assert!(why.contains("in the clear"), "{why}");
    line.empty();
}

#[test]
fn a_call_without_an_offer_is_offered_encrypted_sound() {
    let Some((line, certificate)) = by_tls(&[("srtp_offer", "tls")]) else { return println!("{MISSING}") };
    let mut caller = secret(&line, &certificate, Suite::Tag80);
    let invite = caller.request("INVITE", "", "");
    caller.send(&invite);
    let offer = caller.answer();
    assert!(offer.body().contains(" RTP/SAVP "), "{offer:?}");
    caller.takes_up(&offer);
    let answer = caller.usual().replace("a=crypto:7", "a=crypto:1");
    let ack = caller.request("ACK", "Content-Type: application/sdp\r\n", &answer);
    caller.send(&ack);
    assert!(hears(&caller), "the line, by its key");
    caller.wait(Duration::from_millis(20));
    caller.hang_up();
    line.empty();
}

/// Sound that somebody on the way records is noise.
#[test]
fn what_is_sent_is_not_the_sound_itself() {
    let Some((line, certificate)) = by_tls(&[]) else { return println!("{MISSING}") };
    let mut caller = secret(&line, &certificate, Suite::Tag80);
    assert_eq!(offers(&mut caller).status(), 200);
    // Nothing is said before the greeting: silence, which is one byte over and over.
    let silence = Law::Mu.encode_all(&[0; 160]);
    let mut bytes = [0; 1_500];
    let (length, _) = caller.rtp.recv_from(&mut bytes).expect("a packet");
    assert_eq!(length, 12 + 160 + 10, "the header, the sound, the tag");
    assert_ne!(&bytes[12..172], &silence[..]);
    caller.hang_up();
    line.empty();
}
