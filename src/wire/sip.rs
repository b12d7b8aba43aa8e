//! The outer shape of a SIP message, judged before anything else looks at it (RFC 3261, RFC 4475).
//!
//! The screen is strict where a lenient reading has been somebody's way in or somebody's crash: lengths that do
//! not add up, headers that may stand once and stand twice, numbers that are none. What it lets pass is one
//! whole message and nothing behind it. It never looks into a body.

/// The largest message: what a datagram can hold.
pub const LARGEST: usize = 65_535;

/// Most header lines of a message.
const MOST_HEADERS: usize = 200;

/// The largest sequence number (RFC 3261, section 8.1.1.5).
const LARGEST_CSEQ: u32 = 0x7fff_ffff;

/// What to do with a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many bytes of it are a message.
    Pass(usize),
    /// A keep-alive of RFC 5626, which wants a pong where it is a double CRLF.
    KeepAlive {
        /// Whether an answer is due.
        ping: bool,
    },
    /// It is refused, with this answer where one can be addressed.
    Refuse {
        /// What is wrong with it.
        why: &'static str,
        /// The whole answer.
        answer: Option<Vec<u8>>,
    },
}

/// A message's start line and headers, unfolded; names in lower case and long form.
struct Head<'a> {
    start: &'a str,
    headers: Vec<(String, String)>,
    /// Bytes up to the body.
    length: usize,
}

/// Judges a datagram.
pub fn screen(bytes: &[u8]) -> Verdict {
    if bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0) {
        return Verdict::KeepAlive { ping: bytes == b"\r\n\r\n" };
    }
    let Some(head) = Head::read(bytes) else {
        return Verdict::Refuse { why: "it has no start line and headers", answer: None };
    };
    match head.judge(bytes.len() - head.length) {
        Ok(body) => Verdict::Pass(head.length + body),
        Err(Fault { code, why }) => Verdict::Refuse { why, answer: head.answer(code, why) },
    }
}

struct Fault {
    code: u16,
    why: &'static str,
}

fn bad(why: &'static str) -> Fault {
    Fault { code: 400, why }
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Option<Head<'a>> {
        if bytes.len() > LARGEST {
            return None;
        }
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        // Bodies may be binary; the head is UTF-8 (RFC 3261, section 7).
        let text = core::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = text.split("\r\n");
        let start = lines.next()?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((long_name(name.trim_end_matches([' ', '\t'])), value.trim().to_owned()));
            if headers.len() > MOST_HEADERS {
                return None;
            }
        }
        Some(Head { start, headers, length: end + 4 })
    }

    fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn one(&self, name: &'static str, why: &'static str) -> Result<&str, Fault> {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            _ => Err(bad(why)),
        }
    }

    /// The request's method; `None` for a response.
    fn method(&self) -> Option<&'a str> {
        if self.start.starts_with("SIP/2.0 ") { None } else { self.start.split(' ').next() }
    }

    /// Bytes of the body, of which `there` have come.
    fn judge(&self, there: usize) -> Result<usize, Fault> {
        self.judge_start()?;
        if self.headers.iter().any(|(name, value)| !is_token(name) || value.contains(is_control)) {
            return Err(bad("a header line is malformed"));
        }
        if self.all("via").next().is_none_or(|via| !is_via(via)) {
            return Err(bad("Via is missing or malformed"));
        }
        for party in ["from", "to"] {
            let value = self.one(party, "From and To have to stand once each")?;
            if !is_address(value) {
                return Err(bad("From or To is malformed"));
            }
        }
        let call_id = self.one("call-id", "Call-ID has to stand once")?;
        if call_id.contains(char::is_whitespace) {
            return Err(bad("Call-ID is malformed"));
        }
        self.judge_cseq()?;
        for hops in self.all("max-forwards") {
            if !is_number(hops, 255) {
                return Err(bad("Max-Forwards is not a number from 0 to 255"));
            }
        }
        let mut length = None;
        for stated in self.all("content-length") {
            let stated = number(stated, LARGEST as u32).ok_or_else(|| bad("Content-Length is no length"))?;
            if length.is_some_and(|before| before != stated) {
                return Err(bad("Content-Length stands twice and differs"));
            }
            length = Some(stated);
        }
        match length.map_or(there, |stated| stated as usize) {
            body if body > there => Err(bad("Content-Length is larger than the message")),
            body => Ok(body),
        }
    }

    fn judge_start(&self) -> Result<(), Fault> {
        let Some(method) = self.method() else {
            let code = self.start.get(8..11).filter(|code| is_number(code, 699) && *code >= "100");
            let ends = self.start[8..].chars().nth(3).is_none_or(|c| c == ' ');
            return code.filter(|_| ends).map(|_| ()).ok_or_else(|| bad("the status is no status"));
        };
        let parts: Vec<&str> = self.start.split(' ').collect();
        let [_, uri, version] = parts.as_slice() else { return Err(bad("the request line is malformed")) };
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(Fault { code: 505, why: "the version is not SIP/2.0" });
        }
        let scheme = uri.split_once(':').map(|(scheme, rest)| (scheme, !rest.is_empty()));
        let known = scheme.is_some_and(|(scheme, rest)| rest && is_token(scheme));
        if !is_token(method) || !known || uri.contains(['<', '>', '"']) || uri.contains(is_control) {
            return Err(bad("the request line is malformed"));
        }
        Ok(())
    }

    fn judge_cseq(&self) -> Result<(), Fault> {
        let value = self.one("cseq", "CSeq has to stand once")?;
        let mut parts = value.split_ascii_whitespace();
        let (Some(count), Some(method), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("CSeq is malformed"));
        };
        if !is_number(count, LARGEST_CSEQ) || !is_token(method) {
            return Err(bad("CSeq is malformed"));
        }
        match self.method() {
            Some(of_request) if of_request != method => Err(bad("CSeq names another method")),
            Some(_) | None => Ok(()),
        }
    }

    /// An answer that a request's sender can match, or none: to a response, to an ACK, or where the headers
    /// that it takes are not there.
    fn answer(&self, code: u16, why: &str) -> Option<Vec<u8>> {
        let method = self.method()?;
        if method == "ACK" {
            return None;
        }
        let reason = if code == 505 { "Version Not Supported" } else { "Bad Request" };
        let mut answer = format!("SIP/2.0 {code} {reason}\r\n");
        for (name, long) in
            [("via", "Via"), ("from", "From"), ("to", "To"), ("call-id", "Call-ID"), ("cseq", "CSeq")]
        {
            let mut found = false;
            for value in self.all(name).filter(|value| !value.contains(is_control)) {
                answer.push_str(&format!("{long}: {value}\r\n"));
                found = true;
                if name != "via" {
                    break;
                }
            }
            if !found {
                return None;
            }
        }
        answer.push_str(&format!("Warning: 399 attendant \"{why}\"\r\nContent-Length: 0\r\n\r\n"));
        Some(answer.into_bytes())
    }
}

/// The long form of a header's name (RFC 3261, section 7.3.3, and later registrations), in lower case.
fn long_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let long = match lower.as_str() {
        "v" => "via",
        "f" => "from",
        "t" => "to",
        "i" => "call-id",
        "l" => "content-length",
        "m" => "contact",
        "c" => "content-type",
        "e" => "content-encoding",
        "k" => "supported",
        "s" => "subject",
        "r" => "refer-to",
        "x" => "session-expires",
        _ => return lower,
    };
    long.to_owned()
}

/// RFC 3261's `token`.
fn is_token(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

fn number(s: &str, largest: u32) -> Option<u32> {
    let digits = !s.is_empty() && s.len() <= 10 && s.bytes().all(|b| b.is_ascii_digit());
    s.parse().ok().filter(|n| digits && *n <= largest)
}

fn is_number(s: &str, largest: u32) -> bool {
    number(s, largest).is_some()
}

/// `SIP / 2.0 / UDP host…`: RFC 4475 spells it with spaces, and that is valid.
fn is_via(value: &str) -> bool {
    let mut parts = value.splitn(3, '/').map(str::trim);
    let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let mut rest = rest.splitn(2, [' ', '\t']);
    let transport = rest.next().unwrap_or_default();
    let host = rest.next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("SIP") && version == "2.0" && is_token(transport) && !host.is_empty()
}

/// `"A \"quoted\" name" <uri>;tag=…`: quotes and brackets close, and there is a URI.
fn is_address(value: &str) -> bool {
    let (mut quoted, mut escaped, mut brackets, mut uri) = (false, false, 0, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if brackets == 0 => quoted = !quoted,
            _ if quoted => {}
            '<' => brackets += 1,
            '>' => brackets -= 1,
            ':' => uri = true,
            _ => {}
        }
        if !(0..=1).contains(&brackets) {
            return false;
        }
    }
    !quoted && brackets == 0 && uri
}

/// Whether a text may go into a header that the line sends: no line breaks and no other controls, so that no
/// caller's words become headers of their own.
pub fn is_header_safe(text: &str) -> bool {
    !text.contains(|c: char| c.is_control())
}

#[cfg(test)]
#[path = "sip_tests.rs"]
mod tests;
