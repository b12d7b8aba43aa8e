//! Calls over the media streams of providers and PBXs: WebSockets with the webhooks that lead to them, and Asterisk's
//! AudioSocket.
//!
//! [`StreamServer`] listens; each stream that begins becomes a [`StreamCall`], which one thread drives. What is said on
//! the wire is `wire::stream`'s; nothing here knows what is said to the caller. TLS is a proxy's in front.

mod call;

mod door;

mod hand_over;

mod pump;

mod server;

mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use call::StreamCall;
pub use server::{StreamError, StreamServer};

use super::gate::Network;

/// Where streams are listened for, and who may open one.
#[derive(Clone)]
pub struct StreamSettings {
    /// For WebSockets and webhooks; `None` to leave them out.
    pub http: Option<SocketAddr>,
    /// For AudioSocket; `None` to leave it out.
    pub audiosocket: Option<SocketAddr>,
    /// By which providers reach the line: `https://line.example.com`, without a slash at the end.
    pub public_url: String,
    /// Networks whose streams are taken where no token or signature decides.
    pub allow: Vec<Network>,
    /// What streams and webhooks other than Twilio's have to carry as `token`; empty for none.
    pub token: String,
    /// What Twilio signs with; empty where its requests are judged by their network.
    pub twilio_auth_token: String,
    /// A stream without a message for so long is over.
    pub silence_limit: Duration,
}

/// Takes each call that began; must return at once.
pub type Taker = Arc<dyn Fn(StreamCall) + Send + Sync>;
