//! A telephone as the caller's end of a call, and the settings that telephones are answered by.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::serve::Serving;
use super::session::{Arrival, Channel};
use crate::audio::Frame;
use crate::call::{CallTime, Dtmf, HangupCause};
use crate::channel::gate::Limits;
use crate::channel::sip::{PhoneCall, SipSettings, Taker};
use crate::config::{Config, ConfigError};
use crate::wire::sdp::Codec;

/// How many calls the settings allow.
///
/// # Errors
/// A setting that does not fit.
pub fn limits(config: &Config) -> Result<Limits, ConfigError> {
    let number = |key| {
        let number = config.number(key, 1..=100_000, "a whole number from 1 to 100000")?;
        Ok::<_, ConfigError>(usize::try_from(number).unwrap_or(usize::MAX))
    };
    Ok(Limits {
        at_once: number("calls_at_once")?,
        at_once_of_source: number("calls_at_once_of_source")?,
        per_second: number("calls_per_second")?,
        per_second_of_source: number("calls_per_second_of_source")?,
    })
}

/// How long calls may go on for once the line stops.
///
/// # Errors
/// No number of seconds up to a day.
pub fn drain_patience(config: &Config) -> Result<Duration, ConfigError> {
    Ok(Duration::from_secs(config.number("drain_s", 0..=86_400, "seconds from 0 to 86400")?))
}

/// How SIP is answered; `None` where it is switched off.
///
/// # Errors
/// A setting that does not fit.
pub fn sip_settings(config: &Config) -> Result<Option<SipSettings>, ConfigError> {
    if config.get("sip_listen") == "none" {
        return Ok(None);
    }
    let udp: Option<SocketAddr> = config.get("sip_listen").parse().ok();
    let public = match config.get("sip_public_address") {
        "" => None,
        text => {
            let address: Option<IpAddr> = text.parse().ok();
            Some(address.ok_or_else(|| config.unfit("sip_public_address", "an IP address"))?)
        }
    };
    let ports = config.get("rtp_ports").split_once('-').and_then(|(first, last)| {
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first >= 1_024 && last > first).then_some((first, last))
    });
    let codecs = config.list("sip_codecs", Codec::from_name, "names from PCMU, PCMA, G722, opus")?;
    if codecs.is_empty() {
        return Err(config.unfit("sip_codecs", "at least one codec"));
    }
    let networks = "networks like 192.0.2.0/24 or addresses, with commas";
    let ring = config.number("sip_ring_ms", 0..=60_000, "milliseconds from 0 to 60000")?;
    let silence = config.number("rtp_timeout_s", 1..=3_600, "seconds from 1 to 3600")?;
    let session = config.number("session_expires_s", 90..=86_400, "seconds from 90 to 86400")?;
    Ok(Some(SipSettings {
        udp: udp
            .ok_or_else(|| config.unfit("sip_listen", "an address and port like 0.0.0.0:5060, or none"))?,
        public,
        rtp_ports: ports
            .ok_or_else(|| config.unfit("rtp_ports", "two ports like 16384-32767, from 1024 up"))?,
        codecs,
        allow: config.list("sip_allow", |part| part.parse().ok(), networks)?,
        silence_limit: Duration::from_secs(silence),
        session_expires_s: u32::try_from(session).unwrap_or(u32::MAX),
        ring: Duration::from_millis(ring),
    }))
}

/// Hands telephones' calls to a line.
pub fn taker(serving: &Arc<Serving>) -> Taker {
    let serving = Arc::clone(serving);
    Arc::new(move |call: PhoneCall| {
        let parties = call.parties().clone();
        let id = format!("call-{}", super::unique()).parse().expect("letters, digits and dashes");
        serving.take(Arrival { id, ani: parties.ani, dnis: parties.dnis }, call);
    })
}

impl Channel for PhoneCall {
    fn exchange(&mut self, now: CallTime, line: &Frame, _line_talks: bool) -> Option<Frame> {
        PhoneCall::exchange(self, now, line)
    }

    fn key(&mut self) -> Option<Dtmf> {
        PhoneCall::key(self)
    }

    fn cause(&self) -> HangupCause {
        self.ended().unwrap_or(HangupCause::Caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(flags: &[(&str, &str)]) -> Config {
        let flags: Vec<_> = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::load(None, std::iter::empty(), &flags).expect("settings")
    }

    #[test]
    fn the_defaults_are_sound_and_private() {
        let config = config(&[]);
        let settings = sip_settings(&config).expect("sound").expect("on by default");
        assert_eq!(settings.codecs, Codec::ALL);
        let allowed = |ip: &str| settings.allow.iter().any(|n| n.contains(ip.parse().expect("an address")));
        assert!(allowed("192.168.1.7") && allowed("127.0.0.1") && !allowed("203.0.113.9"));
        assert_eq!(limits(&config).expect("sound").at_once, 100);
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (key, value, told) in [
            ("sip_listen", "5060", "0.0.0.0:5060"),
            ("rtp_ports", "9000", "16384-32767"),
            ("sip_codecs", "GSM", "PCMU"),
            ("sip_allow", "everybody", "192.0.2.0/24"),
            ("session_expires_s", "30", "90"),
        ] {
            let error = sip_settings(&config(&[(key, value)])).expect_err(key).to_string();
            assert!(error.contains(told) && error.contains(key), "{error}");
        }
        assert!(sip_settings(&config(&[("sip_listen", "none")])).expect("sound").is_none());
        assert!(limits(&config(&[("calls_at_once", "0")])).is_err());
    }
}
