//! RFC 4475's torture messages, each as that document describes it: its valid ones are answered, its invalid ones are
//! refused, and whatever cannot be answered is dropped. Each goes over UDP, TCP and TLS to a line that listens.
//!
//! Two things are not the document's: the topmost Via asks for `rport`, because the test's telephone has a port of the
//! machine's choice, and Call-IDs are short.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use super::TestLine;
use super::caller::{Caller, Message};
use super::stream::{Certificate, Connection};

/// An answer on loopback that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(2);

/// What becomes of a message.
enum Wanted {
    /// A final answer of one of these.
    Status(&'static [u16]),
    /// None at all.
    Nothing,
}

use Wanted::{Nothing, Status};

/// What a message that the line has read, and refuses by its own rules, may come to.
const OPTIONS_ARE_FINE: Wanted = Status(&[200]);
const MALFORMED: Wanted = Status(&[400]);
/// The line is no registrar and takes no text messages.
const NOT_OURS: Wanted = Status(&[405]);

const SDP: &str = "v=0\r\no=mhandley 29739 7272939 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 49217 RTP/AVP 0 12\r\nm=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n";

/// A request whose headers are usual where `headers` does not have them.
fn request(start: &str, headers: &str, body: &str) -> String {
    let method = start.split(' ').next().unwrap_or_default();
    let mut text = format!("{start}\r\n");
    let has = |name: &str| {
        headers.lines().any(|l| l.split(':').next().is_some_and(|n| n.trim().eq_ignore_ascii_case(name)))
    };
    for (name, short, usual) in [
        ("Via", "v", "SIP/2.0/UDP host5.example.net;rport;branch=z9hG4bKkdjuw".to_owned()),
        ("From", "f", "<sip:caller@example.org>;tag=33242".to_owned()),
        ("To", "t", "sip:j.user@example.com".to_owned()),
        ("Call-ID", "i", "torture".to_owned()),
        ("CSeq", "cseq", format!("8 {method}")),
        ("Max-Forwards", "max-forwards", "70".to_owned()),
        ("Contact", "m", "<sip:caller@host5.example.net>".to_owned()),
    ] {
        if !has(name) && !has(short) {
            let _ = write!(text, "{name}: {usual}\r\n");
        }
    }
    text += headers;
    if !body.is_empty() && !has("Content-Type") && !has("c") {
        text += "Content-Type: application/sdp\r\n";
    }
    if !has("Content-Length") && !has("l") {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

fn response(start: &str, headers: &str) -> String {
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\r\nFrom: <sip:user@example.com>;tag=11141343\r\n\
         To: <sip:user@example.edu>;tag=2229\r\nCall-ID: torture-response\r\n{headers}Content-Length: 0\r\n\r\n"
    )
}

fn without(names: &[&str], text: &str) -> String {
    let kept = text.split("\r\n").filter(|line| !names.iter().any(|name| line.starts_with(name)));
    kept.collect::<Vec<_>>().join("\r\n")
}

/// Section 3.1.1: syntactically correct, however odd.
fn correct() -> Vec<(&'static str, String, Wanted)> {
    let long = "very".repeat(60);
    let tortuous = "TO :\r\n sip:vivekg@chair-dnrc.example.com\r\n\
        from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
        MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.torture\r\ncseq: 0009\r\n  INVITE\r\n\
        Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;rport;branch=z9hG4bK390skdjuw\r\ns :\r\n\
        NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
        UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n\
        Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
        v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n\
        \u{20}SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
        m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33\r\n";
    let unusual = "!interesting-Method0123456789_*+`.%indeed'~";
    let long_headers = format!(
        "To: \"I have a user name of {long} extreme proportion\"<sip:user@example.com:6000;unknownparam1=\
         {long}longvalue;longparam{long}name=shortvalue;{long}LongParameterNameWithNoValue>\r\n\
         F: sip:{long}@example.net;tag=12982424;unknownhfparam{long}name=unknownhf{long}value;unknownhf{long}novalue\r\n\
         Unknown-{long}-Long-Name: unknown-{long}-long-value; unknown-{long}-long-parameter=unknown\r\n\
         v: SIP/2.0/TCP sip33.example.com\r\nv: SIP/2.0/TCP sip32.example.com\r\n"
    );
    let long_headers = format!("v: SIP/2.0/UDP host5.example.net;rport;branch=z9hG4bKlong\r\n{long_headers}");
    vec![
        (
            "wsinv",
            request("INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0", tortuous, SDP),
            Status(&[200]),
        ),
        (
            "intmeth",
            request(
                &format!(
                    "{unusual} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0"
                ),
                "To: \"BEL:\\\u{7} NUL:\\\0 DEL:\\\u{7f}\" <sip:1_unusual.URI~@example.com>\r\n",
                "",
            ),
            Status(&[405, 501]),
        ),
        (
            "unknown method",
            request(&format!("{unusual} sip:user@example.com SIP/2.0"), "", ""),
            Status(&[405, 501]),
        ),
        (
            "esc01",
            request(
                "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
                "To: sip:%75se%72@example.com\r\nFrom: <sip:I%20have%20spaces@example.net>;tag=938\r\n",
                SDP,
            ),
            Status(&[200]),
        ),
        (
            "escnull",
            request(
                "REGISTER sip:example.com SIP/2.0",
                "To: sip:null-%00-null@example.com\r\nFrom: sip:null-%00-null@example.com;tag=839923423\r\n\
                 L:0\r\nContact: <sip:%00@host5.example.com>\r\nContact: <sip:%00%00@host5.example.com>\r\n",
                "",
            ),
            NOT_OURS,
        ),
        ("esc02", request("RE%47IST%45R sip:registrar.example.com SIP/2.0", "", ""), Status(&[405, 501])),
        (
            "lwsdisp",
            request(
                "OPTIONS sip:user@example.com SIP/2.0",
                "From: caller<sip:caller@example.com>;tag=323\r\n",
                "",
            ),
            OPTIONS_ARE_FINE,
        ),
        ("longreq", request("INVITE sip:user@example.com SIP/2.0", &long_headers, SDP), Status(&[200])),
        (
            "dblreq",
            request("REGISTER sip:example.com SIP/2.0", "", "")
                + &request("INVITE sip:joe@example.com SIP/2.0", "Call-ID: trailing\r\n", SDP),
            NOT_OURS,
        ),
        (
            "semiuri",
            request(
                "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0",
                "To: sip:j_user@example.com\r\n",
                "",
            ),
            OPTIONS_ARE_FINE,
        ),
        (
            "transports",
            request(
                "OPTIONS sip:user@example.com SIP/2.0",
                "Via: SIP/2.0/UDP t1.example.com;rport;branch=z9hG4bKkdjuw\r\nVia: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\r\n\
                 Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\r\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\r\n\
                 Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\r\n",
                "",
            ),
            OPTIONS_ARE_FINE,
        ),
        (
            "mpart01",
            request(
                "MESSAGE sip:kumiko@example.org SIP/2.0",
                "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\r\n",
                "--7a9cbec02ceef655\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello\r\n\
                 --7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\n\r\n\u{1}\u{2}\0\r\n--7a9cbec02ceef655--\r\n",
            ),
            NOT_OURS,
        ),
        (
            "unreason",
            response("SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e}", "CSeq: 35 INVITE\r\n"),
            Nothing,
        ),
        ("noreason", response("SIP/2.0 100 ", "CSeq: 35 INVITE\r\n"), Nothing),
    ]
}

/// Section 3.1.2: malformed.
fn malformed() -> Vec<(&'static str, String, Wanted)> {
    let invite = |headers: &str| request("INVITE sip:user@example.com SIP/2.0", headers, SDP);
    let options = |start: &str, headers: &str| request(start, headers, "");
    vec![
        (
            "badinv01",
            invite(
                "Contact: \"Joe\" <sip:joe@example.org>;;;;\r\nVia: SIP/2.0/UDP 192.0.2.15;;rport;branch=z9hG4bKkdjuw;,\r\n",
            ),
            MALFORMED,
        ),
        ("clerr", invite("Content-Length: 9999\r\n"), MALFORMED),
        ("ncl", invite("Content-Length: -999\r\n"), MALFORMED),
        (
            "scalar02",
            request(
                "REGISTER sip:example.com SIP/2.0",
                "CSeq: 36893488147419103232 REGISTER\r\nMax-Forwards: 300\r\nExpires: 10000000000000000000000000000000\r\n\
                 Contact: <sip:user@host129.example.com>;expires=280297596632815\r\n",
                "",
            ),
            MALFORMED,
        ),
        (
            "scalarlg",
            response(
                "SIP/2.0 503 Service Unavailable",
                "CSeq: 9292394834772304023312 OPTIONS\r\nRetry-After: 949302838503028349304023988\r\nWarning: 1812 overture \"In Progress\"\r\n",
            ),
            Nothing,
        ),
        ("quotbal", invite("To: \"Mr. J. User <sip:j.user@example.com>\r\n"), MALFORMED),
        ("ltgtruri", request("INVITE <sip:user@example.com> SIP/2.0", "", SDP), MALFORMED),
        ("lwsruri", request("INVITE sip:user@example.com; lr SIP/2.0", "", SDP), MALFORMED),
        ("lwsstart", request("INVITE  sip:user@example.com  SIP/2.0", "CSeq: 8 INVITE\r\n", SDP), MALFORMED),
        ("trws", options("OPTIONS sip:remote-target@example.com SIP/2.0  ", ""), MALFORMED),
        (
            "escruri",
            request("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", "", SDP),
            MALFORMED,
        ),
        // Whoever needs no date may let it pass (section 3.1.2.12).
        ("baddate", invite("Date: Fri, 01 Jan 2010 16:00:00 EST\r\n"), Status(&[200, 400])),
        (
            "regbadct",
            request(
                "REGISTER sip:example.com SIP/2.0",
                "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\r\n",
                "",
            ),
            Status(&[400, 405]),
        ),
        (
            "badaspec",
            options(
                "OPTIONS sip:user@example.org SIP/2.0",
                "To: \"Watson, Thomas\" < sip:t.watson@example.org >\r\n",
            ),
            MALFORMED,
        ),
        // May be accepted (section 3.1.2.15).
        (
            "baddn",
            options(
                "OPTIONS sip:t.watson@example.org SIP/2.0",
                "From: Bell, Alexander <sip:a.g.bell@example.org>;tag=43\r\n",
            ),
            Status(&[200, 400]),
        ),
        (
            "badvers",
            options(
                "OPTIONS sip:t.watson@example.org SIP/7.0",
                "Via: SIP/7.0/UDP c.example.com;rport;branch=z9hG4bKkdjuw\r\n",
            ),
            Status(&[505]),
        ),
        ("mismatch01", options("OPTIONS sip:user@example.com SIP/2.0", "CSeq: 8 INVITE\r\n"), MALFORMED),
        (
            "mismatch02",
            options("NEWMETHOD sip:user@example.com SIP/2.0", "CSeq: 8 INVITE\r\n"),
            Status(&[400, 501]),
        ),
        (
            "bigcode",
            response("SIP/2.0 4294967301 better not break the receiver", "CSeq: 8 INVITE\r\n"),
            Nothing,
        ),
    ]
}

/// Sections 3.2 to 3.4: sound to the eye, wrong to whoever acts on it; and RFC 2543's INVITE, which is right.
fn unfit() -> Vec<(&'static str, String, Wanted)> {
    let options = |start: &str, headers: &str| request(start, headers, "");
    let invite = |headers: &str| request("INVITE sip:user@example.com SIP/2.0", headers, SDP);
    vec![
        ("badbranch", options("OPTIONS sip:user@example.com SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK\r\n"), Status(&[200, 400])),
        ("insuf", without(&["Call-ID", "From", "To:"], &invite("CSeq: 193942 INVITE\r\n")), Nothing),
        ("unkscm", options("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", ""), Status(&[416])),
        ("novelsc", options("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", ""), Status(&[416])),
        ("unksm2", request("REGISTER sip:example.com SIP/2.0", "To: isbn:2983792873\r\nFrom: <http://www.example.com>;tag=3234233\r\nContact: <name:John_Smith>\r\n", ""), Status(&[400, 405])),
        ("bext01", options("OPTIONS sip:user@example.com SIP/2.0", "Require: nothingSupportsThis, nothingSupportsThisEither\r\nProxy-Require: noProxiesSupportThis\r\n"), Status(&[420])),
        ("invut", invite("Content-Type: application/unknownformat\r\n"), Status(&[415])),
        ("regaut01", request("REGISTER sip:example.com SIP/2.0", "Authorization: NoOneKnowsThisScheme opaque-data=here\r\n", ""), NOT_OURS),
        ("multi01", invite("CSeq: 5 INVITE\r\nCSeq: 59 INVITE\r\nCall-ID: a\r\nCall-ID: b\r\nMax-Forwards: 70\r\nMax-Forwards: 5\r\n"), MALFORMED),
        ("mcl01", options("OPTIONS sip:user@example.com SIP/2.0", "Content-Length: 13\r\nContent-Length: 5\r\n") + "There's no way to know", MALFORMED),
        ("bcast", response("SIP/2.0 200 OK", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\nCSeq: 8 INVITE\r\n"), Nothing),
        // Whoever is asked may answer (section 3.3.11).
        ("zeromf", options("OPTIONS sip:user@example.com SIP/2.0", "Max-Forwards: 0\r\n"), Status(&[200, 483])),
        ("cparam01", request("REGISTER sip:example.com SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam\r\n", ""), NOT_OURS),
        ("cparam02", request("REGISTER sip:example.com SIP/2.0", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\r\n", ""), NOT_OURS),
        ("regescrt", request("REGISTER sip:example.com SIP/2.0", "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\r\n", ""), NOT_OURS),
        ("sdp01", invite("Accept: text/nobodyKnowsThis\r\n"), Status(&[406])),
        (
            "inv2543",
            "INVITE sip:UserB@example.com SIP/2.0\r\nVia: SIP/2.0/UDP iftgw.example.com;rport\r\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\r\n\
             Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\r\nTo: sip:+16505552222@ss1.example.net;user=phone\r\nCall-ID: inv2543.torture\r\n\
             CSeq: 56 INVITE\r\nContact: <sip:+13035551111@192.0.2.7>\r\nContent-Type: application/sdp\r\n\r\n"
                .to_owned()
                + SDP,
            Status(&[200]),
        ),
    ]
}

/// Whether a final answer is as wanted; what is wrong with it, if not.
fn judged(name: &str, came: Option<&Message>, wanted: &Wanted) -> Option<String> {
    let status = came.map(Message::status);
    match wanted {
        Status(codes) if status.is_some_and(|status| codes.contains(&status)) => None,
        Status(codes) => Some(format!("{name}: {status:?}, not one of {codes:?}")),
        Nothing => came.map(|came| format!("{name}: {}, not nothing", came.start())),
    }
}

/// All of them, each a transaction and a dialog of its own.
fn all() -> impl Iterator<Item = (&'static str, String, Wanted)> {
    [correct(), malformed(), unfit()].into_iter().flatten().enumerate().map(|(n, (name, text, wanted))| {
        let text = text
            .replace("z9hG4bKkdjuw", &format!("z9hG4bKkdjuw{n}"))
            .replace("torture", &format!("torture{n}"));
        (name, text, wanted)
    })
}

/// What comes back to a message within `patience`: provisional answers are passed over.
fn answer(socket: &UdpSocket, patience: Duration) -> Option<Message> {
    socket.set_read_timeout(Some(patience)).expect("set");
    let mut bytes = [0; 65_535];
    loop {
        let (length, _) = socket.recv_from(&mut bytes).ok()?;
        let message = Message { text: String::from_utf8_lossy(&bytes[..length]).into_owned() };
        if message.status() >= 200 {
            return Some(message);
        }
    }
}

#[test]
fn torture_messages_are_answered_refused_or_dropped_as_they_deserve() {
    let line = TestLine::open(&[]);
    let (mut wrong, mut waiting) = (Vec::new(), Vec::new());
    for (name, text, wanted) in all() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.send_to(text.as_bytes(), line.address).expect("sent");
        match wanted {
            Status(_) => wrong.extend(judged(name, answer(&socket, PATIENCE).as_ref(), &wanted)),
            Nothing => waiting.push((name, socket)),
        }
    }
    for (name, socket) in waiting {
        wrong.extend(judged(name, answer(&socket, Duration::from_millis(50)).as_ref(), &Nothing));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    is_as_good_as_new(Caller::new(line.address));
}

/// After all of them the line holds a call.
fn is_as_good_as_new(mut caller: Caller) {
    let offer = caller.usual();
    assert_eq!(caller.invite("", &offer).status(), 200);
    assert!(caller.listen(5).len() >= 4 * 160);
    caller.hang_up();
}

/// Messages of which nobody can tell where they end, where they come one after another: the connection is closed after
/// the answer. One claims to be longer than it is, and is waited for in vain; one, of RFC 2543's time, has no
/// Content-Length, which streams cannot do without (RFC 3261, section 18.3).
const ENDLESS: [(&str, Wanted); 4] =
    [("clerr", Nothing), ("ncl", MALFORMED), ("mcl01", MALFORMED), ("inv2543", MALFORMED)];

/// The next final answer that is none of those that came before: nobody confirms these calls, so their answers come
/// again, over streams too (RFC 3261, section 13.3.1.4).
fn answered(connection: &mut Connection, before: &mut Vec<String>) -> Option<Message> {
    let answer = std::iter::from_fn(|| connection.receive())
        .find(|message| message.status() >= 200 && !before.contains(&message.text))?;
    before.push(answer.text.clone());
    Some(answer)
}

/// Sends each message over a connection of its own, and after it a question that only a stream in step answers.
fn over_streams(line: &TestLine, connect: impl Fn() -> Connection) {
    let mut wrong = Vec::new();
    for (name, text, wanted) in all() {
        let mut connection = connect();
        connection.waits(PATIENCE);
        connection.send(text.as_bytes());
        let endless = ENDLESS.iter().find(|(endless, _)| *endless == name);
        let wanted = endless.map_or(&wanted, |(_, wanted)| wanted);
        let mut finals = Vec::new();
        let mut next = |connection: &mut Connection| answered(connection, &mut finals);
        // What is pipelined behind a message is one of its own, and is answered when it comes to that.
        let (is_pipelined, mut came) = (|m: &Message| m.header("Call-ID") == Some("trailing"), Vec::new());
        if let Status(_) = wanted {
            let mut answer = next(&mut connection);
            if answer.as_ref().is_some_and(is_pipelined) {
                came.extend(answer);
                answer = next(&mut connection);
            }
            wrong.extend(judged(name, answer.as_ref(), wanted));
        }
        if endless.is_some() {
            if !connection.is_closed() {
                wrong.push(format!("{name}: the connection stays"));
            }
            continue;
        }
        let question = request("OPTIONS sip:user@example.com SIP/2.0", "Call-ID: after-it\r\n", "");
        connection.send(question.as_bytes());
        let asked = if name == "dblreq" { ["after-it", "trailing"].as_slice() } else { &["after-it"] };
        let missing = asked.len() - came.len();
        came.extend((0..missing).filter_map(|_| next(&mut connection)));
        came.sort_by(|a, b| a.header("Call-ID").cmp(&b.header("Call-ID")));
        if !came.iter().map(|m| (m.header("Call-ID"), m.status())).eq(asked.iter().map(|id| (Some(*id), 200)))
        {
            wrong.push(format!("{name}: after it came {came:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let mut endless = connect();
    endless.waits(PATIENCE);
    endless.send("OPTIONS sip:user@example.com SIP/2.0\r\n".as_bytes());
    endless.send("X-Y: z\r\n".repeat(10_000).as_bytes());
    assert!(endless.is_closed(), "headers that do not end");
    is_as_good_as_new(Caller::over(connect(), line.address));
}

/// A connection that the line opens, because it calls somebody, who is busy.
fn called(line: &TestLine, transport: &str, over: impl Fn(TcpStream) -> Connection) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (dialled, told) = line.dial(&format!("sip:6000@{address};transport={transport}"));
    let agent = Caller::over(over(listener.accept().expect("the line connects").0), address);
    let invite = agent.asked_for("INVITE");
    agent.respond(&invite, "486 Busy Here", "", "");
    agent.asked_for("ACK");
    dialled.join().expect("it is over");
    assert!(told.recv().expect("told").is_some_and(|why| why.contains("486")));
    agent.connection().expect("one")
}

/// What is waited for on a connection lasts a fiftieth of its time.
const QUICK: Duration = Duration::from_millis(20);

#[test]
fn torture_messages_over_tcp_break_no_more_than_their_connection() {
    let line = TestLine::open_quick(QUICK, &[("sip_tcp_listen", "127.0.0.1:0")]);
    let address = line.tcp.expect("it listens by TCP");
    over_streams(&line, || Connection::connect(address));
}

#[test]
fn torture_messages_over_tls_break_no_more_than_their_connection() {
    let Some(certificate) = Certificate::make() else { return println!("skipped: no openssl") };
    let tls = certificate.settings();
    let tls: Vec<_> = tls.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let line = TestLine::open_quick(QUICK, &tls);
    let address = line.tls.expect("it listens by TLS");
    over_streams(&line, || certificate.connect(address));
}

#[test]
fn torture_messages_over_connections_of_the_lines_own_break_no_more_than_those() {
    let line = TestLine::open_quick(QUICK, &[]);
    over_streams(&line, || called(&line, "tcp", Connection::accept));
}

#[test]
fn torture_messages_over_tls_connections_of_the_lines_own_break_no_more_than_those() {
    let Some(certificate) = Certificate::make() else { return println!("skipped: no openssl") };
    let line = TestLine::open_quick(QUICK, &[("sip_tls_authorities", &certificate.path())]);
    over_streams(&line, || called(&line, "tls", |socket| certificate.accept(socket)));
}

#[test]
fn messages_in_pieces_and_in_one_piece_are_the_same() {
    let line = TestLine::open(&[("sip_tcp_listen", "127.0.0.1:0")]);
    let mut connection = Connection::connect(line.tcp.expect("it listens by TCP"));
    connection.waits(PATIENCE);
    let question = |n: u32| {
        let own = format!("Call-ID: {n}\r\nVia: SIP/2.0/TCP 192.0.2.7;rport;branch=z9hG4bK{n}\r\n");
        request("OPTIONS sip:user@example.com SIP/2.0", &own, "")
    };
    for piece in question(1).as_bytes().chunks(7) {
        connection.send(piece);
    }
    assert_eq!(connection.receive().expect("an answer").status(), 200);
    let many: String = (2..102).map(question).collect();
    connection.send(format!("\r\n\r\n{many}").as_bytes());
    let mut answered: Vec<u32> = (0..100)
        .map(|_| connection.receive().expect("an answer"))
        .map(|answer| answer.header("Call-ID").and_then(|id| id.parse().ok()).expect("one of ours"))
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, (2..102).collect::<Vec<_>>());
}

#[test]
fn strangers_are_hung_up_on_before_they_say_anything() {
    let line = TestLine::open(&[("sip_tcp_listen", "127.0.0.1:0"), ("sip_allow", "192.0.2.0/24")]);
    let mut connection = Connection::connect(line.tcp.expect("it listens by TCP"));
    connection.waits(PATIENCE);
    assert!(connection.is_closed());
}
