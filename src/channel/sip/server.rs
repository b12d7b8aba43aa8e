//! Listening, and what becomes of each request.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::dialog::DialogId;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, Method, StatusCode, Transport, Uri};
use rsipstack::transaction::endpoint::{Endpoint, EndpointInnerRef};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportLayer};
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::auth::Doorkeeper;
use super::call::{CallLimits, PhoneCall, Signal};
use super::connections::{acceptor, connector, listen};
use super::dial::dial;
use super::life::Secrecy;
use super::media::Ports;
use super::refer::Notified;
use super::register::stay_registered;
use super::requests;
use super::socket::ScreenedSocket;
use super::spelling::Spelling;
use crate::call::Fault;
use crate::channel::gate::{Gate, Network};
use crate::wire::digest::Users;
use crate::wire::sdp::Codec;
use crate::wire::srtp::{KEY_BYTES, Key};

/// An ACK that a re-INVITE has overtaken is waited for so long: T1, after which it would come again (RFC 3261, section
/// 17.1.1.1).
const OVERTAKEN: Duration = Duration::from_millis(500);

/// Why the line cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// An address that cannot be listened on.
    #[error("cannot listen for SIP on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
    /// A registrar's address that is none.
    #[error("'{0}' is no SIP URI: expected one like sip:provider.example")]
    Registrar(String),
    /// Whom the line is to believe cannot be read.
    #[error("cannot call by TLS: {0}; give a PEM file of certificates, or none")]
    Authorities(String),
    /// Nothing to make challenges and keys from.
    #[error("the system gives no random numbers, which challenges and keys are made from: {0}")]
    Random(String),
    /// The machine's own address towards its callers is not known.
    #[error("cannot tell the address that callers reach this machine by: set sip_public_address ({0})")]
    OwnAddress(std::io::Error),
}

/// How the line listens.
#[derive(Clone, Debug)]
pub struct SipSettings {
    /// Where, by UDP.
    pub udp: SocketAddr,
    /// Where, by TCP.
    pub tcp: Option<SocketAddr>,
    /// Where, by TLS, and by which certificate.
    pub tls: Option<Tls>,
    /// Authorities by which the line believes those whom it calls by TLS, PEM; without them it calls nobody so.
    pub tls_authorities: Option<Vec<u8>>,
    /// The SIP URI of a registrar that is to know where the line is.
    pub registrar: Option<String>,
    /// The address that peers are told, where it is another than the machine's own.
    pub public: Option<IpAddr>,
    /// First and last port for RTP and RTCP.
    pub rtp_ports: (u16, u16),
    /// Codecs, of which the caller's first counts.
    pub codecs: Vec<Codec>,
    /// Who may call.
    pub allow: Vec<Network>,
    /// A call of whose telephone nothing is heard for so long is over.
    pub silence_limit: Duration,
    /// Every call is over after so long, whoever it is with.
    pub longest: Duration,
    /// Sessions are refreshed at least so often, in seconds (RFC 4028).
    pub session_expires_s: u32,
    /// The line rings for so long before it picks up.
    pub ring: Duration,
    /// What the line proves itself by where its calls or its registration are challenged.
    pub account: Option<Account>,
    /// How long a second of ringing and of session timers lasts: a second, but in tests.
    pub second: Duration,
    /// Callers who have to prove who they are; `None` where the network is proof enough.
    pub callers: Option<Callers>,
    /// Whether sound is encrypted.
    pub srtp: Srtp,
}

/// Whether sound is encrypted, by keys that stand in the signalling (RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Srtp {
    /// Whose wish for it is followed.
    pub accepts: SrtpOver,
    /// Where the line offers nothing else.
    pub offers: SrtpOver,
}

/// By which signalling keys may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpOver {
    /// None.
    #[default]
    Nothing,
    /// TLS: nobody else reads them.
    Tls,
    /// Any, where the network is guarded otherwise.
    Anything,
}

impl SrtpOver {
    fn includes(self, transport: Transport) -> bool {
        match self {
            SrtpOver::Nothing => false,
            SrtpOver::Tls => transport == Transport::Tls,
            SrtpOver::Anything => true,
        }
    }
}

/// Who may call by a password, and who without.
#[derive(Clone, Debug)]
pub struct Callers {
    /// Those with a password.
    pub users: Users,
    /// Networks that need none.
    pub trusted: Vec<Network>,
}

/// SIP over TLS.
#[derive(Clone)]
pub struct Tls {
    /// Where.
    pub listen: SocketAddr,
    /// The certificate and those that it hangs on, PEM.
    pub certificate: Vec<u8>,
    /// Its private key, PEM.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// An account with a provider or a switch.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

impl SipSettings {
    pub(super) fn credential(&self) -> Option<Credential> {
        let Account { user, password } = self.account.clone()?;
        Some(Credential { username: user, password, realm: None, auth_username: None })
    }
}

/// Takes each call that was answered; must return at once.
pub type Taker = Arc<dyn Fn(PhoneCall) + Send + Sync>;

/// Who may come in, and the one line about those who may not.
pub(super) struct Door {
    allow: Vec<Network>,
}

impl Door {
    pub(super) fn is_allowed(&self, source: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(source))
    }

    /// One line that fail2ban's filter in `deploy/` reads. No word of the stranger's is in it.
    pub(super) fn log_refusal(&self, source: IpAddr, why: &str) {
        tracing::warn!(target: "attendant::refused", %source, why, "SIP refused");
    }
}

/// All that calls share.
pub(super) struct Server {
    pub(super) settings: SipSettings,
    pub(super) dialogs: Arc<DialogLayer>,
    pub(super) endpoint: EndpointInnerRef,
    pub(super) gate: Arc<Gate>,
    pub(super) take: Taker,
    pub(super) ports: Ports,
    /// Where RTP sockets are bound, and what peers are told.
    pub(super) bind: IpAddr,
    pub(super) own: IpAddr,
    pub(super) listens: SocketAddr,
    pub(super) door: Arc<Door>,
    pub(super) doorkeeper: Option<Doorkeeper>,
    /// Connections that the line has opened, and its own end of each.
    opened: Mutex<HashMap<SipAddr, SocketAddr>>,
    pub(super) connector: TlsConnector,
    pub(super) stop: CancellationToken,
    calls: Mutex<HashMap<String, Ends>>,
    /// A call was added to those.
    registered: Notify,
}

/// Where a dialog's requests are to be told of.
#[derive(Clone)]
pub(super) struct Ends {
    /// The call's thread.
    pub(super) signals: SyncSender<Signal>,
    /// Whoever waits for a transfer: what it has come to.
    pub(super) notified: mpsc::Sender<Notified>,
}

/// A line that listens for SIP.
pub struct SipServer {
    endpoint: Endpoint,
    server: Arc<Server>,
    registrar: Option<Uri>,
    listeners: Vec<Listening>,
    /// No more calls are wanted, and the registrar is told so before all of it ends.
    leaving: CancellationToken,
}

/// The address by which this machine talks to the world; nothing is sent.
fn own_address(bind: IpAddr) -> std::io::Result<IpAddr> {
    if !bind.is_unspecified() {
        return Ok(bind);
    }
    let (any, far) =
        if bind.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let socket = std::net::UdpSocket::bind(any)?;
    // Without a way to the world the machine talks to itself alone.
    if socket.connect(far).is_err() {
        return Ok(if bind.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok(socket.local_addr()?.ip())
}

/// What is remembered of calls and their messages: for tests, and for whoever asks why memory grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Dialogs: one for each leg of a call that goes on.
    pub dialogs: usize,
    /// Calls whose requests are passed on.
    pub calls: usize,
    /// Transactions that are not over.
    pub transactions: usize,
    /// Transactions that are over and may be asked for again, for half a minute (RFC 3261, timers H to K).
    pub finished: usize,
}

/// Makes calls.
#[derive(Clone)]
pub struct Dialer {
    server: Arc<Server>,
}

impl Dialer {
    /// What is remembered.
    pub fn remembered(&self) -> Remembered {
        let stats = self.server.endpoint.get_stats();
        Remembered {
            dialogs: self.server.dialogs.len(),
            calls: self.server.calls.lock().unwrap_or_else(PoisonError::into_inner).len(),
            transactions: stats.running_transactions,
            finished: stats.finished_transactions,
        }
    }

    /// Calls a SIP URI, and gives the call once it is answered. Dropping the future cancels it.
    ///
    /// # Errors
    /// Nobody answers in `patience`, the callee refuses, or its answer cannot be used.
    pub async fn dial(&self, to: &str, patience: Duration) -> Result<PhoneCall, Fault> {
        dial(Arc::clone(&self.server), to.to_owned(), String::new(), patience).await
    }
}

/// A listener for connections, and what makes TLS of them.
type Listening = (TcpListener, Option<TlsAcceptor>);

/// Binds what connections come by, and tells the stack their addresses, which it names to peers.
async fn listeners(
    transport: &TransportLayer,
    settings: &mut SipSettings,
    own: IpAddr,
) -> Result<Vec<Listening>, SipError> {
    let mut wanted = Vec::new();
    if let Some(address) = &mut settings.tcp {
        wanted.push((address, Transport::Tcp, None));
    }
    if let Some(tls) = &mut settings.tls {
        let address = tls.listen;
        let acceptor = acceptor(tls).map_err(|why| SipError::Listen { address, why })?;
        wanted.push((&mut tls.listen, Transport::Tls, Some(acceptor)));
    }
    let mut listeners = Vec::new();
    for (address, kind, acceptor) in wanted {
        let failed = |e: std::io::Error| SipError::Listen { address: *address, why: e.to_string() };
        let listener = TcpListener::bind(*address).await.map_err(failed)?;
        *address = listener.local_addr().map_err(failed)?;
        let told = SipAddr { r#type: Some(kind), addr: SocketAddr::new(own, address.port()).into() };
        // An address alone: nothing comes or goes by it.
        let ((_, incoming), (outgoing, _)) = (unbounded_channel(), unbounded_channel());
        let named = ChannelConnection::create_connection(incoming, outgoing, told, None).await;
        let named = named.map_err(|e| SipError::Listen { address: *address, why: e.to_string() })?;
        transport.add_transport(SipConnection::Channel(named));
        listeners.push((listener, acceptor));
    }
    Ok(listeners)
}

impl SipServer {
    /// Binds the addresses; calls are taken once [`SipServer::run`] runs.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(
        mut settings: SipSettings,
        gate: Arc<Gate>,
        take: Taker,
    ) -> Result<SipServer, SipError> {
        let address = settings.udp;
        let failed = |why: String| SipError::Listen { address, why };
        let no_uri = |uri: &String| SipError::Registrar(uri.clone());
        let registrar = settings.registrar.as_ref();
        let registrar =
            registrar.map(|uri| Uri::try_from(uri.as_str()).map_err(|_| no_uri(uri))).transpose()?;
        let stop = CancellationToken::new();
        let door = Arc::new(Door { allow: settings.allow.clone() });
        let socket = tokio::net::UdpSocket::bind(address).await.map_err(|e| failed(e.to_string()))?;
        let listens = socket.local_addr().map_err(|e| failed(e.to_string()))?;
        let own = match settings.public {
            Some(public) => public,
            None => own_address(listens.ip()).map_err(SipError::OwnAddress)?,
        };
        let told = SocketAddr::new(own, listens.port());
        let transport = TransportLayer::new(stop.child_token());
        let screened = Arc::new(ScreenedSocket::new(socket, Arc::clone(&door)));
        let udp = UdpConnection::from_socket(screened, Some(told), Some(stop.child_token()))
            .await
            .map_err(|e| failed(e.to_string()))?;
        transport.add_transport(SipConnection::Udp(udp));
        let connector = connector(settings.tls_authorities.as_deref()).map_err(SipError::Authorities)?;
        let listeners = listeners(&transport, &mut settings, own).await?;
        let endpoint = EndpointBuilder::new()
            .with_user_agent(concat!("attendant/", env!("CARGO_PKG_VERSION")))
            .with_transport_layer(transport)
            .with_inspector(Box::new(Spelling))
            .with_cancel_token(stop.clone())
            .build();
        let server = Arc::new(Server {
            dialogs: Arc::new(DialogLayer::new(endpoint.inner.clone())),
            endpoint: endpoint.inner.clone(),
            ports: Ports::new(settings.rtp_ports.0, settings.rtp_ports.1),
            bind: listens.ip(),
            own,
            listens: told,
            doorkeeper: settings.callers.as_ref().map(Doorkeeper::new).transpose()?,
            settings,
            gate,
            take,
            door,
            opened: Mutex::default(),
            connector,
            stop,
            calls: Mutex::default(),
            registered: Notify::new(),
        });
        Ok(SipServer { endpoint, server, registrar, listeners, leaving: CancellationToken::new() })
    }

    /// Where it listens, by UDP.
    pub fn address(&self) -> SocketAddr {
        self.server.listens
    }

    /// Where it listens by TCP, if it does.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.server.settings.tcp
    }

    /// Where it listens by TLS, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.server.settings.tls.as_ref().map(|tls| tls.listen)
    }

    /// Makes calls, while [`SipServer::run`] runs.
    pub fn dialer(&self) -> Dialer {
        Dialer { server: Arc::clone(&self.server) }
    }

    /// Ends [`SipServer::run`].
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let leaving = self.leaving.clone();
        move || leaving.cancel()
    }

    /// Takes requests until it is stopped.
    pub async fn run(self) {
        let Ok(mut incoming) = self.endpoint.incoming_transactions() else { return };
        let server = self.server;
        let endpoint = self.endpoint;
        let leaving = self.leaving;
        let registration = self.registrar.map(|registrar| {
            tokio::spawn(stay_registered(Arc::clone(&server), registrar, leaving.child_token()))
        });
        for (listener, acceptor) in self.listeners {
            tokio::spawn(listen(Arc::clone(&server), listener, acceptor, server.stop.child_token()));
        }
        let requests = async {
            while let Some(transaction) = incoming.recv().await {
                tokio::spawn(Arc::clone(&server).handle(transaction));
            }
        };
        let left = async {
            leaving.cancelled().await;
            if let Some(registration) = registration {
                // It is bounded, and a panic in it has been printed.
                let _ = registration.await;
            }
        };
        tokio::select! {
            () = endpoint.serve() => {}
            () = requests => {}
            () = left => {}
        }
        server.stop.cancel();
    }
}

impl Server {
    pub(super) fn register(&self, dialog: &DialogId, ends: Ends) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(dialog.to_string(), ends);
        self.registered.notify_waiters();
    }

    /// Whether a dialog's call has begun, or does within a moment. A re-INVITE may overtake the ACK before it (RFC 5407,
    /// section 3.1.4), and the stack answers none to a dialog that is not confirmed.
    async fn is_held(&self, dialog: &DialogId) -> bool {
        let held = async {
            loop {
                // Made before the look, so that no news is missed between the two.
                let news = self.registered.notified();
                if self.ends(dialog).is_some() {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(OVERTAKEN, held).await.is_ok()
    }

    pub(super) fn forget(&self, dialog: &DialogId) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&dialog.to_string());
        self.dialogs.remove_dialog(dialog);
    }

    /// A connection that is open, whoever opened it.
    pub(super) fn add_connection(&self, connection: SipConnection) {
        self.endpoint.transport_layer.add_connection(connection);
    }

    /// A connection that the line opened, and its own end of it.
    pub(super) fn add_opened(&self, remote: SipAddr, local: SocketAddr) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(remote, local);
    }

    /// Unless another has taken its place.
    pub(super) fn forget_opened(&self, remote: &SipAddr, local: SocketAddr) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.get(remote) == Some(&local) {
            opened.remove(remote);
        }
    }

    /// Whether a connection leads there; the line's own end of it, where the line opened it.
    pub(super) fn opened(&self, remote: &SipAddr) -> Option<Option<SocketAddr>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(remote).copied();
        let is_open = || self.endpoint.transport_layer.get_addrs().contains(remote);
        opened.map(Some).or_else(|| is_open().then_some(None))
    }

    /// An address without a name.
    ///
    /// # Errors
    /// Nobody knows the name: in words.
    pub(super) async fn resolved(&self, address: SipAddr) -> Result<SipAddr, String> {
        if address.get_socketaddr().is_ok() {
            return Ok(address);
        }
        let resolver = &self.endpoint.transport_layer.inner.domain_resolver;
        resolver.resolve(&address).await.map_err(|e| e.to_string())
    }

    fn ends(&self, dialog: &DialogId) -> Option<Ends> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).get(&dialog.to_string()).cloned()
    }

    /// What a peer is told as the line's address, where it signals by that transport.
    pub(super) fn told(&self, transport: Transport) -> SocketAddr {
        self.listens_by(transport).unwrap_or(self.listens)
    }

    /// Where peers can connect by TCP or TLS, if they can.
    pub(super) fn listens_by(&self, transport: Transport) -> Option<SocketAddr> {
        let listens = match transport {
            Transport::Tcp => self.settings.tcp,
            Transport::Tls => self.settings.tls.as_ref().map(|tls| tls.listen),
            _ => None,
        };
        listens.map(|listens| SocketAddr::new(self.own, listens.port()))
    }

    /// What a call by that transport may do about secrecy, with a key of its own.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn secrecy(&self, transport: Transport) -> Result<Secrecy, SipError> {
        let Srtp { accepts, offers } = self.settings.srtp;
        let offers = offers.includes(transport);
        if !offers && !accepts.includes(transport) {
            return Ok(Secrecy { key: None, offers });
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|e| SipError::Random(e.to_string()))?;
        Ok(Secrecy { key: Some(Key(key)), offers })
    }

    /// When a call ends by itself.
    pub(super) fn limits(&self) -> CallLimits {
        let SipSettings { silence_limit, longest, .. } = self.settings;
        CallLimits { silence: silence_limit, longest: self.lasting(longest) }
    }

    /// How long a time of ringing or of a session timer lasts.
    pub(super) fn lasting(&self, time: Duration) -> Duration {
        self.settings.second.mul_f64(time.as_secs_f64())
    }

    /// The address that a request came from, as the socket saw it.
    pub(super) fn source(transaction: &Transaction) -> Option<IpAddr> {
        let remote = transaction.connection.as_ref()?.get_remote_addr()?;
        remote.get_socketaddr().ok().map(|address| address.ip())
    }

    async fn handle(self: Arc<Self>, mut transaction: Transaction) {
        let Some(source) = Self::source(&transaction) else { return };
        if !self.door.is_allowed(source) {
            self.door.log_refusal(source, "the source is not on the list");
            // A stranger learns nothing, not even that somebody is there.
            return;
        }
        let in_dialog =
            transaction.original.to_header().ok().and_then(|to| to.tag().ok().flatten()).is_some();
        let method = transaction.original.method;
        let demands = match method {
            Method::Ack | Method::Cancel => None,
            _ => requests::unknown_demands(&transaction.original),
        };
        let done = match method {
            _ if demands.is_some() => {
                let unsupported = Header::Unsupported(demands.unwrap_or_default().as_str().into());
                transaction.reply_with(StatusCode::BadExtension, vec![unsupported], None).await
            }
            _ if in_dialog => self.in_dialog(&mut transaction).await,
            Method::Invite => super::answer::answer(&self, &mut transaction, source).await,
            // How a balancer learns that it should send new calls elsewhere.
            Method::Options if self.gate.is_closing() => {
                transaction.reply(StatusCode::ServiceUnavailable).await
            }
            Method::Options => {
                let headers = vec![
                    requests::allow(),
                    Header::Accept("application/sdp".into()),
                    Header::Supported("timer".into()),
                ];
                transaction.reply_with(StatusCode::OK, headers, None).await
            }
            Method::Ack => Ok(()),
            _ => transaction.reply_with(StatusCode::MethodNotAllowed, vec![requests::allow()], None).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a SIP request could not be answered");
            let answered = transaction.last_response.is_some();
            if !answered && transaction.original.method != Method::Ack {
                // What the stack cannot read: a Contact that is missing, a URI that is none.
                let _ = transaction.reply(StatusCode::BadRequest).await;
            }
        }
    }

    async fn in_dialog(&self, transaction: &mut Transaction) -> rsipstack::Result<()> {
        let id = DialogId::try_from(&*transaction)?;
        let Some(Dialog::Invite(mut dialog)) = self.dialogs.get_dialog(&id) else {
            return match transaction.original.method {
                Method::Ack => Ok(()),
                _ => transaction.reply(StatusCode::CallTransactionDoesNotExist).await,
            };
        };
        match transaction.original.method {
            Method::Invite if !self.is_held(&id).await => transaction.reply(StatusCode::RequestPending).await,
            Method::Invite | Method::Bye | Method::Ack => dialog.handle(transaction).await,
            Method::Info => {
                if let Some(key) = requests::info_key(&transaction.original)
                    && let Some(Ends { signals, .. }) = self.ends(&id)
                {
                    // A caller who presses keys faster than a thread counts to 64 loses some.
                    let _ = signals.try_send(Signal::Key(key));
                }
                transaction.reply(StatusCode::OK).await
            }
            Method::Notify => {
                if let Some(notified) = requests::notified(&transaction.original)
                    && let Some(ends) = self.ends(&id)
                {
                    // More news than anybody waits for is old news.
                    let _ = ends.notified.try_send(notified);
                }
                transaction.reply(StatusCode::OK).await
            }
            Method::Options => transaction.reply_with(StatusCode::OK, vec![requests::allow()], None).await,
            _ => transaction.reply_with(StatusCode::MethodNotAllowed, vec![requests::allow()], None).await,
        }
    }
}
