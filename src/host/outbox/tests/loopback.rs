//! The other side: a web server and a mail server on loopback, each on a thread of its own, that keep what they got.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Whoever says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a web server got.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as they came.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A value of the query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (decoded(key), decoded(value))).find(|(key, _)| key == name).map(|(_, v)| v)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                high.zip(low).map_or(b'?', |(high, low)| (high * 16 + low) as u8)
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("text")
}

/// Serves until the test is over. `answer` gives status and body.
pub(super) fn web(
    answer: impl Fn(&Request) -> (u16, String) + Send + 'static,
) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (got, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Some(request) = request(&stream) else { continue };
            let (status, body) = answer(&request);
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A client that has gone has its answer elsewhere.
            let _ = stream.write_all((head + &body).as_bytes());
            if got.send(request).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}"), requests)
}

fn request(stream: &TcpStream) -> Option<Request> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((key, value)) = line.trim().split_once(':') else { break };
        headers.push((key.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(key, _)| key == "content-length").and_then(|(_, n)| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body: String::from_utf8(body).ok()? })
}

/// A letter as a mail server took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) data: String,
    /// By whom, as AUTH PLAIN (RFC 4616) says it; empty where nobody proved it.
    pub(super) by: String,
    pub(super) over_tls: bool,
}

/// What a mail server answers in place of what it should, one for each connection: the verb, and the answer.
pub(super) type Faults = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

/// A mail server (RFC 5321) that takes letters until the test is over; with a certificate and its key it offers STARTTLS,
/// and takes nothing without it.
pub(super) fn mail(faults: Faults, tls: Option<Arc<rustls::ServerConfig>>) -> (SocketAddr, Receiver<Taken>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (got, letters) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut left = faults.lock().unwrap_or_else(PoisonError::into_inner);
            let fault = if left.is_empty() { None } else { Some(left.remove(0)) };
            drop(left);
            // A client that breaks off has what it wanted, or the test fails for want of a letter.
            let _ = serve(stream, fault, tls.as_ref(), &got);
        }
    });
    (address, letters)
}

fn serve(
    mut stream: TcpStream,
    fault: Option<(&str, &str)>,
    tls: Option<&Arc<rustls::ServerConfig>>,
    got: &Sender<Taken>,
) -> std::io::Result<()> {
    let greeting = match fault {
        Some(("", answer)) => answer,
        _ => "220 mail.example ready",
    };
    stream.write_all(format!("{greeting}\r\n").as_bytes())?;
    let Some(config) = tls else { return talk(&mut stream, fault, false, false, got).map(|_| ()) };
    if talk(&mut stream, fault, true, false, got)? {
        let session = rustls::ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
        let mut stream = rustls::StreamOwned::new(session, stream);
        talk(&mut stream, fault, false, true, got)?;
    }
    Ok(())
}

/// Commands and answers to the end of the connection; true where the rest is to be said over TLS.
fn talk(
    stream: &mut (impl Read + Write),
    fault: Option<(&str, &str)>,
    offers_tls: bool,
    over_tls: bool,
    got: &Sender<Taken>,
) -> std::io::Result<bool> {
    let mut letter = Taken { over_tls, ..Taken::default() };
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            return Ok(false);
        }
        let verb = line.trim_end().split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let wrong = fault.filter(|(at, _)| *at == verb).map(|(_, answer)| answer);
        let answer = match (verb.as_str(), wrong) {
            (_, Some(answer)) => answer.to_owned(),
            ("EHLO", None) if offers_tls => "250-mail.example\r\n250 STARTTLS".to_owned(),
            ("EHLO", None) => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN".to_owned(),
            ("STARTTLS", None) if offers_tls => {
                stream.write_all(b"220 go ahead\r\n")?;
                return Ok(true);
            }
            ("AUTH" | "MAIL", None) if offers_tls => {
                "530 5.7.0 Must issue a STARTTLS command first".to_owned()
            }
            ("AUTH", None) => {
                letter.by = line.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
                "235 2.7.0 accepted".to_owned()
            }
            ("MAIL", None) => {
                letter.from = address(&line);
                "250 2.1.0 ok".to_owned()
            }
            ("RCPT", None) => {
                letter.to.push(address(&line));
                "250 2.1.5 ok".to_owned()
            }
            ("DATA", None) => {
                stream.write_all(b"354 end with a dot\r\n")?;
                letter.data = data(stream)?;
                let _ = got.send(letter.clone());
                "250 2.0.0 taken".to_owned()
            }
            ("QUIT", None) => {
                stream.write_all(b"221 2.0.0 bye\r\n")?;
                return Ok(false);
            }
            _ => "250 2.0.0 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
        stream.flush()?;
    }
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn line(stream: &mut impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\n") && stream.read(&mut byte)? == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).map_err(std::io::Error::other)
}

/// Up to the dot, with the dots taken away that were put before others (RFC 5321, section 4.5.2).
fn data(stream: &mut impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let line = line(stream)?;
        match line.strip_prefix('.') {
            Some("\r\n") => return Ok(text),
            Some(rest) => text += rest,
            None if line.is_empty() => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            None => text += &line,
        }
    }
}

/// A certificate for localhost that signs itself, made by openssl, and the server that shows it; `None`, with a word, where
/// openssl is absent.
pub(super) fn certificate(folder: &Path) -> Option<(Vec<u8>, Arc<rustls::ServerConfig>)> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let file = |name: &str| folder.join(name);
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("cert.pem"))
        .output();
    let Ok(made) = made else {
        eprintln!("skipped: no openssl");
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pem = std::fs::read(file("cert.pem")).expect("it was made");
    let chain = vec![CertificateDer::from_pem_slice(&pem).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together");
    Some((pem, Arc::new(config)))
}
