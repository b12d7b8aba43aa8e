//! What telephones send: RTP packets, telephone-events, SDP, and the outer shape of SIP messages.
//!
//! Bytes in, values out; no socket is touched here and nothing fails on what a stranger sends. What cannot be
//! read is `None` or a named refusal. Read [`rtp::Packet`] first, then [`sdp::Offer`].

pub mod latch;

pub mod rtp;

pub mod sdp;

pub mod session_timer;

pub mod sip;

pub mod telephone_event;
