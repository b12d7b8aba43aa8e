//! SIP by TCP and TLS: the connections that peers open, with the screen in front of the stack, which is handed whole
//! messages.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::platform::{CancellationToken, mpsc::unbounded_channel};
use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::server::{Server, Tls};
use crate::wire::sip::{Framed, Verdict, frame, respelled};

/// Connections at once, of all peers and of one address: behind one may be a branch with many telephones.
const MOST: usize = 1_024;
const MOST_OF_SOURCE: usize = 256;

/// A handshake, a message whose beginning is there, and a peer that does not read may each take so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages that wait to be written. The stack waits where there are more.
const WAITING: usize = 64;

/// After a failure to accept, like a machine without free descriptors, the next attempt waits so long.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads a certificate with its key.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&tls.certificate).collect();
    let certificates = certificates.map_err(|e| format!("sip_tls_certificate: {e}"))?;
    let key = PrivateKeyDer::from_pem_slice(&tls.key).map_err(|e| format!("sip_tls_key: {e}"))?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key);
    config
        .map(|config| TlsAcceptor::from(Arc::new(config)))
        .map_err(|e| format!("sip_tls_certificate and sip_tls_key: {e}"))
}

/// Counts connections by their source.
#[derive(Default)]
struct Counted(Mutex<HashMap<IpAddr, usize>>);

/// One connection's place.
struct Place {
    counted: Arc<Counted>,
    source: IpAddr,
}

impl Counted {
    fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = counts.get(&source).copied().unwrap_or(0);
        if of_source >= MOST_OF_SOURCE || counts.values().sum::<usize>() >= MOST {
            return None;
        }
        counts.insert(source, of_source + 1);
        Some(Place { counted: Arc::clone(self), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counted.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

/// Takes connections until `stop`.
pub(super) async fn listen(
    server: Arc<Server>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let counted = Arc::new(Counted::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if !server.door.is_allowed(peer.ip()) {
            server.door.log_refusal(peer.ip(), "the source is not on the list");
            continue;
        }
        let Some(place) = counted.enter(peer.ip()) else {
            server.door.log_refusal(peer.ip(), "too many connections");
            continue;
        };
        tokio::spawn(hold(Arc::clone(&server), stream, peer, tls.clone(), stop.child_token(), place));
    }
}

async fn hold(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    _place: Place,
) {
    // Answers are small, and waited for.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return converse(server, stream, peer, Transport::Tcp, stop).await };
    match timeout(server.lasting(PATIENCE), tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(server, stream, peer, Transport::Tls, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Carries messages both ways until one side closes, or the peer is not understood.
async fn converse(
    server: Arc<Server>,
    stream: impl AsyncRead + AsyncWrite,
    peer: SocketAddr,
    transport: Transport,
    stop: CancellationToken,
) {
    let remote = SipAddr { r#type: Some(transport), addr: peer.into() };
    let (told, to_stack) = unbounded_channel();
    let (of_stack, mut outgoing) = mpsc::channel(WAITING);
    // The stack knows the connection by this; it cancels `stop` with it.
    let channel =
        ChannelConnection::create_connection_bounded(to_stack, of_stack, remote.clone(), Some(stop.clone()));
    let Ok(channel) = channel.await else { return };
    let connection = SipConnection::Channel(channel);
    server.add_connection(connection.clone());
    let (mut read, mut write) = split(stream);
    // Sessions are refreshed at least so often: where nothing comes for longer there is no call any more.
    let idle = server.lasting(Duration::from_secs(server.settings.session_expires_s.into()));
    let patience = server.lasting(PATIENCE);
    let mut bytes = Vec::new();
    let mut due = Instant::now() + idle;
    loop {
        let before = bytes.len();
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(due) => break,
            read = read.read_buf(&mut bytes) => if !read.is_ok_and(|count| count > 0) { break },
            event = outgoing.recv() => {
                let Some(TransportEvent::Incoming(message, ..)) = event else { continue };
                if !put(&mut write, &message.to_bytes(), patience).await { break }
                continue;
            }
        }
        let receiver = Receiver { server: &server, peer, transport };
        let pass = |message| {
            // A stack that is gone takes the connection with it.
            let _ = told.send(TransportEvent::Incoming(message, connection.clone(), remote.clone()));
        };
        let came = bytes.len();
        let (answers, is_over) = receiver.take(&mut bytes, pass);
        if (!answers.is_empty() && !put(&mut write, &answers, patience).await) || is_over {
            break;
        }
        if bytes.is_empty() {
            due = Instant::now() + idle;
        } else if before == 0 || bytes.len() < came {
            // Another message has begun.
            due = Instant::now() + patience;
        }
    }
    let _ = timeout(patience, write.shutdown()).await;
}

fn put(
    write: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> impl Future<Output = bool> {
    let written = timeout(patience, async move {
        write.write_all(bytes).await?;
        write.flush().await
    });
    async { written.await.is_ok_and(|written| written.is_ok()) }
}

/// What is done with what has come.
struct Receiver<'a> {
    server: &'a Server,
    peer: SocketAddr,
    transport: Transport,
}

impl Receiver<'_> {
    /// Takes whole messages from the front of `bytes`, and passes on those that may. Gives what is to be answered at
    /// once, and whether the connection is over.
    fn take(&self, bytes: &mut Vec<u8>, pass: impl Fn(SipMessage)) -> (Vec<u8>, bool) {
        let (mut answers, mut taken, mut is_over) = (Vec::new(), 0, false);
        while taken < bytes.len() && !is_over {
            let rest = &bytes[taken..];
            match frame(rest) {
                Framed::Partial => break,
                Framed::Broken { why, answer } => {
                    self.refuse(why, answer, &mut answers);
                    is_over = true;
                }
                Framed::Whole(length, verdict) => {
                    match verdict {
                        Verdict::Pass(_) => self.read(&rest[..length]).into_iter().for_each(&pass),
                        Verdict::KeepAlive { ping: true } => answers.extend(b"\r\n"),
                        Verdict::KeepAlive { ping: false } => {}
                        Verdict::Refuse { why, answer } => self.refuse(why, answer, &mut answers),
                    }
                    taken += length;
                }
            }
        }
        bytes.drain(..taken);
        (answers, is_over)
    }

    fn refuse(&self, why: &str, answer: Option<Vec<u8>>, answers: &mut Vec<u8>) {
        self.server.door.log_refusal(self.peer.ip(), why);
        answers.extend(answer.unwrap_or_default());
    }

    /// The message for the stack, with where it came from (RFC 3581); `None` where the stack cannot read it.
    fn read(&self, bytes: &[u8]) -> Option<SipMessage> {
        let plain = respelled(bytes);
        let message = SipMessage::try_from(plain.as_deref().unwrap_or(bytes)).ok()?;
        SipConnection::update_msg_received(message, self.peer, self.transport).ok()
    }
}
