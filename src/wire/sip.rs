//! The outer shape of a SIP message, judged before anything else looks at it (RFC 3261, RFC 4475).
//!
//! The screen is strict where a lenient reading has been somebody's way in or somebody's crash: lengths that do
//! not add up, headers that may stand once and stand twice, numbers that are none. What it lets pass is one
//! whole message and nothing behind it. It never looks into a body.

/// The largest message: what a datagram can hold.
pub const LARGEST: usize = 65_535;

/// Most header lines of a message.
const MOST_HEADERS: usize = 200;

/// Methods that are read; others get 501. Case counts (RFC 3261, section 7.1).
const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// Schemes that a request may be for; others get 416.
const SCHEMES: [&str; 3] = ["sip", "sips", "tel"];

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
    /// Whether a line was folded, or space stood before a colon.
    is_odd: bool,
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

/// What a stream of bytes begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// A message that is not all there yet.
    Partial,
    /// So many bytes, and what to do with them.
    Whole(usize, Verdict),
    /// Something of which nobody can tell where it ends. After the answer, if there is one, the connection is closed:
    /// what comes next could be anything (RFC 3261, section 18.3).
    Broken {
        /// What is wrong with it.
        why: &'static str,
        /// The whole answer.
        answer: Option<Vec<u8>>,
    },
}

/// Judges the beginning of what has come over a stream, where Content-Length alone tells messages apart.
pub fn frame(bytes: &[u8]) -> Framed {
    // Further ones may be there already.
    let bytes = &bytes[..bytes.len().min(LARGEST)];
    if bytes.starts_with(b"\r\n") {
        // Half of a ping is taken for a pong: whoever sends it so asks again.
        let ping = bytes.starts_with(b"\r\n\r\n");
        return Framed::Whole(if ping { 4 } else { 2 }, Verdict::KeepAlive { ping });
    }
    let broken = |why| Framed::Broken { why, answer: None };
    if end_of_head(bytes).is_none() {
        return if bytes.len() < LARGEST { Framed::Partial } else { broken("its headers do not end") };
    }
    let Some(head) = Head::read(bytes) else { return broken("it has no start line and headers") };
    let refused = |Fault { code, why }| Framed::Broken { why, answer: head.answer(code, why) };
    let body = match head.stated_length() {
        Ok(Some(body)) => body,
        Ok(None) => return refused(bad("Content-Length has to stand where messages come one after another")),
        Err(fault) => return refused(fault),
    };
    let whole = head.length + body;
    if whole > LARGEST {
        return refused(Fault { code: 513, why: "the message is larger than 65535 bytes" });
    }
    if bytes.len() < whole {
        return Framed::Partial;
    }
    Framed::Whole(
        whole,
        match head.judge(body) {
            Ok(_) => Verdict::Pass(whole),
            Err(Fault { code, why }) => Verdict::Refuse { why, answer: head.answer(code, why) },
        },
    )
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
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
        let end = end_of_head(bytes)?;
        // Bodies may be binary; the head is UTF-8 (RFC 3261, section 7).
        let text = core::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = text.split("\r\n");
        let start = lines.next()?;
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut is_odd = false;
        for line in lines {
            if line.starts_with([' ', '\t']) {
                is_odd = true;
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':')?;
            is_odd |= name.ends_with([' ', '\t']);
            headers.push((long_name(name.trim_end_matches([' ', '\t'])), value.trim().to_owned()));
            if headers.len() > MOST_HEADERS {
                return None;
            }
        }
        Some(Head { start, headers, length: end + 4, is_odd })
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
        if self.headers.iter().any(|(name, value)| !is_token(name) || has_bare_control(value)) {
            return Err(bad("a header line is malformed"));
        }
        if self.all("via").next().is_none_or(|vias| !split_outside(vias, ',').into_iter().all(is_via)) {
            return Err(bad("Via is missing or malformed"));
        }
        if self.all("contact").flat_map(|value| split_outside(value, ',')).any(has_empty_parameter) {
            return Err(bad("Contact is malformed"));
        }
        for party in ["from", "to"] {
            let value = self.one(party, "From and To have to stand once each")?;
            if !is_address(value) || has_empty_parameter(value) {
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
        match self.stated_length()?.unwrap_or(there) {
            body if body > there => Err(bad("Content-Length is larger than the message")),
            body => Ok(body),
        }
    }

    fn stated_length(&self) -> Result<Option<usize>, Fault> {
        let mut length = None;
        for stated in self.all("content-length") {
            let stated = number(stated, LARGEST as u32).ok_or_else(|| bad("Content-Length is no length"))?;
            if length.is_some_and(|before| before != stated) {
                return Err(bad("Content-Length stands twice and differs"));
            }
            length = Some(stated);
        }
        Ok(length.map(|stated| stated as usize))
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
        let has_headers = uri.rsplit('@').next().is_some_and(|host| host.contains('?'));
        let odd = has_headers || uri.contains(['<', '>', '"']) || uri.contains(is_control);
        if !is_token(method) || !known || odd {
            return Err(bad("the request line is malformed"));
        }
        if !METHODS.contains(&method) {
            return Err(Fault { code: 501, why: "the method is not known here" });
        }
        if scheme.is_some_and(|(scheme, _)| !SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(scheme))) {
            return Err(Fault { code: 416, why: "the request is for no sip, sips or tel URI" });
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

    /// What names the transaction of a request without a branch (RFC 3261, section 17.2.3): the same for an INVITE, its
    /// CANCEL and the ACK of its refusal.
    fn transaction(&self) -> u64 {
        let uri = self.start.split(' ').nth(1).unwrap_or_default();
        let count = self.all("cseq").next().and_then(|value| value.split_ascii_whitespace().next());
        self.hash(&["via", "from", "call-id"], &[uri, count.unwrap_or_default()])
    }

    /// FNV-1a over headers and other parts: to tell apart, not to hide anything.
    fn hash(&self, names: &[&str], others: &[&str]) -> u64 {
        names
            .iter()
            .map(|name| self.all(name).next().unwrap_or_default())
            .chain(others.iter().copied())
            .flat_map(|part| part.bytes().chain([0]))
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }

    /// An answer that a request's sender can match, or none: to a response, to an ACK, or where the headers
    /// that it takes are not there.
    fn answer(&self, code: u16, why: &str) -> Option<Vec<u8>> {
        let method = self.method()?;
        if method == "ACK" {
            return None;
        }
        let reason = match code {
            416 => "Unsupported URI Scheme",
            501 => "Not Implemented",
            505 => "Version Not Supported",
            513 => "Message Too Large",
            _ => "Bad Request",
        };
        let mut answer = format!("SIP/2.0 {code} {reason}\r\n");
        for (name, long) in
            [("via", "Via"), ("from", "From"), ("to", "To"), ("call-id", "Call-ID"), ("cseq", "CSeq")]
        {
            let mut found = false;
            for value in self.all(name).filter(|value| !has_bare_control(value)) {
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

/// A control character that is not escaped in a quoted string (RFC 3261, section 25.1: a quoted pair may be any but CR
/// and LF).
fn has_bare_control(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    value.chars().any(|c| {
        let may = quoted && escaped && c != '\r' && c != '\n';
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        is_control(c) && !may
    })
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
    if has_empty_parameter(value) || !is_closed(value) {
        return false;
    }
    let mut parts = value.splitn(3, '/').map(str::trim);
    let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let mut rest = rest.splitn(2, [' ', '\t']);
    let transport = rest.next().unwrap_or_default();
    let host = rest.next().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("SIP") && version == "2.0" && is_token(transport) && is_host(host)
}

/// A name or address, with or without a port.
fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[] \t".contains(&b))
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
            ' ' | '\t' if brackets > 0 => return false,
            ':' => uri = true,
            _ => {}
        }
        if !(0..=1).contains(&brackets) {
            return false;
        }
    }
    !quoted && brackets == 0 && uri
}

/// Whether each quoted string comes to its end, and no bracket stands outside of one.
fn is_closed(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' | '>' if !quoted => return false,
            _ => {}
        }
    }
    !quoted
}

/// Parts between separators that stand neither in quotation marks nor in brackets.
fn split_outside(value: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped, mut brackets, mut from) = (false, false, 0u32, 0);
    let mut parts = Vec::new();
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if brackets == 0 => quoted = !quoted,
            '<' if !quoted => brackets += 1,
            '>' if !quoted => brackets = brackets.saturating_sub(1),
            _ if c == separator && !quoted && brackets == 0 => {
                parts.push(&value[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&value[from..]);
    parts
}

/// `;;`, or a semicolon with nothing behind it.
fn has_empty_parameter(value: &str) -> bool {
    split_outside(value, ';').iter().skip(1).any(|part| part.trim().is_empty())
}

/// The same request in the spelling that most use, where it is valid and spelled so that few can read it: folded lines,
/// space before colons and around separators, a Via without a branch and a From without a tag as RFC 2543 wrote them. `None` where it is plain.
///
/// `message` is one that [`screen`] lets pass, without anything behind it.
pub fn respelled(message: &[u8]) -> Option<Vec<u8>> {
    let head = Head::read(message)?;
    head.method()?;
    let mut is_odd = head.is_odd;
    let mut text = format!("{}\r\n", head.start);
    let mut has_via = false;
    for (name, value) in &head.headers {
        let mut plain = match name.as_str() {
            "via" => tightened(value, &['/', ';', '=', ',']),
            "from" | "to" | "contact" => tightened(value, &[';', '=']),
            _ => value.clone(),
        };
        if name == "from" && !names_tag(&plain) {
            // A tag of the line's making is the same in all requests of a call.
            plain.push_str(&format!(";tag={:016x}", head.hash(&["from", "call-id"], &[])));
        }
        if name == "via" && !core::mem::replace(&mut has_via, true) && !names_branch(&plain) {
            let topmost = split_outside(&plain, ',').first().map_or(0, |via| via.trim_end().len());
            plain.insert_str(topmost, &format!(";branch=z9hG4bK{:016x}", head.transaction()));
        }
        is_odd |= plain != *value;
        text.push_str(&format!("{name}: {plain}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend(&message[head.length..]);
    is_odd.then_some(bytes)
}

fn names_tag(from: &str) -> bool {
    split_outside(from, ';').iter().skip(1).any(|p| p.trim_start().to_ascii_lowercase().starts_with("tag="))
}

/// Whether the topmost of these Vias has a branch.
fn names_branch(vias: &str) -> bool {
    let first = split_outside(vias, ',').into_iter().next().unwrap_or_default();
    split_outside(first, ';')
        .iter()
        .skip(1)
        .any(|p| p.trim_start().to_ascii_lowercase().starts_with("branch="))
}

/// Without space around separators outside of quotation marks and brackets; other runs of space become one.
fn tightened(value: &str, separators: &[char]) -> String {
    let (mut quoted, mut escaped, mut brackets, mut space) = (false, false, 0u32, false);
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        let outside = !quoted && brackets == 0;
        if outside && c.is_ascii_whitespace() {
            space = true;
            continue;
        }
        let joins = outside && (separators.contains(&c) || out.ends_with(|last| separators.contains(&last)));
        if core::mem::take(&mut space) && !joins && !out.is_empty() {
            out.push(' ');
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if brackets == 0 => quoted = !quoted,
            '<' if !quoted => brackets += 1,
            '>' if !quoted => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Whether a text may go into a header that the line sends: no line breaks and no other controls, so that no
/// caller's words become headers of their own.
pub fn is_header_safe(text: &str) -> bool {
    !text.contains(|c: char| c.is_control())
}

#[cfg(test)]
#[path = "sip_tests.rs"]
mod tests;
