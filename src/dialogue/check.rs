//! What makes a flow sound: references resolve, templates compile, nobody can be trapped.
//!
//! A maze cannot be written. A way to a value that a caller does not know is taken once, in order, and a
//! person is at its end; what is asked on such a way has no ways of its own; nothing leads back to a menu.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{FlowError, FlowParts, Source};
use super::intent_spec::{ChoicesSpec, Confirmation, DontKnowStep, FulfilSpec, IntentSpec, SlotSpec};
use super::prompts::{Named, intent_prompts, line_prompts, row_fields, shared_variables};
use super::spec::{LineSpec, ProofSpec, SqlSpec};
use super::wording::Wording;
use crate::call::{NumberedSql, look_up_spec};
use crate::understanding::EntityKind;

/// The proof that needs no question: the caller's number is the account's.
pub(super) const CALLER_NUMBER: &str = "caller_number";

/// Arguments that no slot fills.
const GIVEN: &[&str] = &["ani", "account"];

/// Resolves every reference and compiles every template.
pub(super) fn check(parts: &FlowParts<'_>) -> Result<Wording, FlowError> {
    check_line(parts)?;
    for (spec, source) in parts.intents.values() {
        check_intent(parts, spec, source)?;
    }
    compile(parts)
}

fn compile(parts: &FlowParts<'_>) -> Result<Wording, FlowError> {
    let mut wording = Wording::new();
    let shared = shared_variables(parts);
    let mut add = |source: &Source, prompts: Vec<Named<'_>>| {
        for Named { name, spec, variables } in prompts {
            let mut known = shared.clone();
            known.extend(variables);
            let added = wording.add(&name, spec, &known);
            added.map_err(|(e, text)| FlowError::near(source, text, e.to_string()))?;
        }
        Ok(())
    };
    add(parts.line_source, line_prompts(parts.line))?;
    for (name, (spec, source)) in &parts.intents {
        add(source, intent_prompts(name, spec, parts.line))?;
    }
    Ok(wording)
}

fn check_line(parts: &FlowParts<'_>) -> Result<(), FlowError> {
    let FlowParts { line, line_source: source, .. } = parts;
    check_menu(parts)?;
    check_limits(line, source)?;
    check_keys(line, source)?;
    for greeting in &line.greeting {
        check_greeting(greeting, source)?;
    }
    if line.prompts.how_can_i_help.is_empty() {
        return Err(FlowError::near(source, "how_can_i_help", "expected at least one wording"));
    }
    if line.prompts.recording.as_ref().is_some_and(|prompt| prompt.barge_in) {
        let message = "a caller who talks over 'recording' does not know that the call is recorded: \
                       expected { say = \"…\", barge_in = false }";
        return Err(FlowError::near(source, "recording", message));
    }
    for (name, webhook) in &line.webhook {
        let url = webhook.url.get_ref();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let message = format!("webhook '{name}': '{url}' is no address: expected https://…");
            return Err(FlowError::at(source, webhook.url.span().start, message));
        }
        if look_up_spec(name).is_some() {
            let message =
                format!("webhook '{name}' has the name of a look-up of the store: expected another");
            return Err(FlowError::at(source, webhook.url.span().start, message));
        }
    }
    for (name, sql) in &line.sql {
        check_sql(line, name, sql)
            .map_err(|why| FlowError::at(source, sql.query.span().start, format!("sql '{name}': {why}")))?;
    }
    if let Some(verification) = &line.verification {
        for proof in &verification.proof {
            check_proof(parts, proof)?;
        }
    }
    Ok(())
}

/// Look-ups of the store that are the line's own, whatever a team keeps elsewhere.
const OF_THE_LINE: &[&str] = &["dropped_call", "verify_date_of_birth", "verify_pin", "verify_postcode"];

fn check_sql(line: &LineSpec, name: &str, sql: &SqlSpec) -> Result<(), String> {
    NumberedSql::parse(sql.query.get_ref())?;
    if OF_THE_LINE.contains(&name) || line.webhook.contains_key(name) {
        return Err("that is the name of a look-up of the line, or of a webhook: expected another".to_owned());
    }
    let is_field = |field: &&String| {
        !field.is_empty() && field.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match sql.fields.iter().find(|field| !is_field(field)) {
        Some(field) => Err(format!("'{field}' is no field: expected small letters, digits and _")),
        None if sql.fields.is_empty() => Err("expected the fields of its rows".to_owned()),
        None => Ok(()),
    }
}

/// The arguments that a look-up needs, where that is known.
fn needed(line: &LineSpec, look_up: &str) -> Vec<String> {
    let Some(sql) = line.sql.get(look_up) else {
        let own = look_up_spec(look_up).map_or(&[][..], |spec| spec.args);
        return own.iter().map(|arg| (*arg).to_owned()).collect();
    };
    let parameters = NumberedSql::parse(sql.query.get_ref()).map(|sql| sql.parameters).unwrap_or_default();
    parameters
        .into_iter()
        .map(|name| name.strip_suffix("_digits").map_or(name.clone(), str::to_owned))
        .collect()
}

fn check_greeting(greeting: &super::spec::GreetingSpec, source: &Source) -> Result<(), FlowError> {
    let fail = |at: &str, message: String| Err(FlowError::near(source, at, message));
    for day in &greeting.days {
        if !super::greeting::DAYS.contains(&day.as_str()) {
            return fail(
                day,
                format!("'{day}' is no day: expected one of {}", super::greeting::DAYS.join(", ")),
            );
        }
    }
    for time in greeting.from.iter().chain(&greeting.until) {
        if super::greeting::minutes(time).is_none() {
            return fail(time, format!("'{time}' is no time of day: expected HH:MM, 00:00 to 23:59"));
        }
    }
    if greeting.from.is_some() != greeting.until.is_some() {
        return fail("[[greeting]]", "a greeting by hours needs both `from` and `until`".to_owned());
    }
    Ok(())
}

/// Thresholds that no score can meet, or that contradict each other.
fn check_limits(line: &LineSpec, source: &Source) -> Result<(), FlowError> {
    let t = &line.thresholds;
    let named = [
        ("accept", t.accept),
        ("margin", t.margin),
        ("confirm", t.confirm),
        ("choose", t.choose),
        ("hearing", t.hearing),
        ("value", t.value),
        ("sure", t.sure),
        ("reject", t.reject),
    ];
    let fail = |message: String| Err(FlowError::near(source, "[thresholds]", message));
    if let Some((name, value)) = named.iter().find(|(_, v)| !(0.0..1.0).contains(v)) {
        return fail(format!("threshold {name} = {value}: expected a probability from 0 to below 1"));
    }
    for (low, high) in [("confirm", "accept"), ("reject", "hearing"), ("reject", "value"), ("value", "sure")]
    {
        let value = |name| named.iter().find(|(n, _)| *n == name).map_or(0.0, |(_, v)| *v);
        if value(low) > value(high) {
            let (l, h) = (value(low), value(high));
            return fail(format!(
                "threshold {low} = {l} is above {high} = {h}, so that nothing lies between"
            ));
        }
    }
    if t.choose > 0.5 {
        return fail(format!(
            "threshold choose = {}: two intents cannot both reach it; expected at most 0.5",
            t.choose
        ));
    }
    let tries = [("purpose", line.tries.purpose), ("slot", line.tries.slot), ("menu", line.tries.menu)];
    if let Some((name, n)) = tries.iter().find(|(_, n)| !(1..=5).contains(n)) {
        let message = format!("tries.{name} = {n}: expected 1 to 5, or callers are sent in circles");
        return Err(FlowError::near(source, "[tries]", message));
    }
    if line.timeouts.no_input_ms > 7_000 {
        let message = "no_input_ms is above 7000: a caller must not wait in silence for 8 seconds";
        return Err(FlowError::near(source, "no_input_ms", message));
    }
    Ok(())
}

fn check_keys(line: &LineSpec, source: &Source) -> Result<(), FlowError> {
    let keys = &line.keys;
    let named = [
        ("repeat", &keys.repeat),
        ("help", &keys.help),
        ("go_back", &keys.go_back),
        ("slower", &keys.slower),
        ("wait", &keys.wait),
        ("start_over", &keys.start_over),
        ("goodbye", &keys.goodbye),
        ("dont_know", &keys.dont_know),
        ("no_recording", &keys.no_recording),
    ];
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, key) in named {
        let fits = key == "*"
            || key == "#"
            || (key.len() == 2 && key.starts_with('*') && key.as_bytes()[1].is_ascii_digit());
        if !fits {
            let message = format!("keys.{name} = '{key}': expected '*', '#', or '*' and a digit");
            return Err(FlowError::near(source, "[keys]", message));
        }
        if let Some(other) = seen.insert(key, name) {
            let message = format!("keys.{name} and keys.{other} are both '{key}': expected a key of its own");
            return Err(FlowError::near(source, "[keys]", message));
        }
    }
    Ok(())
}

fn check_menu(parts: &FlowParts<'_>) -> Result<(), FlowError> {
    let menu = &parts.line.menu;
    let fail = |message: String| Err(FlowError::at(parts.line_source, menu.span().start, message));
    let entries = &menu.get_ref().entry;
    if !(1..=5).contains(&entries.len()) {
        return fail(format!(
            "the menu has {} entries: expected 1 to 5 (0 is a person, always)",
            entries.len()
        ));
    }
    let mut keys = BTreeSet::new();
    for entry in entries {
        if !matches!(entry.key.digit(), Some(1..=9)) {
            return fail(format!("menu key '{}': expected 1 to 9 (0 is a person, always)", entry.key));
        }
        if !keys.insert(entry.key) {
            return fail(format!("menu key '{}' stands twice", entry.key));
        }
        if !parts.intents.contains_key(&entry.intent) {
            return fail(format!(
                "menu key '{}' leads to '{}', for which there is no file",
                entry.key, entry.intent
            ));
        }
    }
    Ok(())
}

fn check_proof(parts: &FlowParts<'_>, proof: &ProofSpec) -> Result<(), FlowError> {
    let source = parts.line_source;
    let fail = |message: String| Err(FlowError::near(source, &format!("\"{}\"", proof.name), message));
    if proof.name == CALLER_NUMBER {
        return Ok(());
    }
    let Some(entity) = &proof.entity else {
        return fail(format!(
            "proof '{}' names no entity: expected what the caller shall say or key",
            proof.name
        ));
    };
    check_entity(parts, source, entity.get_ref(), entity.span().start)?;
    if proof.ask.is_empty() {
        return fail(format!("proof '{}' asks nothing: expected at least one wording", proof.name));
    }
    let kind = parts.entities.get(entity.get_ref()).map(|e| &e.kind);
    if proof.secret && !matches!(kind, Some(EntityKind::Digits { .. })) {
        return fail(format!(
            "proof '{}' is secret, so that it is keyed in: expected an entity of digits",
            proof.name
        ));
    }
    let Some(look_up) = &proof.look_up else {
        return fail(format!(
            "proof '{}' names no look_up: expected who checks it, verify_pin for example",
            proof.name
        ));
    };
    check_look_up(parts, source, look_up.get_ref(), look_up.span().start)?;
    let plain =
        parts.line.webhook.get(look_up.get_ref()).and_then(|w| w.url.get_ref().strip_prefix("http://"));
    let host = plain.map(|rest| rest.split(['/', ':']).next().unwrap_or(rest));
    if host.is_some_and(|host| !matches!(host, "127.0.0.1" | "localhost")) {
        return fail(format!(
            "proof '{}' would travel unprotected: expected a webhook with https://",
            proof.name
        ));
    }
    Ok(())
}

fn check_entity(parts: &FlowParts<'_>, source: &Source, entity: &str, at: usize) -> Result<(), FlowError> {
    if parts.entities.contains_key(entity) {
        return Ok(());
    }
    let known: Vec<&str> = parts.entities.keys().map(String::as_str).collect();
    let message =
        format!("entity '{entity}' is not declared in entities.toml: expected one of {}", known.join(", "));
    Err(FlowError::at(source, at, message))
}

fn check_look_up(parts: &FlowParts<'_>, source: &Source, name: &str, at: usize) -> Result<(), FlowError> {
    if row_fields(parts.line, name).is_some() {
        return Ok(());
    }
    let own = crate::call::LOOK_UPS.iter().map(|l| l.name);
    let declared = parts.line.webhook.keys().chain(parts.line.sql.keys()).map(String::as_str);
    let known: Vec<&str> = own.chain(declared).collect();
    let message = format!(
        "look-up '{name}' is neither the store's nor a [webhook] or [sql] of line.toml: expected one of {}",
        known.join(", ")
    );
    Err(FlowError::at(source, at, message))
}

/// One intent's file.
struct Intent<'a> {
    parts: &'a FlowParts<'a>,
    spec: &'a IntentSpec,
    source: &'a Source,
}

fn check_intent(parts: &FlowParts<'_>, spec: &IntentSpec, source: &Source) -> Result<(), FlowError> {
    let intent = Intent { parts, spec, source };
    let mut names = BTreeSet::new();
    for slot in &spec.slot {
        if !names.insert(slot.name.as_str()) {
            return Err(
                intent.fail(&format!("\"{}\"", slot.name), format!("slot '{}' stands twice", slot.name))
            );
        }
        intent.slot(slot)?;
    }
    intent.verification()?;
    for step in &spec.step {
        intent.conditions(&step.only_if)?;
    }
    match &spec.fulfil {
        Some(fulfil) => intent.fulfil(fulfil),
        None => Ok(()),
    }
}

impl Intent<'_> {
    fn fail(&self, near: &str, message: String) -> FlowError {
        FlowError::near(self.source, near, message)
    }

    fn find(&self, name: &str) -> Option<&SlotSpec> {
        self.spec.slot.iter().find(|s| s.name == name)
    }

    fn look_up(&self, name: &toml::Spanned<String>) -> Result<(), FlowError> {
        check_look_up(self.parts, self.source, name.get_ref(), name.span().start)
    }

    /// Arguments name slots of this intent, and the store's look-ups get all that they need.
    fn args(
        &self,
        look_up: &toml::Spanned<String>,
        args: &BTreeMap<String, String>,
    ) -> Result<(), FlowError> {
        self.look_up(look_up)?;
        let at = look_up.span().start;
        for slot in args.values() {
            if self.find(slot).is_none() && !GIVEN.contains(&slot.as_str()) {
                let message = format!(
                    "args names the slot '{slot}', which this intent does not have: expected a slot, {}",
                    GIVEN.join(" or ")
                );
                return Err(FlowError::at(self.source, at, message));
            }
        }
        for arg in needed(self.parts.line, look_up.get_ref()) {
            if !args.contains_key(&arg) {
                let message = format!("look-up '{}' gets no '{arg}': expected it in args", look_up.get_ref());
                return Err(FlowError::at(self.source, at, message));
            }
        }
        Ok(())
    }

    fn field(&self, look_up: &toml::Spanned<String>, field: &toml::Spanned<String>) -> Result<(), FlowError> {
        let fields = row_fields(self.parts.line, look_up.get_ref()).unwrap_or_default();
        if fields.iter().any(|f| f == field.get_ref()) {
            return Ok(());
        }
        let message = format!(
            "the rows of '{}' have no field '{}': expected one of {}",
            look_up.get_ref(),
            field.get_ref(),
            fields.join(", ")
        );
        Err(FlowError::at(self.source, field.span().start, message))
    }

    /// Conditions name a slot that is asked for, and a value that it can have.
    fn conditions(&self, only_if: &BTreeMap<String, String>) -> Result<(), FlowError> {
        for (name, value) in only_if {
            let Some(slot) = self.find(name) else {
                return Err(self.fail(
                    "only_if",
                    format!("only_if names the slot '{name}', which this intent does not have"),
                ));
            };
            let kind = self.parts.entities.get(slot.entity.get_ref()).map(|e| &e.kind);
            if let Some(EntityKind::List { values }) = kind
                && !values.iter().any(|v| v.value == *value)
            {
                let known: Vec<&str> = values.iter().map(|v| v.value.as_str()).collect();
                let message = format!(
                    "only_if: '{name}' is never '{value}', so that this is never reached: expected one of {}",
                    known.join(", ")
                );
                return Err(self.fail(&format!("\"{value}\""), message));
            }
        }
        Ok(())
    }

    fn slot(&self, slot: &SlotSpec) -> Result<(), FlowError> {
        let at = slot.entity.span().start;
        let fail = |message: String| Err(FlowError::at(self.source, at, message));
        check_entity(self.parts, self.source, slot.entity.get_ref(), at)?;
        if slot.ask.is_empty() && slot.choices.is_none() {
            return fail(format!(
                "slot '{}' asks nothing: expected `ask` with at least one wording, or `choices`",
                slot.name
            ));
        }
        let asks =
            matches!(slot.confirmation, Confirmation::Auto | Confirmation::Explicit | Confirmation::Implicit);
        if slot.confirm.is_none() && asks && slot.choices.is_none() {
            return fail(format!(
                "slot '{}' has no `confirm`: expected a question with {{{{ value }}}}, or confirmation = \"none\"",
                slot.name
            ));
        }
        if slot.confirmation == Confirmation::Implicit && slot.echo.is_none() {
            return fail(format!(
                "slot '{}' is confirmed in passing: expected an `echo` with {{{{ value }}}}",
                slot.name
            ));
        }
        if slot.no_input_ms.is_some_and(|ms| !(1_000..=7_000).contains(&ms)) {
            return fail(format!(
                "slot '{}': no_input_ms: expected 1000 to 7000; a caller who needs longer says so (commands.wait)",
                slot.name
            ));
        }
        self.conditions(&slot.only_if)?;
        if slot.only_if.contains_key(&slot.name) {
            return fail(format!("slot '{}' depends on itself, so that it is never reached", slot.name));
        }
        if let Some(choices) = &slot.choices {
            self.choices(slot, choices)?;
        }
        if let Some(known) = &slot.known {
            let only_ani = BTreeMap::from([("ani".to_owned(), "ani".to_owned())]);
            self.args(&known.look_up, &only_ani)?;
            self.field(&known.look_up, &known.field)?;
        }
        for step in &slot.dont_know {
            self.dont_know(slot, step)?;
        }
        let way = |s: &SlotSpec| s.dont_know.iter().any(|step| step.ask.contains(&slot.name));
        if !slot.needed && !self.spec.slot.iter().any(way) {
            return fail(format!(
                "slot '{}' is not needed and no `dont_know` step asks for it, so that it is never reached",
                slot.name
            ));
        }
        Ok(())
    }

    fn choices(&self, slot: &SlotSpec, choices: &ChoicesSpec) -> Result<(), FlowError> {
        self.args(&choices.look_up, &choices.args)?;
        self.field(&choices.look_up, &choices.field)?;
        let Some(again) = &choices.again else { return Ok(()) };
        let before = self.spec.slot.iter().take_while(|s| s.name != slot.name);
        if before.into_iter().any(|s| s.name == *again) {
            return Ok(());
        }
        let message = format!(
            "choices.again names '{again}': expected a slot that is asked for before '{}'",
            slot.name
        );
        Err(FlowError::at(self.source, choices.look_up.span().start, message))
    }

    /// A way to a value: what it asks for has no ways of its own, so that no circle can be written.
    fn dont_know(&self, slot: &SlotSpec, step: &DontKnowStep) -> Result<(), FlowError> {
        let at = step.look_up.span().start;
        let fail = |message: String| Err(FlowError::at(self.source, at, message));
        for name in &step.ask {
            let Some(asked) = self.find(name) else {
                return fail(format!(
                    "dont_know asks for the slot '{name}', which this intent does not have"
                ));
            };
            if *name == slot.name {
                return fail(format!(
                    "dont_know of '{name}' asks for '{name}': a caller would go in circles"
                ));
            }
            if !asked.dont_know.is_empty() || asked.choices.is_some() {
                return fail(format!(
                    "dont_know of '{}' asks for '{name}', which has ways of its own: a caller would go in circles; \
                     expected a slot without dont_know and choices",
                    slot.name
                ));
            }
        }
        let only_ani = BTreeMap::from([("ani".to_owned(), "ani".to_owned())]);
        self.args(&step.look_up, if step.args.is_empty() { &only_ani } else { &step.args })?;
        for source in step.args.values().filter(|s| !GIVEN.contains(&s.as_str())) {
            if *source == slot.name {
                return fail(format!(
                    "dont_know of '{source}' looks it up by itself: expected what the caller does know"
                ));
            }
            if !step.ask.contains(source) {
                return fail(format!(
                    "dont_know uses the slot '{source}' without asking for it: expected it in `ask`"
                ));
            }
        }
        self.field(&step.look_up, &step.field)
    }

    fn verification(&self) -> Result<(), FlowError> {
        let Some(verify) = &self.spec.verify else { return Ok(()) };
        let at = verify.by.span().start;
        let fail = |message: String| Err(FlowError::at(self.source, at, message));
        let Some(verification) = &self.parts.line.verification else {
            return fail("verify needs the proofs of [verification] in line.toml, which has none".to_owned());
        };
        let known: Vec<&str> = verification.proof.iter().map(|p| p.name.as_str()).collect();
        if let Some(stranger) = verify.by.get_ref().iter().find(|name| !known.contains(&name.as_str())) {
            return fail(format!(
                "proof '{stranger}' is not in [verification]: expected one of {}",
                known.join(", ")
            ));
        }
        let count = verify.by.get_ref().len();
        if verify.need == 0 || usize::from(verify.need) > count {
            return fail(format!("need = {} of {count} proofs: expected 1 to {count}", verify.need));
        }
        match &verify.account {
            Some(account) => self.args(&account.look_up, &account.args),
            None => Ok(()),
        }
    }

    fn fulfil(&self, fulfil: &FulfilSpec) -> Result<(), FlowError> {
        let Some(look_up) = &fulfil.look_up else {
            if fulfil.args.is_empty() {
                return Ok(());
            }
            return Err(
                self.fail("[fulfil]", "fulfil has args but no look_up: expected both or neither".to_owned())
            );
        };
        self.args(look_up, &fulfil.args)?;
        if fulfil.not_found.is_none() {
            let message = "fulfil has no not_found: expected what the caller hears when there is no row";
            return Err(FlowError::at(self.source, look_up.span().start, message));
        }
        for name in fulfil.args.values() {
            if self.find(name).is_some_and(|s| !s.only_if.is_empty() || !s.needed) {
                let message = format!("args uses the slot '{name}', which is not always asked for");
                return Err(FlowError::at(self.source, look_up.span().start, message));
            }
        }
        Ok(())
    }
}
