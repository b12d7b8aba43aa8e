//! Where a dialogue is, and the stage of the call that this belongs to.

use super::Dialogue;
use crate::call::{Ani, IntentName, Row, Stage, TimeSpan};

/// Where a dialogue is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// "We were cut off. Shall we go on?"
    WelcomeBack,
    /// "How can I help you?", or "anything else?".
    Purpose { wrap_up: bool },
    /// "Is this about …?"
    ConfirmIntent { intent: IntentName },
    /// "Is this about …, or about …?"
    Choose { first: IntentName, second: IntentName },
    /// The keypad menu.
    Menu,
    /// A slot's question.
    Slot { index: usize },
    /// "Is that right?"
    ConfirmSlot { index: usize, value: String },
    /// "Is it the headphones?", one row after another.
    Offer(Offer),
    /// A proof's question, by its place in the intent's list.
    Proof { index: usize },
    /// "Please unplug it. Does it work now?"
    Step { index: usize },
    /// "Shall I book it?"
    ConfirmAction,
    /// "Shall we call you back?"
    Callback { then_person: bool },
    /// Music, and the ways out of it.
    Waiting,
    /// "Shall we call you back on …?", or "which number?".
    WaitingNumber { number: Option<Ani> },
    /// "When shall we call?", or "shall we call tomorrow between …?".
    WaitingTime { number: Ani, window: Option<TimeSpan> },
    /// "How content are you?"
    Rating,
    /// Nothing is asked: the line is busy, or leaves.
    Working(Work),
}

/// What the line is busy with. No answer can change it, only the wish for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Before the greeting, while the caller's number is looked up, then a call that was cut off.
    Arriving { dropped: bool },
    /// Waiting for rows to fill a slot.
    FindingSlot { index: usize, way: Way },
    /// Waiting for the account's id.
    FindingAccount,
    /// Waiting for a proof's check.
    Proving { index: usize },
    /// Waiting for the rows that answer the intent.
    Fulfilling,
    /// A person is being called.
    HandingOver,
    /// The caller leaves a message.
    TakingMessage,
    /// Nothing follows.
    Ended,
}

/// Where a slot's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The slot's choices.
    Choices,
    /// A step of `dont_know`.
    DontKnow(usize),
}

/// Rows that are offered one by one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) index: usize,
    pub(super) way: Way,
    pub(super) rows: Vec<Row>,
    pub(super) at: usize,
}

/// How often the open question was asked in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) no_input: u8,
    pub(super) no_match: u8,
}

impl Asked {
    pub(super) fn times(self) -> u8 {
        self.no_input.saturating_add(self.no_match)
    }
}

impl Dialogue {
    /// Whether the line is busy with something that no answer can change.
    pub(super) fn is_working(&self) -> bool {
        matches!(self.state, State::Working(_))
    }

    /// After each input: the stage that the state belongs to. Leaving keeps the stage that was left.
    pub(super) fn enter_stage(&mut self) {
        self.stage = match &self.state {
            State::Working(Work::Arriving { .. }) => Stage::Preparation,
            State::WelcomeBack => Stage::Greeting,
            State::Purpose { wrap_up: false } if self.stage == Stage::Preparation => Stage::Greeting,
            State::Purpose { wrap_up: false }
            | State::ConfirmIntent { .. }
            | State::Choose { .. }
            | State::Menu => Stage::Purpose,
            State::Working(Work::FindingAccount)
            | State::Proof { .. }
            | State::Working(Work::Proving { .. }) => Stage::Verification,
            State::Slot { .. }
            | State::ConfirmSlot { .. }
            | State::Offer(_)
            | State::Working(Work::FindingSlot { .. })
            | State::Step { .. }
            | State::Working(Work::Fulfilling) => Stage::Resolution,
            State::ConfirmAction => Stage::Confirmation,
            State::Callback { .. }
            | State::Waiting
            | State::WaitingNumber { .. }
            | State::WaitingTime { .. }
            | State::Working(Work::TakingMessage) => Stage::NextSteps,
            State::Purpose { wrap_up: true } | State::Rating => Stage::WrapUp,
            State::Working(Work::HandingOver) | State::Working(Work::Ended) => self.stage,
        };
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self.state {
            State::Working(Work::Arriving { .. }) => "arriving",
            State::WelcomeBack => "welcome_back",
            State::Purpose { wrap_up: false } => "purpose",
            State::Purpose { wrap_up: true } => "wrap_up",
            State::ConfirmIntent { .. } => "confirm_intent",
            State::Choose { .. } => "choose",
            State::Slot { .. } => "slot",
            State::ConfirmSlot { .. } => "confirm_slot",
            State::Offer(_) => "offer",
            State::Menu => "menu",
            State::Working(Work::FindingSlot { .. }) => "finding_slot",
            State::Working(Work::FindingAccount) => "finding_account",
            State::Proof { .. } => "proof",
            State::Working(Work::Proving { .. }) => "proving",
            State::Step { .. } => "step",
            State::ConfirmAction => "confirm_action",
            State::Working(Work::Fulfilling) => "fulfilling",
            State::Callback { .. } => "callback",
            State::Waiting => "waiting",
            State::WaitingNumber { .. } => "waiting_number",
            State::WaitingTime { .. } => "waiting_time",
            State::Rating => "rating",
            State::Working(Work::HandingOver) => "handing_over",
            State::Working(Work::TakingMessage) => "taking_message",
            State::Working(Work::Ended) => "ended",
        }
    }
}
