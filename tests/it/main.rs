//! All integration tests, in one binary: linking is slow.

#[cfg(feature = "telephone")]
mod asterisk;

#[cfg(feature = "host")]
mod barge_in;

mod calls;

#[cfg(feature = "host")]
mod command_line;

mod keypad;

mod mistakes;

#[cfg(feature = "telephone")]
mod phone;

mod secret;

mod sim;
mod spoken;

#[cfg(feature = "telephone")]
mod streams;

mod tidy;

#[cfg(feature = "host")]
mod whole_line;
