//! SHA-256 in callers' proofs, which the stack computes and spells as nobody else does.

use std::ops::Range;

use rsipstack::sip::{Header, ProxyAuthenticate, SipMessage, WwwAuthenticate};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;

/// As RFC 7616 names it, and as the stack does.
const TOLD: &str = "SHA-256";
const KNOWN: &str = "SHA256";

/// Between the stack and all that it sends and receives.
pub(super) struct Spelling;

/// Where a challenge names its hash.
fn named(challenge: &str) -> Option<Range<usize>> {
    let name = "algorithm=";
    let from = challenge.to_ascii_lowercase().find(name)? + name.len();
    let from = from + usize::from(challenge[from..].starts_with('"'));
    let length = challenge[from..].find(['"', ',', ' ', '\t']).unwrap_or(challenge.len() - from);
    Some(from..from + length)
}

/// A challenge as the stack reads it; `None` where it knows no such hash. Where none is named it is MD5 (RFC 7616, section
/// 3.3).
fn readable(challenge: &str) -> Option<String> {
    let mut readable = challenge.to_owned();
    match named(challenge) {
        Some(at) if challenge[at.clone()].eq_ignore_ascii_case(TOLD) => readable.replace_range(at, KNOWN),
        Some(at) if !challenge[at.clone()].eq_ignore_ascii_case("MD5") => return None,
        Some(_) | None => {}
    }
    Some(readable)
}

/// A proof as others read it.
fn told(proof: &str) -> String {
    proof.replacen(&format!("algorithm={KNOWN}"), &format!("algorithm={TOLD}"), 1)
}

impl MessageInspector for Spelling {
    fn before_send(&self, mut message: SipMessage, _to: Option<&SipAddr>) -> SipMessage {
        if let SipMessage::Request(request) = &mut message {
            for header in request.headers.iter_mut() {
                match header {
                    Header::Authorization(value) => *value = told(value.value()).into(),
                    Header::ProxyAuthorization(value) => *value = told(value.value()).into(),
                    _ => {}
                }
            }
        }
        message
    }

    /// Of several challenges the first that can be answered counts (RFC 8760, section 2.3).
    fn after_received(&self, mut message: SipMessage, _from: Option<&SipAddr>) -> SipMessage {
        if let SipMessage::Response(response) = &mut message {
            response.headers.retain(|header| match header {
                Header::WwwAuthenticate(value) => readable(value.value()).is_some(),
                Header::ProxyAuthenticate(value) => readable(value.value()).is_some(),
                _ => true,
            });
            for header in response.headers.iter_mut() {
                match header {
                    Header::WwwAuthenticate(value) => {
                        *value = WwwAuthenticate::from(readable(value.value()).unwrap_or_default());
                    }
                    Header::ProxyAuthenticate(value) => {
                        *value = ProxyAuthenticate::from(readable(value.value()).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_any_spelling_that_is_one() {
        let asked = "Digest realm=\"SHA-256\",algorithm=\"sha-256\",nonce=\"n\"";
        assert_eq!(named(asked).map(|at| &asked[at]), Some("sha-256"));
        assert!(
            readable(asked).is_some_and(|plain| plain.contains("algorithm=\"SHA256\"")),
            "{:?}",
            readable(asked)
        );
        assert_eq!(readable("Digest realm=\"r\", algorithm=SHA-512-256, nonce=\"n\""), None);
        for plain in ["Digest realm=\"r\", nonce=\"n\"", "Digest realm=\"r\", algorithm=MD5, nonce=\"n\""] {
            assert_eq!(readable(plain).as_deref(), Some(plain));
        }
        assert_eq!(told("Digest algorithm=SHA256, nc=00000001"), "Digest algorithm=SHA-256, nc=00000001");
    }
}
