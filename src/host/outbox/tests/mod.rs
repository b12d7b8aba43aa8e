//! What is told, to servers on loopback that speak as real ones do, by a clock that the tests turn.

mod loopback;

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use loopback::{Faults, Request, Taken, certificate, mail, web};

use super::*;
use crate::call::{CallId, CallRecord};
use crate::desk::WrittenUp;
use crate::store::{KeptVoicemail, StoreOptions};

/// A variable that every process has, for keys; its value is nobody's secret.
const KEY: &str = "PATH";

/// What comes is there by then.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    runtime: tokio::runtime::Runtime,
    outbox: Outbox,
    folder: tempfile::TempDir,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).expect("in range")
}

impl Rig {
    fn open(notify: &str, mailer: Option<Mailer>) -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "zone = \"Europe/Berlin\"\n[[queue]]\nname = \"everyone\"\n[wrap_up]\ndispositions = [\"refunded\"]\n\
             [[notify]]\nname = \"n\"\n{notify}\n"
        );
        let plan = Arc::new(DeskPlan::parse("desk.toml", &text).expect("a desk"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let options = StoreOptions { desk: Arc::clone(&plan), ..StoreOptions::default() };
        let store = runtime.block_on(Store::open_with(folder.path().join("shop.db"), options));
        let store = Arc::new(store.expect("it opens"));
        let node = "here".to_owned();
        let outbox = Outbox { store, runtime: runtime.handle().clone(), node, plan, mailer };
        Rig { runtime, outbox, folder }
    }

    fn message(&self) {
        let message = KeptVoicemail {
            call: "call-1".parse().expect("an id"),
            queue: "everyone".to_owned(),
            ani: "+15550100".parse().ok(),
            at: at(0),
            duration: Duration::from_secs(12),
            file: "voicemail/call-1.flac".to_owned(),
            sha256: "00".repeat(32),
            transcript: Some("please call me back\n.\nabout my order".into()),
        };
        self.runtime.block_on(self.outbox.store.keep_voicemail(&message, at(0))).expect("it is kept");
    }

    fn call(&self) {
        self.write(&CallRecord::of_a_return());
    }

    fn write(&self, record: &CallRecord) {
        let written = self.outbox.store.write_record(record, 1_790_000_000_000);
        self.runtime.block_on(written).expect("it is kept");
    }

    fn write_up(&self, remark: &str, now: i64) {
        let (agent, disposition) = ("ana".to_owned(), "refunded".to_owned());
        let written = WrittenUp { agent, disposition, remark: remark.to_owned() };
        let call: CallId = "call-1".parse().expect("an id");
        let kept = self.runtime.block_on(self.outbox.store.write_up(&call, &written, at(now)));
        assert!(kept.expect("it is kept"));
    }

    fn rate(&self, grade: u8, now: i64) {
        let call: CallId = "call-1".parse().expect("an id");
        let rated = self.runtime.block_on(self.outbox.store.rate(&call, grade, at(now)));
        assert!(rated.expect("it is kept"));
    }

    /// Tells all that is due, and gives where each of the news stands.
    fn tell(&self, now: i64) -> Vec<OutgoingState> {
        while self.outbox.tell_next(at(now)).expect("the store answers") {}
        self.news().into_iter().map(|news| news.state).collect()
    }

    fn news(&self) -> Vec<Outgoing> {
        self.runtime.block_on(self.outbox.store.outbox()).expect("it answers")
    }
}

fn mailer(server: std::net::SocketAddr, security: Security, authority: Option<Vec<u8>>) -> Mailer {
    let settings = MailSettings {
        // The name in the certificate.
        host: "localhost".to_owned(),
        port: server.port(),
        security,
        user: Some(("line".to_owned(), "secret".into())),
        from: "The line <line@shop.example>".to_owned(),
        authority,
        timeout: PATIENCE,
    };
    Mailer::new(settings).expect("settings")
}

fn faults(list: &[(&'static str, &'static str)]) -> Faults {
    Arc::new(Mutex::new(list.to_vec()))
}

fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(PATIENCE).expect("it came")
}

const LETTER: &str = "on = [\"voicemail\"]\nemail = [\"team@shop.example\", \"ana@shop.example\"]";

#[test]
fn a_message_is_announced_by_a_letter() {
    let (server, letters) = mail(faults(&[]), None);
    let rig = Rig::open(LETTER, Some(mailer(server, Security::None, None)));
    rig.message();
    assert_eq!(rig.tell(0), [OutgoingState::Told(at(0))]);
    let letter = next(&letters);
    assert_eq!(letter.from, "line@shop.example");
    assert_eq!(letter.to, ["team@shop.example", "ana@shop.example"]);
    // AUTH PLAIN: nobody, user and password in base64.
    assert_eq!(letter.by, "AGxpbmUAc2VjcmV0");
    for expected in [
        "Subject: Message from +15550100\r\n",
        "Message-ID: <voicemail-call-1-n@shop.example>\r\n",
        "A message of 12 seconds for everyone from +15550100, 2026-09-21 16:13 CEST.",
        "please call me back\r\n.\r\nabout my order\r\n",
        "attendant desk voicemail --save call-1 --out message.flac",
    ] {
        assert!(letter.data.contains(expected), "{expected}: {}", letter.data);
    }
    assert_eq!(rig.tell(100_000), [OutgoingState::Told(at(0))], "once is enough");
    assert!(letters.try_recv().is_err());
}

#[test]
fn a_letter_travels_over_tls_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((pem, config)) = certificate(folder.path()) else { return };
    let (server, letters) = mail(faults(&[]), Some(config));
    let rig = Rig::open(LETTER, Some(mailer(server, Security::StartTls, Some(pem))));
    rig.message();
    assert_eq!(rig.tell(0), [OutgoingState::Told(at(0))], "{:?}", rig.news());
    let letter = next(&letters);
    assert!(letter.over_tls && letter.by == "AGxpbmUAc2VjcmV0", "the password, too");
    // A certificate that nobody vouches for, and a server that has no TLS at all.
    let (plain, nothing) = mail(faults(&[]), None);
    for (server, letters) in [(server, &letters), (plain, &nothing)] {
        let rig = Rig::open(LETTER, Some(mailer(server, Security::StartTls, None)));
        rig.message();
        assert!(!matches!(rig.tell(0)[..], [OutgoingState::Told(_)]), "{:?}", rig.news());
        assert!(letters.try_recv().is_err(), "nothing was handed in");
    }
}

#[test]
fn a_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not() {
    let busy = [("", "421 4.3.2 later"), ("RCPT", "451 4.7.1 greylisted"), ("DATA", "452 4.3.1 full")];
    let (server, letters) = mail(faults(&busy), None);
    let rig = Rig::open(LETTER, Some(mailer(server, Security::None, None)));
    rig.message();
    // The wait doubles from one attempt to the next.
    assert_eq!(rig.tell(0), [OutgoingState::Waiting(at(30))]);
    assert_eq!(rig.tell(29), [OutgoingState::Waiting(at(30))]);
    assert_eq!(rig.tell(30), [OutgoingState::Waiting(at(90))]);
    assert!(rig.news()[0].error.as_ref().is_some_and(|why| why.contains("451")), "{:?}", rig.news());
    assert_eq!(rig.tell(90), [OutgoingState::Waiting(at(210))]);
    assert!(letters.try_recv().is_err());
    assert_eq!(rig.tell(210), [OutgoingState::Told(at(210))]);
    next(&letters);
    let (server, _letters) = mail(faults(&[("RCPT", "550 5.1.1 nobody of that name")]), None);
    let rig = Rig::open(LETTER, Some(mailer(server, Security::None, None)));
    rig.message();
    assert_eq!(rig.tell(0), [OutgoingState::GivenUp]);
    let why = rig.news()[0].error.clone().unwrap_or_default();
    assert!(why.contains("refuses") && why.contains("550"), "{why}");
}

#[test]
fn a_process_that_dies_after_telling_tells_once_more_by_the_same_name() {
    let (server, letters) = mail(faults(&[]), None);
    let rig = Rig::open(LETTER, Some(mailer(server, Security::None, None)));
    rig.message();
    let dead = Outbox {
        node: "dead".to_owned(),
        mailer: None,
        plan: Arc::clone(&rig.outbox.plan),
        store: Arc::clone(&rig.outbox.store),
        runtime: rig.runtime.handle().clone(),
    };
    let claimed = rig.runtime.block_on(dead.store.claim_news("dead", at(0), LEASE)).expect("it answers");
    let claimed = claimed.expect("it is due");
    let target = &rig.outbox.plan.notify[0];
    let letter = rig.runtime.block_on(Letter::of(&claimed, &dead.store, &dead.plan)).expect("it answers");
    rig.outbox.tell(target, &letter.expect("it is there")).expect("told");
    // It dies here. Until its lease is over nobody else tells.
    assert_eq!(rig.tell(299), [OutgoingState::InHand]);
    assert_eq!(rig.tell(300), [OutgoingState::Told(at(300))]);
    let id =
        |letter: Taken| letter.data.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned);
    assert_eq!(id(next(&letters)), id(next(&letters)));
    // Had it only been slow, its word would not count any more.
    let late =
        rig.runtime.block_on(dead.store.settle_news(&claimed.key, "dead", OutgoingState::GivenUp, None));
    assert!(matches!(late, Err(StoreError::ClaimLost(_))));
}

#[test]
fn a_webhook_gets_the_call_signed_and_its_follow_up_has_words() {
    let (url, requests) = web(|_| (204, String::new()));
    let rig = Rig::open(
        &format!(
            "on = [\"call\", \"wrap_up\"]\nwebhook = \"{url}/hook\"\nsecret_env = \"{KEY}\"\n\
             text = \"Thank you. Your reference is {{{{ reference }}}}. {{{{ remark }}}}\""
        ),
        None,
    );
    rig.call();
    assert_eq!(rig.tell(100), [OutgoingState::Told(at(100))]);
    let told = next(&requests);
    assert_eq!((told.method.as_str(), told.target.as_str()), ("POST", "/hook"));
    assert_eq!(told.header("idempotency-key"), Some("call-call-1-n"));
    assert!(told.header("attendant-signature").is_some_and(|signed| signed.starts_with("t=")));
    let body: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({
            "event": "call", "call": "call-1", "at": "2026-09-21T14:13:20Z", "number": "+15550100",
            "reference": "012345", "text": "Thank you. Your reference is 012345.\n",
            "record": {
                "dialled": "800", "seconds": 61.234, "intent": "return_refund", "disposition": "transferred",
                "cause": "transferred", "stage": "resolution", "rating": 4, "slots": {"order_number": "451288"},
                "handoff": {"skill": "returns", "reason": "caller_asked", "intent": null, "facts": {"name": "Maria Lopez"}, "last_heard": "agent"},
                "callback": null, "note": "return_refund: transferred, name Maria Lopez, order_number 451288, rated 4 of 5",
            },
        })
    );
    rig.write_up("A label is on its way.", 200);
    rig.tell(200);
    let told = next(&requests);
    let body: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
    assert_eq!(body["text"], "Thank you. Your reference is 012345. A label is on its way.\n");
    assert_eq!(
        body["wrap_up"],
        serde_json::json!({"agent": "ana", "disposition": "refunded", "remark": "A label is on its way."})
    );
}

#[test]
fn what_cannot_be_told_is_given_up_after_its_attempts_and_says_why() {
    let (url, _requests) = web(|_| (503, String::new()));
    let notify = format!("on = [\"call\"]\nwebhook = \"{url}\"\nattempts = 2\nretry_seconds = 10");
    let rig = Rig::open(&notify, None);
    rig.call();
    assert_eq!(rig.tell(100), [OutgoingState::Waiting(at(110))]);
    assert_eq!(rig.tell(110), [OutgoingState::GivenUp]);
    let news = &rig.news()[0];
    assert_eq!((news.attempts, news.error.as_deref()), (2, Some("it answered with status 503")));
    // A mistake of one's own is not tried again.
    let rig = Rig::open("on = [\"call\"]\nemail = [\"team@shop.example\"]", None);
    rig.call();
    assert_eq!(rig.tell(100), [OutgoingState::GivenUp]);
    assert!(rig.news()[0].error.as_ref().is_some_and(|why| why.contains("mail_server")));
}

#[test]
fn whoever_is_erased_is_told_of_no_more() {
    let (url, requests) = web(|_| (204, String::new()));
    let rig = Rig::open(&format!("on = [\"call\", \"voicemail\"]\nwebhook = \"{url}\""), None);
    rig.call();
    rig.message();
    let number = "+15550100".parse().expect("a number");
    rig.runtime.block_on(rig.outbox.store.erase(&number, "the owner", at(1))).expect("it is done");
    assert_eq!((rig.tell(1_000), rig.news()), (Vec::new(), Vec::new()));
    assert!(requests.try_recv().is_err());
    assert!(rig.folder.path().exists());
}

/// EspoCRM as its documentation describes it (development/api, development/api/crud, development/api-search-params), with
/// the fields of its entity `Call`: which there are, which must be there, and what their values may be.
fn espo(contacts: &'static [&'static str]) -> (String, Receiver<Request>) {
    let calls: Mutex<Vec<(String, serde_json::Value)>> = Mutex::new(Vec::new());
    web(move |request| {
        let key = std::env::var(KEY).expect("it is set");
        if request.header("x-api-key") != Some(key.as_str()) {
            return (401, String::new());
        }
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.target.split('?').next().unwrap_or_default();
        let listed = |ids: Vec<&str>| {
            let list: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id})).collect();
            (200, serde_json::json!({"list": list, "total": list.len()}).to_string())
        };
        let wanted = || {
            assert_eq!(request.query("where[0][type]").as_deref(), Some("equals"));
            (request.query("where[0][attribute]"), request.query("where[0][value]").unwrap_or_default())
        };
        match (request.method.as_str(), path) {
            ("GET", "/api/v1/Contact") => {
                let (attribute, number) = wanted();
                assert_eq!((attribute.as_deref(), number.as_str()), (Some("phoneNumber"), "+15550100"));
                listed(contacts.to_vec())
            }
            ("GET", "/api/v1/Call") => {
                let (attribute, name) = wanted();
                assert_eq!(attribute.as_deref(), Some("name"));
                listed(
                    calls
                        .iter()
                        .filter(|(_, call)| call["name"] == name.as_str())
                        .map(|(id, _)| id.as_str())
                        .collect(),
                )
            }
            ("POST", "/api/v1/Call") => {
                let call: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
                if let Some(wrong) = unfit(&call) {
                    return (400, wrong);
                }
                calls.push(("0001".to_owned(), call));
                (200, serde_json::json!({"id": "0001"}).to_string())
            }
            ("PUT", "/api/v1/Call/0001") => (200, serde_json::json!({"id": "0001"}).to_string()),
            _ => (404, String::new()),
        }
    })
}

/// What EspoCRM would refuse of a call.
fn unfit(call: &serde_json::Value) -> Option<String> {
    let fields = call.as_object()?;
    const KNOWN: [&str; 8] = [
        "name",
        "status",
        "direction",
        "dateStart",
        "dateEnd",
        "description",
        "assignedUserId",
        "contactsIds",
    ];
    if let Some(unknown) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Some(format!("no field {unknown}"));
    }
    let text = |name: &str| fields.get(name).and_then(|value| value.as_str());
    let is_time = |name: &str| {
        text(name).is_some_and(|time| jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).is_ok())
    };
    let fits = text("name").is_some_and(|name| !name.is_empty())
        && text("status").is_some_and(|status| ["Planned", "Held", "Not Held"].contains(&status))
        && text("direction").is_some_and(|direction| ["Outbound", "Inbound"].contains(&direction))
        && is_time("dateStart")
        && is_time("dateEnd")
        && text("dateStart") <= text("dateEnd");
    (!fits).then(|| format!("does not fit: {call}"))
}

#[test]
fn a_call_is_one_activity_in_the_crm_however_often_it_is_told() {
    let (url, requests) = espo(&["c1"]);
    let notify = format!(
        "on = [\"call\", \"rating\", \"wrap_up\"]\nespocrm = \"{url}/\"\nkey_env = \"{KEY}\"\nassigned_user = \"u1\""
    );
    let rig = Rig::open(&notify, None);
    rig.write(&CallRecord { rating: None, ..CallRecord::of_a_return() });
    assert_eq!(rig.tell(100), [OutgoingState::Told(at(100))], "{:?}", rig.news());
    let got: Vec<Request> = (0..3).map(|_| next(&requests)).collect();
    let body: serde_json::Value = serde_json::from_str(&got[2].body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({
            "name": "return_refund (call-1)", "status": "Held", "direction": "Inbound",
            "dateStart": "2026-09-21 14:13:20", "dateEnd": "2026-09-21 14:14:21",
            "description": "return_refund: transferred, name Maria Lopez, order_number 451288",
            "assignedUserId": "u1", "contactsIds": ["c1"],
        })
    );
    rig.write_up("A label is on its way.", 200);
    rig.tell(200);
    let got: Vec<Request> = (0..3).map(|_| next(&requests)).collect();
    assert_eq!((got[2].method.as_str(), got[2].target.as_str()), ("PUT", "/api/v1/Call/0001"));
    assert!(got[2].body.contains("A label is on its way."), "{}", got[2].body);
    rig.rate(2, 300);
    rig.tell(300);
    let got: Vec<Request> = (0..3).map(|_| next(&requests)).collect();
    assert_eq!((got[2].method.as_str(), got[2].target.as_str()), ("PUT", "/api/v1/Call/0001"));
    assert!(got[2].body.contains("rated 2 of 5. A label is on its way."), "{}", got[2].body);
}

#[test]
fn nobody_is_guessed_among_contacts_and_a_wrong_key_is_named() {
    let (url, requests) = espo(&["c1", "c2"]);
    let notify = |key| format!("on = [\"call\"]\nespocrm = \"{url}\"\nkey_env = \"{key}\"");
    let rig = Rig::open(&notify(KEY), None);
    rig.call();
    rig.tell(100);
    let [_, _, posted] = std::array::from_fn(|_| next(&requests));
    assert!(posted.method == "POST" && !posted.body.contains("contactsIds"), "{}", posted.body);
    for (key, expected) in [("HOME", "its key is not right"), ("NO_SUCH_VARIABLE_HERE", "is not set")] {
        let rig = Rig::open(&notify(key), None);
        rig.call();
        assert_eq!(rig.tell(100), [OutgoingState::GivenUp]);
        let why = rig.news()[0].error.clone().unwrap_or_default();
        assert!(why.contains(expected), "{why}");
    }
}
