//! From a socket to a call's thread and back.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Taker;
use super::call::{Outgoing, StreamCall};
use super::hand_over::HandOvers;
use super::socket::Socket;
use crate::channel::gate::Permit;
use crate::wire::stream::{Dialect, Message, StreamLeg};

/// A stream that has not said who calls by then is none.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);

/// What a peer holds of the line's last words is played within this time; peers that do not say so are not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A peer that does not take a message within this time is gone.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Messages that may wait on either side: more than five seconds of sound.
const QUEUE: usize = 256;

/// Why a stream came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoCall {
    /// It never said who calls.
    NeverBegan,
}

/// Carries one stream to its end.
///
/// # Errors
/// It was no call.
pub(super) async fn carry(
    mut socket: Socket,
    dialect: Box<dyn Dialect>,
    silence_limit: Duration,
    hand_overs: Option<Arc<HandOvers>>,
    permit: Permit,
    take: &Taker,
) -> Result<(), NoCall> {
    let mut leg = StreamLeg::new(dialect);
    let deadline = Instant::now() + BEGIN_WITHIN;
    while leg.start().is_none() {
        match timeout_at(deadline, socket.recv()).await {
            Ok(Some(message)) if !leg.is_ended() => leg.handle_message(&message),
            Ok(_) | Err(_) => return Err(NoCall::NeverBegan),
        }
    }
    let (to_call, from_peer) = sync_channel(QUEUE);
    let (to_peer, from_call) = mpsc::channel(QUEUE);
    take(StreamCall::new(leg, from_peer, to_peer, silence_limit, hand_overs, permit));
    if let Some(leg) = exchange(&mut socket, to_call, from_call).await {
        say_last_words(&mut socket, *leg).await;
    }
    socket.close().await;
    Ok(())
}

/// Until one side ends; gives the leg back where it was the line.
async fn exchange(
    socket: &mut Socket,
    to_call: SyncSender<Message>,
    mut from_call: mpsc::Receiver<Outgoing>,
) -> Option<Box<StreamLeg>> {
    loop {
        tokio::select! {
            message = socket.recv() => {
                // A call that does not read has its own trouble; sound must not pile up here.
                let _ = to_call.try_send(message?);
            }
            outgoing = from_call.recv() => match outgoing? {
                Outgoing::Message(message) => {
                    if !timeout(SEND_WITHIN, socket.send(message)).await.unwrap_or(false) {
                        return None;
                    }
                }
                Outgoing::End(leg) => return Some(leg),
            }
        }
    }
}

async fn say_last_words(socket: &mut Socket, mut leg: StreamLeg) {
    let deadline = Instant::now() + LAST_WORDS;
    while !leg.is_played() && !leg.is_ended() {
        match timeout_at(deadline, socket.recv()).await {
            Ok(Some(message)) => leg.handle_message(&message),
            Ok(None) => return,
            Err(_) => break,
        }
    }
    if let Some(message) = leg.last_message() {
        let _ = timeout(SEND_WITHIN, socket.send(message)).await;
    }
}
