//! Calls by SIP and RTP, on `rsipstack`, which nothing outside this folder knows.
//!
//! [`SipServer`] listens; each call that it answers becomes a [`PhoneCall`], which one thread drives: 20 ms of
//! sound each way an exchange, keys, the end. Nothing here knows what is said.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the stack's methods and states are open lists, ours are not"
)]

mod answer;

mod call;

mod codec;

mod dial;

mod life;

mod media;

mod register;

mod requests;

mod server;

mod socket;

pub use call::{HandOver, Means, Parties, PhoneCall};
pub use media::{Media, MediaSockets, Ports};
pub use server::{Account, SipError, SipServer, SipSettings, Taker, Tls};
