//! Waiting for a person: what callers hear meanwhile, and the ways out of it.
//!
//! The place is the desk's: here it is only spoken of. Whoever says nothing keeps it, and whoever is asked for a
//! number keeps it until the callback is promised.

use jiff::civil::DateTime;
use minijinja::Value;

use super::speaking::{Values, value};
use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{
    Ani, Callback, CallbackReason, Expect, HandoffReason, Hypothesis, TimeSpan, Waiting, WayOut,
};
use crate::understanding::{Answer, answer, digits};

/// Whoever waits may be silent for as long as the longest wait that a desk can declare.
const LONGEST_WAIT_MS: u64 = 14_400_000;

/// Digits of a telephone number: the shortest that a network dials, and E.164's longest.
const SHORTEST_NUMBER: u8 = 5;
const LONGEST_NUMBER: u8 = 15;

/// The caller's place at the desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Nobody takes the caller, who is offered the ways out instead.
    pub(super) is_offered: bool,
    ways: Vec<WayOut>,
    /// What time it was when the desk said when callers may be called back, and that; nothing where it did not.
    pub(super) times: Option<(DateTime, Vec<TimeSpan>)>,
}

/// How the taking of a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStep {
    /// Say that a message can be left and how it is ended.
    Instructions,
    /// Say that nothing was heard.
    TooShort,
    /// Say: 1 to keep it, 2 to record it anew, 3 to hear it again.
    Review,
    /// Say that it is kept.
    Kept,
    /// There is a message, and the caller knows.
    Done,
    /// There is none.
    Nothing,
    /// It could not be kept.
    Lost,
    /// The caller wants a person after all.
    Person,
}

impl Dialogue {
    /// Whether the caller waits for a person and nothing is asked: the time for music.
    pub fn is_on_hold(&self) -> bool {
        let waits = matches!(self.state, State::Waiting | State::Working(Work::HandingOver));
        waits && self.place.as_ref().is_some_and(|place| !place.is_offered)
    }

    /// Whether the caller has a place, and so needs no other person called.
    pub(super) fn has_place(&self) -> bool {
        self.place.as_ref().is_some_and(|place| !place.is_offered)
    }

    pub(super) fn desk_news(&mut self, news: Waiting) {
        match news {
            Waiting::Queued => {
                self.decided("queued", "");
                self.place = Some(Place { times: self.times(), ..Place::default() });
            }
            Waiting::CallsBack { now, open } => {
                if let Some(place) = &mut self.place {
                    place.times = Some((now, open));
                }
            }
            Waiting::Announced { position, minutes, ways_out } => {
                self.decided("announced", format!("place {position}"));
                self.place = Some(Place { is_offered: false, ways: ways_out, times: self.times() });
                if self.is_on_hold() {
                    self.announce(position, minutes);
                }
            }
            Waiting::Offered { ways_out } => {
                self.decided("offered", "nobody takes the caller");
                self.place = Some(Place { is_offered: true, ways: ways_out, times: self.times() });
                // Whoever is being asked for a number answers that first.
                if matches!(self.state, State::Waiting | State::Working(Work::HandingOver)) {
                    self.asked = Asked::default();
                    self.offer_ways_out();
                }
            }
        }
    }

    fn announce(&mut self, position: usize, minutes: Option<u64>) {
        let mut values = Values::from([("position".to_owned(), Value::from(position))]);
        if let Some(minutes) = minutes {
            values.insert("minutes".to_owned(), Value::from(minutes));
        }
        self.said_is_whole = true;
        self.say_with("waiting.announce", values);
        self.name_ways_out();
        self.say("waiting.stay");
        self.wait();
    }

    fn offer_ways_out(&mut self) {
        self.said_is_whole = true;
        self.say("waiting.nobody");
        self.name_ways_out();
        self.state = State::Waiting;
        self.listen(Question::OPEN);
    }

    fn name_ways_out(&mut self) {
        let ways = self.place.as_ref().map(|place| place.ways.clone()).unwrap_or_default();
        for way in WayOut::ALL.into_iter().filter(|way| ways.contains(way)) {
            self.say(&format!("waiting.{way}"));
        }
    }

    /// Music, until something happens.
    fn wait(&mut self) {
        self.state = State::Waiting;
        self.listen(Question { no_input_ms: Some(LONGEST_WAIT_MS), ..Question::OPEN });
    }

    /// Back to where the caller was, after something that was no way out.
    pub(super) fn wait_on(&mut self) {
        if self.place.as_ref().is_some_and(|place| place.is_offered) {
            return self.waiting_again();
        }
        self.decided("waits", "");
        self.wait();
    }

    /// What is offered to whom nobody takes is offered again; after some times, the line itself.
    pub(super) fn waiting_again(&mut self) {
        if !self.place.as_ref().is_some_and(|place| place.is_offered) {
            return self.wait();
        }
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.take_way_out(WayOut::Line);
        }
        self.offer_ways_out();
    }

    pub(super) fn heard_waiting(&mut self, best: &Hypothesis) {
        let text = best.text.expose().clone();
        let words = &self.flow.commands;
        let sets = [&words.way_callback, &words.way_voicemail, &words.way_line];
        let said = WayOut::ALL.into_iter().zip(sets).find(|(_, set)| set.find(&text).is_some());
        match said {
            Some((way, _)) => self.take_way_out(way),
            None if words.goodbye.is_whole(&text) => self.goodbye(),
            None if self.has_place() => self.wait_on(),
            None => self.no_match("no way out"),
        }
    }

    pub(super) fn keyed_waiting(&mut self, keys: &str) {
        match WayOut::ALL.into_iter().find(|way| keys == way.key().to_string()) {
            Some(way) => self.take_way_out(way),
            None if self.has_place() => self.wait_on(),
            None => self.no_match("no way out has this key"),
        }
    }

    fn take_way_out(&mut self, way: WayOut) {
        let Some(place) = &self.place else { return };
        // The line is where a caller can always go.
        if way != WayOut::Line && !place.ways.contains(&way) {
            return self.wait_on();
        }
        self.decided("way_out", way.to_string());
        self.asked = Asked::default();
        match way {
            WayOut::Callback => match self.ani.clone() {
                Some(number) => self.confirm_number(number),
                None => self.ask_number(),
            },
            WayOut::Voicemail => {
                self.place = None;
                self.state = State::Working(Work::TakingMessage);
                self.moves.push_back(Move::Leave { way, number: None, window: None });
            }
            WayOut::Line => {
                self.place = None;
                self.moves.push_back(Move::Leave { way, number: None, window: None });
                self.anything_else();
            }
        }
    }

    fn confirm_number(&mut self, number: Ani) {
        self.said_is_whole = true;
        self.say_with("waiting.number", value("number", number.expose()));
        self.state = State::WaitingNumber { number: Some(number) };
        self.listen(Question::YES_NO);
    }

    fn ask_number(&mut self) {
        self.said_is_whole = true;
        self.say("waiting.ask_number");
        self.state = State::WaitingNumber { number: None };
        let expect = Expect::Digits { min: SHORTEST_NUMBER, max: LONGEST_NUMBER };
        self.listen(Question { expect, max_keys: LONGEST_NUMBER, ..Question::OPEN });
    }

    pub(super) fn number_again(&mut self, number: Option<Ani>) {
        if self.asked.times() >= self.flow.line.tries.slot {
            self.asked = Asked::default();
            return self.waiting_again();
        }
        match number {
            Some(number) => self.confirm_number(number),
            None => self.ask_number(),
        }
    }

    pub(super) fn heard_number(&mut self, best: &Hypothesis, number: Option<Ani>) {
        let text = best.text.expose().clone();
        let Some(number) = number else { return self.given_number(&said_number(&text)) };
        match answer(&text).map(|a| a.answer) {
            Some(Answer::Yes) if self.has_times() => {
                self.asked = Asked::default();
                self.ask_time(number);
            }
            Some(Answer::Yes) => self.promise(number, None),
            Some(Answer::No | Answer::DontKnow | Answer::ThatsAll) => {
                self.decided("denied", "another number");
                self.asked = Asked::default();
                self.ask_number();
            }
            None => self.no_match("neither yes nor no"),
        }
    }

    pub(super) fn given_number(&mut self, number: &str) {
        let fits = (usize::from(SHORTEST_NUMBER)..=usize::from(LONGEST_NUMBER)).contains(&number.len());
        match number.parse::<Ani>() {
            Ok(number) if fits => self.confirm_number(number),
            Ok(_) | Err(_) => self.no_match("no telephone number"),
        }
    }

    /// Promises the callback for then, or for when the place comes up.
    pub(super) fn promise(&mut self, number: Ani, window: Option<TimeSpan>) {
        self.decided("callback", "waited long enough");
        let (reason, intent) = (CallbackReason::NobodyFree, self.intent.clone());
        self.callback = Some(Callback { number: number.clone(), reason, intent });
        let when = window.map(|window| self.values_of(window));
        self.place = None;
        self.moves.push_back(Move::Leave { way: WayOut::Callback, number: Some(number), window });
        self.said_is_whole = true;
        match when {
            Some(when) => self.say_with("waiting.when.promised", when),
            None => self.say("waiting.promised"),
        }
        self.anything_else();
    }

    /// The next step of taking a message; what is said here is heard out before the next comes.
    pub(super) fn message(&mut self, step: MessageStep) {
        match step {
            MessageStep::Instructions => self.say_aside("waiting.message"),
            MessageStep::TooShort => self.say_aside("waiting.message_too_short"),
            MessageStep::Review => self.say_aside("waiting.message_review"),
            MessageStep::Kept => self.say_aside("waiting.message_kept"),
            MessageStep::Done => {
                self.decided("message", "kept");
                self.anything_else();
            }
            MessageStep::Nothing => {
                self.decided("message", "nothing was said");
                self.anything_else();
            }
            MessageStep::Lost => {
                self.decided("message", "it could not be kept");
                self.say("waiting.message_lost");
                if !self.offer_callback(false) {
                    self.anything_else();
                }
            }
            MessageStep::Person => {
                self.state = State::Purpose { wrap_up: true };
                self.hand_over(HandoffReason::CallerAsked);
            }
        }
    }
}

/// The digits of a number as it was said: all runs together, in their likeliest reading.
fn said_number(text: &str) -> String {
    digits(text).iter().filter_map(|run| run.readings().next().map(|reading| reading.0.to_owned())).collect()
}
