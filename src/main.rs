//! The command line: arguments, logging, exit codes. Everything it does is in the library.

#[cfg(feature = "host")]
mod cli;

#[cfg(feature = "host")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(feature = "host"))]
fn main() {}
