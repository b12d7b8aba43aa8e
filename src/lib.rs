#![doc = include_str!("../ARCHITECTURE.md")]

// Modules stand in the order of a call, not of the alphabet.
pub mod call;

pub mod audio;

pub mod wire;

pub mod speech;

pub mod understanding;

pub mod dialogue;

pub mod desk;

pub mod conversation;

#[cfg(feature = "engines")]
pub mod voice;

#[cfg(any(feature = "host", feature = "telephone"))]
pub mod channel;

#[cfg(feature = "store")]
pub mod store;

#[cfg(any(feature = "host", feature = "telephone"))]
pub mod config;

#[cfg(any(feature = "host", feature = "outbox", feature = "telephone"))]
pub mod host;
