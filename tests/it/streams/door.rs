//! Who may open a stream, what webhooks answer, and what becomes of strangers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::TestLine;
use super::emulator::{Emulator, Provider};

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
