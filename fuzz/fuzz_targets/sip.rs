//! Any datagram is judged, and what is answered to it holds no header of the sender's making.
#![no_main]

use attendant::wire::sip::{Verdict, screen};
use libfuzzer_sys::fuzz_target;

const OURS: [&str; 7] = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Warning: ", "Content-Length: 0"];

fuzz_target!(|bytes: &[u8]| match screen(bytes) {
    Verdict::Pass(length) => assert!(length <= bytes.len(), "more than came"),
    Verdict::Refuse { answer: Some(answer), .. } => {
        let text = String::from_utf8(answer).expect("text");
        let head = text.strip_suffix("\r\n\r\n").expect("a whole head");
        for line in head.split(['\r', '\n']).skip(1).filter(|line| !line.is_empty()) {
            assert!(OURS.iter().any(|ours| line.starts_with(ours)), "a header of the sender's: {line}");
        }
    }
    Verdict::Refuse { answer: None, .. } | Verdict::KeepAlive { .. } => {}
});
