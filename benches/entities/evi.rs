//! EVI: real callers saying a postcode, a name, a date of birth, three attempts each, as an n-best list.
//!
//! A turn is right where the likeliest value is the true one. "Within three" counts the callers for whom
//! it was in one of their attempts, each on its own; "added up" the callers for whom the attempts' scores
//! together put it first after one, two or three.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use attendant::call::Hypothesis;
use attendant::understanding::{
    Context, DateReading, EntityKind, EntitySpec, Known, Prefer, Region, candidates,
};

use super::{Score, Wrong};

struct Turn {
    item: String,
    gold: String,
    heard: Vec<Hypothesis>,
    caller: String,
}

/// The recogniser gave no confidences: each alternative counts this much of the one before.
const NEXT: f32 = 0.75;

fn turns(data: &Path) -> Vec<Turn> {
    let text = fs::read_to_string(data.join("evi_en_gb_asr_nbest.tsv")).expect("the set lies there");
    let turn = |line: &str| -> Option<Turn> {
        let f: Vec<&str> = line.split('\t').collect();
        let [item, _, _, _, gold, _, list, caller] = f[..] else { return None };
        let list: Vec<String> = serde_json::from_str(list).ok()?;
        let mut confidence = 1.0;
        let heard = list
            .iter()
            .map(|text| {
                let hypothesis = Hypothesis { text: text.as_str().into(), confidence };
                confidence *= NEXT;
                hypothesis
            })
            .collect();
        Some(Turn { item: item.to_owned(), gold: gold.to_owned(), heard, caller: caller.to_owned() })
    };
    text.lines().filter(|l| !l.starts_with('#')).filter_map(turn).collect()
}

pub(super) fn measure(data: &Path, scores: &mut Vec<Score>, wrong: &mut Vec<(String, Wrong)>) {
    let turns = turns(data);
    let postcode = EntitySpec { name: "postcode".into(), kind: EntityKind::Postcode { region: Region::Gb } };
    let of = |item: &str| -> Vec<&Turn> { turns.iter().filter(|t| t.item == item).collect() };
    let unknown = |_: &Turn| Vec::new();
    let limits = Some([(42.0, 50.0), (68.0, 75.0)]);
    attempts("EVI postcodes", &of("postcode"), &postcode, unknown, limits, scores, wrong);
    // As an identification: the store holds fifty customers, the caller among them.
    let among = |turns: &[&Turn]| -> Vec<String> {
        let mut all: Vec<String> = turns.iter().map(|t| t.gold.clone()).collect();
        all.sort();
        all.dedup();
        all
    };
    let fifty = |all: &[String], gold: &str| -> Vec<Known> {
        let at = all.iter().position(|g| g == gold).unwrap_or_default();
        // Spread over the whole list: neighbours would be too alike, or too little.
        let others = (1..50).map(|n| &all[(at + n * all.len() / 50) % all.len()]);
        std::iter::once(&all[at]).chain(others).map(|v| v.as_str().into()).collect()
    };
    for (name, item, spec) in [
        ("EVI postcodes of fifty known", "postcode", &postcode),
        ("EVI names of fifty known", "name", &EntitySpec { name: "name".into(), kind: EntityKind::Name }),
    ] {
        let turns = of(item);
        let all = among(&turns);
        attempts(name, &turns, spec, |turn| fifty(&all, &turn.gold), None, scores, wrong);
    }
    let birthday = DateReading { month_first: false, prefer: Prefer::Past };
    let birthday = EntitySpec { name: "birthday".into(), kind: EntityKind::Date { reading: birthday } };
    attempts("EVI dates of birth", &of("dob"), &birthday, unknown, None, scores, wrong);
}

/// One kind of value: by turn, within three attempts, and with the attempts' scores added up.
fn attempts(
    name: &str,
    turns: &[&Turn],
    spec: &EntitySpec,
    known: impl Fn(&Turn) -> Vec<Known>,
    limits: Option<[(f64, f64); 2]>,
    scores: &mut Vec<Score>,
    wrong: &mut Vec<(String, Wrong)>,
) {
    let mut right = 0;
    let mut within: BTreeMap<&str, bool> = BTreeMap::new();
    let mut sums: BTreeMap<&str, BTreeMap<String, f32>> = BTreeMap::new();
    let mut added: BTreeMap<&str, bool> = BTreeMap::new();
    for turn in turns {
        let known = known(turn);
        // The set is of 2021.
        let now = Some(jiff::civil::date(2021, 6, 1).at(12, 0, 0, 0));
        let found = candidates(&turn.heard, spec, &Context { now, known: &known });
        let best = found.first().map(|e| e.value.expose().as_str()).unwrap_or("-");
        let hit = best == turn.gold;
        right += usize::from(hit);
        *within.entry(&turn.caller).or_default() |= hit;
        let sum = sums.entry(&turn.caller).or_default();
        for entity in &found {
            *sum.entry(entity.value.expose().clone()).or_default() += entity.confidence;
        }
        let first = sum.iter().max_by(|a, b| a.1.total_cmp(b.1)).map(|(v, _)| v.as_str());
        *added.entry(&turn.caller).or_default() |= first == Some(turn.gold.as_str());
        if !hit {
            let texts: Vec<&str> = turn.heard.iter().map(|h| h.text.expose().as_str()).collect();
            wrong.push((name.to_owned(), (texts.join(" | "), turn.gold.clone(), best.to_owned())));
        }
    }
    let mut add = |set: String, right: usize, all: usize, limits: Option<(f64, f64)>| {
        scores.push(Score { set, right, all, bar: limits.map(|l| l.0), goal: limits.map(|l| l.1) });
    };
    let count = |callers: &BTreeMap<&str, bool>| callers.values().filter(|hit| **hit).count();
    add(format!("{name}, one turn"), right, turns.len(), limits.map(|l| l[0]));
    add(format!("{name}, within three attempts"), count(&within), within.len(), limits.map(|l| l[1]));
    add(format!("{name}, attempts added up"), count(&added), added.len(), None);
}
