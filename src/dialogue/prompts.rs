//! Every prompt of a flow by name, with the variables that its template may use.
//!
//! The names are what recordings are called; lists are counted from 0, one wording for each try.

use std::collections::BTreeSet;

use super::flow::FlowParts;
use super::intent_spec::{IntentSpec, SlotSpec};
use super::spec::{LineSpec, PromptSpec};
use crate::call::{CUSTOMER_FIELDS, IntentName, look_up_spec};

/// The look-up of whoever calls.
const CUSTOMER: &str = "customer_by_ani";

/// A prompt before it is compiled.
pub(super) struct Named<'a> {
    pub(super) name: String,
    pub(super) spec: &'a PromptSpec,
    /// Variables beside those that every prompt has.
    pub(super) variables: Vec<String>,
}

/// The variables that every prompt has: the line's name, the caller's record, the call's reference
/// number, and all slots.
pub(super) fn shared_variables(parts: &FlowParts<'_>) -> BTreeSet<String> {
    let slots = parts.intents.values().flat_map(|(spec, _)| spec.slot.iter().map(|slot| slot.name.clone()));
    let own = ["line", "reference"].iter().chain(CUSTOMER_FIELDS).map(|name| (*name).to_owned());
    let customer = row_fields(parts.line, CUSTOMER).unwrap_or_default();
    own.chain(customer).chain(slots).collect()
}

/// The fields of a look-up's rows, whoever answers it.
pub(super) fn row_fields(line: &LineSpec, look_up: &str) -> Option<Vec<String>> {
    if let Some(sql) = line.sql.get(look_up) {
        return Some(sql.fields.clone());
    }
    if let Some(webhook) = line.webhook.get(look_up) {
        return Some(webhook.fields.clone());
    }
    look_up_spec(look_up).map(|spec| spec.fields.iter().map(|f| (*f).to_owned()).collect())
}

struct List<'a>(Vec<Named<'a>>);

impl<'a> List<'a> {
    fn one(&mut self, name: impl Into<String>, spec: &'a PromptSpec, variables: &[&str]) {
        let variables = variables.iter().map(|v| (*v).to_owned()).collect();
        self.0.push(Named { name: name.into(), spec, variables });
    }

    fn with(&mut self, name: String, spec: &'a PromptSpec, variables: Vec<String>) {
        self.0.push(Named { name, spec, variables });
    }

    fn maybe(&mut self, name: impl Into<String>, spec: Option<&'a PromptSpec>, variables: &[&str]) {
        if let Some(spec) = spec {
            self.one(name, spec, variables);
        }
    }

    fn each(&mut self, name: &str, specs: &'a [PromptSpec]) {
        for (i, spec) in specs.iter().enumerate() {
            self.one(format!("{name}.{i}"), spec, &[]);
        }
    }
}

/// The line's own prompts.
pub(super) fn line_prompts(line: &LineSpec) -> Vec<Named<'_>> {
    let p = &line.prompts;
    let menu = line.menu.get_ref();
    let mut all = List(Vec::new());
    all.one("greeting", &p.greeting, &[]);
    for (i, greeting) in line.greeting.iter().enumerate() {
        all.one(format!("greeting.{i}"), &greeting.say, &[]);
    }
    all.one("confirm_intent", &p.confirm_intent, &["label"]);
    all.maybe("choose", p.choose.as_ref(), &["first", "second"]);
    all.maybe("narrow", p.narrow.as_ref(), &[]);
    for (name, spec) in [
        ("anything_else", &p.anything_else),
        ("goodbye", &p.goodbye),
        ("transfer", &p.transfer),
        ("transfer_failed", &p.transfer_failed),
        ("nobody_there", &p.nobody_there),
        ("hearing_fault", &p.hearing_fault),
        ("look_up_fault", &p.look_up_fault),
        ("one_moment", &p.one_moment),
        ("help", &p.help),
        ("too_long", &p.too_long),
        ("menu.intro", &menu.intro),
        ("menu.person", &menu.person),
    ] {
        all.one(name, spec, &[]);
    }
    all.maybe("keypad_only", p.keypad_only.as_ref(), &[]);
    all.maybe("recording", p.recording.as_ref(), &[]);
    all.maybe("recording_stopped", p.recording_stopped.as_ref(), &[]);
    all.maybe("yes_no_keys", p.yes_no_keys.as_ref(), &[]);
    all.maybe("still_ringing", p.still_ringing.as_ref(), &[]);
    all.maybe("callback_offer", p.callback_offer.as_ref(), &[]);
    all.maybe("callback_promised", p.callback_promised.as_ref(), &[]);
    all.maybe("take_your_time", p.take_your_time.as_ref(), &[]);
    for entry in &menu.entry {
        all.one(format!("menu.{}", entry.key), &entry.say, &[]);
    }
    all.each("how_can_i_help", &p.how_can_i_help);
    all.each("no_input", &p.no_input);
    all.each("no_match", &p.no_match);
    feature_prompts(line, &mut all);
    all.0
}

fn feature_prompts<'a>(line: &'a LineSpec, all: &mut List<'a>) {
    all.maybe("upset", line.upset.as_ref().map(|u| &u.say), &[]);
    if let Some(verification) = &line.verification {
        all.one("verification.failed", &verification.failed, &[]);
        all.one("verification.locked", &verification.locked, &[]);
        for proof in &verification.proof {
            let at = format!("verification.{}", proof.name);
            all.each(&format!("{at}.ask"), &proof.ask);
            all.each(&format!("{at}.no_input"), &proof.no_input);
            all.each(&format!("{at}.no_match"), &proof.no_match);
            all.each(&format!("{at}.wrong"), &proof.wrong);
        }
    }
    if let Some(rating) = &line.rating {
        all.one("rating.ask", &rating.ask, &[]);
        all.one("rating.thanks", &rating.thanks, &[]);
    }
    if let Some(waiting) = &line.waiting {
        all.one("waiting.announce", &waiting.announce, &["position", "minutes"]);
        all.one("waiting.number", &waiting.number, &["number"]);
        if let Some(when) = &waiting.when {
            let time = &["days", "day", "from", "until"];
            all.one("waiting.when.ask", &when.ask, &[]);
            all.one("waiting.when.confirm", &when.confirm, time);
            all.one("waiting.when.closed", &when.closed, &[]);
            all.one("waiting.when.promised", &when.promised, time);
        }
        for (name, spec) in [
            ("callback", &waiting.callback),
            ("voicemail", &waiting.voicemail),
            ("line", &waiting.line),
            ("stay", &waiting.stay),
            ("nobody", &waiting.nobody),
            ("ask_number", &waiting.ask_number),
            ("promised", &waiting.promised),
            ("message", &waiting.message),
            ("message_too_short", &waiting.message_too_short),
            ("message_review", &waiting.message_review),
            ("message_kept", &waiting.message_kept),
            ("message_lost", &waiting.message_lost),
        ] {
            all.one(format!("waiting.{name}"), spec, &[]);
        }
    }
    all.maybe("dropped", line.dropped.as_ref().map(|d| &d.say), &["label"]);
}

/// An intent's prompts.
pub(super) fn intent_prompts<'a>(name: &IntentName, spec: &'a IntentSpec, line: &LineSpec) -> Vec<Named<'a>> {
    let fields = |look_up: &str| row_fields(line, look_up).unwrap_or_default();
    let mut all = List(Vec::new());
    all.maybe(format!("{name}.transfer"), spec.transfer.as_ref(), &[]);
    let mut answered = Vec::new();
    if let Some(fulfil) = &spec.fulfil {
        answered = fulfil.look_up.as_ref().map(|l| fields(l.get_ref())).unwrap_or_default();
        answered.extend(["rows".to_owned(), "count".to_owned()]);
        all.with(format!("{name}.answer"), &fulfil.answer, answered.clone());
        all.maybe(format!("{name}.not_found"), fulfil.not_found.as_ref(), &[]);
        all.maybe(format!("{name}.confirm"), fulfil.confirm.as_ref(), &[]);
    }
    if let Some(next) = &spec.next_steps {
        all.with(format!("{name}.next_steps"), next, answered);
    }
    all.maybe(format!("{name}.without"), spec.verify.as_ref().and_then(|v| v.without.as_ref()), &[]);
    for (i, step) in spec.step.iter().enumerate() {
        let at = format!("{name}.step.{i}");
        all.one(format!("{at}.say"), &step.say, &[]);
        all.one(format!("{at}.ask"), &step.ask, &[]);
        all.maybe(format!("{at}.unsure"), step.unsure.as_ref(), &[]);
        all.maybe(format!("{at}.solved"), step.solved.as_ref(), &[]);
    }
    for slot in &spec.slot {
        slot_prompts(&format!("{name}.{}", slot.name), slot, &fields, &mut all);
    }
    all.0
}

fn slot_prompts<'a>(at: &str, slot: &'a SlotSpec, fields: &dyn Fn(&str) -> Vec<String>, all: &mut List<'a>) {
    all.each(&format!("{at}.ask"), &slot.ask);
    all.each(&format!("{at}.no_input"), &slot.no_input);
    all.each(&format!("{at}.no_match"), &slot.no_match);
    all.maybe(format!("{at}.confirm"), slot.confirm.as_ref(), &["value"]);
    all.maybe(format!("{at}.echo"), slot.echo.as_ref(), &["value"]);
    all.maybe(format!("{at}.help"), slot.help.as_ref(), &[]);
    if let Some(choices) = &slot.choices {
        all.with(format!("{at}.choices.offer"), &choices.offer, fields(choices.look_up.get_ref()));
        all.one(format!("{at}.choices.none"), &choices.none, &[]);
    }
    for (i, step) in slot.dont_know.iter().enumerate() {
        let row = fields(step.look_up.get_ref());
        all.with(format!("{at}.dont_know.{i}.found"), &step.found, row.clone());
        all.with(format!("{at}.dont_know.{i}.offer"), &step.offer, row);
    }
}
