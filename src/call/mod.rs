//! The vocabulary of a call: times, parties, keys, and everything that travels into and out of a
//! [`Conversation`](crate::conversation::Conversation).
//!
//! Nothing here acts: no clock, no I/O, no logic beyond parsing and printing. It imports no other
//! module of the house. Read [`Event`] and [`Action`] first: they are the whole interface between
//! one conversation and the world.

mod declared_sql;

mod event;

mod handoff;

mod hearing;

mod look_up;

mod meaning;

mod party;

mod pii;

mod record;

mod time;

mod waiting;

pub use declared_sql::NumberedSql;
pub use event::{Action, Event, Fault, Note, Prompt, Query, RequestId, Row};
pub use handoff::{Handoff, HandoffReason};
pub use hearing::{Expect, Hypothesis, Recognition, Utterance};
pub use look_up::{CUSTOMER_FIELDS, LOOK_UPS, LookUpSpec, look_up_spec};
pub use meaning::{Entity, IntentName, IntentScore, Interpretation, OUT_OF_SCOPE};
pub use party::{Ani, CallId, Dnis, Dtmf, PartyError};
pub use pii::Pii;
pub use record::{
    CallRecord, Callback, CallbackReason, Disposition, HangupCause, LookUpRecord, Stage, TurnRecord,
};
pub use time::CallTime;
pub use waiting::{TimeSpan, Waiting, WayOut};
