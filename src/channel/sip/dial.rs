//! Calls that the line makes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::{Header, StatusCode, Uri};

use super::call::{Parties, PhoneCall, Replaces};
use super::connections::reach;
use super::life::{Life, Session, hex, random};
use super::media::Media;
use super::requests;
use super::server::Server;
use crate::call::Fault;
use crate::wire::sdp::Offer;
use crate::wire::session_timer::{Refresher, SessionTimer};
use crate::wire::sip::is_header_safe;

/// Calls `to`, a SIP URI, and gives the call once it is answered. Dropping the future cancels it.
///
/// # Errors
/// Nobody answers in `patience`, the callee refuses, or its answer cannot be used.
pub(super) fn dial(server: Arc<Server>, to: String, context: String, patience: Duration) -> Dialling {
    // Boxed: a call that is made may itself make one.
    Box::pin(async move { call(&server, &to, &context, patience).await })
}

/// A call on its way to being answered.
pub(super) type Dialling = Pin<Box<dyn Future<Output = Result<PhoneCall, Fault>> + Send>>;

/// Cancels a call that nobody waits for any more.
struct Ringing(Option<InviteDialog>);

impl Drop for Ringing {
    fn drop(&mut self) {
        if let Some(dialog) = self.0.take() {
            tokio::spawn(async move {
                if let Err(error) = dialog.cancel().await {
                    tracing::debug!(%error, "a CANCEL was not answered");
                }
            });
        }
    }
}

async fn call(server: &Arc<Server>, to: &str, context: &str, patience: Duration) -> Result<PhoneCall, Fault> {
    let failed = |why: String| Fault::Failed(why);
    if !is_header_safe(to) || !is_header_safe(context) {
        return Err(failed("the address holds a line break".to_owned()));
    }
    let callee: Uri = to.try_into().map_err(|e| failed(format!("'{to}' is no SIP URI: {e}")))?;
    let deadline = tokio::time::Instant::now() + patience;
    let reached = tokio::time::timeout_at(deadline, reach(server, &callee)).await;
    let reached = reached.map_err(|_| Fault::TimedOut)?.map_err(failed)?;
    let sockets = server.ports.open(server.bind).map_err(|e| failed(format!("no RTP port: {e}")))?;
    let own = SocketAddr::new(server.own, sockets.port().map_err(|e| failed(e.to_string()))?);
    let expires_s = server.settings.session_expires_s;
    let timer = SessionTimer { expires_s, refresher: Refresher::Us, peer_supports: false };
    let transport = requests::transport_of(&callee);
    let secrecy = server.secrecy(transport).map_err(|e| failed(e.to_string()))?;
    let mut session = Session::new(own, timer, None, secrecy);
    let offer = session.ours().offer(&server.settings.codecs);
    let contact = requests::contact(server.told(transport), transport);
    let mut headers = vec![requests::allow(), Header::Supported("timer".into())];
    if !context.is_empty() {
        headers.extend(requests::header("User-to-User", format!("{};encoding=hex", hex(context))));
    }
    let (states, state) = server.dialogs.new_dialog_state_channel();
    let invited = server.dialogs.do_invite_async(
        InviteOption {
            caller: contact.clone(),
            callee,
            destination: reached.map(|reached| reached.remote),
            contact,
            offer: Some(offer.into_bytes()),
            credential: server.settings.credential(),
            headers: Some(headers),
            ..InviteOption::default()
        },
        states,
    );
    let (dialog, outcome) = invited.map_err(|e| failed(e.to_string()))?;
    let mut ringing = Ringing(Some(dialog.clone()));
    let outcome = tokio::time::timeout_at(deadline, outcome).await.map_err(|_| Fault::TimedOut)?;
    ringing.0 = None;
    let (_, response) = outcome.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
    let response = response.ok_or_else(|| failed("no answer".to_owned()))?;
    if response.status_code != StatusCode::OK {
        return Err(failed(format!("the call was answered {}", response.status_code)));
    }
    let mut life = Life { server: Arc::clone(server), dialog, state, flow: None };
    let agreed = Offer::parse_as(&response.body, session.of_answer())
        .and_then(|answer| answer.agree(&server.settings.codecs));
    let agreed = match agreed {
        Ok(agreed) => agreed,
        Err(error) => {
            tokio::spawn(async move {
                life.bye().await;
                life.server.forget(&life.dialog.id());
            });
            return Err(failed(error.to_string()));
        }
    };
    session.agreed = Some(agreed.clone());
    let media = Media::new(sockets, agreed, random(), session.key());
    let parties = Parties { ani: None, dnis: None, user: None, star: None };
    let (mut call, control) = PhoneCall::new(parties, media, server.limits(), None);
    let id = life.dialog.id();
    call.dialog = Some(Replaces { call_id: id.call_id, to_tag: id.remote_tag, from_tag: id.local_tag });
    tokio::spawn(async move {
        life.watch(session, control).await;
        life.server.forget(&life.dialog.id());
    });
    Ok(call)
}
