//! SIP by TCP and TLS: the connections that peers open and those that the line does, with the screen in front of the
//! stack, which is handed whole messages.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::platform::{CancellationToken, mpsc::UnboundedSender, mpsc::unbounded_channel};
use rsipstack::sip::{SipMessage, Transport, Uri};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::requests;
use super::server::{Server, Tls};
use crate::wire::sip::{Framed, Verdict, frame, respelled};

/// Connections at once, of all peers and of one address: behind one may be a branch with many telephones.
const MOST: usize = 1_024;
const MOST_OF_SOURCE: usize = 256;

/// Connecting, a handshake, a message whose beginning is there, and a peer that does not read may each take so long.
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

/// Reads whom the line believes where it calls by TLS: nobody, without authorities.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn connector(authorities: Option<&[u8]>) -> Result<TlsConnector, String> {
    let mut believed = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities.unwrap_or_default()) {
        let certificate = certificate.map_err(|e| format!("sip_tls_authorities: {e}"))?;
        believed.add(certificate).map_err(|e| format!("sip_tls_authorities: {e}"))?;
    }
    let config = ClientConfig::builder().with_root_certificates(believed).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
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
    let end = |transport| End {
        peer,
        transport,
        remote: SipAddr { r#type: Some(transport), addr: peer.into() },
        is_ours: false,
    };
    let Some(tls) = tls else { return converse(server, stream, end(Transport::Tcp), stop).await };
    match timeout(server.lasting(PATIENCE), tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(server, stream, end(Transport::Tls), stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Where a connection of the line's own leads.
pub(super) struct Reached {
    /// As the stack finds it.
    pub(super) remote: SipAddr,
    /// The line's end of it, where the line opened it.
    pub(super) local: Option<SocketAddr>,
}

/// Opens a connection to where a URI leads, unless there is one. The stack would open one itself, which nobody screens.
/// `None` where what goes there goes by UDP.
///
/// # Errors
/// Nobody is there, or is not who they should be: in words.
pub(super) async fn reach(server: &Arc<Server>, uri: &Uri) -> Result<Option<Reached>, String> {
    let transport = requests::transport_of(uri);
    if !matches!(transport, Transport::Tcp | Transport::Tls) {
        return Ok(None);
    }
    let mut target = SipAddr { r#type: Some(transport), addr: uri.host_with_port.clone() };
    if transport == Transport::Tls && target.addr.port.is_none() {
        // RFC 3261, section 19.1.2.
        target.addr.port = Some(5_061.into());
    }
    let name = target.addr.host.to_string();
    let remote = server.resolved(target).await?;
    if let Some(local) = server.opened(&remote) {
        return Ok(Some(Reached { remote, local }));
    }
    let peer = remote.get_socketaddr().map_err(|e| e.to_string())?;
    let opening = async {
        let stream = TcpStream::connect(peer).await.map_err(|e| format!("no connection to {peer}: {e}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.local_addr())
            .map(|local| (stream, local))
            .map_err(|e| e.to_string())
    };
    let too_long = |_| format!("no connection to {peer} in time");
    let (stream, local) = timeout(server.lasting(PATIENCE), opening).await.map_err(too_long)??;
    let end = End { peer, transport, remote: remote.clone(), is_ours: true };
    let stop = server.stop.child_token();
    if transport == Transport::Tls {
        let no_tls = |why: String| format!("no TLS with {peer}: {why}; see sip_tls_authorities");
        let name = ServerName::try_from(name).map_err(|e| no_tls(e.to_string()))?;
        let shaken = timeout(server.lasting(PATIENCE), server.connector.connect(name, stream)).await;
        let stream = shaken.map_err(too_long)?.map_err(|e| no_tls(e.to_string()))?;
        begin(server, stream, end, local, stop).await;
    } else {
        begin(server, stream, end, local, stop).await;
    }
    Ok(Some(Reached { remote, local: Some(local) }))
}

/// Has messages carried over a connection that the line has opened.
async fn begin(
    server: &Arc<Server>,
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    end: End,
    local: SocketAddr,
    stop: CancellationToken,
) {
    // Known before the first message is looked up.
    let Some(channel) = end.join(server, &stop).await else { return };
    server.add_opened(end.remote.clone(), local);
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let remote = end.remote.clone();
        carry(&server, stream, end, channel, stop).await;
        server.forget_opened(&remote, local);
    });
}

/// The far end of a connection.
struct End {
    peer: SocketAddr,
    transport: Transport,
    /// The same, as the stack finds the connection.
    remote: SipAddr,
    /// The line opened it.
    is_ours: bool,
}

/// A connection as the stack has it.
struct Channel {
    connection: SipConnection,
    told: UnboundedSender<TransportEvent>,
    outgoing: mpsc::Receiver<TransportEvent>,
}

impl End {
    /// Makes the connection known to the stack, which cancels `stop` when it gives it up.
    async fn join(&self, server: &Server, stop: &CancellationToken) -> Option<Channel> {
        let (told, to_stack) = unbounded_channel();
        let (of_stack, outgoing) = mpsc::channel(WAITING);
        let (remote, stop) = (self.remote.clone(), Some(stop.clone()));
        let channel = ChannelConnection::create_connection_bounded(to_stack, of_stack, remote, stop);
        let connection = SipConnection::Channel(channel.await.ok()?);
        server.add_connection(connection.clone());
        Some(Channel { connection, told, outgoing })
    }
}

async fn converse(
    server: Arc<Server>,
    stream: impl AsyncRead + AsyncWrite,
    end: End,
    stop: CancellationToken,
) {
    if let Some(channel) = end.join(&server, &stop).await {
        carry(&server, stream, end, channel, stop).await;
    }
}

/// Carries messages both ways until one side closes, or the peer is not understood.
async fn carry(
    server: &Server,
    stream: impl AsyncRead + AsyncWrite,
    end: End,
    mut channel: Channel,
    stop: CancellationToken,
) {
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
            event = channel.outgoing.recv() => {
                let Some(TransportEvent::Incoming(message, ..)) = event else { continue };
                if !put(&mut write, &message.to_bytes(), patience).await { break }
                continue;
            }
        }
        let pass = |message| {
            // A stack that is gone takes the connection with it.
            let connection = channel.connection.clone();
            let _ = channel.told.send(TransportEvent::Incoming(message, connection, end.remote.clone()));
        };
        let came = bytes.len();
        let (answers, is_over) = Receiver { server, end: &end }.take(&mut bytes, pass);
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
    // Nothing more goes by it while it is being closed.
    drop(channel);
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
    end: &'a End,
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
        if self.end.is_ours {
            // Whoever the line itself has called is nobody to be locked out.
            tracing::warn!(peer = %self.end.peer, why, "what came over a connection of the line's own is refused");
        } else {
            self.server.door.log_refusal(self.end.peer.ip(), why);
        }
        answers.extend(answer.unwrap_or_default());
    }

    /// The message for the stack, with where it came from (RFC 3581); `None` where the stack cannot read it.
    fn read(&self, bytes: &[u8]) -> Option<SipMessage> {
        let plain = respelled(bytes);
        let message = SipMessage::try_from(plain.as_deref().unwrap_or(bytes)).ok()?;
        SipConnection::update_msg_received(message, self.end.peer, self.end.transport).ok()
    }
}
