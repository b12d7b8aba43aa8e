//! Keeps the promises to call back: an agent is found and briefed first, then the caller's telephone rings.
//!
//! A promise is claimed in the store and held by a lease that is renewed while it is in hand: a process that dies
//! loses it, and whoever takes it next calls. It is over in the store as soon as the two are connected, so that
//! nobody is called twice about the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::bell::Bell;
use super::leg::Leg;
use super::{Arriving, DeskHost, Order, Place};
use crate::audio::{FRAME_DURATION, HoldMusic};
use crate::channel::sip::{Dialer, HandOver, Means, PhoneCall};
use crate::desk::{Callback, CallbackPlan, Caller, Event, Presence};
use crate::host::phone::{Agents, NotCalled, Outbound, briefing_of};
use crate::host::serve::Serving;
use crate::store::{Store, StoreError};

/// How often the store is asked what is due.
const EVERY: Duration = Duration::from_secs(5);

/// A promise whose node has not been heard of for so long is anybody's.
const LEASE: Duration = Duration::from_secs(90);

/// The lease is renewed so often while it is held.
const RENEWED: Duration = Duration::from_secs(30);

/// What calling back needs.
pub struct Callbacks {
    /// Where promises are kept.
    pub store: Arc<Store>,
    /// Where the store's work runs.
    pub runtime: Handle,
    /// Where calls are made.
    pub signalling: Handle,
    /// Makes them.
    pub dialer: Dialer,
    /// Whom the line may call, and when.
    pub outbound: Outbound,
    /// How agents are reached.
    pub agents: Agents,
    /// Who finds one.
    pub desk: Arc<DeskHost>,
    /// Whose voice briefs them, and where a promise that is being kept counts as a call: a line that stops lets the two
    /// finish.
    pub serving: Arc<Serving>,
    /// Who this process is among several.
    pub node: String,
}

/// Callbacks being kept. Dropping it takes no further promise in hand, and lets those go whose caller has not answered;
/// who talks goes on, as a call of the line's.
pub struct Keeping {
    bell: Arc<Bell>,
    stopping: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            self.bell.ring();
            let _ = thread.join();
        }
    }
}

/// How one attempt ended.
enum Attempt {
    /// The two talked.
    Reached,
    /// The caller did not answer.
    Missed,
    /// No agent was found, or the agent hung up: nobody has rung the caller.
    LetGo,
    /// The line may not ring the caller, or not now.
    Refused(NotCalled),
}

/// Counts a promise for as long as it lives.
struct Count(Arc<AtomicUsize>);

impl Count {
    fn of(count: &Arc<AtomicUsize>) -> Count {
        count.fetch_add(1, Ordering::Relaxed);
        Count(Arc::clone(count))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A promise in hand, by what it keeps others from.
struct InHand {
    /// Until an agent is on the line, one of those who are ready is wanted for it.
    wants_agent: Option<Count>,
    /// Until the two talk, it can be let go without anybody noticing.
    can_be_let_go: Option<Count>,
}

/// When a promise is to be let go, and when even those who talk have to end.
struct Stops<'a> {
    soon: &'a AtomicBool,
    now: &'a dyn Fn() -> bool,
}

impl Stops<'_> {
    fn soon(&self) -> bool {
        self.soon.load(Ordering::Relaxed) || (self.now)()
    }
}

impl Callbacks {
    /// Begins to keep promises, on threads of its own.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn keep(self) -> std::io::Result<Keeping> {
        let (stopping, bell) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.desk.bell));
        let stop = Arc::clone(&stopping);
        let this = Arc::new(self);
        let thread =
            std::thread::Builder::new().name("callbacks".to_owned()).spawn(move || this.run(&stop))?;
        Ok(Keeping { bell, stopping, thread: Some(thread) })
    }

    fn run(self: &Arc<Self>, stopping: &Arc<AtomicBool>) {
        let (wanted, unsettled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        while !stopping.load(Ordering::Relaxed) {
            match self.next(wanted.load(Ordering::Relaxed)) {
                Ok(Some(promise)) => {
                    let (this, soon) = (Arc::clone(self), Arc::clone(stopping));
                    let in_hand = InHand {
                        wants_agent: Some(Count::of(&wanted)),
                        can_be_let_go: Some(Count::of(&unsettled)),
                    };
                    let name = format!("callback {}", promise.call);
                    // Without a thread the lease runs out, and the promise is due again.
                    self.serving
                        .lend(&name, move |now| this.one(promise, in_hand, &Stops { soon: &soon, now }));
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the store does not say what is due"),
            }
            self.desk.bell.wait(EVERY);
        }
        // Those in hand see it too, within moments; who talks goes on.
        let deadline = Instant::now() + EVERY;
        while unsettled.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            std::thread::park_timeout(FRAME_DURATION);
        }
    }

    /// A promise that is due, where there may be an agent for it and the hour is right.
    fn next(&self, wanted: usize) -> Result<Option<Callback>, StoreError> {
        if self.outbound.is_closed(minute_of_day()) {
            return Ok(None);
        }
        self.runtime.block_on(async {
            let agents = self.store.agents().await?;
            let ready = agents.iter().filter(|agent| agent.presence == Presence::Ready).count();
            if wanted >= ready {
                return Ok(None);
            }
            let plan = CallbackPlan::of(self.desk.plan());
            self.store.claim_callback(&plan, &self.node, Timestamp::now(), LEASE).await
        })
    }

    fn one(&self, mut promise: Callback, in_hand: InHand, stops: &Stops<'_>) {
        let (call, plan) = (promise.call.clone(), CallbackPlan::of(self.desk.plan()));
        tracing::info!(%call, attempt = promise.attempts + 1, "a promise to call back is due");
        let attempt = match self.outbound.uri(&promise.number, minute_of_day()) {
            Ok(uri) => self.attempt(&mut promise, in_hand, &uri, stops),
            Err(why) => Attempt::Refused(why),
        };
        match attempt {
            // That is written already.
            Attempt::Reached => return,
            Attempt::Missed => promise.missed(&plan, Timestamp::now()),
            Attempt::LetGo => promise.let_go(&plan, Timestamp::now()),
            Attempt::Refused(why) => {
                self.report_refused(&promise, &why);
                promise.postponed(&plan, Timestamp::now());
            }
        }
        self.settle(&promise);
    }

    /// Somebody has to know that the line will not call: a person can, by `attendant desk callbacks take`.
    fn report_refused(&self, promise: &Callback, why: &NotCalled) {
        tracing::warn!(call = %promise.call, %why, "a promised callback is not the line's to place: take it by hand, or change dial_allow");
        let told = self.store.audit("callbacks", "refused", promise.call.as_str(), Timestamp::now());
        if let Err(error) = self.runtime.block_on(told) {
            tracing::warn!(call = %promise.call, %error, "the trail does not hold it");
        }
    }

    fn settle(&self, promise: &Callback) -> bool {
        let settled = self.runtime.block_on(self.store.settle_callback(promise, &self.node));
        if let Err(error) = &settled {
            // Without a word of it the lease runs out, and somebody tries again.
            tracing::warn!(call = %promise.call, %error, "what became of a callback is not kept");
        }
        settled.is_ok()
    }

    /// What is known of the call in which it was promised.
    fn caller(&self, promise: &Callback) -> (Caller, String) {
        let kept = self.runtime.block_on(self.store.record(&promise.call)).ok().flatten();
        let handoff = kept.as_ref().and_then(|kept| kept.record.handoff.clone());
        let last = self.runtime.block_on(self.store.spoken_last(&promise.number)).ok().flatten();
        // The call's own place is over: each attempt has one of its own.
        let place = format!("back-{}", crate::host::unique()).parse().expect("letters, digits and dashes");
        let known = match &handoff {
            Some(handoff) => Caller::handed_over(place, handoff),
            None => Caller::new(place, ""),
        };
        let caller = Caller {
            intent: kept.as_ref().and_then(|kept| kept.record.intent.clone()),
            dnis: kept.as_ref().and_then(|kept| kept.record.dnis.clone()),
            last,
            since: Some(promise.since),
            call_back: true,
            ..known
        };
        let about = handoff.map(|handoff| briefing_of(&handoff)).unwrap_or_default();
        (caller, format!("A callback. {about} I am calling them now."))
    }

    fn attempt(&self, promise: &mut Callback, in_hand: InHand, uri: &str, stops: &Stops<'_>) -> Attempt {
        let (caller, sentence) = self.caller(promise);
        let place = self.desk.arrive(Arriving { caller, ani: None });
        let mut ringing: Option<tokio::task::AbortHandle> = None;
        let mut renewed = Instant::now();
        loop {
            if stops.soon() || !place.is_open() {
                ringing.inspect(tokio::task::AbortHandle::abort);
                return Attempt::LetGo;
            }
            if renewed.elapsed() >= RENEWED {
                renewed = Instant::now();
                if !self.renew(promise) {
                    return Attempt::LetGo;
                }
            }
            match place.wait(Duration::from_millis(200)) {
                Some(Order::Ring { rings, patience, .. }) => {
                    let Some(to) = self.agents.uri(&rings) else {
                        place.tell(Event::Refused);
                        continue;
                    };
                    let (dialer, replies) = (self.dialer.clone(), place.replies());
                    let call = self.signalling.spawn(async move {
                        let call = dialer.dial(&to, patience).await;
                        let _ = replies.send(Order::Dialled(call.map(Box::new)));
                    });
                    ringing = Some(call.abort_handle());
                }
                Some(Order::StopRinging) => {
                    if let Some(call) = ringing.take() {
                        call.abort();
                    }
                }
                Some(Order::Dialled(Ok(agent))) if ringing.take().is_some() => {
                    place.tell(Event::PickedUp);
                    return self.with_agent(promise, in_hand, &place, *agent, (&sentence, uri), stops);
                }
                Some(Order::Dialled(Err(fault))) if ringing.take().is_some() => {
                    tracing::info!(call = %promise.call, %fault, "an agent did not answer");
                    place.tell(Event::Refused);
                }
                // Nobody is there any more who could take it.
                Some(Order::News(crate::call::Waiting::Offered { .. })) => return Attempt::LetGo,
                Some(
                    Order::Dialled(_) | Order::News(_) | Order::CallBack | Order::Kept(_) | Order::Lost(..),
                )
                | None => {}
            }
        }
    }

    fn renew(&self, promise: &Callback) -> bool {
        let renewed = self.store.renew_callback(&promise.call, &self.node, Timestamp::now(), LEASE);
        match self.runtime.block_on(renewed) {
            Ok(()) => true,
            // Somebody else has it.
            Err(StoreError::ClaimLost(_)) => false,
            // The lease is longer than two renewals: the store may come back.
            Err(error) => {
                tracing::warn!(call = %promise.call, %error, "a lease was not renewed");
                true
            }
        }
    }

    /// The agent is on the line: briefed, and joined to the caller once they answer.
    fn with_agent(
        &self,
        promise: &mut Callback,
        mut in_hand: InHand,
        place: &Place,
        agent: PhoneCall,
        (sentence, uri): (&str, &str),
        stops: &Stops<'_>,
    ) -> Attempt {
        in_hand.wants_agent = None;
        let (mut leg, answerer) = (Leg::new(agent), self.serving.answerer());
        let mut stop = |_: &mut PhoneCall| stops.soon();
        if !leg.says(answerer.speak(sentence), &mut stop) || !self.renew(promise) {
            place.tell(Event::Refused);
            return Attempt::LetGo;
        }
        place.tell(Event::Answered);
        let (_, briefing) = channel();
        leg.call.hand_over(HandOver {
            means: Means::Bridge,
            to: uri.to_owned(),
            context: promise.call.to_string(),
            patience: Duration::from_secs(u64::from(self.desk.plan().callback.ring_seconds)),
            briefing,
        });
        let mut music = HoldMusic::default();
        loop {
            if stops.soon() || !leg.exchange(&music.next_frame()) {
                return Attempt::LetGo;
            }
            match leg.call.handed_over() {
                Some(Ok(())) => break,
                Some(Err(fault)) => {
                    tracing::info!(call = %promise.call, %fault, "the caller was not reached");
                    let _ = leg.says(answerer.speak("They did not answer. Goodbye."), &mut stop);
                    return Attempt::Missed;
                }
                None => {}
            }
        }
        // Before a word is said: from here on nobody else may call.
        promise.reached();
        in_hand.can_be_let_go = None;
        if self.settle(promise) {
            tracing::info!(call = %promise.call, "a promise to call back is kept");
        }
        // Whoever is called back was not told that anything is recorded.
        leg.call.stay_joined(stops.now, false, &mut |_, _| {});
        Attempt::Reached
    }
}

/// The minute of the day where the line is.
fn minute_of_day() -> u16 {
    let now = jiff::Zoned::now();
    u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0)
}
