//! Who may ring, and how often: addresses, calls at once, calls a second, and what the machine still holds.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::load::{Load, LoadLimits, Room};

/// Sources remembered for their rates at most; past that, those that have been quiet are forgotten.
const SOURCES: usize = 10_000;

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a range cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is no network: expected an address or address/bits, like 192.0.2.0/24")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Network { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// Whether an address lies in it. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let leading = |a: u128, b: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => leading(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => leading(a.into(), b.into(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// How many calls there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At once, overall.
    pub at_once: usize,
    /// At once, of one source.
    pub at_once_of_source: usize,
    /// In a second, overall.
    pub per_second: usize,
    /// In a second, of one source.
    pub per_second_of_source: usize,
    /// At once, overall, that are listened to; more get the keypad menu.
    pub heard_at_once: usize,
    /// What the machine is taken to hold, by what it misses.
    pub load: LoadLimits,
}

/// Why a call is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many calls as there may be are going on.
    Busy,
    /// They come too fast.
    TooFast,
    /// The machine is late with the calls that it has.
    Overloaded,
    /// The line is about to stop.
    Closing,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Busy => "busy",
            Refused::TooFast => "too_fast",
            Refused::Overloaded => "overloaded",
            Refused::Closing => "closing",
        })
    }
}

#[derive(Debug, Default)]
struct Source {
    at_once: usize,
    second: Option<Instant>,
    in_second: usize,
}

impl Source {
    fn count_in_second(&mut self, now: Instant) -> usize {
        if self.second.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.in_second = 0;
        }
        self.in_second
    }
}

#[derive(Debug, Default)]
struct Counts {
    overall: Source,
    heard: usize,
    sources: HashMap<IpAddr, Source>,
    closing: bool,
}

/// Counts calls. One for all listeners of a line.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    counts: Mutex<Counts>,
    load: Load,
}

/// A call that was let in; its place is free again when this is dropped.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Gate>,
    source: IpAddr,
    keypad_only: bool,
}

impl Permit {
    /// Whether the caller is let in by keys alone: there is no room to listen to them.
    pub fn keypad_only(&self) -> bool {
        self.keypad_only
    }
}

impl Gate {
    /// A gate that is open.
    pub fn new(limits: Limits) -> Arc<Gate> {
        Arc::new(Gate { limits, counts: Mutex::default(), load: Load::new(limits.load) })
    }

    /// What the calls tell of the machine.
    pub fn load(&self) -> &Load {
        &self.load
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in.
    ///
    /// # Errors
    /// There are too many, they come too fast, the machine is late already, or the line is closing.
    pub fn admit(self: &Arc<Self>, source: IpAddr, now: Instant) -> Result<Permit, Refused> {
        let limits = self.limits;
        let mut counts = self.counts();
        if counts.closing {
            return Err(Refused::Closing);
        }
        if counts.sources.len() >= SOURCES {
            counts.sources.retain(|_, s| s.at_once > 0 || s.count_in_second(now) > 0);
        }
        let of_source = counts.sources.entry(source).or_default();
        let too_fast = of_source.count_in_second(now) >= limits.per_second_of_source;
        let busy = of_source.at_once >= limits.at_once_of_source;
        if too_fast || counts.overall.count_in_second(now) >= limits.per_second {
            return Err(Refused::TooFast);
        }
        if busy || counts.overall.at_once >= limits.at_once {
            return Err(Refused::Busy);
        }
        let room = self.load.room(now);
        if room == Room::None {
            return Err(Refused::Overloaded);
        }
        let keypad_only = room == Room::KeypadOnly || counts.heard >= limits.heard_at_once;
        counts.heard += usize::from(!keypad_only);
        counts.overall.at_once += 1;
        counts.overall.in_second += 1;
        let of_source = counts.sources.entry(source).or_default();
        of_source.at_once += 1;
        of_source.in_second += 1;
        Ok(Permit { gate: Arc::clone(self), source, keypad_only })
    }

    /// Calls that are going on.
    pub fn at_once(&self) -> usize {
        self.counts().overall.at_once
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.counts().closing = true;
    }

    /// Whether nobody is let in any more.
    pub fn is_closing(&self) -> bool {
        self.counts().closing
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.overall.at_once = counts.overall.at_once.saturating_sub(1);
        counts.heard = counts.heard.saturating_sub(usize::from(!self.keypad_only));
        if let Some(source) = counts.sources.get_mut(&self.source) {
            source.at_once = source.at_once.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Limits = Limits {
        at_once: 99,
        at_once_of_source: 99,
        per_second: 100,
        per_second_of_source: 100,
        heard_at_once: 99,
        load: LoadLimits {
            keypad_late_permille: 5,
            busy_late_permille: 20,
            keypad_wait: Duration::from_millis(800),
        },
    };

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn networks_hold_what_they_say() {
        let network: Network = "192.0.2.128/25".parse().expect("a network");
        assert!(network.contains(ip(200)) && !network.contains(ip(100)));
        assert!(network.contains("::ffff:192.0.2.129".parse().expect("an address")));
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.contains(ip(1)) && !all.contains("::1".parse().expect("an address")));
        assert!("192.0.2.7".parse::<Network>().expect("one").contains(ip(7)));
        for wrong in ["", "192.0.2.0/33", "here/8", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let limits = Limits { at_once: 3, at_once_of_source: 2, ..WIDE };
        let gate = Gate::new(limits);
        let now = Instant::now();
        let first = gate.admit(ip(1), now).expect("a place");
        let _second = gate.admit(ip(1), now).expect("a place");
        assert_eq!(gate.admit(ip(1), now).err(), Some(Refused::Busy), "two of one source");
        let _third = gate.admit(ip(2), now).expect("a place");
        assert_eq!(gate.admit(ip(3), now).err(), Some(Refused::Busy), "three overall");
        drop(first);
        assert_eq!(gate.at_once(), 2);
        let _fourth = gate.admit(ip(1), now).expect("a place is free");
        gate.close();
        drop(_fourth);
        assert_eq!(gate.admit(ip(1), now).err(), Some(Refused::Closing));
    }

    #[test]
    fn a_rush_is_slowed_down_for_a_second() {
        let limits = Limits { per_second: 3, per_second_of_source: 2, ..WIDE };
        let gate = Gate::new(limits);
        let now = Instant::now();
        let mut places: Vec<Permit> = (0..2).map(|_| gate.admit(ip(1), now).expect("a place")).collect();
        assert_eq!(gate.admit(ip(1), now).err(), Some(Refused::TooFast));
        places.push(gate.admit(ip(2), now).expect("another source"));
        assert_eq!(gate.admit(ip(3), now).err(), Some(Refused::TooFast));
        assert!(gate.admit(ip(1), now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn more_than_can_be_listened_to_get_the_keypad() {
        let gate = Gate::new(Limits { heard_at_once: 1, ..WIDE });
        let now = Instant::now();
        let first = gate.admit(ip(1), now).expect("a place");
        let second = gate.admit(ip(1), now).expect("a place");
        assert_eq!((first.keypad_only(), second.keypad_only()), (false, true));
        drop(second);
        assert!(gate.admit(ip(1), now).expect("a place").keypad_only(), "the first is still heard");
        drop(first);
        assert!(!gate.admit(ip(1), now).expect("a place").keypad_only());
    }

    /// A machine that falls behind more and more: callers are heard, then get the keypad, then a busy answer;
    /// once it has caught up they are heard again.
    #[test]
    fn a_machine_that_falls_behind_takes_keys_then_nobody_and_recovers() {
        let gate = Gate::new(WIDE);
        let began = Instant::now();
        let mut told = Vec::new();
        // A second each: of 100 calls' 5,000 ticks so many are late.
        for (second, late) in [0, 0, 40, 200, 400, 400, 100, 0, 0, 0, 0, 0].into_iter().enumerate() {
            let now = began + Duration::from_secs(second as u64);
            gate.load().ticked(now, 5_000, late);
            told.push(match gate.admit(ip(1), now).map(|permit| permit.keypad_only()) {
                Ok(false) => 'h',
                Ok(true) => 'k',
                Err(refused) => {
                    assert_eq!(refused, Refused::Overloaded);
                    'b'
                }
            });
        }
        assert_eq!(told.iter().collect::<String>(), "hhhkbbbbbkhh");
    }
}
