//! A provider's stream as the caller's end of a call, and the settings that streams are answered by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::phone::Agents;
use super::serve::Serving;
use super::session::{Arrival, Channel};
use crate::audio::Frame;
use crate::call::{CallTime, Dtmf, Event, Fault, Handoff, HangupCause, RequestId};
use crate::channel::streams::{StreamCall, StreamSettings, Taker};
use crate::config::{Config, ConfigError};

/// How streams are answered; `None` where all are switched off.
///
/// # Errors
/// A setting that does not fit.
pub fn stream_settings(config: &Config) -> Result<Option<StreamSettings>, ConfigError> {
    let (http, audiosocket) = (address(config, "streams_listen")?, address(config, "audiosocket_listen")?);
    if http.is_none() && audiosocket.is_none() {
        return Ok(None);
    }
    let public_url = config.get("streams_public_url").trim_end_matches('/');
    let is_url = public_url.starts_with("https://") || public_url.starts_with("http://");
    let is_plain = public_url.chars().all(|c| c.is_ascii_graphic() && !"?#\"<>".contains(c));
    if http.is_some() && !(is_url && is_plain) {
        return Err(config.unfit(
            "streams_public_url",
            "the URL by which providers reach the line, like https://line.example.com",
        ));
    }
    let token = config.get("streams_token");
    if !token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c)) {
        return Err(config.unfit("streams_token", "letters, digits and -_.~ only: it travels in URLs"));
    }
    let networks = "networks like 192.0.2.0/24 or addresses, with commas";
    let silence = config.number("rtp_timeout_s", 1..=3_600, "seconds from 1 to 3600")?;
    Ok(Some(StreamSettings {
        http,
        audiosocket,
        public_url: public_url.to_owned(),
        allow: config.list("streams_allow", |part| part.parse().ok(), networks)?,
        token: token.to_owned(),
        twilio_auth_token: config.get("twilio_auth_token").to_owned(),
        silence_limit: Duration::from_secs(silence),
    }))
}

pub(super) fn address(config: &Config, key: &'static str) -> Result<Option<SocketAddr>, ConfigError> {
    match config.get(key) {
        "none" => Ok(None),
        text => {
            let address = text.parse().ok();
            Ok(Some(
                address.ok_or_else(|| config.unfit(key, "an address and port like 0.0.0.0:8080, or none"))?,
            ))
        }
    }
}

/// Hands streams' calls to a line.
pub fn taker(serving: &Arc<Serving>, agents: Agents) -> Taker {
    let serving = Arc::clone(serving);
    Arc::new(move |call: StreamCall| {
        let start = call.start().clone();
        let id = format!("call-{}", super::unique()).parse().expect("letters, digits and dashes");
        tracing::info!(call = %id, provider_call = start.call, "a stream begins");
        let caller = StreamCaller { call, agents: agents.clone(), transfer: None };
        let keypad_only = caller.call.keypad_only();
        serving.take(Arrival { id, ani: start.ani, dnis: start.dnis, keypad_only }, caller);
    })
}

/// A provider's stream as the caller's end.
///
/// A stream has no way to a person itself. Where whoever carries the call asks where it goes on to, the line hangs up and
/// they send the caller on; elsewhere nobody can be reached, and the dialogue goes on from there.
struct StreamCaller {
    call: StreamCall,
    agents: Agents,
    transfer: Option<Event>,
}

impl Channel for StreamCaller {
    fn exchange(&mut self, _now: CallTime, line: &Frame, line_talks: bool) -> Option<Frame> {
        self.call.exchange(line, line_talks)
    }

    fn key(&mut self) -> Option<Dtmf> {
        self.call.key()
    }

    fn cause(&self) -> HangupCause {
        self.call.cause()
    }

    fn flush(&mut self) {
        self.call.flush();
    }

    fn transfer(&mut self, id: RequestId, handoff: &Handoff) -> bool {
        let failed = |why: &str| Event::TransferFailed { id, fault: Fault::Failed(why.to_owned()) };
        self.transfer = Some(match self.agents.telephone(&handoff.skill) {
            None => failed("no agent's telephone is set"),
            Some(to) if self.call.hand_over(to) => Event::Transferred { id },
            Some(_) => failed("this stream has no way to a person"),
        });
        true
    }

    fn transferred(&mut self) -> Option<Event> {
        self.transfer.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(flags: &[(&str, &str)]) -> Result<Option<StreamSettings>, ConfigError> {
        let flags: Vec<_> = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        stream_settings(&Config::load(None, std::iter::empty(), &flags).expect("settings"))
    }

    #[test]
    fn streams_are_off_until_somebody_wants_them() {
        assert!(settings(&[]).expect("sound").is_none());
        let on = [("streams_listen", "127.0.0.1:8080"), ("streams_public_url", "https://line.example/")];
        let on = settings(&on).expect("sound").expect("on");
        assert_eq!(on.public_url, "https://line.example");
        assert!(settings(&[("audiosocket_listen", "127.0.0.1:9092")]).expect("sound").is_some());
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        let http = ("streams_listen", "127.0.0.1:8080");
        for (flags, told) in [
            (vec![("streams_listen", "8080")], "0.0.0.0:8080"),
            (vec![http], "streams_public_url"),
            (vec![http, ("streams_public_url", "line.example")], "https://line.example.com"),
            (vec![("audiosocket_listen", "127.0.0.1:1"), ("streams_token", "a b")], "streams_token"),
            (vec![("audiosocket_listen", "127.0.0.1:1"), ("streams_allow", "all")], "192.0.2.0/24"),
        ] {
            let error = settings(&flags).err().expect("a mistake").to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
