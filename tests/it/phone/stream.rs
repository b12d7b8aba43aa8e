//! A telephone's end of a connection, by TCP or TLS, and the certificates of both ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use super::caller::Message;

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection that messages go over.
pub(super) struct Connection {
    kind: &'static str,
    stream: Box<dyn Stream>,
    socket: TcpStream,
    /// What has come and is not taken.
    came: Vec<u8>,
}

/// A certificate for 127.0.0.1 that proves itself, and its key; files, as the line wants them.
pub(super) struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    /// A new one; `None` where there is no openssl.
    pub(super) fn make() -> Option<Certificate> {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Command::new("openssl")
            .current_dir(folder.path())
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .stderr(Stdio::null())
            .status();
        made.is_ok_and(|status| status.success()).then_some(Certificate { folder })
    }

    pub(super) fn path(&self) -> String {
        self.file("cert.pem")
    }

    pub(super) fn key(&self) -> String {
        self.file("key.pem")
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Settings of a line that listens by TLS on a free port, with this certificate and belief in it.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("sip_tls_listen", "127.0.0.1:0".to_owned()),
            ("sip_tls_certificate", self.path()),
            ("sip_tls_key", self.key()),
            ("sip_tls_authorities", self.path()),
        ]
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        let certificate = CertificateDer::from_pem_file(Path::new(&self.path())).expect("a certificate");
        vec![certificate]
    }

    /// Connects to a line by TLS, which has to have this certificate.
    pub(super) fn connect(&self, line: SocketAddr) -> Connection {
        let mut believed = RootCertStore::empty();
        believed.add(self.chain().remove(0)).expect("a certificate");
        let config = ClientConfig::builder().with_root_certificates(believed).with_no_client_auth();
        let name = ServerName::IpAddress(line.ip().into());
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        Connection::new("TLS", TcpStream::connect(line).expect("connected"), |socket| {
            Box::new(StreamOwned::new(client, socket))
        })
    }

    /// Takes a connection by TLS, as whoever has this certificate.
    pub(super) fn accept(&self, socket: TcpStream) -> Connection {
        let key = PrivateKeyDer::from_pem_file(Path::new(&self.key())).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(self.chain(), key);
        let server = ServerConnection::new(Arc::new(config.expect("sound"))).expect("a server");
        Connection::new("TLS", socket, |socket| Box::new(StreamOwned::new(server, socket)))
    }
}

impl Connection {
    /// Connects by TCP.
    pub(super) fn connect(line: SocketAddr) -> Connection {
        Connection::new("TCP", TcpStream::connect(line).expect("connected"), |socket| Box::new(socket))
    }

    /// Takes a connection by TCP.
    pub(super) fn accept(socket: TcpStream) -> Connection {
        Connection::new("TCP", socket, |socket| Box::new(socket))
    }

    fn new(
        kind: &'static str,
        socket: TcpStream,
        over: impl FnOnce(TcpStream) -> Box<dyn Stream>,
    ) -> Connection {
        socket.set_nodelay(true).expect("set");
        let stream = over(socket.try_clone().expect("a socket"));
        Connection { kind, stream, socket, came: Vec::new() }
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) fn local_port(&self) -> u16 {
        self.socket.local_addr().expect("bound").port()
    }

    pub(super) fn waits(&self, patience: Duration) {
        self.socket.set_read_timeout(Some(patience)).expect("set");
    }

    /// Sends; a line that has closed the connection is found out when nothing comes.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// The next message; `None` where none comes in time, or the connection ends.
    pub(super) fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            if self.read()? == 0 {
                return None;
            }
        }
    }

    /// Whether the line closes the connection, whatever it still says.
    pub(super) fn is_closed(&mut self) -> bool {
        loop {
            match self.read() {
                Some(0) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    /// Bytes that came: none at the end of the connection, `None` where they do not come in time.
    fn read(&mut self) -> Option<usize> {
        let mut bytes = [0; 8_192];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                // A keep-alive's answer is no message.
                let pong = self.came.is_empty() && bytes.starts_with(b"\r\n");
                self.came.extend(&bytes[if pong { 2 } else { 0 }..count]);
                Some(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(_) => Some(0),
        }
    }

    fn take(&mut self) -> Option<Message> {
        let head = self.came.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&self.came[..head]).into_owned();
        let stated = Message { text };
        let length = stated.header("Content-Length").and_then(|length| length.parse::<usize>().ok());
        let whole = head + length.unwrap_or(0);
        if self.came.len() < whole {
            return None;
        }
        let text = String::from_utf8_lossy(&self.came[..whole]).into_owned();
        self.came.drain(..whole);
        Some(Message { text })
    }
}
