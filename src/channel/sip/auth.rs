//! Callers who have to prove who they are (digest).

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rsipstack::sip::{Header, Request, StatusCode};

use super::answer::Refusal;
use super::server::{Callers, Door, SipError};
use crate::channel::gate::Network;
use crate::wire::digest::{Nonces, Proof, Users, Worth};

/// Asks callers for a proof, and judges it.
pub(super) struct Doorkeeper {
    users: Users,
    /// Networks that need no proof: a trunk that authenticates by address.
    trusted: Vec<Network>,
    nonces: Mutex<Nonces>,
    began: Instant,
}

impl Doorkeeper {
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn new(callers: &Callers) -> Result<Doorkeeper, SipError> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| SipError::Random(e.to_string()))?;
        let Callers { users, trusted } = callers.clone();
        Ok(Doorkeeper { users, trusted, nonces: Mutex::new(Nonces::new(key)), began: Instant::now() })
    }

    /// Lets a request through, or says how it is refused. A wrong password leaves the line that fail2ban reads; the
    /// first request of each call, which no telephone sends with a proof, does not.
    pub(super) fn judge(&self, request: &Request, source: IpAddr, door: &Door) -> Result<(), Refusal> {
        if self.trusted.iter().any(|network| network.contains(source)) {
            return Ok(());
        }
        let proofs = request.headers.iter().filter_map(|header| match header {
            Header::Authorization(value) => Proof::parse(value.value()),
            _ => None,
        });
        let Some(proof) = proofs.into_iter().find(|proof| self.users.is_asked(proof)) else {
            return Err(self.challenge(source, false, "no proof of who calls"));
        };
        // The password first: a proof that is wrong must not use a challenge up.
        if !self.users.know(&proof, request.method.to_string().as_str()) {
            door.log_refusal(source, "a wrong user or password");
            return Err(self.challenge(source, false, "a wrong user or password"));
        }
        let now = self.began.elapsed();
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let worth = nonces.judge(&proof.nonce, proof.count, now, source);
        drop(nonces);
        match worth {
            Worth::Good => Ok(()),
            Worth::Stale => Err(self.challenge(source, true, "an old challenge")),
            Worth::Foreign => {
                door.log_refusal(source, "a challenge that was not given to it");
                Err(self.challenge(source, true, "a challenge that was not given to it"))
            }
        }
    }

    fn challenge(&self, source: IpAddr, stale: bool, why: &str) -> Refusal {
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let nonce = nonces.issue(self.began.elapsed(), source);
        drop(nonces);
        let challenges = self.users.challenges(&nonce, stale).into_iter();
        Refusal {
            headers: challenges.map(|value| Header::WwwAuthenticate(value.into())).collect(),
            ..Refusal::new(StatusCode::Unauthorized, why)
        }
    }
}
