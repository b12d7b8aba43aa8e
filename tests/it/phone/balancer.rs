//! Kamailio as it is deployed, before nodes on loopback, and processes that do not outlive their test.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A UDP port that is free now.
pub(super) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port()
}

/// A process that does not outlive its test.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A balancer before nodes at these ports.
pub(super) struct Balancer {
    pub(super) port: u16,
    _kamailio: Running,
}

impl Balancer {
    /// `None`, with a word, where Kamailio is absent. Its files go into `folder`.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(super) fn open(folder: &TempDir, ports: [u16; 2]) -> Option<Balancer> {
        let program =
            ["/usr/sbin/kamailio", "/usr/local/sbin/kamailio"].into_iter().find(|p| Path::new(p).exists());
        let Some(program) = program else {
            eprintln!("skipped: no kamailio; `make test-nodes` installs it");
            return None;
        };
        let rows: String = ["one", "two"]
            .iter()
            .zip(ports)
            .map(|(name, port)| format!("1 sip:127.0.0.1:{port} 0 0 duid={name}\n"))
            .collect();
        let list = folder.path().join("dispatcher.list");
        std::fs::write(&list, rows).expect("written");
        let log = File::create(folder.path().join("kamailio.log")).expect("a log");
        let port = free_port();
        let kamailio = Command::new(program)
            .args(["-DD", "-E", "-f"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kamailio/kamailio.cfg"))
            .args(["-A", &format!("LISTEN=udp:127.0.0.1:{port}")])
            .args(["-A", &format!("NODES=\"{}\"", list.display()), "-A", "PING=1"])
            .arg("-Y")
            .arg(folder.path())
            .arg("-w")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        Some(Balancer { port, _kamailio: Running(kamailio) })
    }

    /// Where callers call.
    #[cfg(feature = "store")]
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}
