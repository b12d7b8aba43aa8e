//! Agents' screens, over HTTP on loopback.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use attendant::desk::{AwayReason, Presence};
use attendant::host::desk::api::{Api, settings as api_settings};
use serde_json::{Value, json};

use super::desk::{Rig, asks_for_a_person, rings};
use super::handing_over::picks_up;
use super::settings;

const TOKEN: &str = "sixteen letters!";

/// The status and the body of an answer.
fn asks(address: SocketAddr, token: &str, request: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("set");
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: line\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn an_agents_screen_signs_in_and_asks_what_is_known_of_a_call() {
    let (rig, mut ana) = Rig::with_ana();
    let api = Api {
        store: rig.store.clone(),
        runtime: rig.runtime.handle().clone(),
        plan: rig.desk.plan().clone(),
        token: TOKEN.into(),
    };
    let bound = rig.line.runtime.block_on(api.listen("127.0.0.1:0".parse().expect("an address")));
    let (address, served) = bound.expect("it listens");
    let listening = rig.line.runtime.spawn(served);
    let says = |name: &str, state: &str| {
        asks(address, TOKEN, &format!("PUT /agents/{name}"), &json!({ "state": state }).to_string())
    };

    let (status, ana_now) = says("ana", "away");
    assert_eq!((status, &ana_now["name"], &ana_now["state"]), (200, &json!("ana"), &json!("away")));
    rig.until("she pauses", || rig.presence("ana") == Some(Presence::Away(AwayReason::Pause)));
    assert_eq!(says("nobody", "ready").0, 404);
    assert_eq!(says("ana", "asleep").0, 422);
    for request in ["GET /agents", "PUT /agents/ana", "GET /calls/call-1/package"] {
        assert_eq!(asks(address, "sixteen letters?", request, "{}").0, 401, "{request}");
    }
    assert_eq!(asks(address, TOKEN, "GET /agents", "").1[0]["state"], "away", "nothing has changed");

    // Ready again, she is rung.
    assert_eq!(says("ana", "ready").0, 200);
    let mut caller = asks_for_a_person(&rig);
    let invite = rings(&mut ana);
    picks_up(&mut ana, &invite);
    caller.silence(60);
    let record = rig.line.held(1)[0].record.clone();
    let package = format!("GET /calls/{}/package", record.id);
    assert_eq!(asks(address, TOKEN, &package, "").0, 404, "it is not written yet");
    rig.write(&record);
    let (status, known) = asks(address, TOKEN, &package, "");
    assert_eq!((status, &known["call"]), (200, &json!(record.id)));
    assert_eq!((&known["number"], &known["handoff"]["reason"]), (&json!("5550100"), &json!("caller_asked")));
    caller.hang_up();
    rig.is_over();
    listening.abort();
}

#[test]
fn a_token_that_can_be_guessed_is_refused() {
    let at = |token| settings(&[("api_listen", "127.0.0.1:0"), ("api_token", token)]).0;
    assert!(api_settings(&at(TOKEN)).expect("sound").is_some());
    let why = api_settings(&at("short")).expect_err("it can be guessed").to_string();
    assert!(why.contains("api_token") && why.contains("16"), "{why}");
    assert!(api_settings(&settings(&[]).0).expect("off").is_none());
}
