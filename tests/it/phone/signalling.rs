//! What the line answers to what, message by message.

use std::net::TcpListener;
use std::time::Duration;

use attendant::call::HangupCause;

use super::TestLine;
use super::caller::{Caller, Message};
use super::stream::{Certificate, Connection};

#[test]
fn a_call_is_answered_heard_and_ended() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    let heard = caller.listen(20);
    assert!(heard.len() >= 19 * 160 && heard.iter().any(|b| *b != 0xff), "the line says something");
    caller.hang_up();
    let held = line.held(1);
    assert_eq!(held[0].record.cause, HangupCause::Caller);
    assert_eq!(held[0].record.ani.as_ref().map(|a| a.expose().to_owned()).as_deref(), Some("5550100"));
    assert_eq!(held[0].record.dnis.as_ref().map(|d| d.as_str()), Some("8005550199"));
    line.empty();
    let bye = caller.request("BYE", "", "");
    caller.send(&bye);
    assert_eq!(caller.answer().status(), 481, "the dialog is gone");
}

#[test]
fn an_invite_without_a_description_gets_the_lines_offer() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::new(line.address);
    let invite = caller.request("INVITE", "", "");
    caller.send(&invite);
    let answer = caller.answer();
    assert!(answer.body().contains("PCMU/8000") && answer.body().contains("opus/48000/2"), "{answer:?}");
    let offer = caller.usual();
    let ack = caller.request("ACK", "Content-Type: application/sdp\r\n", &offer);
    caller.send(&ack);
    assert!(caller.listen(10).len() >= 9 * 160);
    caller.hang_up();
    line.held(1);
}

#[test]
fn a_caller_who_gives_up_while_it_rings_is_no_call() {
    let line = TestLine::open(&[("sip_ring_ms", "30000")]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let invite = caller.request("INVITE", "Content-Type: application/sdp\r\n", &offer);
    caller.send(&invite);
    while caller.receive().expect("ringing").status() != 180 {}
    let cancel = caller.request("CANCEL", "", "");
    caller.send(&cancel);
    let (mut cancelled, mut ended) = (false, false);
    while !(cancelled && ended) {
        let answer = caller.receive().expect("an answer");
        cancelled |= answer.status() == 200 && answer.text.contains("CANCEL");
        ended |= answer.status() == 487;
    }
    line.empty();
}

#[test]
fn what_the_line_cannot_do_is_refused_by_name() {
    let line = TestLine::open(&[]);
    let check = |headers: &str, media: &str, status: u16, told: &str| {
        let mut caller = Caller::new(line.address);
        let offer = caller.offer(media);
        let answer = caller.invite(headers, &offer);
        assert_eq!(answer.status(), status, "{answer:?}");
        assert!(answer.text.contains(told), "{answer:?}");
    };
    check("", "m=audio PORT RTP/AVP 3\r\n", 488, "");
    check("", "m=video PORT RTP/AVP 97\r\n", 488, "");
    // Sound that nobody could decrypt would be silence.
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    check("", &format!("m=audio PORT RTP/SAVP 0\r\n{key}"), 488, "");
    check("Require: 100rel\r\n", "m=audio PORT RTP/AVP 0\r\n", 420, "Unsupported: 100rel");
    check("Supported: timer\r\nSession-Expires: 30\r\n", "m=audio PORT RTP/AVP 0\r\n", 422, "Min-SE: 90");
    for (method, status) in [("OPTIONS", 200), ("REGISTER", 405), ("SUBSCRIBE", 405), ("MESSAGE", 405)] {
        let mut caller = Caller::new(line.address);
        let request = caller.request(method, "", "");
        caller.send(&request);
        let answer = caller.answer();
        assert_eq!(answer.status(), status, "{answer:?}");
        assert!(answer.header("Allow").is_some_and(|allow| allow.contains("INVITE")), "{answer:?}");
    }
    assert_eq!(line.serving.gate().at_once(), 0);
}

#[test]
fn malformed_messages_are_refused_before_anything_else_sees_them() {
    let line = TestLine::open(&[]);
    for (from, to) in
        [("Content-Length: 0", "Content-Length: 9999"), ("Content-Length: 0", "Content-Length: -1")]
    {
        let mut caller = Caller::new(line.address);
        let request = caller.request("OPTIONS", "", "").replace(from, to);
        caller.send(&request);
        assert_eq!(caller.answer().status(), 400);
    }
    let mut caller = Caller::call(line.address);
    caller.hang_up();
}

/// On networks with several ways a re-INVITE arrives before the ACK of the call's first.
#[test]
fn a_reinvite_that_overtakes_the_ack_is_answered() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let sdp = "Content-Type: application/sdp\r\n";
    let invite = caller.request("INVITE", sdp, &offer);
    caller.send(&invite);
    assert_eq!(caller.answer().status(), 200);
    let ack = caller.request("ACK", "", "");
    let again = caller.request("INVITE", sdp, &offer);
    caller.send(&again);
    caller.wait(Duration::from_millis(50));
    caller.send(&ack);
    assert_eq!(caller.answer().status(), 200);
    let ack = caller.request("ACK", "", "");
    caller.send(&ack);
    caller.hang_up();
    // Without any ACK the second has to wait for another time.
    let mut hasty = Caller::new(line.address);
    let invite = hasty.request("INVITE", sdp, &offer);
    hasty.send(&invite);
    assert_eq!(hasty.answer().status(), 200);
    let again = hasty.request("INVITE", sdp, &offer);
    hasty.send(&again);
    assert_eq!(hasty.answer().status(), 491);
}

#[test]
fn an_invite_without_a_contact_is_refused_and_costs_no_place() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let invite = caller.request("INVITE", "Content-Type: application/sdp\r\n", &offer);
    let without: Vec<&str> = invite.split("\r\n").filter(|line| !line.starts_with("Contact")).collect();
    caller.send(&without.join("\r\n"));
    assert_eq!(caller.answer().status(), 400);
    line.empty();
}

#[test]
fn a_session_is_refreshed_as_agreed() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let answer = caller.invite("Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n", &offer);
    assert_eq!(answer.header("Session-Expires"), Some("600;refresher=uac"));
    assert_eq!(answer.header("Require"), Some("timer"));
    let again = caller.invite("Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n", &offer);
    assert_eq!((again.status(), again.header("Session-Expires")), (200, Some("600;refresher=uac")));
    caller.hang_up();
    let mut plain = Caller::call(line.address);
    let options = plain.request("OPTIONS", "", "");
    plain.send(&options);
    assert_eq!(plain.answer().status(), 200);
    let update = plain.request("UPDATE", "", "");
    plain.send(&update);
    assert_eq!(plain.answer().status(), 405);
    plain.hang_up();
}

/// A telephone that knows nothing of timers: the line sends a re-INVITE at half the interval, and hears in its answer
/// whether anybody is there.
#[test]
fn the_line_refreshes_a_session_until_nobody_knows_of_it() {
    let second = Duration::from_millis(5);
    let line = TestLine::open_quick(second, &[("session_expires_s", "90")]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let answer = caller.invite("", &offer);
    assert_eq!(answer.header("Session-Expires"), Some("90;refresher=uas"));
    for _ in 0..2 {
        let began = std::time::Instant::now();
        let refresh = caller.asked_for("INVITE");
        assert!(began.elapsed() >= second * 35, "after {:?}", began.elapsed());
        assert_eq!(refresh.header("Session-Expires"), Some("90;refresher=uas"));
        assert!(refresh.body().contains("PCMU/8000"), "{refresh:?}");
        caller.respond(&refresh, "200 OK", "Content-Type: application/sdp\r\n", &offer);
        assert!(caller.asked_for("ACK").start().starts_with("ACK "));
    }
    caller.silence(5);
    assert_eq!(line.serving.going_on(), 1);
    let refresh = caller.asked_for("INVITE");
    caller.respond(&refresh, "481 Call Does Not Exist", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::ChannelFailed);
}

/// The answer to a refresh may move the sound.
#[test]
fn a_refresh_follows_a_new_address() {
    let line = TestLine::open_quick(Duration::from_millis(5), &[("session_expires_s", "90")]);
    let mut caller = Caller::call(line.address);
    caller.silence(3);
    let refresh = caller.asked_for("INVITE");
    caller.rtp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let moved = caller.usual();
    caller.respond(&refresh, "200 OK", "Content-Type: application/sdp\r\n", &moved);
    assert!(caller.listen(10).len() >= 9 * 160, "the sound goes to the new address");
    caller.hang_up();
    line.held(1);
}

/// The caller's side has said that it refreshes: once it does not, the call is over, shortly before the interval is.
#[test]
fn a_session_that_the_caller_does_not_refresh_ends() {
    let second = Duration::from_millis(10);
    let line = TestLine::open_quick(second, &[("session_expires_s", "90")]);
    let mut caller = Caller::new(line.address);
    let offer = caller.usual();
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    assert_eq!(caller.invite(timer, &offer).header("Session-Expires"), Some("90;refresher=uac"));
    caller.silence(20);
    assert_eq!(caller.invite(timer, &offer).status(), 200, "a refresh in time");
    let began = std::time::Instant::now();
    let bye = caller.asked_for("BYE");
    assert!(began.elapsed() >= second * 50, "after {:?}", began.elapsed());
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::ChannelFailed);
    line.empty();
}

#[test]
fn more_calls_than_places_hear_a_busy_tone() {
    let line = TestLine::open(&[("calls_at_once", "1")]);
    let mut first = Caller::call(line.address);
    let mut second = Caller::new(line.address);
    let offer = second.usual();
    let refused = second.invite("", &offer);
    assert_eq!(refused.status(), 486);
    assert!(refused.header("Retry-After").is_some());
    first.hang_up();
    line.empty();
    Caller::call(line.address).hang_up();
}

#[test]
fn one_source_with_all_its_places_taken_leaves_others_theirs() {
    let line = TestLine::open(&[("calls_at_once_of_source", "1")]);
    let mut first = Caller::call(line.address);
    for (address, status) in [("127.0.0.1", 486), ("127.0.0.2", 200)] {
        let mut second = Caller::at(address, line.address);
        let offer = second.usual();
        assert_eq!(second.invite("", &offer).status(), status, "from {address}");
        if status == 200 {
            second.hang_up();
        }
    }
    first.hang_up();
    line.empty();
}

#[test]
fn a_stranger_gets_no_answer_at_all() {
    let line = TestLine::open(&[("sip_allow", "192.0.2.0/24")]);
    let mut stranger = Caller::new(line.address);
    let options = stranger.request("OPTIONS", "", "");
    stranger.send(&options);
    stranger.send(&options.replace("Content-Length: 0", "Content-Length: 9"));
    stranger.impatient();
    assert!(stranger.receive().is_none());
}

#[test]
fn hold_and_a_new_address_are_followed() {
    let line = TestLine::open(&[("rtp_timeout_s", "1")]);
    let mut caller = Caller::call(line.address);
    caller.silence(10);
    let hold = format!("{}a=sendonly\r\n", caller.usual());
    let answer = caller.invite("", &hold);
    assert!(answer.body().contains("a=recvonly"), "{answer:?}");
    let inactive = format!("{}a=inactive\r\n", caller.usual());
    assert!(caller.invite("", &inactive).body().contains("a=inactive"));
    // Longer than a telephone that is not on hold may be silent.
    caller.wait(Duration::from_millis(1_500));
    caller.rtp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let offer = caller.usual();
    assert_eq!(caller.invite("", &offer).status(), 200);
    assert!(caller.listen(10).len() >= 9 * 160, "the sound goes to the new address");
    caller.silence(5);
    caller.hang_up();
    assert_eq!(line.held(1)[0].record.cause, HangupCause::Caller);
}

#[test]
fn a_telephone_that_vanished_does_not_hold_its_place() {
    let line = TestLine::open(&[("rtp_timeout_s", "1")]);
    let mut caller = Caller::call(line.address);
    caller.silence(5);
    let bye = caller.asked();
    assert!(bye.start().starts_with("BYE "), "{bye:?}");
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::ChannelFailed);
}

/// Whatever goes on in it: here a telephone lies beside its rest.
#[test]
fn the_longest_call_has_an_end() {
    let second = Duration::from_millis(20);
    let line = TestLine::open_quick(second, &[("longest_call_s", "60")]);
    let mut caller = Caller::call(line.address);
    let began = std::time::Instant::now();
    for _ in 0..12 {
        caller.silence(5);
    }
    let bye = caller.asked_for("BYE");
    assert!(began.elapsed() >= second * 55, "after {:?}", began.elapsed());
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::Line);
    line.empty();
}

#[test]
fn a_line_that_stops_lets_calls_end_and_then_ends_them() {
    let line = TestLine::open(&[]);
    let mut caller = Caller::call(line.address);
    caller.silence(5);
    let serving = std::sync::Arc::clone(&line.serving);
    let drained = std::thread::spawn(move || serving.drain(Duration::from_millis(500)));
    let mut late = Caller::new(line.address);
    let offer = late.usual();
    while !line.serving.gate().is_closing() {
        late.wait(Duration::from_millis(1));
    }
    assert_eq!(late.invite("", &offer).status(), 503);
    // A balancer that asks is told to send its calls elsewhere.
    let mut balancer = Caller::new(line.address);
    let options = balancer.request("OPTIONS", "", "");
    balancer.send(&options);
    assert_eq!(balancer.answer().status(), 503);
    let bye = caller.asked();
    assert!(bye.start().starts_with("BYE "), "{bye:?}");
    caller.respond(&bye, "200 OK", "", "");
    drained.join().expect("drained");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::Shutdown);
}

#[test]
fn the_line_registers_with_its_account() {
    let registrar = Caller::new("127.0.0.1:9".parse().expect("an address"));
    let uri = format!("sip:127.0.0.1:{}", registrar.port());
    let account = [("sip_registrar", uri.as_str()), ("sip_user", "line"), ("sip_password", "secret")];
    let line = TestLine::open(&account);
    let registrar = registrar.towards(line.address);
    let first = registrar.asked();
    assert!(first.start().starts_with("REGISTER "), "{first:?}");
    let challenge = "WWW-Authenticate: Digest realm=\"test\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";
    registrar.respond(&first, "401 Unauthorized", challenge, "");
    let second = registrar.asked();
    let proof = second.header("Authorization").expect("a proof");
    for part in ["username=\"line\"", "realm=\"test\"", "nonce=\"n1\"", "response=\""] {
        assert!(proof.contains(part), "{proof}");
    }
    assert!(!second.text.contains("secret"));
    registrar.respond(&second, "200 OK", "Expires: 600\r\n", "");
    registrar.impatient();
    assert!(registrar.receive().is_none(), "it waits until the registration is about to end");
}

/// What a registrar over a connection of the line's own is asked, and answers with a challenge and with a time.
fn registers(registrar: &mut Caller, realm: &str, expires_s: u32) -> Message {
    let first = registrar.asked_for("REGISTER");
    let challenge =
        format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n");
    registrar.respond(&first, "401 Unauthorized", &challenge, "");
    let second = registrar.asked_for("REGISTER");
    let proof = second.header("Authorization").expect("a proof");
    assert!(proof.contains(&format!("realm=\"{realm}\"")) && proof.contains("username=\"line\""), "{proof}");
    registrar.respond(&second, "200 OK", &format!("Expires: {expires_s}\r\n"), "");
    second
}

#[test]
fn a_registration_by_tcp_is_refreshed_follows_its_registrar_and_is_taken_back() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let uri = format!("sip:{address};transport=tcp");
    let account = [("sip_registrar", uri.as_str()), ("sip_user", "line"), ("sip_password", "secret")];
    let second = Duration::from_millis(5);
    let line = TestLine::open_quick(second, &account);
    let accept =
        || Caller::over(Connection::accept(listener.accept().expect("the line connects").0), address);
    let mut registrar = accept();
    let registered = registers(&mut registrar, "first", 100);
    // The line speaks for itself, and not for whoever it is connected with.
    for name in ["Via", "Contact"] {
        let value = registered.header(name).expect(name);
        assert!(
            value.to_ascii_lowercase().contains("tcp") && !value.contains(&address.to_string()),
            "{value}"
        );
    }
    // At three quarters of what was granted, over the same connection.
    let began = std::time::Instant::now();
    registers(&mut registrar, "second", 100);
    assert!(began.elapsed() >= second * 70, "after {:?}", began.elapsed());
    // Over another, where that one is gone.
    drop(registrar);
    let mut registrar = accept();
    registers(&mut registrar, "third", 100);
    line.leave();
    let last = registrar.asked_for("REGISTER");
    assert_eq!(last.header("Expires"), Some("0"), "{last:?}");
    registrar.respond(&last, "200 OK", "", "");
}

/// A telephone that has hung its connection up is reached by another one, which is judged as any other.
#[test]
fn a_call_whose_connection_is_gone_is_ended_over_another() {
    let line = TestLine::open(&[("sip_tcp_listen", "127.0.0.1:0"), ("rtp_timeout_s", "1")]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut caller = Caller::over(Connection::connect(line.tcp.expect("it listens by TCP")), line.address);
    let offer = caller.usual();
    let sdp = "Content-Type: application/sdp\r\n";
    let own = format!("Contact: <sip:5550100@127.0.0.1:{}>", caller.port());
    let other = format!("Contact: <sip:5550100@{address};transport=tcp>");
    let invite = caller.request("INVITE", sdp, &offer).replace(&own, &other);
    caller.send(&invite);
    assert_eq!(caller.answer().status(), 200);
    let ack = caller.request("ACK", "", "");
    caller.send(&ack);
    caller.wait(Duration::from_millis(100));
    drop(caller);
    let mut reached = Connection::accept(listener.accept().expect("the line connects").0);
    reached.waits(Duration::from_secs(2));
    let bye = reached.receive().expect("a request");
    assert!(bye.start().starts_with("BYE "), "{bye:?}");
    let mut caller = Caller::over(reached, address);
    let wrong = caller.request("OPTIONS", "", "").replace("1 OPTIONS", "1 INVITE");
    caller.send(&wrong);
    assert_eq!(caller.answer().status(), 400, "no more than any other does it say what is wrong");
    caller.respond(&bye, "200 OK", "", "");
    assert_eq!(line.held(1)[0].record.cause, HangupCause::ChannelFailed);
    line.empty();
}

/// By `openssl s_client`, so that the other end is not ours.
#[test]
fn options_are_answered_over_tls() {
    use std::io::{BufRead as _, Write as _};
    use std::process::{Command, Stdio};

    let Some(certificate) = Certificate::make() else { return println!("skipped: no openssl") };
    let tls = certificate.settings();
    let line = TestLine::open(&tls.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>());
    let (address, authority) = (line.tls.expect("it listens").to_string(), certificate.path());
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &address, "-CAfile", &authority])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let options = Caller::new(line.address).request("OPTIONS", "", "").replace("SIP/2.0/UDP", "SIP/2.0/TLS");
    client.stdin.as_mut().expect("piped").write_all(options.as_bytes()).expect("sent");
    let mut told = String::new();
    std::io::BufReader::new(client.stdout.take().expect("piped")).read_line(&mut told).expect("read");
    client.kill().expect("ended");
    client.wait().expect("ended");
    assert!(told.starts_with("SIP/2.0 200 "), "{told}");
}
