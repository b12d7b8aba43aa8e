//! The form interpreter: intents, slots, confirmation, the repair ladder, universal commands.
//!
//! A [`Dialogue`] takes one [`Input`] at a time and queues [`Move`]s: things to say, a question to
//! listen for, a look-up, a transfer, the end. It knows nothing of SIP, Whisper, SQL, sound or time; it
//! never fails: bad input is a no-match, and an engine's fault is something the caller is told about.
//!
//! Everything it says comes from a [`Flow`], which teams write in `intents/`.

mod decision;

mod flow;

mod repair;

mod slots;

mod wording;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use decision::{Decision, decide_intent, decide_value};
pub use flow::{
    Flow, FlowError, FulfilSpec, IntentSpec, LineSpec, MenuEntry, MenuSpec, SlotSpec, Source, Thresholds,
    TimeoutSpec, Tries,
};
pub use wording::{Wording, WordingError, spoken_date, spoken_digits};

use crate::call::{
    Ani, Expect, Fault, Handoff, HandoffReason, HangupCause, Hypothesis, IntentName, Interpretation, Note,
    Pii, Prompt, Query, Recognition, Row,
};
use crate::understanding::{Answer, answer};

/// What the caller did, or what came back from the world.
#[derive(Debug)]
pub enum Input<'a> {
    /// The caller spoke, and this was heard.
    Heard {
        /// The recogniser's guesses.
        recognition: &'a Recognition,
        /// The classifier's view, where it gave one.
        interpretation: Option<&'a Interpretation>,
    },
    /// The caller said nothing in time.
    NoInput,
    /// A finished keypad entry, the term char left out.
    Keys(&'a str),
    /// Key 0: a person, at once.
    Operator,
    /// Key `*`: say it again.
    Repeat,
    /// The recogniser does not work.
    HearingFault(Fault),
    /// The look-up's rows.
    LookedUp(Vec<Row>),
    /// The look-up failed.
    LookUpFailed(Fault),
    /// The look-up takes longer than a caller waits without a word.
    LookUpSlow,
    /// Nobody could take the caller.
    TransferFailed(Fault),
    /// The longest call is over.
    TooLong,
}

/// What the line does next. Moves are carried out in order; prompts are heard out (or barged into)
/// before what follows them.
#[derive(Clone, Debug)]
pub enum Move {
    /// Say this.
    Say(Prompt),
    /// Listen for the answer to what was just asked.
    Listen(Question),
    /// Ask the store; the dialogue waits for the reply.
    LookUp(Query),
    /// Hand the caller to a person.
    Transfer(Handoff),
    /// End the call.
    HangUp(HangupCause),
    /// For the timeline and the record.
    Note(Note),
}

/// What an answer may look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// In speech.
    pub expect: Expect,
    /// On the keypad: most keys of an entry. An entry of one key needs no term char.
    pub max_keys: u8,
}

impl Question {
    const OPEN: Question = Question { expect: Expect::Open, max_keys: 1 };
    const YES_NO: Question = Question { expect: Expect::YesNo, max_keys: 1 };
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Before the greeting, while the caller's number is looked up.
    Arriving,
    /// "How can I help you?", or "anything else?".
    Purpose { wrap_up: bool },
    /// "Is this about …?"
    ConfirmIntent { intent: IntentName },
    /// A slot's question.
    Slot { index: usize },
    /// "Is that right?"
    ConfirmSlot { index: usize, value: String },
    /// "Is it the headphones?", one row after another.
    Offer { index: usize, step: usize, rows: Vec<Row>, at: usize },
    /// The keypad menu.
    Menu,
    /// Waiting for rows to fill a slot of which the caller does not know the value.
    FindingSlot { index: usize, step: usize },
    /// Waiting for the rows that answer the intent.
    Fulfilling,
    /// A person is being called.
    HandingOver,
    /// Nothing follows.
    Ended,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    no_input: u8,
    no_match: u8,
}

impl Asked {
    fn times(self) -> u8 {
        self.no_input.saturating_add(self.no_match)
    }
}

/// One caller's dialogue.
#[derive(Debug)]
pub struct Dialogue {
    flow: Arc<Flow>,
    state: State,
    ani: Option<Ani>,
    /// The customer that the caller's number belongs to.
    customer: Row,
    slots: BTreeMap<String, Pii<String>>,
    intent: Option<IntentName>,
    asked: Asked,
    /// Prompts since the last answer, for "repeat".
    said: Vec<Prompt>,
    /// The question that they led to.
    question: Question,
    last_heard: Option<Pii<String>>,
    transfers_failed: u8,
    /// A slot filled with a value of which the line is not sure: the look-up is its check.
    unsure: Option<usize>,
    /// How often a value was well-formed but unknown.
    not_found: u8,
    /// How often the line apologised for its hearing.
    hearing_faults: u8,
    resolved: bool,
    moves: VecDeque<Move>,
}

impl Dialogue {
    /// A dialogue that has not begun.
    pub fn new(flow: Arc<Flow>) -> Dialogue {
        Dialogue {
            flow,
            state: State::Arriving,
            ani: None,
            customer: Row::new(),
            slots: BTreeMap::new(),
            intent: None,
            asked: Asked::default(),
            said: Vec::new(),
            question: Question::OPEN,
            last_heard: None,
            transfers_failed: 0,
            unsure: None,
            not_found: 0,
            hearing_faults: 0,
            resolved: false,
            moves: VecDeque::new(),
        }
    }

    /// Whether an intent has been answered.
    pub fn is_resolved(&self) -> bool {
        self.resolved
    }

    /// The intent that is being worked on, or was last.
    pub fn intent(&self) -> Option<&IntentName> {
        self.intent.as_ref()
    }

    /// Slots filled so far.
    pub fn slots(&self) -> &BTreeMap<String, Pii<String>> {
        &self.slots
    }

    /// Whether a person is being called or the call is ending, so that nothing more is asked.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::HandingOver | State::Ended)
    }

    /// Whether the line is busy with something that no answer can change.
    fn is_working(&self) -> bool {
        matches!(self.state, State::Arriving | State::FindingSlot { .. } | State::Fulfilling)
            || self.is_leaving()
    }

    /// The next move, in order.
    pub fn poll_move(&mut self) -> Option<Move> {
        self.moves.pop_front()
    }

    /// Whether what was heard so far already answers the question, so that the short *complete*
    /// timeout decides that the turn is over. Without the classifier's view (`meant`), whether the words
    /// alone answer it.
    pub fn is_complete(&self, heard: &Recognition, meant: Option<&Interpretation>) -> bool {
        let Some(best) = heard.best() else { return false };
        let text = best.text.expose();
        if self.is_command(text) {
            return true;
        }
        match &self.state {
            State::Purpose { wrap_up } => {
                let plain = answer(text).is_some_and(|a| {
                    a.whole && matches!(a.answer, Answer::Yes | Answer::No | Answer::ThatsAll)
                });
                (*wrap_up && plain) || self.takes_intent(best, meant)
            }
            State::ConfirmIntent { .. } | State::Offer { .. } => answer(text).is_some_and(|a| a.whole),
            State::ConfirmSlot { .. } => answer(text).is_some_and(|a| a.whole),
            State::Slot { index } => self.slot_is_complete(*index, heard, text),
            State::Menu => self.takes_intent(best, meant),
            State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => false,
        }
    }

    fn takes_intent(&self, best: &Hypothesis, meant: Option<&Interpretation>) -> bool {
        meant.is_some_and(|m| decide_intent(best, m, &self.flow.line.thresholds).0 == Decision::Accept)
    }

    /// Begins: the caller's number is looked up before the greeting.
    pub fn handle_arrival(&mut self, ani: Option<Ani>) {
        self.ani = ani;
        match &self.ani {
            Some(ani) => {
                let args = BTreeMap::from([("ani".to_owned(), Pii::from(ani.expose()))]);
                self.moves.push_back(Move::LookUp(Query { name: "customer_by_ani".to_owned(), args }));
            }
            None => self.greet(),
        }
    }

    /// Takes what happened and queues what follows from it.
    pub fn handle(&mut self, input: Input<'_>) {
        if self.state == State::Ended {
            return;
        }
        match input {
            Input::Heard { recognition, interpretation } => self.heard(recognition, interpretation),
            Input::NoInput => self.no_input(),
            Input::Keys(keys) => self.keys(keys),
            Input::Operator => self.hand_over(HandoffReason::CallerAsked),
            Input::Repeat => self.repeat(),
            Input::HearingFault(_) => self.hearing_fault(),
            Input::LookedUp(rows) => self.looked_up(rows),
            Input::LookUpFailed(_) => self.look_up_failed(),
            Input::LookUpSlow => self.look_up_slow(),
            Input::TransferFailed(_) => self.transfer_failed(),
            Input::TooLong => {
                self.say("too_long");
                self.end();
            }
        }
    }

    fn heard(&mut self, recognition: &Recognition, meant: Option<&Interpretation>) {
        let Some(best) = recognition.best() else { return self.no_match("nothing intelligible") };
        self.last_heard = Some(best.text.clone());
        let limits = self.flow.line.thresholds;
        if best.confidence < limits.reject {
            let why = format!("hearing {:.2} < {:.2}", best.confidence, limits.reject);
            return self.no_match(&why);
        }
        let text = best.text.expose().clone();
        if self.command(&text) {
            return;
        }
        match self.state.clone() {
            State::Purpose { wrap_up } => self.heard_purpose(best, meant, wrap_up),
            State::ConfirmIntent { intent } => self.heard_confirm_intent(best, meant, &intent),
            State::Slot { index } => self.heard_slot(recognition, meant, index),
            State::ConfirmSlot { index, value } => self.heard_confirm_slot(recognition, index, &value),
            State::Offer { index, step, rows, at } => {
                self.heard_offer(recognition, meant, (index, step, rows, at))
            }
            State::Menu => self.heard_menu(best, meant),
            // Nothing was asked: the caller talks while the line works. Only commands count.
            State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => {}
        }
    }

    fn is_command(&self, text: &str) -> bool {
        let c = &self.flow.commands;
        [&c.agent, &c.repeat, &c.help, &c.start_over, &c.goodbye].iter().any(|set| set.is_whole(text))
    }

    /// Words that work everywhere. Only a whole utterance counts, so that "I need help with my bill"
    /// is no call for help.
    fn command(&mut self, text: &str) -> bool {
        let commands = &self.flow.commands;
        // While the line works, only the wish for a person counts: there is no question to repeat.
        if self.is_working() && !commands.agent.is_whole(text) {
            return false;
        }
        if commands.agent.is_whole(text) {
            self.decided("agent", format!("universal command in state {}", self.state_name()));
            self.hand_over(HandoffReason::CallerAsked);
        } else if commands.repeat.is_whole(text) {
            self.decided("repeat", "universal command".to_owned());
            self.repeat();
        } else if commands.start_over.is_whole(text) {
            self.decided("start_over", "universal command".to_owned());
            self.slots.clear();
            self.intent = None;
            self.ask_purpose();
        } else if commands.goodbye.is_whole(text) {
            self.decided("goodbye", "universal command".to_owned());
            self.goodbye();
        } else if commands.help.is_whole(text) {
            self.decided("help", "universal command".to_owned());
            self.help();
        } else {
            return false;
        }
        true
    }

    fn heard_purpose(&mut self, best: &Hypothesis, meant: Option<&Interpretation>, wrap_up: bool) {
        let text = best.text.expose().clone();
        if let Some(said) = answer(&text).filter(|a| a.whole) {
            match said.answer {
                Answer::ThatsAll => return self.nothing_else(),
                Answer::No if wrap_up => return self.nothing_else(),
                Answer::Yes if wrap_up => {
                    self.decided("something_else", String::new());
                    return self.ask_purpose();
                }
                Answer::Yes | Answer::No | Answer::DontKnow => {}
            }
        }
        self.try_intent(best, meant, true);
    }

    /// Takes the intent, asks whether it is meant, or counts a no-match. Whether it was taken up.
    fn try_intent(&mut self, best: &Hypothesis, meant: Option<&Interpretation>, may_confirm: bool) {
        // The classifier did not answer: the caller was clear, the line is not.
        let Some(meant) = meant else { return self.hearing_fault() };
        let (decision, why) = decide_intent(best, meant, &self.flow.line.thresholds);
        let known = meant.best().map(|s| s.intent.clone()).filter(|i| self.flow.intents.contains_key(i));
        match (decision, known) {
            (Decision::Accept, Some(intent)) => {
                self.decided("accept", format!("{intent}: {why}"));
                self.take_intent(intent, Some(best));
            }
            (Decision::Confirm, Some(intent)) if may_confirm => {
                self.decided("confirm", format!("{intent}: {why}"));
                self.confirm_intent(intent, best);
            }
            (Decision::Accept | Decision::Confirm | Decision::Reject, _) => {
                match self.intent_by_value(best) {
                    Some(intent) if may_confirm => {
                        self.decided("confirm", format!("{intent}, for the value in it: {why}"));
                        self.confirm_intent(intent, best);
                    }
                    Some(_) | None => self.no_match(&why),
                }
            }
        }
    }

    fn confirm_intent(&mut self, intent: IntentName, best: &Hypothesis) {
        self.fill_from(&intent, best);
        let label = self.flow.intents.get(&intent).map(|s| s.label.clone()).unwrap_or_default();
        self.begin_question();
        self.say_with("confirm_intent", &[("label", label)]);
        self.state = State::ConfirmIntent { intent };
        self.listen(Question::YES_NO);
    }

    fn heard_confirm_intent(
        &mut self,
        best: &Hypothesis,
        meant: Option<&Interpretation>,
        intent: &IntentName,
    ) {
        let said = answer(best.text.expose());
        // Whoever answers the next question has said yes to this one.
        let filled = self.slots.len();
        if said.as_ref().is_none_or(|s| s.answer != Answer::No) {
            self.fill_from(intent, best);
        }
        if self.slots.len() > filled {
            self.decided("confirmed", format!("{intent}, by a value for it"));
            return self.take_intent(intent.clone(), None);
        }
        match said.as_ref().map(|s| (s.answer, s.whole)) {
            Some((Answer::Yes, _)) => {
                self.decided("confirmed", intent.to_string());
                self.take_intent(intent.clone(), None);
            }
            Some((Answer::No | Answer::DontKnow | Answer::ThatsAll, true)) => {
                self.decided("denied", intent.to_string());
                self.slots.clear();
                self.purpose_not_understood();
            }
            Some((Answer::No | Answer::DontKnow | Answer::ThatsAll, false)) | None => {
                self.slots.clear();
                self.try_intent(best, meant, false);
            }
        }
    }

    fn heard_menu(&mut self, best: &Hypothesis, meant: Option<&Interpretation>) {
        self.try_intent(best, meant, false);
    }

    /// Works on an intent: fills what was said with it, then asks for the rest.
    fn take_intent(&mut self, intent: IntentName, heard: Option<&Hypothesis>) {
        if let Some(heard) = heard {
            self.fill_from(&intent, heard);
        }
        self.intent = Some(intent);
        self.asked = Asked::default();
        self.next_slot();
    }

    fn spec(&self) -> Option<&IntentSpec> {
        self.intent.as_ref().and_then(|intent| self.flow.intents.get(intent))
    }

    fn greet(&mut self) {
        self.begin_question();
        self.say("greeting");
        self.ask_purpose_after_greeting();
    }

    fn ask_purpose_after_greeting(&mut self) {
        self.asked = Asked::default();
        self.say_nth("how_can_i_help", 0);
        self.state = State::Purpose { wrap_up: false };
        self.listen(Question::OPEN);
    }

    fn ask_purpose(&mut self) {
        self.begin_question();
        self.ask_purpose_after_greeting();
    }

    fn anything_else(&mut self) {
        self.asked = Asked::default();
        self.say("anything_else");
        self.state = State::Purpose { wrap_up: true };
        self.listen(Question::OPEN);
    }

    fn nothing_else(&mut self) {
        self.decided("nothing_else", String::new());
        self.goodbye();
    }

    fn goodbye(&mut self) {
        self.begin_question();
        self.say("goodbye");
        self.end();
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.moves.push_back(Move::HangUp(HangupCause::Line));
    }

    fn menu(&mut self) {
        self.begin_question();
        self.asked = Asked::default();
        self.read_menu();
    }

    fn read_menu(&mut self) {
        self.say("menu.intro");
        let keys: Vec<_> = self.flow.line.menu.get_ref().entry.iter().map(|e| e.key).collect();
        for key in keys {
            self.say(&format!("menu.{key}"));
        }
        self.say("menu.person");
        self.state = State::Menu;
        self.listen(Question::OPEN);
    }

    fn keys(&mut self, keys: &str) {
        match self.state.clone() {
            State::Slot { index } => self.keyed_slot(index, keys),
            State::Menu => self.keyed_menu(keys),
            State::ConfirmIntent { .. } | State::ConfirmSlot { .. } | State::Offer { .. } => {
                self.keyed_yes_no(keys)
            }
            // A caller who reaches for the keys wants the menu.
            State::Purpose { .. } => self.menu(),
            State::Arriving
            | State::FindingSlot { .. }
            | State::Fulfilling
            | State::HandingOver
            | State::Ended => {}
        }
    }

    /// 1 is yes and 2 is no: the same path as the spoken words.
    fn keyed_yes_no(&mut self, keys: &str) {
        let word = match keys {
            "1" => "yes",
            "2" => "no",
            _ => return self.no_match("expected 1 for yes or 2 for no"),
        };
        let spoken = Hypothesis { text: Pii::from(word), confidence: 1.0 };
        let recognition = Recognition { hypotheses: vec![spoken], ..Recognition::default() };
        self.heard(&recognition, None);
    }

    fn keyed_menu(&mut self, keys: &str) {
        let entries = &self.flow.line.menu.get_ref().entry;
        let chosen = entries.iter().find(|e| keys.len() == 1 && keys.starts_with(e.key.as_char()));
        match chosen.map(|e| e.intent.clone()) {
            Some(intent) => {
                self.decided("menu", format!("key {keys}: {intent}"));
                self.take_intent(intent, None);
            }
            None => self.no_match("no entry of the menu"),
        }
    }

    fn decided(&mut self, decision: &'static str, why: String) {
        self.moves.push_back(Move::Note(Note::Decided { decision, why }));
    }

    /// A new question: what was said before is no longer what "repeat" repeats.
    fn begin_question(&mut self) {
        self.said.clear();
    }

    fn say(&mut self, name: &str) {
        self.say_with(name, &[]);
    }

    fn say_nth(&mut self, list: &str, n: u8) {
        if let Some(name) = self.flow.wording.nth(list, usize::from(n)) {
            self.say(&name);
        }
    }

    fn say_with(&mut self, name: &str, extra: &[(&str, String)]) {
        let mut values = BTreeMap::from([("line".to_owned(), self.flow.line.name.clone())]);
        for (key, value) in self.customer.iter().chain(self.slots.iter()) {
            values.insert(key.clone(), value.expose().clone());
        }
        values.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        match self.flow.wording.render(name, &values) {
            Ok(prompt) if prompt.text.expose().is_empty() => {}
            Ok(prompt) => {
                self.said.push(prompt.clone());
                self.moves.push_back(Move::Say(prompt));
            }
            Err(why) => self.decided("prompt_fault", format!("{name}: {why}")),
        }
    }

    fn listen(&mut self, question: Question) {
        self.question = question.clone();
        self.moves.push_back(Move::Listen(question));
    }

    fn state_name(&self) -> &'static str {
        match self.state {
            State::Arriving => "arriving",
            State::Purpose { wrap_up: false } => "purpose",
            State::Purpose { wrap_up: true } => "wrap_up",
            State::ConfirmIntent { .. } => "confirm_intent",
            State::Slot { .. } => "slot",
            State::ConfirmSlot { .. } => "confirm_slot",
            State::Offer { .. } => "offer",
            State::Menu => "menu",
            State::FindingSlot { .. } => "finding_slot",
            State::Fulfilling => "fulfilling",
            State::HandingOver => "handing_over",
            State::Ended => "ended",
        }
    }
}
