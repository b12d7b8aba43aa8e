//! Staying registered with a provider or a switch, so that it knows where to send calls (RFC 3261, section 10).

use std::sync::Arc;
use std::time::Duration;

use rsipstack::dialog::registration::{Registration, backoff_interval, refresh_interval};
use rsipstack::platform::CancellationToken;
use rsipstack::sip::{Auth, Header, Response, StatusCodeKind, Uri, typed};
use rsipstack::transport::SipAddr;
use tokio::time::{sleep, timeout};

use super::connections::{Reached, reach};
use super::requests;
use super::server::Server;

/// What is asked for, in seconds; the registrar grants what it likes.
const EXPIRES_S: u32 = 600;

/// A line that stops waits so long for the registrar to hear of it.
const LEAVE: Duration = Duration::from_secs(2);

/// Registers again and again until `stop`, then takes the registration back.
pub(super) async fn stay_registered(server: Arc<Server>, registrar: Uri, stop: CancellationToken) {
    let endpoint = server.endpoint.clone();
    let registration = Registration::new(endpoint, server.settings.credential());
    let mut registering = Registering { server, registrar, registration };
    let (mut was_there, mut failures) = (None, 0);
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => break,
            outcome = registering.register(EXPIRES_S) => outcome,
        };
        let is_there = matches!(&outcome, Ok(response) if is_success(response));
        failures = if is_there { 0 } else { failures + 1 };
        if was_there.replace(is_there) != Some(is_there) {
            match &outcome {
                Ok(_) if is_there => tracing::info!("registered"),
                Ok(response) => {
                    tracing::error!(status = %response.status_code, "the registration is refused: see sip_user, sip_password");
                }
                Err(why) => tracing::error!(why, "the registrar does not answer"),
            }
        }
        let granted = registering.registration.granted_expires.filter(|granted| *granted > 0);
        let pause = match failures {
            0 => refresh_interval(granted.unwrap_or(EXPIRES_S)),
            failures => backoff_interval(failures - 1),
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(registering.server.lasting(pause)) => {}
        }
    }
    if was_there == Some(true) {
        let patience = registering.server.lasting(LEAVE);
        if !matches!(timeout(patience, registering.register(0)).await, Ok(Ok(response)) if is_success(&response))
        {
            tracing::warn!("the registrar does not know that the line has stopped");
        }
    }
}

fn is_success(response: &Response) -> bool {
    response.status_code.kind() == StatusCodeKind::Successful
}

struct Registering {
    server: Arc<Server>,
    registrar: Uri,
    registration: Registration,
}

impl Registering {
    /// Registers once, for so many seconds.
    ///
    /// # Errors
    /// The registrar cannot be reached or does not answer: in words.
    async fn register(&mut self, expires_s: u32) -> Result<Response, String> {
        if let Some(reached) = reach(&self.server, &self.registrar).await? {
            self.goes_by(&reached)?;
        }
        let registered = self.registration.register(self.registrar.clone(), Some(expires_s)).await;
        registered.map_err(|e| e.to_string())
    }

    /// To the stack a connection's address is that of its far end: what stands for the line has to be said.
    fn goes_by(&mut self, Reached { remote, local }: &Reached) -> Result<(), String> {
        let transport = remote.r#type.unwrap_or_default();
        self.registration.outbound_proxy = Some(remote.get_socketaddr().map_err(|e| e.to_string())?);
        let own = SipAddr { r#type: Some(transport), addr: self.server.told(transport).into() };
        let via = self.server.endpoint.get_via(Some(own), None).map_err(|e| e.to_string())?;
        self.registration.extra_headers = vec![Header::Via(via.into())];
        // Where nobody can connect to the line, calls come by this connection.
        let listens = self.server.listens_by(transport).or(*local);
        let mut uri = requests::contact(listens.unwrap_or_else(|| self.server.told(transport)), transport);
        if let Some(account) = &self.server.settings.account {
            uri.auth = Some(Auth { user: account.user.clone(), password: None });
        }
        self.registration.contact = Some(typed::Contact { display_name: None, uri, params: Vec::new() });
        Ok(())
    }
}
