//! Staying registered with a provider or a switch, so that it knows where to send calls (RFC 3261, section 10).

use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::registration::{RefreshOutcome, Registration};
use rsipstack::platform::CancellationToken;
use rsipstack::sip::Uri;
use rsipstack::transaction::endpoint::EndpointInnerRef;

/// What is asked for, in seconds; the registrar grants what it likes.
const EXPIRES_S: u32 = 600;

/// Registers again and again until `stop`, then takes the registration back.
pub(super) async fn stay_registered(
    endpoint: EndpointInnerRef,
    registrar: Uri,
    credential: Option<Credential>,
    stop: CancellationToken,
) {
    let mut registration = Registration::new(endpoint, credential);
    let mut was_there = None;
    let told = |outcome: RefreshOutcome<'_>| {
        let is_there = matches!(outcome, RefreshOutcome::Registered(_));
        if was_there == Some(is_there) {
            return;
        }
        was_there = Some(is_there);
        match outcome {
            RefreshOutcome::Registered(_) => tracing::info!("registered"),
            RefreshOutcome::Rejected(response) => {
                tracing::error!(status = %response.status_code, "the registration is refused: see sip_user, sip_password");
            }
            RefreshOutcome::Failed(error) => tracing::error!(%error, "the registrar does not answer"),
        }
    };
    registration.keep_alive(registrar, EXPIRES_S, stop, told).await;
}
