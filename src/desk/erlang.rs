//! Erlang's formulas for a queue: calls that come at random, handle times like an exponential distribution's,
//! equal agents, one line, and callers who never give up.
//!
//! Source: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic
//! telephone exchanges", Elektroteknikeren 13, 1917; in today's notation D. Gross et al., Fundamentals of
//! Queueing Theory, 4th edition, 2.3.

use serde::Serialize;

/// A load that such a queue is asked to bear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls an hour.
    pub calls_per_hour: f64,
    /// Mean time that a call takes an agent, in seconds, writing up included.
    pub handle_seconds: f64,
    /// Agents.
    pub agents: u32,
}

/// What Erlang C says of a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ErlangC {
    /// The load in erlangs: busy agents in the mean.
    pub erlangs: f64,
    /// The share of an agent's time that is spent on calls.
    pub occupancy: f64,
    /// The share of callers who wait at all.
    pub waiting: f64,
    /// The mean wait of all callers, those included who do not wait, in seconds.
    pub mean_wait_seconds: f64,
    handle_seconds: f64,
    agents: u32,
}

impl ErlangC {
    /// `None` where the agents cannot bear it, so that the queue grows without end, and where there is no load.
    pub fn of(load: Load) -> Option<ErlangC> {
        let Load { calls_per_hour, handle_seconds, agents } = load;
        let erlangs = calls_per_hour * handle_seconds / 3_600.0;
        let free = f64::from(agents) - erlangs;
        if !(erlangs.is_finite() && erlangs > 0.0 && free > 0.0) {
            return None;
        }
        // Erlang B by its recursion, which neither overflows nor loses digits; C follows from B.
        let blocking = (1..=agents).fold(1.0, |b, n| erlangs * b / (f64::from(n) + erlangs * b));
        let occupancy = erlangs / f64::from(agents);
        let waiting = blocking / (1.0 - occupancy * (1.0 - blocking));
        let mean_wait_seconds = waiting * handle_seconds / free;
        Some(ErlangC { erlangs, occupancy, waiting, mean_wait_seconds, handle_seconds, agents })
    }

    /// The share of callers who are answered within so many seconds.
    pub fn service_level(&self, seconds: f64) -> f64 {
        let free = f64::from(self.agents) - self.erlangs;
        1.0 - self.waiting * (-free * seconds / self.handle_seconds).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-4, "{found} is not {expected}");
    }

    /// The example that call centres are taught with: 200 calls in half an hour of 3 minutes each are 20
    /// erlangs; worked out by hand from the formula's sums with 40 digits.
    #[test]
    fn twenty_erlangs() {
        let load = |agents| Load { calls_per_hour: 400.0, handle_seconds: 180.0, agents };
        let erlang = ErlangC::of(load(24)).expect("they bear it");
        check(erlang.erlangs, 20.0);
        check(erlang.occupancy, 20.0 / 24.0);
        check(erlang.waiting, sum_of(20.0, 24));
        check(erlang.mean_wait_seconds, sum_of(20.0, 24) * 45.0);
        check(erlang.service_level(20.0), 1.0 - sum_of(20.0, 24) * (-4.0_f64 * 20.0 / 180.0).exp());
        assert_eq!(ErlangC::of(load(20)), None);
    }

    /// One agent is M/M/1, whose wait everybody knows.
    #[test]
    fn one_agent() {
        let erlang =
            ErlangC::of(Load { calls_per_hour: 30.0, handle_seconds: 60.0, agents: 1 }).expect("half");
        check(erlang.waiting, 0.5);
        check(erlang.mean_wait_seconds, 60.0);
    }

    /// The formula as Erlang wrote it, as sums.
    fn sum_of(a: f64, c: u32) -> f64 {
        let mut term = 1.0;
        let mut sum = 0.0;
        for n in 0..c {
            sum += term;
            term *= a / f64::from(n + 1);
        }
        let top = term * f64::from(c) / (f64::from(c) - a);
        top / (sum + top)
    }
}
