//! Star codes: what an agent dials at their own telephone to sign in, out, and to pause.
//!
//! `*1` signs in, `*2` out, `*3` pauses, `*4` is ready again. Whose telephone it is says the number or SIP user that
//! calls; that it is they, the PIN of `intents/desk.toml`, keyed in and ended by `#`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::leg::Leg;
use super::{DeskHost, Wish};
use crate::channel::sip::{Parties, PhoneCall};
use crate::desk::Agent;
use crate::host::serve::Answerer;

/// Wrong PINs in a call.
const TRIES: u32 = 3;

/// Wrong PINs of one agent after which none counts for [`LOCKED`]: a thousandth of a percent of four digits.
const MOST_WRONG: u32 = 10;

const LOCKED: Duration = Duration::from_secs(15 * 60);

/// So long a key is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Wrong PINs so far.
#[derive(Debug, Default)]
pub(super) struct Wrong(Mutex<BTreeMap<String, (u32, Instant)>>);

impl Wrong {
    fn is_locked(&self, agent: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, since)| since.elapsed() < LOCKED);
        all.get(agent).is_some_and(|(count, _)| *count >= MOST_WRONG)
    }

    fn add(&self, agent: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = all.entry(agent.to_owned()).or_insert((0, Instant::now()));
        (*count, *since) = (*count + 1, Instant::now());
    }
}

/// What a code stands for.
fn wish_of(code: char) -> Option<(Wish, &'static str)> {
    Some(match code {
        '1' => (Wish::Ready, "You are signed in."),
        '2' => (Wish::SignOut, "You are signed out."),
        '3' => (Wish::Pause, "You are on a pause."),
        '4' => (Wish::Ready, "You are ready."),
        _ => return None,
    })
}

/// Whether a caller's telephone is an agent's own.
fn is_of(agent: &Agent, parties: &Parties) -> bool {
    let rings = agent.spec.rings.as_str();
    match rings.strip_prefix("sip:").or_else(|| rings.strip_prefix("sips:")) {
        Some(rest) => {
            let user = rest.split_once('@').map(|(user, _)| user);
            user.is_some() && user == parties.user.as_ref().map(|user| user.expose().as_str())
        }
        None => {
            let digits = |number: &str| number.trim_start_matches('+').to_owned();
            parties.ani.as_ref().is_some_and(|ani| digits(ani.expose()) == digits(rings))
        }
    }
}

impl DeskHost {
    /// Holds the call of somebody who dialled a star code. Blocks.
    pub fn star_code(
        &self,
        call: PhoneCall,
        code: char,
        answerer: &dyn Answerer,
        stopping: &dyn Fn() -> bool,
    ) {
        let agent = self.plan.agents.iter().find(|agent| is_of(agent, call.parties())).cloned();
        let mut leg = Leg::new(call);
        let answer = self.star(&mut leg, agent.as_ref(), code, answerer, stopping);
        if let Some(answer) = answer {
            leg.says(answerer.speak(answer), &mut |_| stopping());
        }
    }

    /// The last words; `None` where nobody is there to hear them.
    fn star(
        &self,
        leg: &mut Leg,
        agent: Option<&Agent>,
        code: char,
        answerer: &dyn Answerer,
        stopping: &dyn Fn() -> bool,
    ) -> Option<&'static str> {
        let Some((wish, done)) = wish_of(code) else { return Some("There is no such code. Goodbye.") };
        let Some(agent) = agent else { return Some("This telephone is no agent's. Goodbye.") };
        let name = agent.spec.name.as_str();
        let Some(pin) = &agent.spec.pin else {
            return Some("You have no PIN, so you cannot sign in from a telephone. Goodbye.");
        };
        for tries in 0..TRIES {
            if self.wrong.is_locked(name) {
                tracing::warn!(agent = name, "too many wrong PINs: none counts for a while");
                return Some("There were too many wrong PINs. Please try again later. Goodbye.");
            }
            let question = if tries == 0 {
                "Please key in your PIN, and then pound."
            } else {
                "That was not right. Please key in your PIN, and then pound."
            };
            let keyed = leg.asks(answerer.speak(question), PATIENCE, stopping)?;
            if keyed == *pin {
                tracing::info!(agent = name, ?wish, "by star code");
                self.door().wants(name, wish);
                return Some(done);
            }
            self.wrong.add(name);
        }
        Some("That was not right. Goodbye.")
    }
}
