//! Everything that goes into a conversation, and everything that comes out of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Ani, CallId, CallRecord, CallTime, Dnis, Dtmf, Expect, Handoff, HangupCause, Hypothesis, Interpretation,
    Pii, Recognition, TimeSpan, Utterance, Waiting, WayOut,
};

/// Names one request of a conversation. The reply echoes it; a reply to a request that no longer
/// matters is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u32);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why an engine or the store gave no answer. The dialogue decides what the caller hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Too much is waiting already.
    Overloaded,
    /// It took longer than it may.
    TimedOut,
    /// It broke; the text is for the log.
    Failed(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Overloaded => f.write_str("overloaded"),
            Fault::TimedOut => f.write_str("timed_out"),
            Fault::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// One row of a look-up's result: field name to value, ready for a prompt's template.
pub type Row = BTreeMap<String, Pii<String>>;

/// A named look-up with its arguments. What a name means is the store's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// `customer_by_ani`, `order_by_number`, `open_orders_by_customer` …
    pub name: String,
    /// Argument name to value.
    pub args: BTreeMap<String, Pii<String>>,
    /// Arguments that no timeline, log or record may show: a PIN.
    #[serde(default, skip_serializing)]
    pub secret: BTreeMap<String, Pii<String>>,
    /// Names this request among all of all calls, so that whoever is asked twice does it once.
    #[serde(default)]
    pub key: String,
    /// The call that asks.
    #[serde(default)]
    pub call: Option<CallId>,
}

impl Query {
    /// A query without secrets. The conversation adds the call and the key.
    pub fn new(name: &str, args: BTreeMap<String, Pii<String>>) -> Query {
        Query { name: name.to_owned(), args, secret: BTreeMap::new(), key: String::new(), call: None }
    }
}

/// Something to say: already worded, not yet sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The prompt's name in `intents/`, under which a recording replaces synthesis.
    pub name: String,
    /// The words, with numbers and dates already as they are spoken.
    pub text: Pii<String>,
    /// Whether the name alone determines the words, so that a recording of that name may be played
    /// and a rendering kept for ever.
    pub evergreen: bool,
    /// Whether speech or a key stops it.
    pub barge_in: bool,
    /// Whether the caller asked to hear it slowly.
    #[serde(default)]
    pub slow: bool,
}

/// What happens to a conversation.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call is there.
    CallArrived {
        /// The call's id.
        id: CallId,
        /// The caller's number, unless withheld.
        ani: Option<Ani>,
        /// The number dialled.
        dnis: Option<Dnis>,
    },
    /// A key, signalled by the channel (in-band tones are found in the audio).
    Key(Dtmf),
    /// The recogniser's answer.
    Recognized {
        /// The request.
        id: RequestId,
        /// What was heard.
        recognition: Recognition,
    },
    /// The recogniser gave none.
    RecognitionFailed {
        /// The request.
        id: RequestId,
        /// Why.
        fault: Fault,
    },
    /// The classifier's answer.
    Interpreted {
        /// The request.
        id: RequestId,
        /// What was meant.
        interpretation: Interpretation,
    },
    /// The classifier gave none.
    InterpretationFailed {
        /// The request.
        id: RequestId,
        /// Why.
        fault: Fault,
    },
    /// The prompt has been played to its end (or could not be played at all).
    PromptFinished {
        /// The request.
        id: RequestId,
    },
    /// The store's answer.
    LookedUp {
        /// The request.
        id: RequestId,
        /// Rows found; none is an answer too.
        rows: Vec<Row>,
    },
    /// The store gave none.
    LookUpFailed {
        /// The request.
        id: RequestId,
        /// Why.
        fault: Fault,
    },
    /// A person has the caller now.
    Transferred {
        /// The request.
        id: RequestId,
    },
    /// Nobody could take the caller, who is still there.
    TransferFailed {
        /// The request.
        id: RequestId,
        /// Why.
        fault: Fault,
    },
    /// The desk has news for a caller who is being handed over.
    Waiting {
        /// The transfer's request.
        id: RequestId,
        /// What.
        news: Waiting,
    },
    /// The message that the caller left is kept.
    MessageKept {
        /// The request.
        id: RequestId,
    },
    /// It could not be kept.
    MessageLost {
        /// The request.
        id: RequestId,
        /// Why.
        fault: Fault,
    },
    /// The call is over.
    HungUp {
        /// Who ended it.
        cause: HangupCause,
    },
}

/// What a conversation wants done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Pick up.
    Answer,
    /// Play a prompt; `PromptFinished` when it has been heard.
    Say {
        /// Echoed by the reply.
        id: RequestId,
        /// What to say.
        prompt: Prompt,
    },
    /// Stop that prompt at once; no `PromptFinished` is needed.
    StopPrompt {
        /// The prompt's request.
        id: RequestId,
    },
    /// Recognise an utterance.
    Recognize {
        /// Echoed by the reply.
        id: RequestId,
        /// The sound.
        utterance: Utterance,
        /// What was asked.
        expect: Expect,
    },
    /// The reply to this recognition no longer matters.
    CancelRecognition {
        /// The recognition's request.
        id: RequestId,
    },
    /// Classify the hypotheses, taken together.
    Interpret {
        /// Echoed by the reply.
        id: RequestId,
        /// Best first.
        hypotheses: Vec<Hypothesis>,
    },
    /// Ask the store.
    LookUp {
        /// Echoed by the reply.
        id: RequestId,
        /// What for.
        query: Query,
    },
    /// Hand the caller to a person.
    Transfer {
        /// Echoed by the reply.
        id: RequestId,
        /// What the person gets.
        handoff: Handoff,
    },
    /// The caller who was being handed over waits no longer.
    Leave {
        /// The transfer's request.
        id: RequestId,
        /// For what.
        way: WayOut,
        /// Whom to call back.
        number: Option<Ani>,
        /// When; `None` as soon as the place comes up.
        window: Option<TimeSpan>,
    },
    /// Play this sound; `PromptFinished` when it has been heard.
    Play {
        /// Echoed by the reply.
        id: RequestId,
        /// 16 kHz mono.
        sound: std::sync::Arc<[i16]>,
    },
    /// Keep the message that the caller left; answered by `MessageKept` or `MessageLost`.
    KeepMessage {
        /// Echoed by the reply.
        id: RequestId,
        /// What was said, 16 kHz mono.
        sound: std::sync::Arc<[i16]>,
        /// The package that a person would have got.
        handoff: Handoff,
    },
    /// Keep the record; the call has ended.
    WriteRecord {
        /// All of it.
        record: Box<CallRecord>,
    },
    /// End the call.
    HangUp {
        /// Why.
        cause: HangupCause,
    },
    /// Something worth a line in the timeline; nothing to do.
    Note(Note),
}

/// A decision or an observation, for timelines and logs.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// The caller began to speak.
    SpeechStarted,
    /// The caller has finished speaking.
    SpeechEnded {
        /// When the last voiced frame came in: what an answer's delay is counted from.
        at: CallTime,
    },
    /// An in-band or signalled key; `None` where it belongs to a secret.
    KeyHeard(Option<Dtmf>),
    /// What the dialogue decided, in one word, and why.
    Decided {
        /// `accept`, `confirm`, `no_match`, `no_input`, `fill` …
        decision: &'static str,
        /// For the reader: scores and thresholds.
        why: String,
    },
    /// Nothing was said in time.
    NoInput,
}
