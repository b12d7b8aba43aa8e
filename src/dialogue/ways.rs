//! Ways to a value: "I don't know" is an answer, and so is "the second one, please".
//!
//! Each way is taken once, in order; a person is at the end.

use std::collections::BTreeMap;

use super::speaking::fields;
use super::state::{Asked, Offer, State, Way, Work};
use super::{Dialogue, Move, Question};
use crate::call::{HandoffReason, Interpretation, Pii, Query, Recognition, Row};
use crate::understanding::{Answer, answer, words};

/// At most this many rows are offered one by one: more is a list nobody remembers.
const MOST_OFFERS: usize = 3;

/// Shortest word by which a row is told from the others: "the" names nothing.
const NAMING_WORD: usize = 4;

impl Dialogue {
    /// "I don't know": the declared ways to the value, one after another, and a person at the end.
    pub(super) fn find_slot(&mut self, index: usize, step: usize) {
        self.seeking = Some((index, step));
        self.asked = Asked::default();
        self.seek(index, step);
    }

    /// Goes on with a way: asks for what it needs, then looks the value up.
    pub(super) fn seek(&mut self, index: usize, step: usize) {
        let Some(slot) = self.slot(index) else { return self.hand_over_as_unknown() };
        let Some(way) = slot.dont_know.get(step) else {
            self.seeking = None;
            return self.hand_over_as_unknown();
        };
        let missing = way.ask.iter().find(|name| !self.slots.contains_key(*name)).cloned();
        let missing = missing
            .and_then(|name| self.spec().and_then(|spec| super::slots::slot_of(spec, &name)).map(|(i, _)| i));
        if let Some(needed) = missing {
            self.asked = Asked::default();
            return self.ask_slot_in_words(needed);
        }
        let args = if way.args.is_empty() {
            BTreeMap::from([("ani".to_owned(), "ani".to_owned())])
        } else {
            way.args.clone()
        };
        let name = way.look_up.get_ref().clone();
        match self.arguments(&args) {
            Some(args) => {
                self.state = State::Working(Work::FindingSlot { index, way: Way::DontKnow(step) });
                self.moves.push_back(Move::LookUp(Query::new(&name, args)));
            }
            // A withheld number leads nowhere: the next way may.
            None => self.find_slot(index, step + 1),
        }
    }

    /// A look-up's arguments from slots, the caller's number and the account; `None` where one is missing.
    pub(super) fn arguments(&self, args: &BTreeMap<String, String>) -> Option<BTreeMap<String, Pii<String>>> {
        args.iter()
            .map(|(arg, from)| {
                let value = match from.as_str() {
                    "ani" => self.ani.as_ref().map(|ani| Pii::from(ani.expose())),
                    "account" => self.account_id(),
                    slot => self.slots.get(slot).cloned(),
                };
                value.map(|value| (arg.clone(), value))
            })
            .collect()
    }

    /// A slot whose value is one of a look-up's rows.
    pub(super) fn find_choices(&mut self, index: usize) {
        let Some(choices) = self.slot(index).and_then(|s| s.choices.as_ref()) else {
            return self.hand_over_as_unknown();
        };
        let name = choices.look_up.get_ref().clone();
        match self.arguments(&choices.args) {
            Some(args) => {
                self.state = State::Working(Work::FindingSlot { index, way: Way::Choices });
                self.moves.push_back(Move::LookUp(Query::new(&name, args)));
            }
            None => self.hand_over_as_unknown(),
        }
    }

    fn way_prompt(&self, index: usize, way: Way, what: &str) -> String {
        match way {
            Way::Choices => self.slot_prompt(index, &format!("choices.{what}")),
            Way::DontKnow(step) => self.slot_prompt(index, &format!("dont_know.{step}.{what}")),
        }
    }

    pub(super) fn found_rows(&mut self, index: usize, way: Way, mut rows: Vec<Row>) {
        rows.truncate(MOST_OFFERS);
        match (rows.len(), way) {
            (0, _) => self.next_way(index, way),
            (1, Way::DontKnow(_)) => {
                let prompt = self.way_prompt(index, way, "found");
                self.say_with(&prompt, fields(&rows[0]));
                self.fill_row(index, way, &rows[0]);
            }
            _ => self.offer(Offer { index, way, rows, at: 0 }),
        }
    }

    fn fill_row(&mut self, index: usize, way: Way, row: &Row) {
        let Some(slot) = self.slot(index) else { return self.hand_over_as_unknown() };
        let field = match way {
            Way::Choices => slot.choices.as_ref().map(|c| c.field.get_ref()),
            Way::DontKnow(step) => slot.dont_know.get(step).map(|way| way.field.get_ref()),
        };
        match field.and_then(|field| row.get(field).cloned()) {
            Some(value) => {
                self.seeking = None;
                self.fill(index, value);
            }
            None => self.next_way(index, way),
        }
    }

    /// This way led nowhere: the next, or another value for what the choices came from, or a person.
    pub(super) fn next_way(&mut self, index: usize, way: Way) {
        let Way::Choices = way else {
            let step = self.seeking.map_or(0, |(_, step)| step);
            return self.find_slot(index, step + 1);
        };
        self.unsuited += 1;
        let none = self.way_prompt(index, way, "none");
        self.say(&none);
        let again = self.slot(index).and_then(|s| s.choices.as_ref()).and_then(|c| c.again.clone());
        let again = again.and_then(|name| {
            let index = self.spec().and_then(|spec| super::slots::slot_of(spec, &name)).map(|(i, _)| i);
            index.map(|i| (i, name))
        });
        match again.filter(|_| self.unsuited < self.flow.line.tries.slot) {
            Some((index, name)) => {
                self.slots.remove(&name);
                self.ask_anew(index);
            }
            None => self.hand_over(HandoffReason::NotFound),
        }
    }

    pub(super) fn offer(&mut self, offer: Offer) {
        let prompt = self.way_prompt(offer.index, offer.way, "offer");
        self.say_with(&prompt, fields(&offer.rows[offer.at]));
        self.state = State::Offer(offer);
        self.listen(Question::YES_NO);
    }

    pub(super) fn heard_offer(&mut self, heard: &Recognition, meant: Option<&Interpretation>, offer: Offer) {
        let Some(best) = heard.best() else { return self.no_match("nothing intelligible") };
        let text = best.text.expose().clone();
        self.remember(&text);
        let of = format!("offer {} of {}", offer.at + 1, offer.rows.len());
        let said = answer(&text).map(|a| (a.answer, a.whole));
        let no = matches!(said, Some((Answer::No | Answer::ThatsAll, _)));
        if let Some(named) = named_row(&offer, &text, no) {
            self.decided("confirmed", format!("{of}: named offer {}", named + 1));
            let row = offer.rows[named].clone();
            return self.fill_row(offer.index, offer.way, &row);
        }
        match said.map(|(answer, _)| answer) {
            Some(Answer::Yes) => {
                self.decided("confirmed", of);
                let row = offer.rows[offer.at].clone();
                self.fill_row(offer.index, offer.way, &row);
            }
            Some(Answer::No | Answer::ThatsAll) => {
                self.decided("denied", of);
                if offer.at + 1 < offer.rows.len() {
                    self.asked = Asked::default();
                    self.offer(Offer { at: offer.at + 1, ..offer });
                } else {
                    self.next_way(offer.index, offer.way);
                }
            }
            Some(Answer::DontKnow) => self.next_way(offer.index, offer.way),
            None if offer.way == Way::Choices => {
                if !self.takes_other_intent(best, meant) {
                    self.no_match("neither yes nor no");
                }
            }
            None => self.heard_slot(heard, meant, offer.index, None),
        }
    }
}

/// The row of which the caller says a word that only its fields hold: "no, the chair". A denied row is not
/// meant.
fn named_row(offer: &Offer, text: &str, denied: bool) -> Option<usize> {
    let said: Vec<String> =
        words(text).into_iter().map(|w| w.text).filter(|w| w.len() >= NAMING_WORD).collect();
    let names =
        |row: &Row| -> Vec<String> { row.values().flat_map(|v| words(v.expose())).map(|w| w.text).collect() };
    let hits: Vec<usize> = (0..offer.rows.len())
        .filter(|i| !(denied && *i == offer.at))
        .filter(|i| {
            let own = names(&offer.rows[*i]);
            let others: Vec<String> =
                offer.rows.iter().enumerate().filter(|(j, _)| j != i).flat_map(|(_, r)| names(r)).collect();
            said.iter().any(|w| own.contains(w) && !others.contains(w))
        })
        .collect();
    match hits.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
