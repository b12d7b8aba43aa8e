//! A WebSocket or a plain one, as a source of messages.

use axum::extract::ws;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wire::stream::Message;

/// Bytes read from a plain socket at once.
const PIECE: usize = 4_096;

/// See the module.
pub(super) enum Socket {
    Web(Box<ws::WebSocket>),
    Plain(TcpStream),
}

impl Socket {
    /// The next message; `None` once the peer is gone. Safe to drop half-way.
    pub(super) async fn recv(&mut self) -> Option<Message> {
        match self {
            Socket::Web(socket) => loop {
                match socket.recv().await?.ok()? {
                    ws::Message::Text(text) => return Some(Message::Text(text.as_str().to_owned())),
                    ws::Message::Binary(bytes) => return Some(Message::Binary(bytes.into())),
                    ws::Message::Ping(_) | ws::Message::Pong(_) => {}
                    ws::Message::Close(_) => return None,
                }
            },
            Socket::Plain(socket) => {
                let mut piece = vec![0; PIECE];
                let read = socket.read(&mut piece).await.ok().filter(|n| *n > 0)?;
                piece.truncate(read);
                Some(Message::Binary(piece))
            }
        }
    }

    /// Whether the message got away.
    pub(super) async fn send(&mut self, message: Message) -> bool {
        match (self, message) {
            (Socket::Web(socket), Message::Text(text)) => {
                socket.send(ws::Message::Text(text.into())).await.is_ok()
            }
            (Socket::Web(socket), Message::Binary(bytes)) => {
                socket.send(ws::Message::Binary(bytes.into())).await.is_ok()
            }
            (Socket::Plain(socket), Message::Binary(bytes)) => socket.write_all(&bytes).await.is_ok(),
            (Socket::Plain(_), Message::Text(_)) => true,
        }
    }

    pub(super) async fn close(self) {
        match self {
            Socket::Web(mut socket) => {
                let _ = socket.send(ws::Message::Close(None)).await;
            }
            Socket::Plain(mut socket) => {
                let _ = socket.shutdown().await;
            }
        }
    }
}
