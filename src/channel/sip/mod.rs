//! Calls by SIP and RTP or SRTP, on `rsipstack`, which nothing outside this folder knows.
//!
//! [`SipServer`] listens; each call that it answers becomes a [`PhoneCall`], which one thread drives: 20 ms of
//! sound each way an exchange, keys, the end. Nothing here knows what is said.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the stack's methods and states are open lists, ours are not"
)]

mod answer;

mod auth;

mod call;

mod codec;

mod connections;

mod dial;

mod life;

mod media;

mod refer;

mod register;

mod requests;

mod server;

mod socket;

mod spelling;

pub use call::{HandOver, Means, Parties, PhoneCall};
pub use media::{Media, MediaSockets, Ports};
pub use server::{
    Account, Callers, Dialer, Remembered, SipError, SipServer, SipSettings, Srtp, SrtpOver, Taker, Tls,
};

#[cfg(test)]
mod tests {
    //! A hundred thousand bent requests, through the screen and what reads them behind it.

    use rsipstack::sip::{Request, SipMessage};

    use super::requests;
    use crate::audio::SplitMix64;
    use crate::wire::sip::{Verdict, screen};

    const WHOLE: &str = "INFO sip:8005550199;x=y@192.0.2.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1;rport\r\nFrom: \"A\" <sip:5550100@192.0.2.7>;tag=1\r\n\
        To: <sip:line@192.0.2.1>;tag=2\r\nCall-ID: a@b\r\nCSeq: 1 INFO\r\nContact: <sip:5550100@192.0.2.7>\r\n\
        Session-Expires: 1800;refresher=uac\r\nP-Asserted-Identity: <tel:+15550100>\r\nRequire: timer\r\n\
        Content-Type: application/dtmf-relay\r\nContent-Length: 10\r\n\r\nSignal=5\r\n";

    fn read(request: &Request) {
        let _ = (requests::parties(request), requests::timer_wishes(request));
        let _ =
            (requests::info_key(request), requests::notified(request), requests::unknown_demands(request));
    }

    #[test]
    fn a_hundred_thousand_bent_requests_do_no_harm() {
        let mut random = SplitMix64::new(3_261);
        let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
        let (mut passed, mut readable) = (0, 0);
        for _ in 0..100_000 {
            let mut bytes = WHOLE.as_bytes().to_vec();
            for _ in 0..1 + below(3) {
                let at = below(bytes.len());
                match below(3) {
                    0 => bytes[at] = b"\r\n:;<>\" 0-,/@%=\xff"[below(16)],
                    1 => drop(bytes.drain(at..(at + 1 + below(8)).min(bytes.len()))),
                    _ => {
                        let piece = bytes[at..(at + 12).min(bytes.len())].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
                if bytes.is_empty() {
                    break;
                }
            }
            let Verdict::Pass(length) = screen(&bytes) else { continue };
            passed += 1;
            if let Ok(SipMessage::Request(request)) = SipMessage::try_from(&bytes[..length]) {
                readable += 1;
                read(&request);
            }
        }
        assert!(passed > 10_000 && readable > 10_000, "{passed} passed, {readable} were read");
    }
}
