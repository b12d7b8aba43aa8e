//! The cheapest ways through a sentence that have the shape of a value.
//!
//! A beam search over the words: a state is what has been spelled so far. The shape cuts whatever cannot
//! become a value any more, so few states are alive, and the time for a sentence is bounded.

use std::ops::Range;

use super::lattice::{Lattice, Node, Strength};
use super::shape::Shape;
use super::sounds::near;
use super::symbols::{LETTERS, Symbols};

/// What the search may put up with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    /// No way that costs more is taken.
    pub(super) most: f32,
    /// What it costs to take a symbol for one that sounds like it: this, and the distance of the names.
    /// Infinite forbids it.
    pub(super) confused: f32,
    /// Whether a symbol that would fit may be taken for another one as well.
    pub(super) doubt: bool,
    /// What it costs to leave a symbol out that was heard.
    pub(super) extra: f32,
    /// What it costs to leave a word out beside the value that may be a letter by its sound.
    pub(super) edge: f32,
    /// What it costs to put a symbol in that was not heard.
    pub(super) missing: f32,
    /// What it costs to take a symbol for any other.
    pub(super) wild: f32,
}

/// A value that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) symbols: Symbols,
    /// Which form of the shape it has.
    pub(super) form: usize,
    pub(super) cost: f32,
    /// The words that it was read from.
    pub(super) words: Range<usize>,
}

impl std::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values are personal data.
        write!(f, "{} symbols", self.len())
    }
}

/// Ways kept at each word. Wider finds nothing more on the sets of docs/benchmarks.md.
const BEAM: usize = 40;
/// A symbol of the same kind right beside the value belongs to it: what leaves it out is no value.
const BESIDE: f32 = f32::INFINITY;
/// What costs no more to pass over parts nothing.
const SKIPPED: f32 = 0.1;
/// An "oh" beside the value that is left out of it.
const OH_BESIDE: f32 = 0.2;
/// What a caller who mends a value says anew mostly begins with what is replaced; what does not costs this.
const OTHER_START: f32 = 0.12;
/// A caller who takes something back.
const TAKEN_BACK: f32 = 0.25;

#[derive(Clone, Copy)]
struct State {
    symbols: Symbols,
    forms: u128,
    cost: f32,
    first: usize,
    /// The first of the symbols that were just taken back.
    replaced: Option<u8>,
}

/// All values of `shape` in the sentence, the cheapest first; of each value only the cheapest way.
pub(super) fn search(lattice: &Lattice, shape: &Shape, tolerance: Tolerance) -> Vec<Found> {
    let mut search = Search { lattice, shape, tolerance, lettered: has_letters(shape), found: Vec::new() };
    search.run();
    let mut found = search.found;
    found.sort_by(|a, b| {
        a.cost.total_cmp(&b.cost).then_with(|| a.symbols.as_bytes().cmp(b.symbols.as_bytes()))
    });
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        let again = |k: &Found| {
            k.symbols == one.symbols && k.words.start < one.words.end && one.words.start < k.words.end
        };
        if !kept.iter().any(again) {
            kept.push(one);
        }
    }
    kept
}

fn has_letters(shape: &Shape) -> bool {
    (0..super::symbols::MOST)
        .any(|place| shape.expected(shape.all(), place).any(|s| super::symbols::only(s) & LETTERS != 0))
}

struct Search<'a> {
    lattice: &'a Lattice,
    shape: &'a Shape,
    tolerance: Tolerance,
    /// Whether letters are symbols of this value.
    lettered: bool,
    found: Vec<Found>,
}

impl Search<'_> {
    fn run(&mut self) {
        let nodes = &self.lattice.nodes;
        let mut states: Vec<Vec<State>> = vec![Vec::new(); nodes.len() + 1];
        for at in 0..nodes.len() {
            let mut here = std::mem::take(&mut states[at]);
            prune(&mut here);
            if !nodes[at].arcs.is_empty() && !nodes[at].inner {
                let cost = self.beside(self.lattice.nodes[..at].iter().rev());
                if cost <= self.tolerance.most {
                    let forms = self.shape.all();
                    here.push(State { symbols: Symbols::EMPTY, forms, cost, first: at, replaced: None });
                }
            }
            for state in here {
                self.step(at, &nodes[at], state, &mut states);
            }
        }
    }

    fn step(&mut self, at: usize, node: &Node, state: State, states: &mut [Vec<State>]) {
        let begun = state.symbols.len() > 0;
        if begun {
            self.keep(State { cost: state.cost + node.skip, ..state }, &mut states[at + 1]);
            if let Some(taken) = node.correction {
                self.take_back(state, &mut states[at + taken]);
            }
        }
        for arc in &node.arcs {
            let end = at + arc.words;
            let reached = State { cost: state.cost + arc.cost, ..state };
            let Some(after) = states.get_mut(end) else { continue };
            let already = after.len();
            extend(self.shape, self.tolerance, reached, arc.said.as_bytes(), after);
            let complete: Vec<State> = after[already..].to_vec();
            for state in complete {
                self.finish(state, end);
            }
        }
    }

    fn keep(&self, state: State, into: &mut Vec<State>) {
        if state.cost <= self.tolerance.most {
            into.push(state);
        }
    }

    /// What was said may be taken back from any symbol on; the shape decides which it was.
    fn take_back(&self, state: State, into: &mut Vec<State>) {
        for len in 0..state.symbols.len() {
            let symbols = state.symbols.cut(len);
            let mut forms = self.shape.all();
            for (place, symbol) in symbols.as_bytes().iter().enumerate() {
                forms = self.shape.accept(forms, place, *symbol);
            }
            // To start anew is likelier than to mend, and to mend the end likelier than the middle.
            let gone = state.symbols.len() - len;
            let cost = if len == 0 { 0.0 } else { 0.02 * f32::from(u8::try_from(gone).unwrap_or(u8::MAX)) };
            let replaced = Some(state.symbols.as_bytes()[len]);
            self.keep(
                State { symbols, forms, cost: state.cost + TAKEN_BACK + cost, replaced, ..state },
                into,
            );
        }
    }

    fn finish(&mut self, state: State, end: usize) {
        let len = state.symbols.len();
        let Some(form) = self.shape.complete(state.forms, len) else { return };
        let beside =
            if self.taken_back_after(end) { BESIDE } else { self.beside(self.lattice.nodes[end..].iter()) };
        let cost = state.cost + self.shape.cost(form) + beside;
        if cost <= self.tolerance.most {
            self.found.push(Found { symbols: state.symbols, form, cost, words: state.first..end });
        }
    }

    fn is_strong(&self, node: &Node) -> bool {
        match node.strength {
            Strength::Digit => true,
            Strength::Letter => self.lettered,
            Strength::Weak | Strength::Oh => false,
        }
    }

    /// What it costs to leave out what stands right beside the value, what is passed over for nothing aside.
    fn beside<'n>(&self, mut nodes: impl Iterator<Item = &'n Node>) -> f32 {
        // "And" is an N beside letters as well as it is nothing.
        let sounds = |n: &Node| self.lettered && self.tolerance.edge > SKIPPED && !n.arcs.is_empty();
        match nodes.find(|n| n.skip > SKIPPED || n.correction.is_some() || sounds(n)) {
            Some(node) if node.correction.is_some() => 0.0,
            Some(node) if self.is_strong(node) => BESIDE,
            Some(node) if node.strength == Strength::Oh => OH_BESIDE,
            Some(node) if self.lettered && !node.arcs.is_empty() => self.tolerance.edge,
            Some(_) | None => 0.0,
        }
    }

    /// Whether the caller takes back what stands before `end`, and says something else.
    fn taken_back_after(&self, end: usize) -> bool {
        let nodes = &self.lattice.nodes;
        let from = (end..nodes.len()).find(|i| nodes[*i].skip > 0.0 || nodes[*i].correction.is_some());
        let Some((at, taken)) = from.and_then(|at| nodes[at].correction.map(|taken| (at, taken))) else {
            return false;
        };
        nodes[at + taken..].iter().take(2).any(|n| self.is_strong(n))
    }
}

fn prune(states: &mut Vec<State>) {
    states.sort_by(|a, b| a.symbols.as_bytes().cmp(b.symbols.as_bytes()).then(a.cost.total_cmp(&b.cost)));
    states.dedup_by(|a, b| a.symbols == b.symbols);
    states.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(b.symbols.len().cmp(&a.symbols.len())));
    states.truncate(BEAM);
}

/// Adds `said` to a state in every way that the shape and the tolerance allow.
fn extend(shape: &Shape, tolerance: Tolerance, state: State, said: &[u8], into: &mut Vec<State>) {
    if state.cost > tolerance.most {
        return;
    }
    let Some((symbol, rest)) = said.split_first() else {
        into.push(state);
        return;
    };
    let place = state.symbols.len();
    let mut take = |symbol: u8, cost: f32, rest: &[u8]| -> bool {
        let forms = shape.accept(state.forms, place, symbol);
        let mut symbols = state.symbols;
        if forms == 0 || !symbols.push(symbol) {
            return false;
        }
        let other = state.replaced.is_some_and(|replaced| replaced != symbol);
        let cost = state.cost + cost + if other { OTHER_START } else { 0.0 };
        extend(shape, tolerance, State { symbols, forms, cost, replaced: None, ..state }, rest, into);
        true
    };
    let fits = take(*symbol, 0.0, rest);
    if tolerance.confused.is_finite() && (tolerance.doubt || !fits) {
        for (other, distance) in near(*symbol) {
            take(*other, tolerance.confused + distance, rest);
        }
    }
    if tolerance.wild.is_finite() && !fits && state.cost + tolerance.wild <= tolerance.most {
        let expected: Vec<u8> = shape.expected(state.forms, place).collect();
        for symbol in expected {
            take(symbol, tolerance.wild, rest);
        }
    }
    if tolerance.missing.is_finite() && state.cost + tolerance.missing <= tolerance.most {
        let missing: Vec<u8> = shape.expected(state.forms, place).collect();
        for symbol in missing {
            take(symbol, tolerance.missing, said);
        }
    }
    if tolerance.extra.is_finite() {
        extend(shape, tolerance, State { cost: state.cost + tolerance.extra, ..state }, rest, into);
    }
}
