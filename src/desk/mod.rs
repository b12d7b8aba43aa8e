//! What happens when the line itself is not the end of the call: who takes it, how long that is likely to
//! last, and what else is offered meanwhile.
//!
//! Declared in `intents/desk.toml`, which [`DeskPlan`] checks. [`Desk`] is the machine that queues callers and
//! rings agents: events and the time go in, actions come out. [`Callback`] and [`Voicemail`] are the ways out of
//! a queue, and [`simulate`](mod@simulate) plays a whole day beside [`erlang`]'s formulas. Several nodes share one queue by a
//! [`View`]. Nothing here dials, speaks, writes or reads a clock, and nothing knows what SIP is. Read [`Event`] and [`Action`] first.

mod agents;

mod callback;

pub mod erlang;

mod event;

mod hours;

mod machine;

mod notice;

mod plan;

mod queue;

mod routing;

mod shared;

pub mod simulate;

mod spec;

mod voicemail;

mod wait;

pub use agents::{AgentId, AgentState, AwayReason, Presence};
pub use callback::{Callback, CallbackEnd, CallbackPlan, CallbackState, Window};
pub use event::{Action, Event, Left, Outcome, WayOut};
pub use hours::Hours;
pub use machine::Desk;
pub use notice::{Happened, Means, News, NotifySpec, WrapUpSpec, WrittenUp, fill, values};
pub use plan::{Agent, DeskError, DeskPlan, Queue, Strategy, digits};
pub use queue::QueueId;
pub use routing::{Caller, Route, RouteTo, Spoken, Step};
pub use shared::{Denial, PlaceOrder, QueuePlace, Standing, View};
pub use spec::{
    AgentSpec, AnnounceSpec, CallbackSpec, CampaignSpec, DeskSpec, HandoffSpec, HoursSpec, QueueSpec,
    VoicemailSpec,
};
pub use voicemail::{Voicemail, VoicemailAction, VoicemailEnd, VoicemailEvent};
pub use wait::Estimate;
