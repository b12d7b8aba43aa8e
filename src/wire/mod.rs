//! What telephones send: RTP packets, encrypted or not, telephone-events, SDP, the outer shape of SIP messages, and the
//! media streams of providers and PBXs.
//!
//! Bytes in, values out; no socket is touched here and nothing fails on what a stranger sends. What cannot be
//! read is `None` or a named refusal. Read [`rtp::Packet`] first, then [`sdp::Offer`]; for streams, [`stream::StreamLeg`].

pub mod digest;

pub mod latch;

pub mod rtp;

pub mod sdes;

pub mod sdp;

pub mod session_timer;

pub mod sip;

pub mod srtp;

pub mod stream;

pub mod telephone_event;
