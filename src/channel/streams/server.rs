//! Listens: webhooks and WebSockets on one port, AudioSocket on another.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Form, FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};

use super::door::log_refusal;
use super::hand_over::HandOvers;
use super::pump::carry;
use super::socket::Socket;
use super::{StreamSettings, Taker};
use crate::channel::gate::{Gate, Permit};
use crate::wire::stream::audiosocket::AudioSocket;
use crate::wire::stream::chan_websocket::{self, ChanWebsocket};
use crate::wire::stream::jambonz::{self, Jambonz};
use crate::wire::stream::twilio::Twilio;
use crate::wire::stream::vonage::Vonage;
use crate::wire::stream::{Dialect, LONGEST_MESSAGE, Start, webhook};

/// Longest body of a webhook that is read, in bytes: providers send two thousand.
const LONGEST_BODY: usize = 32_768;

/// Why streams cannot be listened for.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen for streams on {address}: {why}; is another program there, or is the port below 1024?"
)]
pub struct StreamError {
    /// Where.
    address: SocketAddr,
    /// What the system said; not a source, which would be printed once more.
    why: std::io::Error,
}

/// What all requests share.
struct Shared {
    settings: StreamSettings,
    gate: Arc<Gate>,
    take: Taker,
    hand_overs: Arc<HandOvers>,
}

/// A line that listens for streams.
pub struct StreamServer {
    shared: Arc<Shared>,
    http: Option<TcpListener>,
    audiosocket: Option<TcpListener>,
}

/// What our URLs carry.
#[derive(Default, Deserialize)]
struct Carried {
    token: Option<String>,
    from: Option<String>,
    to: Option<String>,
    uuid: Option<String>,
    /// The dialplan's name for a call.
    id: Option<String>,
}

impl StreamServer {
    /// Binds the ports; nothing is taken before [`StreamServer::run`].
    ///
    /// # Errors
    /// A port cannot be had.
    pub async fn bind(
        settings: StreamSettings,
        gate: Arc<Gate>,
        take: Taker,
    ) -> Result<StreamServer, StreamError> {
        let (http, audiosocket) = (listen(settings.http).await?, listen(settings.audiosocket).await?);
        let shared = Arc::new(Shared { settings, gate, take, hand_overs: Arc::default() });
        Ok(StreamServer { shared, http, audiosocket })
    }

    /// Where WebSockets and webhooks are listened for.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Where AudioSocket is listened for.
    pub fn audiosocket_address(&self) -> Option<SocketAddr> {
        self.audiosocket.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Takes calls until it is dropped.
    pub async fn run(self) {
        let StreamServer { shared, http, audiosocket } = self;
        let web = async {
            let Some(listener) = http else { return std::future::pending().await };
            let service = routes(Arc::clone(&shared)).into_make_service_with_connect_info::<SocketAddr>();
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "streams are not listened for any more");
            }
        };
        let plain = async {
            let Some(listener) = audiosocket else { return std::future::pending().await };
            accept(listener, &shared).await;
        };
        tokio::join!(web, plain);
    }
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StreamError> {
    let Some(address) = address else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|why| StreamError { address, why })
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/twilio/answer", get(twilio_answer).post(twilio_answer))
        .route("/twilio/stream", get(twilio_stream))
        .route("/twilio/next", post(twilio_next))
        .route("/twilio/after", post(twilio_after))
        .route("/vonage/answer", get(vonage_answer).post(vonage_answer))
        .route("/vonage/event", any(|| async { StatusCode::NO_CONTENT }))
        .route("/vonage/stream", get(vonage_stream))
        .route("/jambonz/answer", post(jambonz_answer))
        .route("/jambonz/next", post(jambonz_next))
        .route("/jambonz/status", any(|| async { StatusCode::NO_CONTENT }))
        .route("/jambonz/stream", get(jambonz_stream))
        .route("/asterisk/stream", get(asterisk_stream))
        .route("/asterisk/next", get(asterisk_next))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(shared)
}

/// AudioSocket's connections, one after another; each is carried by a task of its own.
async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let shared = Arc::clone(shared);
                tokio::spawn(async move { shared.take_plain(socket, peer.ip()).await });
            }
            Err(error) => {
                // No file descriptor is left, as a rule: calls that end give some back.
                tracing::error!(%error, "a connection cannot be taken");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

impl Shared {
    async fn take_plain(&self, socket: TcpStream, source: IpAddr) {
        if !self.settings.allow.iter().any(|network| network.contains(source)) {
            return log_refusal(source, "not in streams_allow");
        }
        let _ = socket.set_nodelay(true);
        match self.gate.admit(source, Instant::now()) {
            Ok(permit) => {
                self.carry(Socket::Plain(socket), Box::<AudioSocket>::default(), source, permit).await;
            }
            Err(refused) => {
                tracing::info!(%source, why = %refused, "a stream is turned away");
                let hang_up = AudioSocket::default().hang_up();
                let mut socket = Socket::Plain(socket);
                if let Some(message) = hang_up {
                    socket.send(message).await;
                }
                socket.close().await;
            }
        }
    }

    async fn carry(&self, socket: Socket, dialect: Box<dyn Dialect>, source: IpAddr, permit: Permit) {
        // Where to go on to is asked for by HTTP.
        let hand_overs = self.settings.http.map(|_| Arc::clone(&self.hand_overs));
        let limit = self.settings.silence_limit;
        if carry(socket, dialect, limit, hand_overs, permit, &self.take).await.is_err() {
            log_refusal(source, "no call began");
        }
    }

    /// Upgrades to a WebSocket, or says why not.
    fn upgrade(
        self: Arc<Self>,
        socket: WebSocketUpgrade,
        source: IpAddr,
        dialect: Box<dyn Dialect>,
    ) -> Response {
        match self.gate.admit(source, Instant::now()) {
            Ok(permit) => socket
                .protocols([jambonz::SUBPROTOCOL, chan_websocket::SUBPROTOCOL])
                .max_message_size(LONGEST_MESSAGE)
                .max_frame_size(LONGEST_MESSAGE)
                .on_upgrade(move |socket| async move {
                    self.carry(Socket::Web(Box::new(socket)), dialect, source, permit).await;
                }),
            Err(refused) => {
                tracing::info!(%source, why = %refused, "a stream is turned away");
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")]).into_response()
            }
        }
    }
}

fn forbidden(source: IpAddr, why: &str) -> Response {
    log_refusal(source, why);
    StatusCode::FORBIDDEN.into_response()
}

type SharedState = State<Arc<Shared>>;
type Peer = ConnectInfo<SocketAddr>;

/// Whoever asks with our token, or from a network that may: every request but Twilio's, which are signed.
struct Guest {
    source: IpAddr,
    carried: Carried,
}

impl FromRequestParts<Arc<Shared>> for Guest {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Guest, Response> {
        let ConnectInfo(peer) =
            Peer::from_request_parts(parts, shared).await.map_err(IntoResponse::into_response)?;
        let Query(carried) =
            Query::<Carried>::from_request_parts(parts, shared).await.map_err(IntoResponse::into_response)?;
        if !shared.settings.lets_in(peer.ip(), carried.token.as_deref()) {
            return Err(forbidden(peer.ip(), "no token, and not in streams_allow"));
        }
        Ok(Guest { source: peer.ip(), carried })
    }
}

async fn twilio_answer(
    State(shared): SharedState,
    ConnectInfo(peer): Peer,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    // A GET has its fields in the URL, which is signed as a whole.
    let signed = if method == Method::POST { form.as_slice() } else { &[] };
    if let Some(refused) = shared.refused(peer, &uri, &headers, signed) {
        return refused;
    }
    xml(shared.connect(&form))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

fn xml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml")], text).into_response()
}

impl Shared {
    /// What is answered to a request that Twilio did not sign.
    ///
    /// `form` holds the fields that are signed beside the URL.
    fn refused(
        &self,
        peer: SocketAddr,
        uri: &Uri,
        headers: &HeaderMap,
        form: &[(String, String)],
    ) -> Option<Response> {
        let asked = uri.path_and_query().map_or("/", |path| path.as_str());
        let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
        let signed = self.settings.lets_twilio_in(peer.ip(), asked, form, signature.unwrap_or_default());
        (!signed).then(|| forbidden(peer.ip(), "no signature of Twilio's"))
    }

    /// TwiML that connects a call of Twilio's.
    fn connect(&self, form: &[(String, String)]) -> String {
        let url = |path: &str| format!("{}{path}", self.settings.public_url);
        let stream = self.settings.stream_url("/twilio/stream");
        webhook::twiml(&stream, &url("/twilio/next"), field(form, "From"), field(form, "To"))
    }

    /// Where a call goes on to, by the provider's name for it.
    fn next(&self, call: &str) -> Option<String> {
        self.hand_overs.take(&Start::name(call), Instant::now())
    }
}

/// A call's stream has ended: on to a person, or the end.
async fn twilio_next(
    State(shared): SharedState,
    ConnectInfo(peer): Peer,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    if let Some(refused) = shared.refused(peer, &uri, &headers, &form) {
        return refused;
    }
    let to = shared.next(field(&form, "CallSid"));
    xml(webhook::twiml_next(to.as_deref(), &format!("{}/twilio/after", shared.settings.public_url)))
}

/// The person has hung up, or was not there: then the caller is back with the line.
async fn twilio_after(
    State(shared): SharedState,
    ConnectInfo(peer): Peer,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    if let Some(refused) = shared.refused(peer, &uri, &headers, &form) {
        return refused;
    }
    let was_there = matches!(field(&form, "DialCallStatus"), "completed" | "answered");
    xml(if was_there { webhook::twiml_next(None, "") } else { shared.connect(&form) })
}

async fn twilio_stream(
    State(shared): SharedState,
    ConnectInfo(peer): Peer,
    uri: Uri,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    if let Some(refused) = shared.refused(peer, &uri, &headers, &[]) {
        return refused;
    }
    shared.upgrade(socket, peer.ip(), Box::<Twilio>::default())
}

async fn vonage_answer(State(shared): SharedState, guest: Guest, body: axum::body::Bytes) -> Response {
    // Vonage asks by GET with a query, or by POST with JSON.
    let told =
        if body.is_empty() { guest.carried } else { serde_json::from_slice(&body).unwrap_or_default() };
    let text = |field: Option<String>| field.unwrap_or_default();
    let url = shared.settings.stream_url("/vonage/stream");
    Json(webhook::ncco(&url, &text(told.uuid), &text(told.from), &text(told.to))).into_response()
}

async fn vonage_stream(State(shared): SharedState, guest: Guest, socket: WebSocketUpgrade) -> Response {
    shared.upgrade(socket, guest.source, Box::<Vonage>::default())
}

impl Shared {
    fn listen(&self) -> serde_json::Value {
        let stream = self.settings.stream_url("/jambonz/stream");
        webhook::listen(&stream, &self.settings.webhook_url("/jambonz/next"))
    }
}

async fn jambonz_answer(State(shared): SharedState, _: Guest) -> Response {
    Json(shared.listen()).into_response()
}

/// What of jambonz's question names the call.
#[derive(Deserialize)]
struct Ended {
    call_sid: String,
}

async fn jambonz_next(State(shared): SharedState, _: Guest, Json(ended): Json<Ended>) -> Response {
    let to = shared.next(&ended.call_sid);
    Json(webhook::verbs_next(to.as_deref(), &shared.listen())).into_response()
}

/// Where a call goes on to, as a line for a dialplan; empty where it does not.
async fn asterisk_next(State(shared): SharedState, guest: Guest) -> Response {
    let to = guest.carried.id.and_then(|id| shared.next(&id));
    ([(header::CONTENT_TYPE, "text/plain")], to.unwrap_or_default()).into_response()
}

async fn jambonz_stream(State(shared): SharedState, guest: Guest, socket: WebSocketUpgrade) -> Response {
    shared.upgrade(socket, guest.source, Box::<Jambonz>::default())
}

async fn asterisk_stream(State(shared): SharedState, guest: Guest, socket: WebSocketUpgrade) -> Response {
    let Carried { from, to, id, .. } = guest.carried;
    let dialect = ChanWebsocket::of(from, to, id);
    shared.upgrade(socket, guest.source, Box::new(dialect))
}
