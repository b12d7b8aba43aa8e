//! The command line: arguments, logging, exit codes. Everything it does is in the library.

#![cfg_attr(
    not(feature = "host"),
    expect(missing_docs, reason = "without the shells there is no command line")
)]

#[cfg(feature = "host")]
mod cli;

#[cfg(feature = "host")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(feature = "host"))]
fn main() {}
