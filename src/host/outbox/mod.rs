//! Tells those whom `desk.toml` names of what the store's outbox holds: by e-mail, signed webhook or a CRM.
//!
//! One thread tells one thing after another; what fails is tried again later, by the same key. Told twice is only what
//! was told in the moment before this process died: a webhook then gets the same `Idempotency-Key`, an e-mail the same
//! `Message-ID`, and the CRM is asked for the call first.

mod crm;

mod letter;

mod mail;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jiff::Timestamp;
pub use letter::Letter;
pub use mail::{MailError, MailSettings, Mailer, Security};
use tokio::runtime::Handle;

use super::webhook;
#[cfg(feature = "host")]
use crate::config::{Config, ConfigError};
use crate::desk::{DeskPlan, Means, NotifySpec};
use crate::store::{Outgoing, OutgoingState, Store, StoreError};

/// How often the outbox is looked into.
const EVERY: Duration = Duration::from_secs(2);

/// Longer than any attempt: a node that has not written by then what came of one is dead.
const LEASE: Duration = Duration::from_secs(300);

/// A mail server's longest answer: RFC 5321, section 4.5.3.2, has minutes, for servers that deliver before they answer.
#[cfg(feature = "host")]
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Why somebody was not told. Holds no caller's data.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// What is declared cannot work as it stands.
    #[error("{0}")]
    Declared(String),
    /// Another try may help.
    #[error("{0}")]
    MayPass(String),
    /// The other side has refused for good.
    #[error("{0}")]
    Refused(String),
}

/// What `mail_server` may be.
#[cfg(feature = "host")]
const SERVER: &str = "HOST:PORT, as in mail.example:587";

/// Who takes letters by these settings; `None` where nobody does.
///
/// # Errors
/// A setting that does not fit, or a `[[notify]]` by e-mail where nobody takes letters.
#[cfg(feature = "host")]
pub fn mailer(config: &Config, plan: &DeskPlan) -> Result<Option<Mailer>, ConfigError> {
    let server = config.get("mail_server");
    if server.is_empty() {
        return match plan.notify.iter().find(|target| matches!(target.means(), Some(Means::Email(_)))) {
            None => Ok(None),
            Some(target) => {
                let why =
                    format!("[[notify]] '{}' of desk.toml is told by e-mail: expected {SERVER}", target.name);
                Err(config.unfit_because("mail_server", why))
            }
        };
    }
    let parts = server.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let (host, port) = parts.ok_or_else(|| config.unfit("mail_server", SERVER))?;
    let security = match config.get("mail_tls") {
        "starttls" => Security::StartTls,
        "tls" => Security::Tls,
        "none" => Security::None,
        _ => return Err(config.unfit("mail_tls", "starttls, tls or none")),
    };
    let authority = match config.get("mail_ca") {
        "" => None,
        path => Some(std::fs::read(path).map_err(|e| config.unfit_because("mail_ca", e.to_string()))?),
    };
    let user = match config.get("mail_user") {
        "" => None,
        user => Some((user.to_owned(), config.get("mail_password").into())),
    };
    let from = config.get("mail_from").to_owned();
    let settings = MailSettings { host, port, security, user, from, authority, timeout: ANSWERED_WITHIN };
    Mailer::new(settings).map(Some).map_err(|error| {
        let key = if matches!(error, MailError::Address(_)) { "mail_from" } else { "mail_ca" };
        config.unfit_because(key, error.to_string())
    })
}

/// What tells.
pub struct Outbox {
    /// Where news are kept.
    pub store: Arc<Store>,
    /// Where the store's work runs.
    pub runtime: Handle,
    /// Who this process is among several.
    pub node: String,
    /// Who is told of what.
    pub plan: Arc<DeskPlan>,
    /// By whom letters are taken, where anybody does.
    pub mailer: Option<Mailer>,
}

/// A thread that tells. Dropping it ends it, once what is in hand is told.
pub struct Telling {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Telling {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Outbox {
    /// Tells from now on, on a thread of its own.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn open(self) -> std::io::Result<Telling> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || {
            let mut is_down = false;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let told = loop {
                    match self.tell_next(Timestamp::now()) {
                        Ok(true)
                            if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) => {}
                        Ok(_) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                };
                match told {
                    Ok(()) => is_down = false,
                    Err(error) if !is_down => {
                        is_down = true;
                        tracing::warn!(%error, "the outbox cannot be read: what is to be told waits");
                    }
                    Err(_) => {}
                }
            }
        })?;
        Ok(Telling { stop: Some(stop), thread: Some(thread) })
    }

    /// Tells what is due next; false where nothing is.
    ///
    /// # Errors
    /// Where the store does not answer, or another node has taken it meanwhile.
    pub fn tell_next(&self, now: Timestamp) -> Result<bool, StoreError> {
        let claimed = self.runtime.block_on(self.store.claim_news(&self.node, now, LEASE))?;
        let Some(news) = claimed else { return Ok(false) };
        let target = self.plan.notify.iter().find(|target| target.name == news.target);
        let Some(target) = target else {
            let why = "intents/desk.toml has no [[notify]] of that name any more";
            return self.settle(&news, OutgoingState::GivenUp, Some(why)).map(|()| true);
        };
        // What was forgotten or erased meanwhile is not told any more.
        let Some(letter) = self.runtime.block_on(Letter::of(&news, &self.store, &self.plan))? else {
            let why = "what it tells of was erased";
            return self.settle(&news, OutgoingState::GivenUp, Some(why)).map(|()| true);
        };
        let (state, error) = match self.tell(target, &letter) {
            Ok(()) => (OutgoingState::Told(now), None),
            Err(error @ TellError::MayPass(_)) if news.attempts < target.attempts => {
                let due = now.checked_add(wait(target, news.attempts)).unwrap_or(Timestamp::MAX);
                (OutgoingState::Waiting(due), Some(error))
            }
            Err(error) => (OutgoingState::GivenUp, Some(error)),
        };
        let why = error.map(|error| error.to_string());
        match (&state, &why) {
            (OutgoingState::GivenUp, Some(why)) => {
                tracing::error!(key = news.key, why, "nobody could be told: this is given up");
            }
            (_, Some(why)) => tracing::warn!(key = news.key, why, attempts = news.attempts, "told later"),
            (_, None) => tracing::info!(key = news.key, "told"),
        }
        self.settle(&news, state, why.as_deref()).map(|()| true)
    }

    fn settle(&self, news: &Outgoing, state: OutgoingState, why: Option<&str>) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.settle_news(&news.key, &self.node, state, why))
    }

    fn tell(&self, target: &NotifySpec, letter: &Letter) -> Result<(), TellError> {
        let declared = |why: &str| TellError::Declared(why.to_owned());
        match target.means().ok_or_else(|| declared("it is told by no means"))? {
            Means::Email(to) => {
                let mailer = self.mailer.as_ref().ok_or_else(|| declared("mail_server names no server"))?;
                let (subject, text) = letter.words(target).map_err(TellError::Declared)?;
                mailer.send(to, &letter.key, &subject, &text).map_err(|error| {
                    let why = error.to_string();
                    if error.may_pass() { TellError::MayPass(why) } else { TellError::Refused(why) }
                })
            }
            Means::Webhook(url) => {
                let body = letter.json(target).map_err(TellError::Declared)?;
                let timeout = Duration::from_millis(target.timeout_ms);
                webhook::post(url, target.secret_env.as_deref(), timeout, &letter.key, &body).map_err(
                    |error| {
                        let why = error.to_string();
                        if error.may_pass() { TellError::MayPass(why) } else { TellError::Refused(why) }
                    },
                )
            }
            Means::EspoCrm(url) => crm::tell(url, target, letter),
        }
    }
}

/// After so many attempts.
fn wait(target: &NotifySpec, attempts: u32) -> Duration {
    let first = Duration::from_secs(u64::from(target.retry_seconds));
    first.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}
