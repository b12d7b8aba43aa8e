//! Reading requests: who calls whom, which key, which timer.

use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::uri::ParamsExt as _;
use rsipstack::sip::{Header, Request, Scheme, Transport, Uri};
use rsipstack::transaction::transaction::Transaction;

use super::call::Parties;
use super::refer::Notified;
use crate::call::{Dtmf, Pii};
use crate::wire::session_timer::Wishes;

/// By what a request came.
pub(super) fn transport(tx: &Transaction) -> Transport {
    tx.connection.as_ref().and_then(|connection| connection.get_addr().r#type).unwrap_or_default()
}

/// By what a URI is reached (RFC 3263, section 4.1, without SRV).
pub(super) fn transport_of(uri: &Uri) -> Transport {
    match (&uri.scheme, uri.transport()) {
        (Some(Scheme::Sips), _) => Transport::Tls,
        (_, Some(transport)) => *transport,
        _ => Transport::Udp,
    }
}

/// Methods that the line knows, for `Allow`. Without UPDATE a peer holds and refreshes by re-INVITE.
pub(super) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY";

pub(super) fn allow() -> Header {
    Header::Allow(ALLOW.into())
}

/// The caller from P-Asserted-Identity, which a trunk vouches for, else From; the number dialled from the
/// request's URI, else To.
pub(super) fn parties(request: &Request) -> Parties {
    let user = |value: &str| number_of(value).and_then(|n| n.parse().ok());
    let withheld = request.header_value("Privacy").is_some_and(|v| {
        v.split(';').any(|part| matches!(part.trim().to_ascii_lowercase().as_str(), "id" | "user"))
    });
    let asserted = request.header_value("P-Asserted-Identity").as_deref().and_then(user);
    let from = request.header_value("From").as_deref().and_then(user);
    let named = request.header_value("From").as_deref().and_then(number_of).map(Pii::new);
    let asked = number_of(&request.uri.to_string());
    let mut code = asked.iter().flat_map(|user| user.strip_prefix('*')).flat_map(str::chars);
    let star = code.next().filter(|digit| digit.is_ascii_digit() && code.next().is_none());
    let dialled = asked.and_then(|n| n.parse().ok());
    let to = || request.header_value("To").as_deref().and_then(number_of).and_then(|n| n.parse().ok());
    Parties {
        ani: if withheld { None } else { asserted.or(from) },
        dnis: dialled.or_else(to),
        user: named,
        star,
    }
}

/// The user part of the first `sip:` or `tel:` URI in a header.
fn number_of(value: &str) -> Option<String> {
    let uri = value.split_once('<').map_or(value, |(_, rest)| rest);
    let (scheme, rest) = uri.split('>').next()?.trim().split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        // The user may have parameters of its own: 5550100;npdi@192.0.2.7.
        "sip" | "sips" => rest.split_once('@')?.0,
        "tel" => rest,
        _ => return None,
    };
    Some(plain(user).to_owned())
}

/// A user part without its parameters and password.
fn plain(user: &str) -> &str {
    user.split([';', ':']).next().unwrap_or(user)
}

/// What a request says about session timers.
pub(super) fn timer_wishes(request: &Request) -> Wishes {
    let supported = request.header_value("Supported").or_else(|| request.header_value("k"));
    let lists = |v: String| v.split(',').any(|t| t.trim().eq_ignore_ascii_case("timer"));
    let wishes = Wishes {
        supported: supported.is_some_and(lists) || request.header_value("Require").is_some_and(lists),
        min_se_s: request
            .header_value("Min-SE")
            .and_then(|v| v.split(';').next().and_then(|n| n.trim().parse().ok())),
        ..Wishes::default()
    };
    match request.header_value("Session-Expires").or_else(|| request.header_value("x")) {
        Some(value) => wishes.with_session_expires(&value),
        None => wishes,
    }
}

/// The extensions that a request demands and the line does not have (RFC 3261, section 8.2.2.3).
pub(super) fn unknown_demands(request: &Request) -> Option<String> {
    let demanded = request.header_value("Require")?;
    let unknown: Vec<&str> = demanded
        .split(',')
        .map(str::trim)
        .filter(|t| !t.is_empty() && !t.eq_ignore_ascii_case("timer"))
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// Whether a request's body is a description of sound, or there is none (RFC 3261, section 8.2.3).
pub(super) fn is_sdp(request: &Request) -> bool {
    let kind = request.header_value("Content-Type").or_else(|| request.header_value("c"));
    request.body.is_empty()
        || kind.is_none_or(|k| {
            k.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/sdp"))
        })
}

/// Whether whoever asks takes a description of sound for an answer (RFC 3261, section 20.1).
pub(super) fn accepts_sdp(request: &Request) -> bool {
    let Some(accepted) = request.header_value("Accept") else { return true };
    accepted.split(',').any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(range.as_str(), "application/sdp" | "application/*" | "*/*")
    })
}

/// The key of an INFO: `application/dtmf-relay` with `Signal=5`, or `application/dtmf` with the key alone.
pub(super) fn info_key(request: &Request) -> Option<Dtmf> {
    let kind = request.header_value("Content-Type").or_else(|| request.header_value("c"))?;
    let body = std::str::from_utf8(&request.body).ok()?;
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let signal = match kind.as_str() {
        "application/dtmf-relay" => body
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("signal"))
            .map(|(_, value)| value.trim())?,
        "application/dtmf" => body.trim(),
        _ => return None,
    };
    match signal {
        // Some send the event's code instead.
        "10" => Some(Dtmf::STAR),
        "11" => Some(Dtmf::POUND),
        _ => {
            let mut chars = signal.chars();
            let key = chars.next().and_then(|c| Dtmf::try_from(c).ok());
            key.filter(|_| chars.next().is_none())
        }
    }
}

/// What a NOTIFY says of a transfer: the status in its `message/sipfrag` (RFC 3515, section 2.4.5), and of which one.
pub(super) fn notified(request: &Request) -> Option<Notified> {
    let event = request.header_value("Event").or_else(|| request.header_value("o"))?;
    let body = std::str::from_utf8(&request.body).ok()?;
    let mut parts = event.split(';').map(str::trim);
    let is_refer = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("refer"));
    // A name that is no number is one that the line never gave.
    let id = parts.find_map(|part| part.strip_prefix("id=")).map(|id| id.trim().parse().unwrap_or(u32::MAX));
    let status = body.trim_start().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok();
    let status = status.filter(|status| is_refer && (100..700).contains(status))?;
    Some(Notified { status, id })
}

/// A header that the line sends, of the given value, unless it would break out of its line.
pub(super) fn header(name: &str, value: String) -> Option<Header> {
    let safe = crate::wire::sip::is_header_safe(&value);
    safe.then(|| Header::Other(name.to_owned(), value))
}

/// Where calls are answered, as a Contact.
pub(super) fn contact(address: std::net::SocketAddr, transport: Transport) -> Uri {
    let mut params = Vec::new();
    if transport != Transport::Udp {
        params.push(rsipstack::sip::Param::Transport(transport));
    }
    Uri {
        scheme: Some(Scheme::Sip),
        auth: Some(rsipstack::sip::Auth { user: "attendant".to_owned(), password: None }),
        host_with_port: address.into(),
        params,
        ..Uri::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &str, body: &str) -> Request {
        let text = format!(
            "INVITE sip:8005550199;npdi@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n\
             From: \"Ann\" <sip:+15550100;x=y@192.0.2.7>;tag=1\r\nTo: <sip:line@192.0.2.1>\r\nCall-ID: a\r\n\
             CSeq: 1 INVITE\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text.as_bytes().try_into().expect("a request")
    }

    #[test]
    fn numbers_are_read_from_where_they_are_vouched_for() {
        let parties = parties(&request("P-Asserted-Identity: <tel:+15550111>\r\n", ""));
        assert_eq!(parties.ani.map(|a| a.expose().to_owned()).as_deref(), Some("+15550111"));
        assert_eq!(parties.dnis.map(|d| d.as_str().to_owned()).as_deref(), Some("8005550199"));
        let parties = super::parties(&request("", ""));
        assert_eq!(parties.ani.map(|a| a.expose().to_owned()).as_deref(), Some("+15550100"));
        assert!(super::parties(&request("Privacy: id\r\n", "")).ani.is_none());
    }

    #[test]
    fn keys_come_in_both_spellings_of_info() {
        let relay = request("Content-Type: application/dtmf-relay\r\n", "Signal= 5\r\nDuration= 160\r\n");
        assert_eq!(info_key(&relay).map(Dtmf::as_char), Some('5'));
        let plain = request("Content-Type: application/dtmf\r\n", "#");
        assert_eq!(info_key(&plain), Some(Dtmf::POUND));
        assert_eq!(info_key(&request("Content-Type: application/dtmf\r\n", "12")), None);
        assert_eq!(info_key(&request("Content-Type: text/plain\r\n", "1")), None);
    }

    #[test]
    fn demands_and_timers_are_read() {
        let request = request("Require: timer, precondition\r\nSession-Expires: 300;refresher=uac\r\n", "");
        assert_eq!(unknown_demands(&request).as_deref(), Some("precondition"));
        let wishes = timer_wishes(&request);
        assert_eq!((wishes.expires_s, wishes.uac_refreshes, wishes.supported), (Some(300), Some(true), true));
    }

    #[test]
    fn a_header_cannot_be_broken_out_of() {
        assert!(header("X-A", "b\r\nX-C: d".to_owned()).is_none());
        assert!(header("X-A", "b".to_owned()).is_some());
    }
}
