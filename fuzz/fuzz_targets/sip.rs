//! Any datagram is judged, and any stream of messages, and what is answered holds no header of the sender's making. What
//! passes is plain once it has been written anew; and any text is read as a caller's proof and as a session's time.
#![no_main]

use attendant::wire::digest::Proof;
use attendant::wire::session_timer::{SessionTimer, Wishes};
use attendant::wire::sip::{Framed, Verdict, frame, respelled, screen};
use libfuzzer_sys::fuzz_target;

const OURS: [&str; 7] = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Warning: ", "Content-Length: 0"];

fn is_ours(answer: Vec<u8>) {
    let text = String::from_utf8(answer).expect("text");
    let head = text.strip_suffix("\r\n\r\n").expect("a whole head");
    for line in head.split(['\r', '\n']).skip(1).filter(|line| !line.is_empty()) {
        assert!(OURS.iter().any(|ours| line.starts_with(ours)), "a header of the sender's: {line}");
    }
}

fn judged(verdict: Verdict, there: usize) {
    match verdict {
        Verdict::Pass(length) => assert!(length <= there, "more than came"),
        Verdict::Refuse { answer: Some(answer), .. } => is_ours(answer),
        Verdict::Refuse { answer: None, .. } | Verdict::KeepAlive { .. } => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    judged(screen(bytes), bytes.len());
    if let Verdict::Pass(length) = screen(bytes)
        && let Some(plain) = respelled(&bytes[..length])
    {
        assert!(matches!(screen(&plain), Verdict::Pass(_)), "written anew it is no message");
        assert_eq!(respelled(&plain), None, "once is enough");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Proof::parse(text);
        let _ = SessionTimer::answer(&Wishes::default().with_session_expires(text), 1_800);
    }
    let mut rest = bytes;
    loop {
        match frame(rest) {
            Framed::Whole(length, verdict) => {
                assert!(length > 0, "the stream goes on");
                judged(verdict, length);
                rest = &rest[length..];
            }
            Framed::Broken { answer, .. } => break answer.into_iter().for_each(is_ours),
            Framed::Partial => break,
        }
    }
});
