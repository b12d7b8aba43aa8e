//! A telephone as the caller's end of a call, and the settings that telephones are answered by.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::desk::leg::Leg;
use super::desk::spoken::SpokenLast;
use super::desk::{Arriving, DeskHost, Order, Package, PackageEvent, Place};
use super::serve::{Answerer, Serving, Survey};
use super::session::{Arrival, Channel, Observer};
use crate::audio::Frame;
use crate::call::{
    Ani, CallId, CallTime, Dnis, Dtmf, Event, Fault, Handoff, HangupCause, RequestId, TimeSpan, WayOut,
};
use crate::channel::gate::Limits;
use crate::channel::load::LoadLimits;
use crate::channel::sip::{
    Account, Callers, HandOver, Means, PhoneCall, SipSettings, Srtp, SrtpOver, Taker, Tls,
};
use crate::config::{Config, ConfigError};
use crate::desk::{Caller, Event as DeskEvent};
use crate::wire::digest::{Algorithm, Users};
use crate::wire::sdp::Codec;
use crate::wire::sip::is_header_safe;

/// What a setting of networks looks like.
const NETWORKS: &str = "networks like 192.0.2.0/24 or addresses, with commas";

/// How many calls the settings allow.
///
/// # Errors
/// A setting that does not fit.
pub fn limits(config: &Config) -> Result<Limits, ConfigError> {
    let number = |key| {
        let number = config.number(key, 1..=100_000, "a whole number from 1 to 100000")?;
        Ok::<_, ConfigError>(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let permille = |key| config.number(key, 1..=1_000, "late ticks of a thousand, from 1 to 1000");
    Ok(Limits {
        at_once: number("calls_at_once")?,
        at_once_of_source: number("calls_at_once_of_source")?,
        per_second: number("calls_per_second")?,
        per_second_of_source: number("calls_per_second_of_source")?,
        heard_at_once: number("calls_heard_at_once")?,
        load: LoadLimits {
            keypad_late_permille: permille("keypad_past_late_permille")?,
            busy_late_permille: permille("busy_past_late_permille")?,
            keypad_wait: Duration::from_millis(config.number(
                "keypad_past_wait_ms",
                1..=60_000,
                "milliseconds from 1 to 60000",
            )?),
        },
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
    let address = |key| match config.get(key) {
        "none" => Ok(None),
        text => text
            .parse::<SocketAddr>()
            .map(Some)
            .map_err(|_| config.unfit(key, "an address and port, or none")),
    };
    let read =
        |key| std::fs::read(config.get(key)).map_err(|_| config.unfit(key, "a PEM file that can be read"));
    let tls = match address("sip_tls_listen")? {
        None => None,
        Some(listen) => {
            Some(Tls { listen, certificate: read("sip_tls_certificate")?, key: read("sip_tls_key")? })
        }
    };
    let registrar = Some(config.get("sip_registrar").to_owned()).filter(|uri| !uri.is_empty());
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
    let ring = config.number("sip_ring_ms", 0..=60_000, "milliseconds from 0 to 60000")?;
    let silence = config.number("rtp_timeout_s", 1..=3_600, "seconds from 1 to 3600")?;
    let longest = config.number("longest_call_s", 60..=86_400, "seconds from 60 to 86400")?;
    let session = config.number("session_expires_s", 90..=86_400, "seconds from 90 to 86400")?;
    Ok(Some(SipSettings {
        udp: udp
            .ok_or_else(|| config.unfit("sip_listen", "an address and port like 0.0.0.0:5060, or none"))?,
        tcp: address("sip_tcp_listen")?,
        tls,
        tls_authorities: match config.get("sip_tls_authorities") {
            "" => None,
            _ => Some(read("sip_tls_authorities")?),
        },
        registrar,
        public,
        rtp_ports: ports
            .ok_or_else(|| config.unfit("rtp_ports", "two ports like 16384-32767, from 1024 up"))?,
        codecs,
        allow: config.list("sip_allow", |part| part.parse().ok(), NETWORKS)?,
        silence_limit: Duration::from_secs(silence),
        longest: Duration::from_secs(longest),
        session_expires_s: u32::try_from(session).unwrap_or(u32::MAX),
        ring: Duration::from_millis(ring),
        account: (!config.get("sip_user").is_empty()).then(|| Account {
            user: config.get("sip_user").to_owned(),
            password: config.get("sip_password").to_owned(),
        }),
        second: Duration::from_secs(1),
        callers: callers(config)?,
        srtp: Srtp { accepts: srtp_over(config, "srtp_accept")?, offers: srtp_over(config, "srtp_offer")? },
    }))
}

fn srtp_over(config: &Config, key: &'static str) -> Result<SrtpOver, ConfigError> {
    match config.get(key) {
        "none" => Ok(SrtpOver::Nothing),
        "tls" => Ok(SrtpOver::Tls),
        "any" => Ok(SrtpOver::Anything),
        _ => Err(config.unfit(key, "tls, any or none")),
    }
}

/// Who may call by a password; `None` where nobody is asked for one.
fn callers(config: &Config) -> Result<Option<Callers>, ConfigError> {
    let algorithms = config.list("sip_digest", Algorithm::from_name, "SHA-256, MD5 or both, with commas")?;
    if algorithms.is_empty() {
        return Err(config.unfit("sip_digest", "SHA-256, MD5 or both, with commas"));
    }
    let realm = config.get("sip_realm");
    if realm.is_empty() || !realm.chars().all(|c| c.is_ascii_graphic() && !"\"\\:".contains(c)) {
        return Err(config.unfit("sip_realm", "a name without spaces, colons and quotation marks"));
    }
    let trusted = config.list("sip_trusted", |part| part.parse().ok(), NETWORKS)?;
    let path = config.get("sip_users");
    if path.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|_| config.unfit("sip_users", "a file of users that can be read, user:password a line"))?;
    let users = Users::parse(&text, realm, &algorithms)
        .map_err(|error| config.unfit_because("sip_users", error.to_string()))?;
    Ok(Some(Callers { users, trusted }))
}

/// Where callers are handed over to.
#[derive(Clone)]
pub struct Agents {
    means: Means,
    /// Skill, where it is for one, and SIP URI.
    telephones: Vec<(Option<String>, String)>,
    /// Who finds an agent, where `intents/desk.toml` declares some.
    desk: Option<Arc<DeskHost>>,
    /// The way to agents who are rung by a number.
    by: String,
    /// One agent's telephone rings no longer, where there is no desk: less than the conversation waits.
    patience: Duration,
}

impl Agents {
    /// The settings' agents. Nobody else can be reached by a transfer.
    ///
    /// # Errors
    /// What is no SIP URI, or no means of transfer.
    pub fn from_settings(config: &Config) -> Result<Agents, ConfigError> {
        let means = match config.get("transfer_by") {
            "bridge" => Means::Bridge,
            "refer" => Means::Refer,
            "attended" => Means::Attended,
            _ => return Err(config.unfit("transfer_by", "bridge, refer or attended")),
        };
        let telephone = |part: &str| {
            let (skill, uri) = match part.split_once('=') {
                Some((skill, uri)) => (Some(skill.trim().to_owned()), uri.trim()),
                None => (None, part),
            };
            let is_uri = uri.split_once(':').is_some_and(|(scheme, rest)| {
                matches!(scheme, "sip" | "sips") && !rest.is_empty() && !rest.contains([' ', '<', '>', '?'])
            });
            (is_uri && is_header_safe(uri)).then(|| (skill, uri.to_owned()))
        };
        let expected = "SIP URIs with commas, each with or without a skill: billing=sip:6001@192.0.2.7, sip:6000@192.0.2.7";
        let by = config.get("dial_by").to_owned();
        let rings = config.number("agent_rings_s", 5..=27, "seconds from 5 to 27")?;
        let telephones = config.list("agents", telephone, expected)?;
        Ok(Agents { means, telephones, desk: None, by, patience: Duration::from_secs(rings) })
    }

    /// The same, with a desk that finds the agents.
    pub fn at_desk(self, desk: Arc<DeskHost>) -> Agents {
        Agents { desk: Some(desk), ..self }
    }

    /// The SIP URI of an agent of the desk's; `None` where nothing says how numbers are called.
    pub fn uri(&self, rings: &str) -> Option<String> {
        if rings.starts_with("sip:") || rings.starts_with("sips:") {
            return Some(rings.to_owned());
        }
        (!self.by.is_empty()).then(|| self.by.replace("{number}", rings))
    }

    /// The telephone for a skill: its own, else the one for all.
    pub(super) fn telephone(&self, skill: &str) -> Option<&str> {
        let of = |wanted: Option<&str>| {
            self.telephones.iter().find(|(skill, _)| skill.as_deref() == wanted).map(|(_, uri)| uri.as_str())
        };
        of(Some(skill)).or_else(|| of(None))
    }
}

/// Whom the line may call by itself, and how.
#[derive(Clone, Debug)]
pub struct Outbound {
    by: String,
    allow: Vec<String>,
    /// Minutes of the day.
    hours: (u16, u16),
    /// How long a telephone rings.
    pub patience: Duration,
}

/// Why a number is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCalled {
    /// Nothing says by which way.
    #[error("the line cannot call anybody: set dial_by to a URI like sip:{{number}}@provider.example")]
    NoWay,
    /// Its beginning is on no list.
    #[error("this number may not be called: its beginning is not in dial_allow")]
    NotAllowed,
    /// It is too early or too late.
    #[error("nobody is called at this time of day: see dial_hours")]
    WrongHour,
}

impl Outbound {
    /// The settings' rules. Without any, nobody may be called.
    ///
    /// # Errors
    /// A setting that does not fit.
    pub fn from_settings(config: &Config) -> Result<Outbound, ConfigError> {
        let by = config.get("dial_by").to_owned();
        let is_way =
            by.is_empty() || (by.starts_with("sip") && by.contains("{number}") && is_header_safe(&by));
        let beginning = |part: &str| {
            let digits = part.strip_prefix('+').unwrap_or(part);
            let fits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| part.to_owned())
        };
        let minute = |time: &str| {
            let (hour, minute) = time.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour <= 24 && minute < 60 && hour * 60 + minute <= 1_440).then_some(hour * 60 + minute)
        };
        let hours = config.get("dial_hours").split_once('-');
        let hours =
            hours.and_then(|(from, to)| Some((minute(from)?, minute(to)?)).filter(|(from, to)| from < to));
        let rings = config.number("dial_rings_s", 5..=180, "seconds from 5 to 180")?;
        if !is_way {
            return Err(config.unfit("dial_by", "a SIP URI with {number} in it"));
        }
        Ok(Outbound {
            by,
            allow: config.list("dial_allow", beginning, "beginnings of numbers, with commas: +1555, 0800")?,
            hours: hours.ok_or_else(|| config.unfit("dial_hours", "two times of a day, like 08:00-20:00"))?,
            patience: Duration::from_secs(rings),
        })
    }

    /// Whether nobody is called at a minute of the day, or at all.
    pub fn is_closed(&self, minute: u16) -> bool {
        self.by.is_empty() || !(self.hours.0..self.hours.1).contains(&minute)
    }

    /// The SIP URI to call a number by, at a minute of the day.
    ///
    /// # Errors
    /// It may not be called, or not now.
    pub fn uri(&self, number: &Ani, minute: u16) -> Result<String, NotCalled> {
        if self.by.is_empty() {
            return Err(NotCalled::NoWay);
        }
        if !self.allow.iter().any(|beginning| number.expose().starts_with(beginning.as_str())) {
            return Err(NotCalled::NotAllowed);
        }
        if !(self.hours.0..self.hours.1).contains(&minute) {
            return Err(NotCalled::WrongHour);
        }
        Ok(self.by.replace("{number}", number.expose()))
    }
}

/// A handoff in a sentence, for the agent's ear.
pub fn briefing_of(handoff: &Handoff) -> String {
    let about = handoff.intent.as_ref().map(|i| i.as_str().replace('_', " "));
    let mut sentence = match about {
        Some(about) => format!("A caller about {about}."),
        None => "A caller.".to_owned(),
    };
    for (name, value) in &handoff.facts {
        sentence.push_str(&format!(" {}: {}.", name.replace('_', " "), value.expose()));
    }
    sentence
}

/// One telephone's call, with whoever it may be handed to.
struct Telephone {
    call: PhoneCall,
    id: CallId,
    ani: Option<Ani>,
    dnis: Option<Dnis>,
    agents: Agents,
    answerer: Arc<dyn Answerer>,
    /// The transfer that is going on.
    transfer: Option<RequestId>,
    /// What the agent is told.
    handoff: Option<Handoff>,
    /// One that failed before it began.
    failed: Option<Fault>,
    /// The caller's place at the desk, from the first order to the end of the call.
    place: Option<Place>,
    /// Who was rung last.
    agent: String,
    /// Places that the caller had.
    places: u32,
    spoken_last: SpokenLast,
    /// Where what the agent and the caller say goes.
    recording: Option<Box<dyn Observer + Send>>,
}

impl Telephone {
    /// Takes a place at the desk.
    fn wait(&mut self, desk: &DeskHost, handoff: &Handoff) {
        // The place before is given up first.
        self.place = None;
        self.places += 1;
        let call = match self.places {
            1 => self.id.clone(),
            n => format!("{}-{n}", self.id).parse().unwrap_or_else(|_| self.id.clone()),
        };
        let caller = Caller {
            dnis: self.dnis.clone(),
            last: self.spoken_last.known(),
            ..Caller::handed_over(call, handoff)
        };
        self.handoff = Some(handoff.clone());
        self.place = Some(desk.arrive(Arriving { caller, ani: self.ani.clone() }));
    }

    /// Has a telephone rung, and its agent briefed.
    fn ring(&mut self, to: String, patience: Duration, handoff: &Handoff) {
        let (rendered, briefing) = std::sync::mpsc::channel();
        if self.agents.means != Means::Refer || self.place.is_some() {
            let (answerer, sentence) = (Arc::clone(&self.answerer), briefing_of(handoff));
            // Rendering takes longer than a frame; it is done before the agent picks up.
            std::thread::spawn(move || rendered.send(answerer.speak(&sentence)));
        }
        // The desk rings one after another, which only the line itself can.
        let means = if self.place.is_some() { Means::Bridge } else { self.agents.means };
        let context = self.id.to_string();
        self.call.hand_over(HandOver { means, to, context, patience, briefing });
    }

    /// Carries out what the desk wants, and tells it what came of it. What the caller must know is given.
    fn at_desk(&mut self) -> Option<Event> {
        while let Some(order) = self.place.as_ref().and_then(Place::order) {
            match order {
                Order::News(news) => {
                    if let Some(id) = self.transfer {
                        return Some(Event::Waiting { id, news });
                    }
                }
                Order::Ring { agent, rings, patience } => self.ring_agent(&agent, &rings, patience),
                Order::StopRinging => self.call.take_back(),
                Order::Kept(id) => return Some(Event::MessageKept { id }),
                Order::Lost(id, fault) => return Some(Event::MessageLost { id, fault }),
                // Whoever is on the line needs no call, and rings through it.
                Order::CallBack | Order::Dialled(_) => {}
            }
        }
        let place = self.place.as_ref()?;
        if !place.is_open()
            && let Some(id) = self.transfer.take()
        {
            self.call.take_back();
            return Some(Event::TransferFailed { id, fault: Fault::Failed("the desk is gone".to_owned()) });
        }
        if self.call.picked_up() {
            place.tell(DeskEvent::PickedUp);
        }
        match self.call.handed_over()? {
            Ok(()) => {
                place.tell(DeskEvent::Answered);
                self.tell_screen(PackageEvent::Answered);
                self.transfer.take().map(|id| Event::Transferred { id })
            }
            Err(fault) => {
                tracing::info!(call = %self.id, %fault, "an agent did not take the caller");
                place.tell(DeskEvent::Refused);
                None
            }
        }
    }

    /// Tells the agent's screen, where there is one, without keeping the call waiting.
    fn tell_screen(&self, event: PackageEvent) {
        let has_screen = self.agents.desk.as_ref().is_some_and(|desk| desk.plan().handoff.webhook.is_some());
        let (true, Some(place), Some(handoff)) = (has_screen, &self.place, &self.handoff) else { return };
        let package = Package {
            event,
            call: self.id.clone(),
            agent: self.agent.clone(),
            queue: place.queue().to_owned(),
            number: self.ani.clone(),
            briefing: briefing_of(handoff),
            handoff: handoff.clone(),
        };
        let answerer = Arc::clone(&self.answerer);
        std::thread::spawn(move || answerer.tell_screen(&package));
    }

    fn ring_agent(&mut self, agent: &str, rings: &str, patience: Duration) {
        match (self.agents.uri(rings), self.handoff.clone()) {
            (Some(uri), Some(handoff)) => {
                self.ring(uri, patience, &handoff);
                self.agent = agent.to_owned();
                self.tell_screen(PackageEvent::Ringing);
            }
            _ => {
                tracing::warn!(agent, "an agent is rung by a number, and nothing says how: set dial_by");
                if let Some(place) = &self.place {
                    place.tell(DeskEvent::Refused);
                }
            }
        }
    }
}

/// How long a caller may think about how content they are.
const RATES_WITHIN: Duration = Duration::from_secs(6);

impl Telephone {
    /// Asks how content the caller is, whose agent has hung up.
    fn ask(&mut self, survey: &Survey, stopping: &dyn Fn() -> bool) {
        let mut leg = Leg::new(&mut self.call);
        let key = leg.asks_key(self.answerer.speak(&survey.ask), RATES_WITHIN, stopping);
        if let Some(grade @ 1..=5) = key.and_then(Dtmf::digit) {
            self.answerer.rated(&self.id, grade);
            leg.says(self.answerer.speak(&survey.thanks), &mut |_| stopping());
        }
    }
}

impl Channel for Telephone {
    fn exchange(&mut self, now: CallTime, line: &Frame, _line_talks: bool) -> Option<Frame> {
        self.call.exchange(now, line)
    }

    fn key(&mut self) -> Option<Dtmf> {
        self.call.key()
    }

    fn cause(&self) -> HangupCause {
        self.call.ended().unwrap_or(HangupCause::Caller)
    }

    fn transfer(&mut self, id: RequestId, handoff: &Handoff) -> bool {
        self.transfer = Some(id);
        tracing::info!(call = %self.id, skill = handoff.skill, reason = %handoff.reason, "a caller is handed over");
        if let Some(desk) = self.agents.desk.clone() {
            self.wait(&desk, handoff);
            return true;
        }
        let Some(to) = self.agents.telephone(&handoff.skill).map(str::to_owned) else {
            tracing::warn!(call = %self.id, skill = handoff.skill, "no agent's telephone is set: see the setting 'agents'");
            self.failed = Some(Fault::Failed("no agent's telephone is set".to_owned()));
            return true;
        };
        self.ring(to, self.agents.patience, handoff);
        true
    }

    fn transferred(&mut self) -> Option<Event> {
        if self.place.is_some() {
            return self.at_desk();
        }
        let result = self.failed.take().map(Err).or_else(|| self.call.handed_over())?;
        let id = self.transfer.take()?;
        Some(match result {
            Ok(()) => Event::Transferred { id },
            Err(fault) => {
                tracing::info!(call = %self.id, %fault, "nobody took the caller");
                Event::TransferFailed { id, fault }
            }
        })
    }

    fn leave(&mut self, way: WayOut, number: Option<&Ani>, window: Option<TimeSpan>) {
        self.transfer = None;
        if let Some(place) = &self.place {
            place.leave(way, number, window);
        }
    }

    fn keep_message(&mut self, id: RequestId, sound: &Arc<[i16]>, handoff: &Handoff) -> bool {
        if let Some(place) = &self.place {
            place.keep(id, sound, handoff);
        }
        self.place.is_some()
    }

    fn record_on(&mut self, recording: Box<dyn Observer + Send>) {
        self.recording = Some(recording);
    }

    fn finish(&mut self, stopping: &dyn Fn() -> bool) {
        let survey = self.answerer.survey();
        // Over once the agent is gone: how content the caller was is written down, not recorded.
        let mut recording = self.recording.take();
        let mut heard = |caller: &Frame, agent: &Frame| {
            if let Some(recording) = &mut recording {
                recording.frames(caller, agent);
            }
        };
        let stays = self.call.stay_joined(stopping, survey.is_some(), &mut heard);
        drop(recording);
        if !stays {
            return;
        }
        // The agent is free for the next caller while this one is asked.
        self.place = None;
        if let Some(survey) = survey {
            self.ask(&survey, stopping);
        }
        self.call.hang_up(HangupCause::Transferred);
    }
}

/// Holds a call that the line made to its end, as one from the number that it called. Blocks.
pub fn hold(serving: &Arc<Serving>, agents: &Agents, number: Ani, call: PhoneCall) {
    let (arrival, telephone) = telephone(serving, agents, Some(number), None, call);
    serving.hold(arrival, telephone);
}

fn telephone(
    serving: &Arc<Serving>,
    agents: &Agents,
    ani: Option<Ani>,
    dnis: Option<Dnis>,
    call: PhoneCall,
) -> (Arrival, Telephone) {
    let id: CallId = format!("call-{}", super::unique()).parse().expect("letters, digits and dashes");
    let keypad_only = call.keypad_only();
    let desk = agents.desk.as_ref();
    let spoken_last = desk.map(|desk| SpokenLast::of(ani.as_ref(), desk.plan(), serving.answerer()));
    let spoken_last = spoken_last.unwrap_or_default();
    let telephone = Telephone {
        call,
        id: id.clone(),
        ani: ani.clone(),
        dnis: dnis.clone(),
        agents: agents.clone(),
        answerer: Arc::clone(serving.answerer()),
        transfer: None,
        handoff: None,
        failed: None,
        place: None,
        agent: String::new(),
        places: 0,
        spoken_last,
        recording: None,
    };
    (Arrival { id, ani, dnis, keypad_only }, telephone)
}

/// Hands telephones' calls to a line.
pub fn taker(serving: &Arc<Serving>, agents: Agents) -> Taker {
    let serving = Arc::clone(serving);
    Arc::new(move |call: PhoneCall| {
        let parties = call.parties().clone();
        if let (Some(code), Some(desk)) = (parties.star, agents.desk.clone()) {
            let answerer = Arc::clone(serving.answerer());
            return serving.lend("star code", move |stopping| {
                desk.star_code(call, code, answerer.as_ref(), stopping);
            });
        }
        let (arrival, telephone) = telephone(&serving, &agents, parties.ani, parties.dnis, call);
        serving.take(arrival, telephone);
    })
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
        for (key, value) in [
            ("agents", "6000"),
            ("agents", "sip:a@b\r\nX: y"),
            ("transfer_by", "magic"),
            ("agent_rings_s", "28"),
        ] {
            assert!(Agents::from_settings(&config(&[(key, value)])).is_err(), "{value}");
        }
    }

    #[test]
    fn only_allowed_numbers_are_called_and_only_by_day() {
        let nobody = Outbound::from_settings(&config(&[])).expect("sound");
        let number: Ani = "+15550100".parse().expect("a number");
        assert_eq!(nobody.uri(&number, 600), Err(NotCalled::NoWay));
        let rules = [("dial_by", "sip:{number}@192.0.2.7"), ("dial_allow", "+1555, 0800")];
        let outbound = Outbound::from_settings(&config(&rules)).expect("sound");
        assert_eq!(outbound.uri(&number, 600).as_deref(), Ok("sip:+15550100@192.0.2.7"));
        assert_eq!(outbound.uri(&number, 479), Err(NotCalled::WrongHour));
        assert_eq!(outbound.uri(&number, 1_200), Err(NotCalled::WrongHour));
        let premium: Ani = "0900123".parse().expect("a number");
        assert_eq!(outbound.uri(&premium, 600), Err(NotCalled::NotAllowed));
        for (key, value) in
            [("dial_by", "sip:line@192.0.2.7"), ("dial_hours", "20:00-08:00"), ("dial_allow", "all")]
        {
            assert!(Outbound::from_settings(&config(&[(key, value)])).is_err(), "{value}");
        }
    }

    #[test]
    fn a_skill_has_its_telephone_or_the_one_for_all() {
        let config = config(&[("agents", "billing=sip:1@192.0.2.7, sip:2@192.0.2.7")]);
        let agents = Agents::from_settings(&config).expect("sound");
        assert_eq!(agents.telephone("billing"), Some("sip:1@192.0.2.7"));
        assert_eq!(agents.telephone("general"), Some("sip:2@192.0.2.7"));
    }
}
