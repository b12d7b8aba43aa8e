//! A day of a contact centre: declared arrivals and agents through the real [`Desk`], on a simulated clock,
//! beside Erlang C's figures for the same load.
//!
//! Everything random comes from one seed, so that a day can be played again. Read [`DaySpec`] first.

mod day;

mod report;

mod spec;

pub use day::simulate;
pub use report::{DayReport, IntervalReport, QueueReport};
pub use spec::{ArrivalSpec, DayError, DaySpec, StaffSpec};

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
