use crate::audio::SplitMix64;

use super::*;

const BODY: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn invite() -> String {
    format!(
        "INVITE sip:line@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1\r\n\
         From: \"A \\\" caller\" <sip:5550100@192.0.2.7>;tag=1\r\nTo: <sip:line@192.0.2.1>\r\nCall-ID: a@b\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:5550100@192.0.2.7>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

fn changed(from: &str, to: &str) -> String {
    let text = invite();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn refused(text: &str) -> (&'static str, Option<String>) {
    match screen(text.as_bytes()) {
        Verdict::Refuse { why, answer } => (why, answer.map(|a| String::from_utf8(a).expect("text"))),
        other @ (Verdict::Pass(_) | Verdict::KeepAlive { .. }) => panic!("{other:?} for {text}"),
    }
}

#[test]
fn a_whole_message_passes_and_nothing_behind_it() {
    let text = invite();
    assert_eq!(screen(text.as_bytes()), Verdict::Pass(text.len()));
    let longer = format!("{text}INVITE sip:x SIP/2.0\r\n");
    assert_eq!(screen(longer.as_bytes()), Verdict::Pass(text.len()), "what follows is cut off");
    let compact = changed("Content-Length", "l").replace("Via:", "v  :").replace("From:", "F:");
    assert_eq!(screen(compact.as_bytes()), Verdict::Pass(compact.len()));
    let folded = changed("Via: SIP/2.0/UDP ", "Via: SIP / 2.0\r\n  / UDP\t");
    assert_eq!(screen(folded.as_bytes()), Verdict::Pass(folded.len()));
    let response = changed("INVITE sip:line@192.0.2.1 SIP/2.0", "SIP/2.0 183 =**= \u{fc}");
    assert_eq!(screen(response.as_bytes()), Verdict::Pass(response.len()));
}

#[test]
fn keep_alives_are_no_messages() {
    assert_eq!(screen(b"\r\n\r\n"), Verdict::KeepAlive { ping: true });
    assert_eq!(screen(b"\r\n"), Verdict::KeepAlive { ping: false });
    assert_eq!(screen(b""), Verdict::KeepAlive { ping: false });
    assert_eq!(screen(&[0; 4]), Verdict::KeepAlive { ping: false });
}

#[test]
fn malformed_requests_are_refused_with_an_answer() {
    let length = format!("Content-Length: {}", BODY.len());
    for (from, to, told) in [
        (length.as_str(), "Content-Length: 9999", "larger than the message"),
        (&length, "Content-Length: -999", "no length"),
        (&length, "Content-Length: 99999999999999999999", "no length"),
        (&length, "Content-Length: 1 1", "no length"),
        (&length, "Content-Length: 5\r\nl: 6", "differs"),
        ("CSeq: 1 INVITE", "CSeq: 36893488147419103232 INVITE", "CSeq"),
        ("CSeq: 1 INVITE", "CSeq: 1 BYE", "another method"),
        ("CSeq: 1 INVITE", "CSeq: one INVITE", "CSeq"),
        ("Max-Forwards: 70", "Max-Forwards: 300", "Max-Forwards"),
        ("To: <sip:line@192.0.2.1>", "To: \"Mr <sip:line@192.0.2.1>", "malformed"),
        ("To: <sip:line@192.0.2.1>", "To: <sip:a@b>\r\nTo: <sip:c@d>", "once each"),
        ("INVITE sip:line@192.0.2.1 SIP/2.0", "INVITE <sip:line@192.0.2.1> SIP/2.0", "request line"),
        ("INVITE sip:line@192.0.2.1 SIP/2.0", "INVITE  sip:line@192.0.2.1 SIP/2.0", "request line"),
        ("INVITE sip:line@192.0.2.1 SIP/2.0", "INVITE sip:line@192.0.2.1; x SIP/2.0", "request line"),
        ("INVITE sip:line@192.0.2.1 SIP/2.0", "INVITE sip:line@192.0.2.1?Subject=x SIP/2.0", "request line"),
        ("Contact: <sip:5550100@192.0.2.7>", "Contact: <sip:5550100@192.0.2.7>;;x", "Contact"),
        (";branch=z9hG4bK1", ";;branch=z9hG4bK1", "Via"),
        (";branch=z9hG4bK1", ";branch=z9hG4bK1,", "Via"),
        (";branch=z9hG4bK1", ";\"branch=z9hG4bK1", "Via"),
        (";branch=z9hG4bK1", ";branch<=z9hG4bK1", "Via"),
        ("To: <sip:line@192.0.2.1>", "To: < sip:line@192.0.2.1 >", "malformed"),
        ("Contact:", "Con tact:", "header line"),
        ("Contact: <", "Contact: \0<", "header line"),
    ] {
        let (why, answer) = refused(&changed(from, to));
        assert!(why.contains(told), "{why}, not {told}, for {to}");
        let answer = answer.expect("addressable");
        assert!(answer.starts_with("SIP/2.0 400 ") && answer.contains("Call-ID: a@b\r\n"), "{answer}");
        assert_only_our_headers(&answer);
    }
    let (_, answer) = refused(&changed("sip:line@192.0.2.1 SIP/2.0", "sip:line@192.0.2.1 SIP/7.0"));
    assert!(answer.expect("addressable").starts_with("SIP/2.0 505 "));
    let (_, answer) = refused(&invite().replace("INVITE", "invite"));
    assert!(answer.expect("addressable").starts_with("SIP/2.0 501 "));
    let (_, answer) = refused(&changed("INVITE sip:line@192.0.2.1", "INVITE http://192.0.2.1/"));
    assert!(answer.expect("addressable").starts_with("SIP/2.0 416 "));
}

#[test]
fn a_rare_spelling_becomes_the_usual_one_and_the_usual_one_stays() {
    let again = |text: &str| respelled(text.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("text"));
    assert_eq!(again(&invite()), None);
    let odd = changed(
        "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1",
        "v : SIP / 2.0\r\n /UDP \t192.0.2.7:5060 ;\r\n branch = z9hG4bK1 , SIP/2.0/TCP x",
    )
    .replace("192.0.2.7>;tag=1", "192.0.2.7> ;\r\n\ttag = 1");
    let plain = again(&odd).expect("odd");
    for line in [
        "via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1,SIP/2.0/TCP x\r\n",
        "from: \"A \\\" caller\" <sip:5550100@192.0.2.7>;tag=1\r\n",
    ] {
        assert!(plain.contains(line), "{plain}");
    }
    assert!(plain.ends_with(BODY));
    assert_eq!(screen(plain.as_bytes()), Verdict::Pass(plain.len()));
    assert_eq!(again(&plain), None, "once is enough");
    // RFC 2543: the same branch for all that belongs to one transaction, another for another.
    let old = changed(";branch=z9hG4bK1", "");
    let branch = |text: &str| {
        let plain = again(text).expect("without a branch");
        plain.split(";branch=").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("one").to_owned()
    };
    assert!(branch(&old).starts_with("z9hG4bK"));
    assert_eq!(branch(&old), branch(&old.replace("INVITE", "CANCEL")));
    assert_ne!(branch(&old), branch(&old.replace("CSeq: 1", "CSeq: 2")));
    // The topmost Via gets it, where several share a line, and no other.
    let several = old.replace("192.0.2.7:5060\r\n", "192.0.2.7:5060 , SIP/2.0/TCP x;branch=z9hG4bK7\r\n");
    let plain = again(&several).expect("without a branch");
    let vias = plain.lines().find_map(|line| line.strip_prefix("via: ")).expect("one line");
    let (first, second) = vias.split_once(',').expect("two");
    assert!(first.starts_with("SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK"), "{vias}");
    assert_eq!(second, "SIP/2.0/TCP x;branch=z9hG4bK7");
}

#[test]
fn what_cannot_or_must_not_be_answered_is_dropped() {
    let mut binary = invite().into_bytes();
    binary[80] = 0xff;
    assert!(matches!(screen(&binary), Verdict::Refuse { answer: None, .. }), "no UTF-8");
    for (from, to) in [("Call-ID: a@b\r\n", ""), ("Via: SIP", "Vai: SIP"), ("CSeq: 1 INVITE\r\n", "")] {
        assert_eq!(refused(&changed(from, to)).1, None, "{from}");
    }
    let ack = invite().replace("INVITE", "ACK").replace("Content-Length: ", "Content-Length: 9");
    assert_eq!(refused(&ack).1, None);
    let response = changed("INVITE sip:line@192.0.2.1 SIP/2.0", "SIP/2.0 4294967301 better not");
    assert_eq!(refused(&response).1, None);
    assert_eq!(refused("hello").1, None);
}

#[test]
fn only_one_line_fits_into_a_header() {
    assert!(is_header_safe("a plain value; x=\"y\""));
    for text in ["a\r\nb: c", "a\nb", "a\rb", "a\0"] {
        assert!(!is_header_safe(text));
    }
}

/// A hundred thousand messages with bytes changed, cut out, doubled and inserted: none panics, and what passes
/// is no longer than what came and has the lengths that it says.
#[test]
fn a_hundred_thousand_bent_messages_are_judged() {
    let mut random = SplitMix64::new(4_475);
    let old =
        changed("192.0.2.7:5060;branch=z9hG4bK1", "192.0.2.7 , SIP / 2.0/TCP\tx ;\r\n branch = z9hG4bK7");
    let whole = [invite(), changed("INVITE sip:line@192.0.2.1 SIP/2.0", "SIP/2.0 200 OK"), old];
    let (mut passed, mut answered) = (0, 0);
    for n in 0..100_000 {
        let mut bytes = whole[n % 3].clone().into_bytes();
        for _ in 0..1 + random.next_u64() % 4 {
            bend(&mut bytes, &mut random);
        }
        match screen(&bytes) {
            Verdict::Pass(length) => {
                assert!(length <= bytes.len());
                if let Some(plain) = respelled(&bytes[..length]) {
                    assert!(!matches!(screen(&plain), Verdict::Refuse { .. }), "{plain:?}");
                    assert_eq!(respelled(&plain), None, "once is enough");
                }
                passed += 1;
            }
            Verdict::Refuse { answer: Some(answer), .. } => {
                assert_only_our_headers(&String::from_utf8(answer).expect("text"));
                answered += 1;
            }
            Verdict::Refuse { answer: None, .. } | Verdict::KeepAlive { .. } => {}
        }
    }
    assert!(passed > 1_000 && answered > 1_000, "{passed} passed, {answered} were answered");
}

/// No stranger's words became a header of their own.
fn assert_only_our_headers(answer: &str) {
    let ours = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: ", "Warning: ", "Content-Length: 0"];
    let head = answer.strip_suffix("\r\n\r\n").expect("a whole head");
    for line in head.split(['\r', '\n']).skip(1).filter(|line| !line.is_empty()) {
        assert!(ours.iter().any(|ours| line.starts_with(ours)), "{answer}");
    }
}

fn bend(bytes: &mut Vec<u8>, random: &mut SplitMix64) {
    if bytes.is_empty() {
        return;
    }
    let at = (random.next_u64() % bytes.len() as u64) as usize;
    let to = (at + 1 + (random.next_u64() % 24) as usize).min(bytes.len());
    match random.next_u64() % 4 {
        0 => bytes[at] = (random.next_u64() & 0xff) as u8,
        1 => drop(bytes.drain(at..to)),
        2 => {
            let piece = bytes[at..to].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => bytes.insert(at, b"\r\n:;<>\" 0-,/@\0"[(random.next_u64() % 14) as usize]),
    }
}

/// What a stream begins with, and how many messages pass before it ends or breaks.
fn framed(text: &str) -> (usize, Framed) {
    let (mut bytes, mut passed) = (text.as_bytes(), 0);
    loop {
        match frame(bytes) {
            Framed::Whole(length, Verdict::Pass(passing)) => {
                assert_eq!(length, passing);
                (bytes, passed) = (&bytes[length..], passed + 1);
            }
            Framed::Whole(length, Verdict::KeepAlive { .. }) => bytes = &bytes[length..],
            other @ (Framed::Whole(_, Verdict::Refuse { .. }) | Framed::Partial | Framed::Broken { .. }) => {
                return (passed, other);
            }
        }
    }
}

#[test]
fn messages_on_a_stream_are_told_apart_by_their_lengths() {
    let text = invite();
    assert_eq!(framed(&format!("\r\n\r\n{text}\r\n{text}")), (2, Framed::Partial));
    assert_eq!(framed(&text.repeat(400)), (400, Framed::Partial), "more than one may be long");
    for cut in 0..text.len() {
        assert_eq!(frame(&text.as_bytes()[..cut]), Framed::Partial, "{cut} bytes");
    }
    assert_eq!(frame(b"\r\n\r\n"), Framed::Whole(4, Verdict::KeepAlive { ping: true }));
    assert_eq!(frame(b"\r\nI"), Framed::Whole(2, Verdict::KeepAlive { ping: false }));
}

#[test]
fn what_is_wrong_within_its_length_leaves_the_stream_whole() {
    let wrong = changed("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let Framed::Whole(length, Verdict::Refuse { answer: Some(answer), .. }) = frame(wrong.as_bytes()) else {
        panic!("refused, and as long as it says");
    };
    assert_eq!(length, wrong.len());
    assert!(answer.starts_with(b"SIP/2.0 400 "));
}

#[test]
fn a_stream_of_which_nobody_can_tell_where_a_message_ends_is_broken() {
    let length = format!("Content-Length: {}\r\n", BODY.len());
    for (to, status) in [
        ("", Some("400")),
        ("Content-Length: -1\r\n", Some("400")),
        ("Content-Length: 99999999999\r\n", Some("400")),
        ("Content-Length: 4\r\nl: 5\r\n", Some("400")),
        ("Content-Length: 65535\r\n", Some("513")),
        ("no header at all\r\n", None),
    ] {
        let Framed::Broken { answer, .. } = frame(changed(&length, to).as_bytes()) else { panic!("{to}") };
        let answer = answer.map(|bytes| String::from_utf8(bytes).expect("text"));
        assert_eq!(answer.as_ref().map(|text| &text[8..11]), status, "{to}");
    }
    let endless = "X-Y: z\r\n".repeat(LARGEST / 8 + 1);
    assert!(matches!(frame(endless.as_bytes()), Framed::Broken { answer: None, .. }));
}
