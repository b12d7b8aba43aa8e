//! Values that the store knows for this caller, such as the numbers of their orders: looked up while the
//! line greets, never waited for. What is known counts more than what only sounds alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dialogue, KnownSpec, Move, SlotSpec};
use crate::call::{Pii, Query, Row};
use crate::understanding::Known;

/// Most values of one entity: whoever has more orders says the number of a recent one, and every value
/// takes time in every sentence.
const MOST_KNOWN: usize = 40;

impl Dialogue {
    /// Asks for what slots declare as `known`, each look-up once. The store knows nothing of a caller whom
    /// it does not know; a webhook may.
    pub(super) fn ask_known(&mut self) {
        let Some(ani) = self.ani.as_ref().map(|ani| Pii::from(ani.expose())) else { return };
        let stranger = self.customer.is_empty();
        let names: BTreeSet<&str> =
            self.known_specs().map(|(_, known)| known.look_up.get_ref().as_str()).collect();
        let asked: Vec<Query> = names
            .into_iter()
            .filter(|name| {
                !stranger
                    || self.flow.line.webhook.contains_key(*name)
                    || self.flow.line.sql.contains_key(*name)
            })
            .map(|name| Query::new(name, BTreeMap::from([("ani".to_owned(), ani.clone())])))
            .collect();
        self.moves.extend(asked.into_iter().map(Move::LookKnownUp));
    }

    /// Takes a reply: from now on these values are listened for.
    pub(super) fn now_known(&mut self, look_up: &str, rows: &[Row]) {
        let mut found: Vec<(String, String)> = Vec::new();
        for (slot, known) in self.known_specs().filter(|(_, known)| known.look_up.get_ref() == look_up) {
            let values = rows.iter().filter_map(|row| row.get(known.field.get_ref()));
            found.extend(values.map(|value| (slot.entity.get_ref().clone(), value.expose().clone())));
        }
        for (entity, value) in found {
            let known = self.known.entry(entity).or_default();
            if known.len() < MOST_KNOWN && known.iter().all(|k| k.value != value) {
                known.push(Known::from(value.as_str()));
            }
        }
    }

    fn known_specs(&self) -> impl Iterator<Item = (&SlotSpec, &KnownSpec)> {
        let slots = self.flow.intents.values().flat_map(|spec| &spec.slot);
        slots.filter_map(|slot| slot.known.as_ref().map(|known| (slot, known)))
    }
}
