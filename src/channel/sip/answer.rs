//! An INVITE, from its first look to the end of its call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rsipstack::Result;
use rsipstack::dialog::dialog::DialogState;
use rsipstack::sip::{Header, Request, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipConnection;

use super::call::PhoneCall;
use super::life::{Life, Session, random};
use super::media::{Media, MediaSockets};
use super::requests;
use super::server::{Server, SipError};
use crate::channel::gate::{Permit, Refused};
use crate::wire::sdp::{Agreed, Encryption, Offer, SdpError};
use crate::wire::session_timer::SessionTimer;

/// Why an INVITE is not answered, as its sender is told.
pub(super) struct Refusal {
    pub(super) code: StatusCode,
    pub(super) headers: Vec<Header>,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(code: StatusCode, why: impl Into<String>) -> Refusal {
        Refusal { code, headers: Vec::new(), why: why.into() }
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
    if let Some(doorkeeper) = &server.doorkeeper {
        doorkeeper.judge(request, source, &server.door)?;
    }
    let sdp_alone = |code, why: &str| Refusal {
        headers: vec![Header::Accept("application/sdp".into())],
        ..Refusal::new(code, why)
    };
    if !requests::is_sdp(request) {
        return Err(sdp_alone(StatusCode::UnsupportedMediaType, "a body that is no SDP"));
    }
    if !requests::accepts_sdp(request) {
        return Err(sdp_alone(StatusCode::NotAcceptable, "SDP is not wanted for an answer"));
    }
    let timer = SessionTimer::answer(&requests::timer_wishes(request), server.settings.session_expires_s)
        .map_err(|least| Refusal {
            headers: requests::header("Min-SE", least.min_se_s.to_string()).into_iter().collect(),
            ..Refusal::new(StatusCode::SessionIntervalTooSmall, "too short a session")
        })?;
    let no_random = |e: SipError| Refusal::new(StatusCode::ServerInternalError, e.to_string());
    let secrecy = server.secrecy(requests::transport(tx)).map_err(no_random)?;
    // An INVITE without a body wants the line's offer, and brings its answer with the ACK.
    let offer = if request.body.is_empty() {
        None
    } else {
        let unfit = |e: SdpError| Refusal::new(StatusCode::NotAcceptableHere, e.to_string());
        let offer = Offer::parse_as(&request.body, secrecy.of_offer()).map_err(unfit)?;
        let agreed = offer.agree(&server.settings.codecs).map_err(unfit)?;
        Some((offer, agreed))
    };
    let permit = server.gate.admit(source, Instant::now()).map_err(|refused| {
        let code = match refused {
            Refused::Busy => StatusCode::BusyHere,
            Refused::TooFast | Refused::Overloaded | Refused::Closing => StatusCode::ServiceUnavailable,
        };
        Refusal { headers: vec![Header::RetryAfter("5".into())], ..Refusal::new(code, refused.to_string()) }
    })?;
    let no_media =
        |e: std::io::Error| Refusal::new(StatusCode::ServiceUnavailable, format!("no RTP port: {e}"));
    let sockets = server.ports.open(server.bind).map_err(no_media)?;
    let own = SocketAddr::new(server.own, sockets.port().map_err(no_media)?);
    let agreed = offer.as_ref().map(|(_, agreed)| agreed.clone());
    let session = Session::new(own, timer, agreed, secrecy);
    Ok(Prepared { permit, offer, sockets, session })
}

async fn take_up(server: &Arc<Server>, tx: &mut Transaction, mut prepared: Prepared) -> Result<()> {
    let (states, state) = server.dialogs.new_dialog_state_channel();
    let transport = requests::transport(tx);
    let contact = requests::contact(server.told(transport), transport);
    let dialog = server.dialogs.get_or_create_server_invite(tx, states, None, Some(contact))?;
    let body = match &prepared.offer {
        Some((offer, agreed)) => offer.answer(agreed, &prepared.session.ours()),
        None => prepared.session.ours().offer(&server.settings.codecs),
    };
    let flow = tx.connection.as_ref().filter(|by| by.is_reliable()).and_then(SipConnection::cancel_token);
    let mut life = Life { server: Arc::clone(server), dialog: dialog.clone(), state, flow };
    let invite = tx.original.clone();
    let mut handler = dialog;
    let handled = handler.handle(tx);
    let lived = life.live(invite, prepared, body);
    let (handled, ()) = tokio::join!(handled, lived);
    handled
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
            session.agreed = self.answer_in_ack(session.of_answer());
        }
        let Some(agreed) = session.agreed.clone() else {
            tracing::info!("the caller's ACK holds no answer that the line can use");
            return self.bye().await;
        };
        let media = Media::new(sockets, agreed, random(), session.key());
        let (call, control) =
            PhoneCall::new(requests::parties(invite), media, self.server.limits(), Some(permit));
        (self.server.take)(call);
        self.watch(session, control).await;
    }

    fn answer_in_ack(&self, encryption: Encryption) -> Option<Agreed> {
        let ack = self.dialog.last_remote_ack()?;
        Offer::parse_as(&ack.body, encryption)
            .and_then(|offer| offer.agree(&self.server.settings.codecs))
            .ok()
    }
}
