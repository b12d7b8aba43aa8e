//! The UDP socket that SIP comes in by, with the screen in front of the stack.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::platform::net::UdpSocket as Socket;
use rsipstack::{Error, Result};
use tokio::net::UdpSocket;

use super::server::Door;
use crate::wire::sip::{Verdict, respelled, screen};

/// Hands on what the screen lets pass; answers or drops the rest by itself.
pub(super) struct ScreenedSocket {
    inner: UdpSocket,
    door: Arc<Door>,
}

impl ScreenedSocket {
    pub(super) fn new(inner: UdpSocket, door: Arc<Door>) -> ScreenedSocket {
        ScreenedSocket { inner, door }
    }
}

#[async_trait::async_trait]
impl Socket for ScreenedSocket {
    async fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr)> {
        loop {
            let (length, source) = self.inner.recv_from(buf).await?;
            match screen(&buf[..length]) {
                Verdict::Pass(length) => {
                    let Some(plain) = respelled(&buf[..length]) else { return Ok((length, source)) };
                    // What does not fit any more is read, or not, as it came.
                    if let Some(room) = buf.get_mut(..plain.len()) {
                        room.copy_from_slice(&plain);
                        return Ok((plain.len(), source));
                    }
                    return Ok((length, source));
                }
                Verdict::KeepAlive { ping: true } => {
                    // RFC 5626, section 4.4.1. A pong that is lost is asked for again.
                    let _ = self.inner.send_to(b"\r\n", source).await;
                }
                Verdict::KeepAlive { ping: false } => {}
                Verdict::Refuse { why, answer } => {
                    self.door.log_refusal(source.ip(), why);
                    if let Some(answer) = answer.filter(|_| self.door.is_allowed(source.ip())) {
                        let _ = self.inner.send_to(&answer, source).await;
                    }
                }
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> Result<usize> {
        Ok(self.inner.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.inner.local_addr().map_err(|e| Error::Error(e.to_string()))
    }
}
