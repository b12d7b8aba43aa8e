//! An INVITE, from its first look to the end of its call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, TerminatedReason, TransactionHandle};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, Request, StatusCode, Transport};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::{Error, Result};

use super::call::{Command, Control, PhoneCall, Signal};
use super::media::{Media, MediaSockets};
use super::requests;
use super::server::Server;
use crate::call::HangupCause;
use crate::channel::gate::{Permit, Refused};
use crate::wire::sdp::{Agreed, Offer, Ours, SdpError};
use crate::wire::session_timer::{Refresher, SessionTimer};

/// Tries to end a call whose dialog is in the middle of something.
const BYE_TRIES: u32 = 10;

/// Why an INVITE is not answered, as its sender is told.
struct Refusal {
    code: StatusCode,
    headers: Vec<Header>,
    why: String,
}

impl Refusal {
    fn new(code: StatusCode, why: impl Into<String>) -> Refusal {
        Refusal { code, headers: Vec::new(), why: why.into() }
    }
}

/// The line's side of a session: what stays the same between its descriptions.
struct Session {
    own: SocketAddr,
    id: u64,
    version: u64,
    timer: SessionTimer,
    agreed: Option<Agreed>,
}

impl Session {
    fn ours(&mut self) -> Ours<'static> {
        self.version += 1;
        Ours { rtp: self.own, session: self.id, version: self.version, key: None }
    }
}

pub(super) async fn answer(server: &Arc<Server>, tx: &mut Transaction, source: IpAddr) -> Result<()> {
    match prepare(server, tx, source) {
        Ok(prepared) => take_up(server, tx, prepared).await,
        Err(refusal) => {
            tracing::info!(%source, status = %refusal.code, why = refusal.why, "an INVITE is refused");
            tx.reply_with(refusal.code, refusal.headers, None).await
        }
    }
}

struct Prepared {
    permit: Permit,
    offer: Option<(Offer, Agreed)>,
    sockets: MediaSockets,
    session: Session,
}

fn prepare(server: &Arc<Server>, tx: &Transaction, source: IpAddr) -> std::result::Result<Prepared, Refusal> {
    let request = &tx.original;
    if let Some(demands) = requests::unknown_demands(request) {
        let headers = vec![Header::Unsupported(demands.as_str().into())];
        return Err(Refusal { headers, ..Refusal::new(StatusCode::BadExtension, "an unknown extension") });
    }
    let timer = SessionTimer::answer(&requests::timer_wishes(request), server.settings.session_expires_s)
        .map_err(|least| Refusal {
            headers: requests::header("Min-SE", least.min_se_s.to_string()).into_iter().collect(),
            ..Refusal::new(StatusCode::SessionIntervalTooSmall, "too short a session")
        })?;
    // An INVITE without a body wants the line's offer, and brings its answer with the ACK.
    let offer = if request.body.is_empty() {
        None
    } else {
        let unfit = |e: SdpError| Refusal::new(StatusCode::NotAcceptableHere, e.to_string());
        let offer = Offer::parse(&request.body).map_err(unfit)?;
        let agreed = offer.agree(&server.settings.codecs).map_err(unfit)?;
        Some((offer, agreed))
    };
    let permit = server.gate.admit(source, Instant::now()).map_err(|refused| {
        let code = match refused {
            Refused::Busy => StatusCode::BusyHere,
            Refused::TooFast | Refused::Closing => StatusCode::ServiceUnavailable,
        };
        Refusal { headers: vec![Header::RetryAfter("5".into())], ..Refusal::new(code, refused.to_string()) }
    })?;
    let no_media =
        |e: std::io::Error| Refusal::new(StatusCode::ServiceUnavailable, format!("no RTP port: {e}"));
    let sockets = server.ports.open(server.bind).map_err(no_media)?;
    let own = SocketAddr::new(server.own, sockets.port().map_err(no_media)?);
    let agreed = offer.as_ref().map(|(_, agreed)| agreed.clone());
    let session = Session { own, id: random(), version: 0, timer, agreed };
    Ok(Prepared { permit, offer, sockets, session })
}

/// Hard to guess; not for keys.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() >> 1
}

async fn take_up(server: &Arc<Server>, tx: &mut Transaction, mut prepared: Prepared) -> Result<()> {
    let (states, state) = server.dialogs.new_dialog_state_channel();
    let transport = tx.connection.as_ref().map_or(Transport::Udp, |c| c.transport());
    let contact = requests::contact(server.listens, transport);
    let dialog = server.dialogs.get_or_create_server_invite(tx, states, None, Some(contact))?;
    let body = match &prepared.offer {
        Some((offer, agreed)) => offer.answer(agreed, &prepared.session.ours()),
        None => prepared.session.ours().offer(&server.settings.codecs),
    };
    let mut life = Life { server: Arc::clone(server), dialog: dialog.clone(), state };
    let invite = tx.original.clone();
    let mut handler = dialog;
    let handled = handler.handle(tx);
    let lived = life.live(invite, prepared, body);
    let (handled, ()) = tokio::join!(handled, lived);
    handled
}

/// A dialog's life, from INVITE to its end.
struct Life {
    server: Arc<Server>,
    dialog: InviteDialog,
    state: DialogStateReceiver,
}

impl Life {
    async fn live(&mut self, invite: Request, prepared: Prepared, body: String) {
        let id = self.dialog.id();
        if self.ring_and_answer(&prepared.session, body).await {
            self.talk(&invite, prepared).await;
        }
        self.server.forget(&id);
    }

    /// Rings, picks up, and waits until the caller knows it; `false` if the caller went away before.
    async fn ring_and_answer(&mut self, session: &Session, body: String) -> bool {
        let ring = self.server.settings.ring;
        if !ring.is_zero() {
            // What cannot be sent now is found out by the states below.
            let _ = self.dialog.ringing(None, None);
            let waited = tokio::time::timeout(ring, self.until_over_or_confirmed()).await;
            if waited.is_ok() {
                return false;
            }
        }
        let mut headers = vec![
            Header::ContentType("application/sdp".into()),
            requests::allow(),
            Header::Supported("timer".into()),
        ];
        headers.extend(requests::header("Session-Expires", session.timer.header()));
        if session.timer.peer_supports {
            headers.push(Header::Require("timer".into()));
        }
        if self.dialog.accept(Some(headers), Some(body.into_bytes())).is_err() {
            return false;
        }
        self.until_over_or_confirmed().await
    }

    /// Whether the dialog came to be confirmed.
    async fn until_over_or_confirmed(&mut self) -> bool {
        while let Some(state) = self.state.recv().await {
            match state {
                DialogState::Confirmed(..) => return true,
                DialogState::Terminated(..) => return false,
                _ => {}
            }
        }
        false
    }

    async fn talk(&mut self, invite: &Request, prepared: Prepared) {
        let Prepared { permit, sockets, mut session, .. } = prepared;
        if session.agreed.is_none() {
            session.agreed = self.answer_in_ack();
        }
        let Some(agreed) = session.agreed.clone() else {
            tracing::info!("the caller's ACK holds no answer that the line can use");
            return self.bye().await;
        };
        let media = Media::new(sockets, agreed, random());
        let limit = self.server.settings.silence_limit;
        let (call, control) = PhoneCall::new(requests::parties(invite), media, limit, permit);
        self.server.register(&self.dialog.id(), control.signals.clone());
        (self.server.take)(call);
        self.watch(session, control).await;
    }

    fn answer_in_ack(&self) -> Option<Agreed> {
        let ack = self.dialog.last_remote_ack()?;
        Offer::parse(&ack.body).and_then(|offer| offer.agree(&self.server.settings.codecs)).ok()
    }

    /// Until one side hangs up.
    async fn watch(&mut self, mut session: Session, mut control: Control) {
        let mut due = tokio::time::Instant::now() + session.timer.due();
        loop {
            tokio::select! {
                state = self.state.recv() => match state {
                    Some(DialogState::Updated(_, request, handle)) => {
                        due = tokio::time::Instant::now() + session.timer.due();
                        self.updated(&mut session, &request, &handle, &control).await;
                    }
                    Some(DialogState::Terminated(_, reason)) => {
                        let _ = control.signals.try_send(Signal::Ended(cause(&reason)));
                        return;
                    }
                    Some(_) => {}
                    None => return,
                },
                command = control.commands.recv() => match command {
                    Some(Command::HangUp) | None => return self.bye().await,
                },
                () = tokio::time::sleep_until(due) => {
                    if !self.refresh(&mut session).await {
                        let _ = control.signals.try_send(Signal::Ended(HangupCause::ChannelFailed));
                        return self.bye().await;
                    }
                    due = tokio::time::Instant::now() + session.timer.due();
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
            Offer::parse(&request.body).and_then(|offer| offer.agree(codecs).map(|a| Some((offer, a))))
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
    async fn refresh(&self, session: &mut Session) -> bool {
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
        let sent =
            self.dialog.reinvite(Some(headers.into_iter().flatten().collect()), Some(body.into_bytes()));
        match sent.await {
            Ok(Some(response)) => !matches!(
                response.status_code,
                StatusCode::CallTransactionDoesNotExist | StatusCode::RequestTimeout
            ),
            // In the middle of something else: that is a sign of life.
            Ok(None) => true,
            Err(error) => {
                tracing::info!(%error, "the caller's side does not answer");
                false
            }
        }
    }

    async fn bye(&self) {
        for _ in 0..BYE_TRIES {
            match self.dialog.bye().await {
                Ok(()) => return,
                Err(Error::Error(_)) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
                Err(error) => {
                    tracing::debug!(%error, "a BYE was not answered");
                    return;
                }
            }
        }
    }
}

fn cause(reason: &TerminatedReason) -> HangupCause {
    match reason {
        TerminatedReason::UacBye | TerminatedReason::UacCancel | TerminatedReason::UacBusy => {
            HangupCause::Caller
        }
        TerminatedReason::UasBye | TerminatedReason::UasDecline | TerminatedReason::UasBusy => {
            HangupCause::Line
        }
        TerminatedReason::Timeout
        | TerminatedReason::ProxyError(_)
        | TerminatedReason::ProxyAuthRequired
        | TerminatedReason::UacOther(_)
        | TerminatedReason::UasOther(_) => HangupCause::ChannelFailed,
    }
}
