//! A session from its confirmation to its end, whichever side began it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::Error;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason, TransactionHandle};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::prelude::HeadersExt as _;
use rsipstack::sip::{Header, ReferTo, Request, StatusCode, StatusCodeKind, ToTypedHeader as _, typed};
use rsipstack::transaction::key::TransactionRole;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::call::{Command, Control, Replaces, Signal};
use super::connections::reach;
use super::dial::dial;
use super::refer::Referrals;
use super::requests;
use super::server::{Ends, Server};
use crate::call::{Fault, HangupCause};
use crate::wire::sdp::{Agreed, Encryption, Offer, Ours};
use crate::wire::session_timer::{Refresher, SessionTimer};
use crate::wire::sip::is_header_safe;
use crate::wire::srtp::Key;

/// Tries to end a call whose dialog is in the middle of something.
const BYE_TRIES: u32 = 10;

/// Words about a transfer's progress that may wait.
const NOTIFICATIONS: usize = 16;

/// The line's side of a session: what stays the same between its descriptions.
pub(super) struct Session {
    own: SocketAddr,
    id: u64,
    version: u64,
    pub(super) timer: SessionTimer,
    pub(super) agreed: Option<Agreed>,
    secrecy: Secrecy,
}

/// Whether a call's sound may be encrypted, and by which key the line does.
#[derive(Clone, Copy)]
pub(super) struct Secrecy {
    /// `None` where it may not: nothing could tell the peer a key but what others read.
    pub(super) key: Option<Key>,
    /// The line offers it before anything is agreed on.
    pub(super) offers: bool,
}

impl Secrecy {
    /// What an offer of the peer's may ask for.
    pub(super) fn of_offer(&self) -> Encryption {
        if self.key.is_some() { Encryption::Possible } else { Encryption::Never }
    }
}

impl Session {
    pub(super) fn new(
        own: SocketAddr,
        timer: SessionTimer,
        agreed: Option<Agreed>,
        secrecy: Secrecy,
    ) -> Session {
        Session { own, id: random(), version: 0, timer, agreed, secrecy }
    }

    /// The line's side for the next description.
    pub(super) fn ours(&mut self) -> Ours {
        self.version += 1;
        let key = self.secrecy.key.filter(|_| self.is_encrypted());
        Ours { rtp: self.own, session: self.id, version: self.version, key }
    }

    /// The key that the line encrypts by, where it may.
    pub(super) fn key(&self) -> Option<&Key> {
        self.secrecy.key.as_ref()
    }

    fn is_encrypted(&self) -> bool {
        self.agreed.as_ref().map_or(self.secrecy.offers, |agreed| agreed.crypto.is_some())
    }

    /// What an answer to the line's offer has to hold.
    pub(super) fn of_answer(&self) -> Encryption {
        if self.is_encrypted() { Encryption::Demanded } else { Encryption::Never }
    }
}

/// Hard to guess; not for keys.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() >> 1
}

/// Text as RFC 7433's hexadecimal data.
pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

/// A header's value as a URI's header parameter has it (RFC 3261, section 25.1: all but unreserved is escaped).
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A dialog's life.
pub(super) struct Life {
    pub(super) server: Arc<Server>,
    pub(super) dialog: InviteDialog,
    pub(super) state: DialogStateReceiver,
    /// The connection that the call came by, cancelled once it is closed.
    pub(super) flow: Option<CancellationToken>,
}

impl Life {
    /// Until one side hangs up.
    pub(super) async fn watch(&mut self, mut session: Session, mut control: Control) {
        let (notifying, mut notified) = mpsc::channel(NOTIFICATIONS);
        let ends = Ends { signals: control.signals.clone(), notified: notifying };
        self.server.register(&self.dialog.id(), ends);
        // An agent being called; dropped with this function, which cancels the call.
        let mut agents = JoinSet::new();
        let server = Arc::clone(&self.server);
        let due_after = |session: &Session| tokio::time::Instant::now() + server.lasting(session.timer.due());
        let mut due = due_after(&session);
        let mut referrals = Referrals::default();
        loop {
            let given_up = referrals.given_up();
            tokio::select! {
                state = self.state.recv() => match state {
                    Some(DialogState::Updated(_, request, handle)) => {
                        due = due_after(&session);
                        self.updated(&mut session, &request, &handle, &control).await;
                    }
                    Some(DialogState::Terminated(_, reason)) => {
                        let _ = control.signals.try_send(Signal::Ended(cause(&reason, self.dialog.role())));
                        return;
                    }
                    Some(_) => {}
                    None => return,
                },
                command = control.commands.recv() => match command {
                    Some(Command::HangUp) | None => return self.bye().await,
                    Some(Command::CallAgent { number, to, context, patience }) => {
                        let server = Arc::clone(&self.server);
                        let patience = server.lasting(patience);
                        agents.spawn(async move { (number, dial(server, to, context, patience).await) });
                    }
                    Some(Command::CallNobody) => agents.abort_all(),
                    Some(Command::Refer { number, to, context, patience, replaces }) => {
                        match self.refer(&to, &context, replaces.as_ref()).await {
                            Ok(sequence) => {
                                let until = tokio::time::Instant::now() + server.lasting(patience);
                                referrals.add(number, sequence, until);
                            }
                            Err(fault) => {
                                let _ = control.signals.try_send(Signal::Referred(number, Err(fault)));
                            }
                        }
                    }
                },
                Some(agent) = agents.join_next() => {
                    // Who was called off is waited for by nobody.
                    let Ok((number, agent)) = agent else { continue };
                    let _ = control.signals.try_send(Signal::Agent(number, agent.map(Box::new)));
                },
                Some(notified) = notified.recv() => {
                    if let Some((number, result)) = referrals.handle_notify(&notified) {
                        let _ = control.signals.try_send(Signal::Referred(number, result));
                    }
                },
                number = given_up => {
                    referrals.give_up();
                    let _ = control.signals.try_send(Signal::Referred(number, Err(Fault::TimedOut)));
                },
                () = tokio::time::sleep_until(due) => {
                    if !self.refresh(&mut session, &control).await {
                        let _ = control.signals.try_send(Signal::Ended(HangupCause::ChannelFailed));
                        return self.bye().await;
                    }
                    due = due_after(&session);
                }
            }
        }
    }

    /// A re-INVITE: hold, another address, another codec, or only a sign of life.
    async fn updated(
        &self,
        session: &mut Session,
        request: &Request,
        handle: &TransactionHandle,
        control: &Control,
    ) {
        let codecs = &self.server.settings.codecs;
        let read = if request.body.is_empty() {
            Ok(None)
        } else {
            Offer::parse_as(&request.body, session.secrecy.of_offer())
                .and_then(|offer| offer.agree(codecs).map(|a| Some((offer, a))))
        };
        let body = match read {
            Ok(Some((offer, agreed))) => {
                session.agreed = Some(agreed.clone());
                let body = offer.answer(&agreed, &session.ours());
                let _ = control.signals.try_send(Signal::Media(Box::new(agreed)));
                body
            }
            Ok(None) => session.ours().offer(codecs),
            Err(_) => {
                // The session goes on as it was (RFC 3261, section 14.2).
                let _ = handle.reply(StatusCode::NotAcceptableHere).await;
                return;
            }
        };
        let mut headers = vec![Header::ContentType("application/sdp".into()), requests::allow()];
        headers.extend(requests::header("Session-Expires", session.timer.header()));
        let _ = handle.respond(StatusCode::OK, Some(headers), Some(body.into_bytes())).await;
    }

    /// A session timer is due. `false` if the peer is gone.
    async fn refresh(&self, session: &mut Session, control: &Control) -> bool {
        if session.timer.refresher == Refresher::Them {
            tracing::info!("the caller's side did not refresh the session: the call ends");
            return false;
        }
        let codec: Vec<_> = session.agreed.iter().map(|agreed| agreed.codec).collect();
        let body = session.ours().offer(&codec);
        let headers = [
            Some(Header::ContentType("application/sdp".into())),
            requests::header("Session-Expires", session.timer.header()),
        ];
        self.reach().await;
        let sent =
            self.dialog.reinvite(Some(headers.into_iter().flatten().collect()), Some(body.into_bytes()));
        match sent.await {
            Ok(Some(response)) => {
                // The answer may move the sound as any other does.
                let codecs = &self.server.settings.codecs;
                let agreed = Offer::parse_as(&response.body, session.of_answer())
                    .and_then(|answer| answer.agree(codecs));
                if let Ok(agreed) = agreed
                    && response.status_code.kind() == StatusCodeKind::Successful
                    && session.agreed.as_ref() != Some(&agreed)
                {
                    session.agreed = Some(agreed.clone());
                    let _ = control.signals.try_send(Signal::Media(Box::new(agreed)));
                }
                !matches!(
                    response.status_code,
                    StatusCode::CallTransactionDoesNotExist | StatusCode::RequestTimeout
                )
            }
            // In the middle of something else: that is a sign of life.
            Ok(None) => true,
            Err(error) => {
                tracing::info!(%error, "the caller's side does not answer");
                false
            }
        }
    }

    /// Sees to it that what goes to the peer, and what comes back, goes by a connection of ours. Where that fails, so does
    /// what is about to be sent.
    async fn reach(&self) {
        if self.flow.as_ref().is_some_and(|flow| !flow.is_cancelled()) {
            return;
        }
        let known = self.dialog.snapshot();
        let route = known.route_set.first().and_then(|route| route.typed().ok()).map(|route| route.uri);
        let contact = || Some(typed::Contact::parse(known.remote_contact.as_ref()?.value()).ok()?.uri);
        let hop = route.or_else(contact).unwrap_or(known.remote_uri);
        if let Err(why) = reach(&self.server, &hop).await {
            tracing::info!(why, "a call's other side is not reached any more");
        }
    }

    /// Asks the caller's side to call the agent. Gives the request's number in the dialog, which names what comes of it.
    async fn refer(&self, to: &str, context: &str, replaces: Option<&Replaces>) -> Result<u32, Fault> {
        let failed = |why: &str| Fault::Failed(why.to_owned());
        if !is_header_safe(to) || to.contains(['<', '>', '?']) {
            return Err(failed("the agent's address is none"));
        }
        let replaces = replaces.map(|dialog| {
            let Replaces { call_id, to_tag, from_tag } = dialog;
            let escaped = escaped(&format!("{call_id};to-tag={to_tag};from-tag={from_tag}"));
            format!("&Replaces={escaped}")
        });
        let replaces = replaces.unwrap_or_default();
        let target = format!("<{to}?User-to-User={}%3Bencoding%3Dhex{replaces}>", hex(context));
        self.reach().await;
        match self.dialog.refer(ReferTo::from(target), None, None).await {
            Ok(Some(response)) if response.status_code.kind() == StatusCodeKind::Successful => {
                response.cseq_header().and_then(|cseq| cseq.seq()).map_err(|e| Fault::Failed(e.to_string()))
            }
            Ok(Some(response)) => Err(Fault::Failed(format!("REFER was answered {}", response.status_code))),
            Ok(None) => Err(failed("the call is in the middle of something")),
            Err(error) => Err(Fault::Failed(error.to_string())),
        }
    }

    pub(super) async fn bye(&self) {
        self.reach().await;
        for _ in 0..BYE_TRIES {
            match self.dialog.bye().await {
                Ok(()) => return,
                Err(Error::Error(_)) => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(error) => {
                    tracing::debug!(%error, "a BYE was not answered");
                    return;
                }
            }
        }
    }
}

/// Who ended it. Of a call that the line made, the caller's side is the line's own.
fn cause(reason: &TerminatedReason, role: TransactionRole) -> HangupCause {
    let ours = match reason {
        TerminatedReason::UacBye | TerminatedReason::UacCancel | TerminatedReason::UacBusy => {
            role == TransactionRole::Client
        }
        TerminatedReason::UasBye | TerminatedReason::UasDecline | TerminatedReason::UasBusy => {
            role == TransactionRole::Server
        }
        TerminatedReason::Timeout
        | TerminatedReason::ProxyError(_)
        | TerminatedReason::ProxyAuthRequired
        | TerminatedReason::UacOther(_)
        | TerminatedReason::UasOther(_) => return HangupCause::ChannelFailed,
    };
    if ours { HangupCause::Line } else { HangupCause::Caller }
}
