//! All integration tests, in one binary: linking is slow.

mod calls;

mod sim;

mod tidy;
