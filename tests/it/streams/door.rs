//! Who may open a stream, what webhooks answer, and what becomes of strangers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::TestLine;
use super::emulator::{Emulator, Heard, Provider};

/// One request, and the whole answer.
fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("the line listens");
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: line.example\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}

fn signed(token: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("a key");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[test]
fn twilio_comes_in_by_its_signature_only() {
    let line = TestLine::open(&[("twilio_auth_token", "k3y")]);
    let form = "CallSid=CA01&From=%2B15550100&To=%2B15550800";
    let head = "POST /twilio/answer HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded";
    let signature = signed("k3y", "https://line.example/twilio/answerCallSidCA01From+15550100To+15550800");
    let answer = ask(line.http, &format!("{head}\r\nX-Twilio-Signature: {signature}"), form);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("<Stream url=\"wss://line.example/twilio/stream\">"), "{answer}");
    assert!(answer.contains("name=\"from\" value=\"+15550100\""), "{answer}");
    let other = form.replace("5550100", "5550101");
    for (head, form) in
        [(head.to_owned(), form), (format!("{head}\r\nX-Twilio-Signature: {signature}"), &other)]
    {
        assert!(ask(line.http, &head, form).starts_with("HTTP/1.1 403"));
    }

    let refused = |headers: &[(&str, &str)]| Emulator::open(Provider::Twilio, line.http, headers, "").err();
    assert_eq!(refused(&[]), Some(403));
    let wrong = signed("key", "wss://line.example/twilio/stream");
    assert_eq!(refused(&[("x-twilio-signature", &wrong)]), Some(403));
    let right = signed("k3y", "wss://line.example/twilio/stream");
    assert_eq!(refused(&[("x-twilio-signature", &right)]), None);
}

#[test]
fn a_token_is_asked_of_all_others() {
    let line = TestLine::open(&[("streams_token", "t0ken")]);
    let answer =
        ask(line.http, "GET /vonage/answer?token=t0ken&from=447700900000&to=442000&uuid=u-1 HTTP/1.1", "");
    assert!(answer.contains("\"uri\":\"wss://line.example/vonage/stream?token=t0ken\""), "{answer}");
    assert!(answer.contains("audio/l16;rate=16000") && answer.contains("447700900000"), "{answer}");
    let answer = ask(line.http, "POST /jambonz/answer?token=t0ken HTTP/1.1", "{}");
    assert!(answer.contains("wss://line.example/jambonz/stream?token=t0ken"), "{answer}");
    assert!(answer.contains("\"passDtmf\":true") && answer.contains("\"streaming\":true"), "{answer}");
    for head in ["GET /vonage/answer?token=t0kem HTTP/1.1", "POST /jambonz/answer HTTP/1.1"] {
        assert!(ask(line.http, head, "").starts_with("HTTP/1.1 403"), "{head}");
    }
    for provider in [Provider::Vonage, Provider::Jambonz] {
        assert_eq!(Emulator::open(provider, line.http, &[], "").err(), Some(403), "{provider:?}");
        assert!(Emulator::open(provider, line.http, &[], "?token=t0ken").is_ok(), "{provider:?}");
    }
}

#[test]
fn strangers_get_nothing_and_leave_nothing() {
    let line = TestLine::open(&[("streams_allow", "192.0.2.0/24")]);
    for provider in [Provider::Twilio, Provider::Vonage, Provider::ChanWebsocket, Provider::Jambonz] {
        assert_eq!(Emulator::open(provider, line.http, &[], "").err(), Some(403), "{provider:?}");
    }
    let mut socket = TcpStream::connect(line.audiosocket).expect("the line listens");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.is_empty());
    assert_eq!(line.serving.gate().at_once(), 0);
}

#[test]
fn a_full_line_turns_streams_away() {
    let line = TestLine::open(&[("calls_at_once", "1")]);
    let mut first = line.ring(Provider::AudioSocket);
    first.tick(&[0; 320]);
    assert_eq!(Emulator::open(Provider::Jambonz, line.http, &[], "").err(), Some(503));
    let mut second = TcpStream::connect(line.audiosocket).expect("the line listens");
    second.set_read_timeout(Some(Duration::from_secs(5))).expect("above zero");
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).expect("it is closed");
    assert_eq!(answer, [0, 0, 0], "a hang-up");
}

/// Presses 0 until the line has hung up for a person, and asks where the call goes on to.
fn wants_a_person(line: &TestLine, provider: Provider) {
    let mut phone = line.ring(provider);
    for tick in 0..1_000 {
        if tick == 40 {
            phone.press('0');
        }
        if phone.tick(&[0; 320]).contains(&Heard::HungUp) {
            return;
        }
    }
    panic!("{provider:?}: the line did not hang up");
}

#[test]
fn a_caller_who_wants_a_person_goes_on_to_one_where_the_provider_asks() {
    let line = TestLine::open(&[("agents", "sip:6000@192.0.2.7")]);
    let twilio = |path: &str, form: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded");
        ask(line.http, &head, form)
    };
    assert!(twilio("/twilio/next", "CallSid=CA01").contains("<Hangup/>"), "nobody is on the way yet");
    wants_a_person(&line, Provider::Twilio);
    let next = twilio("/twilio/next", "CallSid=CA01");
    assert!(next.contains("<Sip>sip:6000@192.0.2.7</Sip>"), "{next}");
    assert!(twilio("/twilio/next", "CallSid=CA01").contains("<Hangup/>"), "it is told once");
    let after = twilio("/twilio/after", "CallSid=CA01&DialCallStatus=no-answer&From=%2B15550100");
    assert!(after.contains("<Connect><Stream"), "nobody was there, so the caller is back: {after}");
    assert!(twilio("/twilio/after", "CallSid=CA01&DialCallStatus=completed").contains("<Hangup/>"));

    wants_a_person(&line, Provider::Jambonz);
    let head = "POST /jambonz/next HTTP/1.1\r\nContent-Type: application/json";
    let next = ask(line.http, head, "{\"call_sid\":\"c-1\"}");
    assert!(next.contains("\"sipUri\":\"sip:6000@192.0.2.7\""), "{next}");
    assert!(ask(line.http, head, "{\"call_sid\":\"c-1\"}").contains("hangup"));

    wants_a_person(&line, Provider::AudioSocket);
    let uuid = "abababab-abab-abab-abab-abababababab";
    let next = ask(line.http, &format!("GET /asterisk/next?id={uuid} HTTP/1.1"), "");
    assert!(next.starts_with("HTTP/1.1 200") && next.ends_with("\r\n\r\nsip:6000@192.0.2.7"), "{next}");
    let next = ask(line.http, &format!("GET /asterisk/next?id={uuid} HTTP/1.1"), "");
    assert!(next.ends_with("\r\n\r\n"), "{next}");
    let stranger = TestLine::open(&[("streams_token", "t0ken")]);
    assert!(
        ask(stranger.http, &format!("GET /asterisk/next?id={uuid} HTTP/1.1"), "").starts_with("HTTP/1.1 403")
    );
}
