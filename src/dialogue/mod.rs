//! The form interpreter: intents, slots, confirmation, the repair ladder, universal commands.
//!
//! A [`Dialogue`] takes one [`Input`] at a time and queues [`Move`]s: things to say, a question to
//! listen for, a look-up, a transfer, the end. It knows nothing of SIP, Whisper, SQL, sound or time; it
//! never fails: bad input is a no-match, and an engine's fault is something the caller is told about.
//!
//! Everything it says comes from a [`Flow`], which teams write in `intents/`. One file here is one thing
//! that a caller meets: [`greeting`], [`purpose`], [`slots`], [`ways`] for "I don't know", [`verify`],
//! [`steps`], [`fulfil`], [`closing`]; [`commands`] and [`repair`] hold what works everywhere.

mod audit;

mod call_back;
mod check;

mod closing;

mod commands;

mod correction;

mod decision;

mod flow;

mod fulfil;

mod graph;

mod greeting;

mod intent_spec;

mod known;

mod prompts;

mod purpose;

mod repair;

mod slots;

mod spec;

mod speaking;

mod spoken;

mod state;

mod steps;

mod upset;

mod verify;

mod waiting;

mod ways;

mod wording;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use audit::{LONGEST_PROMPT_S, Sentence};
pub use commands::Command;
pub use decision::{Decision, decide_intent, decide_value};
pub use flow::{Commands, Flow, FlowError, Source};
pub use greeting::Arrival;
pub use intent_spec::{
    AccountSpec, ChoicesSpec, Confirmation, DontKnowStep, FulfilSpec, IntentSpec, KnownSpec, Leads, SlotSpec,
    StepSpec, VerifySpec,
};
pub use spec::{
    CommandSpec, DroppedSpec, GreetingSpec, KeySpec, LinePrompts, LineSpec, MenuEntry, MenuSpec, PromptSpec,
    ProofSpec, RatingSpec, SqlSpec, Thresholds, TimeoutSpec, Tries, UpsetSpec, VerificationSpec, WebhookSpec,
};
pub use spoken::{spelled, spoken_date, spoken_digits, spoken_number, spoken_time};
pub use waiting::MessageStep;
pub use wording::{Wording, WordingError};

use state::{Asked, State, Work};
use waiting::Place;

use crate::call::{
    Ani, Callback, Expect, Fault, Handoff, HandoffReason, HangupCause, Hypothesis, IntentName,
    Interpretation, Note, Pii, Prompt, Query, Recognition, Row, Stage, TimeSpan, Waiting, WayOut,
};
use crate::understanding::Known;

/// What the caller did, or what came back from the world.
#[derive(Debug)]
pub enum Input<'a> {
    /// The caller spoke, and this was heard.
    Heard {
        /// The recogniser's guesses.
        recognition: &'a Recognition,
        /// The classifier's view, where it gave one.
        interpretation: Option<&'a Interpretation>,
        /// How loud it was, RMS in dBFS; `None` where nobody measured.
        level_dbfs: Option<f32>,
    },
    /// The caller said nothing in time.
    NoInput,
    /// A finished keypad entry, the term char left out.
    Keys(&'a str),
    /// The key of a universal command.
    Command(Command),
    /// The recogniser does not work.
    HearingFault(Fault),
    /// The look-up's rows.
    LookedUp(Vec<Row>),
    /// What came of a [`Move::LookKnownUp`].
    Known {
        /// The look-up's name.
        look_up: &'a str,
        /// Its rows.
        rows: &'a [Row],
    },
    /// The look-up failed.
    LookUpFailed(Fault),
    /// The look-up takes longer than a caller waits without a word; comes again at intervals.
    LookUpSlow,
    /// Nobody could take the caller.
    TransferFailed(Fault),
    /// The person's telephone has been ringing for long; comes again at intervals.
    TransferSlow,
    /// The desk has news for the caller.
    Waiting(Waiting),
    /// A message is being left.
    Message(MessageStep),
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
    /// Ask the store, or a webhook; the dialogue waits for the reply.
    LookUp(Query),
    /// Ask for values that may be said later; nothing waits for the reply, and no reply is no harm.
    LookKnownUp(Query),
    /// Hand the caller to a person.
    Transfer(Handoff),
    /// The caller waits for a person no longer.
    Leave {
        /// For what.
        way: WayOut,
        /// Whom to call back.
        number: Option<Ani>,
        /// When; `None` as soon as the place comes up.
        window: Option<TimeSpan>,
    },
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
    /// Silence until `no_input`, in milliseconds, where it is not the line's.
    pub no_input_ms: Option<u64>,
    /// Keyed in only; what comes is never shown, logged or recorded.
    pub secret: bool,
}

impl Question {
    const OPEN: Question = Question { expect: Expect::Open, max_keys: 1, no_input_ms: None, secret: false };
    const YES_NO: Question =
        Question { expect: Expect::YesNo, max_keys: 1, no_input_ms: None, secret: false };
}

/// One caller's dialogue.
#[derive(Debug)]
pub struct Dialogue {
    flow: Arc<Flow>,
    state: State,
    stage: Stage,
    ani: Option<Ani>,
    arrival: Arrival,
    /// The customer that the caller's number belongs to.
    customer: Row,
    /// Values that the store knows for this caller, by entity.
    known: BTreeMap<String, Vec<Known>>,
    slots: BTreeMap<String, Pii<String>>,
    /// Slots of this intent that the caller was asked for, in order: where "go back" leads.
    answered: Vec<String>,
    intent: Option<IntentName>,
    /// The other of two intents, where the caller wanted both.
    later: Option<IntentName>,
    asked: Asked,
    /// The slot and the way to its value that is being tried.
    seeking: Option<(usize, usize)>,
    /// How often a slot's choices all failed to suit.
    unsuited: u8,
    /// The slot that was said back in passing, until the next turn.
    echoed: Option<usize>,
    /// Prompts since the last answer, for "repeat".
    said: Vec<Prompt>,
    /// Whether a question followed them, so that the next prompt begins anew.
    said_is_whole: bool,
    /// The question that they led to.
    question: Question,
    /// How often each prompt with variants was said.
    times_said: BTreeMap<String, usize>,
    /// Where the counting of variants begins: not the same for all callers.
    variant_seed: usize,
    slow: bool,
    /// "Take your time" that may still be said before silence counts.
    patience: u8,
    last_heard: Option<Pii<String>>,
    last_level_dbfs: Option<f32>,
    /// Signs that the caller is upset.
    signs: u8,
    /// The account that proofs are about.
    account: Option<Pii<String>>,
    /// Proofs that held, each with its account.
    proved: BTreeSet<(Pii<String>, String)>,
    transfers_failed: u8,
    /// The caller's place at the desk.
    place: Option<Place>,
    /// A slot filled with a value of which the line is not sure: the look-up is its check.
    unsure: Option<usize>,
    /// How often a value was well-formed but unknown.
    not_found: u8,
    /// How often the line apologised for its hearing.
    hearing_faults: u8,
    narrowed: bool,
    /// Steps that the caller has been led through in this intent.
    steps_tried: usize,
    resolved: bool,
    rating: Option<u8>,
    recording_refused: bool,
    was_rated: bool,
    callback: Option<Callback>,
    reference_given: bool,
    moves: VecDeque<Move>,
}

impl Dialogue {
    /// A dialogue that has not begun.
    pub fn new(flow: Arc<Flow>) -> Dialogue {
        Dialogue {
            flow,
            state: State::Working(Work::Arriving { dropped: false }),
            stage: Stage::Preparation,
            ani: None,
            arrival: Arrival::default(),
            customer: Row::new(),
            known: BTreeMap::new(),
            slots: BTreeMap::new(),
            answered: Vec::new(),
            intent: None,
            later: None,
            asked: Asked::default(),
            seeking: None,
            unsuited: 0,
            echoed: None,
            said: Vec::new(),
            said_is_whole: false,
            question: Question::OPEN,
            times_said: BTreeMap::new(),
            variant_seed: 0,
            slow: false,
            patience: 0,
            last_heard: None,
            last_level_dbfs: None,
            signs: 0,
            account: None,
            proved: BTreeSet::new(),
            transfers_failed: 0,
            place: None,
            unsure: None,
            not_found: 0,
            hearing_faults: 0,
            narrowed: false,
            steps_tried: 0,
            resolved: false,
            rating: None,
            recording_refused: false,
            was_rated: false,
            callback: None,
            reference_given: false,
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

    /// The stage of the call.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// How content the caller said to be, 1 to 5.
    pub fn rating(&self) -> Option<u8> {
        self.rating
    }

    /// Whether the caller does not want the call to be recorded.
    pub fn is_recording_refused(&self) -> bool {
        self.recording_refused
    }

    /// The callback that was promised.
    pub fn callback(&self) -> Option<&Callback> {
        self.callback.as_ref()
    }

    /// The call's reference number, where the caller was told it.
    pub fn reference(&self) -> Option<String> {
        self.reference_given.then(|| self.arrival.reference())
    }

    /// Whether a person is being called or the call is ending, so that nothing more is asked.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Working(Work::HandingOver | Work::TakingMessage | Work::Ended))
    }

    /// Whether what the caller says or keys now must not be shown, logged or recorded.
    pub fn is_secret(&self) -> bool {
        self.question.secret
            && matches!(self.state, State::Proof { .. } | State::Working(Work::Proving { .. }))
    }

    /// The next move, in order.
    pub fn poll_move(&mut self) -> Option<Move> {
        self.moves.pop_front()
    }

    /// Takes what happened and queues what follows from it.
    pub fn handle(&mut self, input: Input<'_>) {
        if self.state == State::Working(Work::Ended) {
            return;
        }
        match input {
            Input::Heard { recognition, interpretation, level_dbfs } => {
                self.heard(recognition, interpretation, level_dbfs);
            }
            Input::NoInput => self.no_input(),
            Input::Keys(keys) => self.keys(keys),
            Input::Command(command) => self.obey(command, "by key"),
            Input::HearingFault(_) => self.hearing_fault(),
            Input::LookedUp(rows) => self.looked_up(rows),
            Input::Known { look_up, rows } => self.now_known(look_up, rows),
            Input::LookUpFailed(_) => self.look_up_failed(),
            Input::LookUpSlow => self.look_up_slow(),
            Input::TransferFailed(_) => self.transfer_failed(),
            Input::TransferSlow => self.transfer_slow(),
            Input::Waiting(news) => self.desk_news(news),
            Input::Message(step) => self.message(step),
            Input::TooLong => {
                self.say("too_long");
                self.end();
            }
        }
        self.enter_stage();
    }

    fn heard(&mut self, heard: &Recognition, meant: Option<&Interpretation>, level_dbfs: Option<f32>) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let limits = self.flow.line.thresholds;
        if best.confidence < limits.reject {
            let why = format!("hearing {:.2} < {:.2}", best.confidence, limits.reject);
            return self.no_match(&why);
        }
        let text = best.text.expose().clone();
        if self.state == State::Waiting {
            return self.heard_waiting(best);
        }
        if let Some(command) = self.command_in(&text) {
            self.remember(&text);
            return self.obey(command, "universal command");
        }
        if self.is_working() {
            // Nothing was asked: the caller talks while the line works. Only commands count.
            return;
        }
        if self.grows_upset(&text, level_dbfs) || self.corrects(heard, best) {
            return;
        }
        let echoed = self.echoed.take();
        match self.state.clone() {
            State::WelcomeBack => self.heard_welcome_back(best, meant),
            State::Purpose { wrap_up } => self.heard_purpose(best, meant, wrap_up),
            State::ConfirmIntent { intent } => self.heard_confirm_intent(best, meant, &intent),
            State::Choose { first, second } => self.heard_choose(best, meant, (first, second)),
            State::Slot { index } => self.heard_slot(heard, meant, index, echoed),
            State::ConfirmSlot { index, value } => self.heard_confirm_slot(heard, index, &value),
            State::Offer(offer) => self.heard_offer(heard, meant, offer),
            State::Proof { index } => self.heard_proof(heard, index),
            State::Step { index } => self.heard_step(best, meant, index),
            State::ConfirmAction => self.heard_confirm_action(best, meant),
            State::Callback { then_person } => self.heard_callback(best, then_person),
            State::WaitingNumber { number } => self.heard_number(best, number),
            State::WaitingTime { number, window } => self.heard_time(best, number, window),
            State::Rating => self.heard_rating(best),
            State::Menu => self.try_intent(best, meant, false),
            State::Waiting | State::Working(_) => {}
        }
    }

    /// Keeps what was said for the person who may take over, and to tell a repetition.
    fn remember(&mut self, text: &str) {
        if !self.is_secret() {
            self.last_heard = Some(Pii::from(text));
        }
    }

    fn spec(&self) -> Option<&IntentSpec> {
        self.intent.as_ref().and_then(|intent| self.flow.intents.get(intent))
    }

    /// The name of a prompt of the intent that is worked on.
    fn own_prompt(&self, what: &str) -> String {
        format!("{}.{what}", self.intent.as_ref().map(IntentName::as_str).unwrap_or_default())
    }

    fn keys(&mut self, keys: &str) {
        self.echoed = None;
        match self.state.clone() {
            State::Slot { index } => self.keyed_slot(index, keys),
            State::Proof { index } => self.keyed_proof(index, keys),
            State::Menu => self.keyed_menu(keys),
            State::Choose { first, second } => self.keyed_choose(keys, (first, second)),
            State::Rating => self.rated(keys.parse().ok()),
            State::Waiting => self.keyed_waiting(keys),
            State::WaitingNumber { number: None } => self.given_number(keys),
            State::WaitingTime { number, window: None } => self.keyed_time(keys, number),
            State::ConfirmIntent { .. }
            | State::ConfirmSlot { .. }
            | State::Offer(_)
            | State::WelcomeBack
            | State::Step { .. }
            | State::ConfirmAction
            | State::WaitingNumber { number: Some(_) }
            | State::WaitingTime { window: Some(_), .. }
            | State::Callback { .. } => self.keyed_yes_no(keys),
            State::Purpose { wrap_up: true } if self.arrival.keypad_only && keys == "2" => {
                self.nothing_else()
            }
            // A caller who reaches for the keys wants the menu.
            State::Purpose { .. } => self.menu(),
            State::Working(_) => {}
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
        self.heard(&recognition, None, None);
    }

    fn looked_up(&mut self, rows: Vec<Row>) {
        self.times_said.remove("one_moment");
        // Otherwise a reply that nobody waits for any more.
        let State::Working(work) = self.state else { return };
        match work {
            Work::Arriving { dropped } => self.prepared(dropped, rows),
            Work::FindingSlot { index, way } => self.found_rows(index, way, rows),
            Work::FindingAccount => self.found_account(&rows),
            Work::Proving { index } => self.checked_proof(index, &rows),
            Work::Fulfilling => self.answer_with(rows),
            Work::HandingOver | Work::TakingMessage | Work::Ended => {}
        }
    }

    fn decided(&mut self, decision: &'static str, why: impl Into<String>) {
        self.moves.push_back(Move::Note(Note::Decided { decision, why: why.into() }));
    }

    fn hand_over_as_unknown(&mut self) {
        let reason = if self.not_found > 0 { HandoffReason::NotFound } else { HandoffReason::ValueUnknown };
        self.hand_over(reason);
    }
}
