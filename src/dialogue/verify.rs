//! Verification: the caller proves who they are before an intent is answered that needs it.
//!
//! A proof holds for one account, for the rest of the call. What is keyed in for a secret proof never
//! reaches a slot, a note or a record: it goes into one [`Query`] and is forgotten.

use super::check::CALLER_NUMBER;
use super::slots::{keys_fit, question_for};
use super::spec::ProofSpec;
use super::state::{Asked, State, Work};
use super::{Dialogue, Move, Question};
use crate::call::{HandoffReason, Pii, Query, Recognition, Row};
use crate::understanding::{Answer, answer, digits};

impl Dialogue {
    /// All slots are filled: proves who calls, where the intent needs it, then goes on.
    pub(super) fn slots_are_filled(&mut self) {
        let account = self.spec().and_then(|spec| spec.verify.as_ref()).map(|verify| verify.account.clone());
        match account {
            None => self.steps_or_answer(),
            Some(Some(account)) if self.account.is_none() => match self.arguments(&account.args) {
                Some(args) => {
                    self.state = State::Working(Work::FindingAccount);
                    self.moves.push_back(Move::LookUp(Query::new(account.look_up.get_ref(), args)));
                }
                None => self.verification_failed(),
            },
            Some(_) => self.prove_from(0),
        }
    }

    /// The account that proofs are about: that of the intent's look-up, else the caller's own.
    pub(super) fn account_id(&self) -> Option<Pii<String>> {
        self.account.clone().or_else(|| self.customer.get("id").cloned())
    }

    pub(super) fn found_account(&mut self, rows: &[Row]) {
        let field =
            self.spec().and_then(|s| s.verify.as_ref()).and_then(|v| v.account.as_ref()).map(|a| &a.field);
        let id = field.and_then(|field| rows.first().and_then(|row| row.get(field))).cloned();
        match id {
            Some(id) => {
                self.account = Some(id);
                self.prove_from(0);
            }
            // What the caller named does not exist.
            None if self.flow.wording.has(&self.own_prompt("not_found")) => self.nothing_found(),
            None => self.verification_failed(),
        }
    }

    fn proof(&self, index: usize) -> Option<&ProofSpec> {
        let verify = self.spec()?.verify.as_ref()?;
        let name = verify.by.get_ref().get(index)?;
        self.flow.line.verification.as_ref()?.proof.iter().find(|p| p.name == *name)
    }

    /// Tries the proofs from the `index`th on, until enough of them hold.
    pub(super) fn prove_from(&mut self, index: usize) {
        let Some(verify) = self.spec().and_then(|s| s.verify.clone()) else { return self.steps_or_answer() };
        let Some(account) = self.account_id() else { return self.verification_failed() };
        let holds = |d: &Dialogue, name: &String| d.proved.contains(&(account.clone(), name.clone()));
        for (i, name) in verify.by.get_ref().iter().enumerate().skip(index) {
            if name == CALLER_NUMBER && self.customer.get("id") == Some(&account) {
                self.proved.insert((account.clone(), name.clone()));
            }
            let held = verify.by.get_ref().iter().filter(|n| holds(self, n)).count();
            if held >= usize::from(verify.need) {
                break;
            }
            if name != CALLER_NUMBER && !holds(self, name) {
                self.asked = Asked::default();
                return self.ask_proof(i);
            }
        }
        let held = verify.by.get_ref().iter().filter(|n| holds(self, n)).count();
        if held >= usize::from(verify.need) {
            self.decided("verified", format!("{held} of {}", verify.by.get_ref().len()));
            return self.steps_or_answer();
        }
        self.verification_failed();
    }

    fn proof_prompt(&self, index: usize, what: &str) -> String {
        format!("verification.{}.{what}", self.proof(index).map(|p| p.name.as_str()).unwrap_or_default())
    }

    fn proof_entity(&self, index: usize) -> Option<crate::understanding::EntitySpec> {
        let name = self.proof(index)?.entity.as_ref()?;
        self.flow.entities.get(name.get_ref()).cloned()
    }

    fn ask_proof(&mut self, index: usize) {
        let ask = self.proof_prompt(index, "ask");
        self.say_nth(&ask, self.asked.times());
        self.state = State::Proof { index };
        let secret = self.proof(index).is_some_and(|p| p.secret);
        let question = question_for(self.proof_entity(index).as_ref());
        self.listen(Question { secret, ..question });
    }

    pub(super) fn proof_again(&mut self, index: usize, what: &str, count: u8) {
        if self.asked.times() >= self.flow.line.tries.slot {
            return self.prove_from(index + 1);
        }
        let prompt = self.proof_prompt(index, what);
        self.say_nth(&prompt, count.saturating_sub(1));
        self.ask_proof(index);
    }

    pub(super) fn proof_is_complete(&self, index: usize, heard: &Recognition, text: &str) -> bool {
        let entity = self.proof_entity(index);
        answer(text).is_some_and(|a| a.whole && a.answer == Answer::DontKnow)
            || entity.is_some_and(|e| self.best_value(heard, &e).is_some())
    }

    pub(super) fn heard_proof(&mut self, heard: &Recognition, index: usize) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let secret = self.proof(index).is_some_and(|p| p.secret);
        if secret && !digits(best.text.expose()).is_empty() {
            return self.no_match("a secret is keyed in, not said");
        }
        let entity = self.proof_entity(index).filter(|_| !secret);
        if let Some(value) = entity.and_then(|e| self.best_value(heard, &e)) {
            return self.check_proof(index, value.value);
        }
        match answer(best.text.expose()).map(|a| a.answer) {
            Some(Answer::DontKnow) => {
                self.decided("dont_know", "the caller cannot prove it so");
                self.prove_from(index + 1);
            }
            Some(Answer::Yes | Answer::No | Answer::ThatsAll) | None => self.no_match("no value in it"),
        }
    }

    pub(super) fn keyed_proof(&mut self, index: usize, keys: &str) {
        if keys_fit(self.proof_entity(index).as_ref(), keys) {
            self.check_proof(index, Pii::from(keys));
        } else {
            self.no_match("not a value of this kind by key");
        }
    }

    fn check_proof(&mut self, index: usize, value: Pii<String>) {
        let (Some(account), Some(verification)) = (self.account_id(), &self.flow.line.verification) else {
            return self.verification_failed();
        };
        let Some(look_up) = self.proof(index).and_then(|p| p.look_up.as_ref()) else {
            return self.prove_from(index + 1);
        };
        let mut args = std::collections::BTreeMap::from([
            ("account".to_owned(), account),
            ("attempts".to_owned(), Pii::new(verification.attempts.to_string())),
            ("lock_minutes".to_owned(), Pii::new(verification.lock_minutes.to_string())),
        ]);
        if let Some(ani) = &self.ani {
            args.insert("ani".to_owned(), Pii::from(ani.expose()));
        }
        let mut query = Query::new(look_up.get_ref(), args);
        query.secret.insert("value".to_owned(), value);
        self.state = State::Working(Work::Proving { index });
        self.moves.push_back(Move::LookUp(query));
    }

    pub(super) fn checked_proof(&mut self, index: usize, rows: &[Row]) {
        let result = rows.first().and_then(|row| row.get("result")).map(|r| r.expose().as_str());
        let name = self.proof(index).map(|p| p.name.clone()).unwrap_or_default();
        match result {
            Some("right") => {
                if let Some(account) = self.account_id() {
                    self.proved.insert((account, name));
                }
                self.prove_from(index + 1);
            }
            Some("locked") => {
                self.decided("locked", "too many wrong answers");
                self.not_verified("verification.locked");
            }
            Some("unknown") => {
                self.decided("dont_know", "the account has no such proof");
                self.prove_from(index + 1);
            }
            Some(_) | None => {
                self.decided("wrong", name);
                self.asked.no_match += 1;
                self.proof_again(index, "wrong", self.asked.no_match);
            }
        }
    }

    pub(super) fn verification_failed(&mut self) {
        self.decided("not_verified", "no proof is left");
        self.not_verified("verification.failed");
    }

    /// What may be said without it, else a person.
    fn not_verified(&mut self, why: &str) {
        let without = self.own_prompt("without");
        if self.flow.wording.has(&without) {
            self.say(&without);
            return self.anything_else();
        }
        self.say(why);
        self.hand_over(HandoffReason::NotVerified);
    }

    /// Whether enough proofs hold for what the intent does.
    pub(super) fn is_verified(&self) -> bool {
        let Some(verify) = self.spec().and_then(|s| s.verify.as_ref()) else { return true };
        let Some(account) = self.account_id() else { return false };
        let held =
            verify.by.get_ref().iter().filter(|n| self.proved.contains(&(account.clone(), (*n).clone())));
        held.count() >= usize::from(verify.need)
    }
}
