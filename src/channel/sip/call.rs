//! One call, as the thread that drives it sees it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::media::Media;
use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame, KeyMerger, KeyWay};
use crate::call::{Ani, CallTime, Dnis, Dtmf, Fault, HangupCause, Pii};
use crate::channel::gate::Permit;
use crate::wire::sdp::Agreed;

/// Signals and commands that may wait; whoever falls so far behind is not there any more.
const QUEUE: usize = 64;

/// What signalling tells the call's thread.
pub(super) enum Signal {
    /// The peer described its side anew.
    Media(Box<Agreed>),
    /// A key by SIP INFO.
    Key(Dtmf),
    /// The call is over.
    Ended(HangupCause),
    /// The agent who was called is there, or is not; the number is the call's.
    Agent(u32, Result<Box<PhoneCall>, Fault>),
    /// What came of a REFER; the number is the hand-over's.
    Referred(u32, Result<(), Fault>),
}

/// What the call's thread wants signalled.
#[derive(Debug)]
pub(super) enum Command {
    /// End the call.
    HangUp,
    /// Call an agent.
    CallAgent {
        /// Which of the caller's calls to agents it is.
        number: u32,
        /// Their SIP URI.
        to: String,
        /// For `User-to-User`.
        context: String,
        /// Ring for so long.
        patience: Duration,
    },
    /// Call no agent any more.
    CallNobody,
    /// Send the caller to an agent.
    Refer {
        /// Which of the caller's hand-overs it is.
        number: u32,
        /// Their SIP URI.
        to: String,
        /// For `User-to-User`.
        context: String,
        /// What comes of it is waited for so long.
        patience: Duration,
        /// The line's call with that agent, which the caller's is to take the place of.
        replaces: Option<Replaces>,
    },
}

/// A dialog of the line's, as `Replaces` names it to the other end (RFC 3891, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaces {
    pub(super) call_id: String,
    /// The other end's tag.
    pub(super) to_tag: String,
    /// The line's.
    pub(super) from_tag: String,
}

/// By which means a caller gets to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The line calls the agent, briefs them, and joins the two.
    Bridge,
    /// The caller's own side calls the agent (RFC 3515).
    Refer,
    /// As a bridge; then the caller's own side takes the line's place in the call with the agent (RFC 5589), and the
    /// line is out of the way. Where it cannot, the bridge stays.
    Attended,
}

/// A caller to be handed over.
pub struct HandOver {
    /// By which means.
    pub means: Means,
    /// The agent's SIP URI.
    pub to: String,
    /// What travels as `User-to-User` (RFC 7433): a reference, nothing personal.
    pub context: String,
    /// The agent's telephone rings for so long; whoever calls it for the line may take no longer.
    pub patience: Duration,
    /// What the agent alone hears before the two are joined, 16 kHz; sent once it is rendered.
    pub briefing: Receiver<Vec<i16>>,
}

/// Where a hand-over stands.
enum Handing {
    Nobody,
    Ringing {
        briefing: Receiver<Vec<i16>>,
    },
    /// The caller's side has been asked to call the agent.
    Referring,
    Briefing {
        agent: Box<PhoneCall>,
        since: CallTime,
        briefing: Receiver<Vec<i16>>,
        samples: Option<VecDeque<i16>>,
    },
    Joined {
        agent: Box<PhoneCall>,
        since: CallTime,
    },
}

/// The signalling side's ends of a call's two queues.
pub(super) struct Control {
    pub(super) signals: SyncSender<Signal>,
    pub(super) commands: mpsc::Receiver<Command>,
}

/// Parties of a call as signalled.
#[derive(Clone, Debug)]
pub struct Parties {
    /// The caller's number, unless withheld.
    pub ani: Option<Ani>,
    /// The number dialled.
    pub dnis: Option<Dnis>,
    /// The user that the caller's telephone names, number or not.
    pub user: Option<Pii<String>>,
    /// The digit of the star code that was dialled instead of a number.
    pub star: Option<char>,
}

/// When a call ends by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    /// Once nothing has been heard of its telephone for so long.
    pub(super) silence: Duration,
    /// Once it has lasted so long.
    pub(super) longest: Duration,
}

/// A call that has been answered. Dropping it hangs up.
pub struct PhoneCall {
    parties: Parties,
    media: Media,
    signals: Receiver<Signal>,
    commands: mpsc::Sender<Command>,
    keys: VecDeque<Dtmf>,
    presses: KeyMerger,
    ended: Option<HangupCause>,
    limits: CallLimits,
    now: CallTime,
    handing: Handing,
    handed: Option<Result<(), Fault>>,
    /// By which the caller is asked to take the line's place, once it is joined to the agent: where, and the context.
    attended: Option<(String, String, Duration)>,
    /// The line's own dialog, for whoever takes its place.
    pub(super) dialog: Option<Replaces>,
    /// The caller has taken the line's place.
    replaced: bool,
    /// The caller talks to an agent through the line.
    joined: bool,
    /// Calls to agents so far.
    rung: u32,
    picked_up: bool,
    permit: Option<Permit>,
}

impl PhoneCall {
    pub(super) fn new(
        parties: Parties,
        media: Media,
        limits: CallLimits,
        permit: Option<Permit>,
    ) -> (PhoneCall, Control) {
        let (signals_in, signals) = sync_channel(QUEUE);
        let (commands, commands_out) = mpsc::channel(QUEUE);
        let call = PhoneCall {
            parties,
            media,
            signals,
            commands,
            keys: VecDeque::new(),
            presses: KeyMerger::default(),
            ended: None,
            limits,
            now: CallTime::ZERO,
            handing: Handing::Nobody,
            handed: None,
            attended: None,
            dialog: None,
            replaced: false,
            joined: false,
            rung: 0,
            picked_up: false,
            permit,
        };
        (call, Control { signals: signals_in, commands: commands_out })
    }

    /// Who calls whom.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Whether the line is too busy to listen to this caller.
    pub fn keypad_only(&self) -> bool {
        self.permit.as_ref().is_some_and(Permit::keypad_only)
    }

    /// Sends 20 ms of the line and gives 20 ms of the caller; `None` once the call is over.
    pub fn exchange(&mut self, now: CallTime, line: &Frame) -> Option<Frame> {
        self.now = now;
        self.take_signals(now);
        if self.ended.is_none() && now >= CallTime::ZERO + self.limits.longest {
            tracing::warn!("the longest call is over: see longest_call_s");
            self.hang_up(HangupCause::Line);
        }
        if self.ended.is_some() {
            return None;
        }
        self.brief(now);
        let frame = self.media.exchange(now, line);
        while let Some(key) = self.media.key() {
            self.press(now, key, KeyWay::Event);
        }
        if !self.media.is_held() && self.media.silent_for(now) >= self.limits.silence {
            tracing::info!("nothing has been heard of the caller's telephone for too long: the call ends");
            self.ended = Some(HangupCause::ChannelFailed);
            return None;
        }
        Some(frame)
    }

    /// A key, however it came.
    pub fn key(&mut self) -> Option<Dtmf> {
        self.keys.pop_front()
    }

    /// Why the call is over; `None` while it goes on.
    pub fn ended(&self) -> Option<HangupCause> {
        self.ended
    }

    /// Ends the call from the line's side.
    pub fn hang_up(&mut self, cause: HangupCause) {
        if self.ended.is_none() {
            self.ended = Some(cause);
        }
    }

    /// Begins to hand the caller over. What comes of it is told by [`PhoneCall::handed_over`].
    pub fn hand_over(&mut self, over: HandOver) {
        let HandOver { means, to, context, patience, briefing } = over;
        self.rung += 1;
        self.picked_up = false;
        self.attended = (means == Means::Attended).then(|| (to.clone(), context.clone(), patience));
        let number = self.rung;
        let (command, handing) = match means {
            Means::Bridge | Means::Attended => {
                (Command::CallAgent { number, to, context, patience }, Handing::Ringing { briefing })
            }
            Means::Refer => {
                (Command::Refer { number, to, context, patience, replaces: None }, Handing::Referring)
            }
        };
        if self.commands.try_send(command).is_err() {
            self.handed = Some(Err(Fault::Overloaded));
        } else {
            self.handing = handing;
        }
    }

    /// Hands the caller over no longer: a telephone that rings is silent, an agent who is being briefed is hung up
    /// on. Nothing is told of it.
    pub fn take_back(&mut self) {
        self.handing = Handing::Nobody;
        self.handed = None;
        self.attended = None;
        self.picked_up = false;
        // A full queue means that signalling is gone, and with it the ringing.
        let _ = self.commands.try_send(Command::CallNobody);
    }

    /// Whether the agent has picked up, and is being briefed; told once.
    pub fn picked_up(&mut self) -> bool {
        std::mem::take(&mut self.picked_up)
    }

    /// What came of a hand-over; told once.
    pub fn handed_over(&mut self) -> Option<Result<(), Fault>> {
        self.handed.take()
    }

    /// By the call's own clock.
    pub fn now(&self) -> CallTime {
        self.now
    }

    /// Once joined to an agent: carries sound both ways until one of the two hangs up, or `stopping`. `heard` gets what
    /// each 20 ms were, the caller's and what the caller heard. A caller who `stays` is not hung up when the agent goes;
    /// whether that is so is given.
    pub fn stay_joined(
        &mut self,
        stopping: &dyn Fn() -> bool,
        stays: bool,
        heard: &mut dyn FnMut(&Frame, &Frame),
    ) -> bool {
        let Handing::Joined { mut agent, since } = std::mem::replace(&mut self.handing, Handing::Nobody)
        else {
            return false;
        };
        self.joined = true;
        if let (Some((to, context, patience)), Some(dialog)) = (self.attended.take(), agent.dialog.clone()) {
            let (number, replaces) = (self.rung, Some(dialog));
            // A full queue leaves the bridge.
            let _ = self.commands.try_send(Command::Refer { number, to, context, patience, replaces });
        }
        let (began, from) = (Instant::now(), self.now);
        let mut to_caller = Frame::SILENCE;
        while !stopping() {
            let now = self.now + FRAME_DURATION;
            std::thread::sleep(now.since(from).saturating_sub(began.elapsed()));
            let Some(of_caller) = self.exchange(now, &to_caller) else { return false };
            heard(&of_caller, &to_caller);
            let at_agent = CallTime::ZERO + now.since(since);
            let Some(of_agent) = agent.exchange(at_agent, &of_caller) else {
                if !stays {
                    self.hang_up(HangupCause::Transferred);
                }
                return stays;
            };
            to_caller = of_agent;
            // Keys that came as sound are in the sound. Others are for whoever is at the other end, whose menu or
            // conference may want them; the line has no ear for them any more.
            self.keys.drain(..).for_each(|key| agent.media.press(key));
            agent.keys.drain(..).for_each(|key| self.media.press(key));
            if self.replaced {
                self.hang_up(HangupCause::Transferred);
                return false;
            }
        }
        false
    }

    /// Another 20 ms of the briefing, for the agent alone.
    fn brief(&mut self, now: CallTime) {
        let Handing::Briefing { agent, since, briefing, samples } = &mut self.handing else { return };
        if samples.is_none() {
            *samples = match briefing.try_recv() {
                Ok(pcm) => Some(pcm.into()),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(VecDeque::new()),
            };
        }
        let piece: Vec<i16> = samples
            .as_mut()
            .map(|samples| samples.drain(..samples.len().min(FRAME_SAMPLES)).collect())
            .unwrap_or_default();
        let is_over = samples.as_ref().is_some_and(VecDeque::is_empty);
        let there = agent.exchange(CallTime::ZERO + now.since(*since), &Frame::from_padded(&piece)).is_some();
        match std::mem::replace(&mut self.handing, Handing::Nobody) {
            Handing::Briefing { .. } if !there => {
                self.handed = Some(Err(Fault::Failed("the agent hung up".to_owned())));
            }
            Handing::Briefing { agent, since, .. } if is_over => {
                self.handing = Handing::Joined { agent, since };
                self.handed = Some(Ok(()));
            }
            other => self.handing = other,
        }
    }

    fn press(&mut self, now: CallTime, key: Dtmf, way: KeyWay) {
        if self.presses.is_new(now, key, way) {
            self.keys.push_back(key);
        }
    }

    fn agent(&mut self, now: CallTime, number: u32, agent: Result<Box<PhoneCall>, Fault>) {
        if number != self.rung {
            // Of an earlier hand-over: dropping the call hangs up.
            return;
        }
        match (std::mem::replace(&mut self.handing, Handing::Nobody), agent) {
            (Handing::Ringing { briefing }, Ok(agent)) => {
                self.picked_up = true;
                self.handing = Handing::Briefing { agent, since: now, briefing, samples: None };
            }
            (Handing::Ringing { .. }, Err(fault)) => self.handed = Some(Err(fault)),
            // Nobody waits for this agent any more: dropping the call hangs up.
            (before, _) => self.handing = before,
        }
    }

    fn referred(&mut self, number: u32, result: Result<(), Fault>) {
        match result {
            Ok(()) if self.joined => self.replaced = true,
            Err(fault) if self.joined => {
                tracing::info!(%fault, "the caller does not take the line's place: it stays between the two");
            }
            result if number == self.rung && matches!(self.handing, Handing::Referring) => {
                self.handing = Handing::Nobody;
                self.handed = Some(result);
            }
            // Given up on, and yet it has come about: whoever talks to the agent needs the line no more.
            Ok(()) => {
                tracing::info!("the caller has got to the agent later than was waited for");
                self.hang_up(HangupCause::Transferred);
            }
            Err(_) => {}
        }
    }

    fn take_signals(&mut self, now: CallTime) {
        loop {
            match self.signals.try_recv() {
                Ok(Signal::Media(agreed)) => self.media.renegotiate(*agreed, now),
                Ok(Signal::Key(key)) => self.press(now, key, KeyWay::Info),
                Ok(Signal::Agent(number, agent)) => self.agent(now, number, agent),
                Ok(Signal::Referred(number, result)) => self.referred(number, result),
                Ok(Signal::Ended(cause)) => self.ended = self.ended.or(Some(cause)),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = self.ended.or(Some(HangupCause::ChannelFailed));
                    return;
                }
            }
        }
    }
}

impl Drop for PhoneCall {
    fn drop(&mut self) {
        let (figures, strangers) = self.media.figures();
        tracing::info!(
            played = figures.played,
            lost = figures.lost,
            late = figures.late,
            skipped = figures.skipped,
            strangers,
            "the caller's packets"
        );
        // A full queue means that signalling is gone, and with it the call.
        let _ = self.commands.try_send(Command::HangUp);
    }
}
