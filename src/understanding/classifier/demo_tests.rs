//! The demo line's own files with the real encoder; skipped where it has not been pulled.

use std::path::{Path, PathBuf};

use crate::call::Hypothesis;
use crate::understanding::{TrainingFile, TrainingSet};

use super::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The intents that the demo line is trained from: every file in `intents/` with examples.
fn demo_set() -> TrainingSet {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join("intents")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|e| e == "toml") && text.contains("\nexamples") {
            files.push(TrainingFile::parse(&path.display().to_string(), &text).unwrap());
        }
    }
    TrainingSet::from_files(files).unwrap()
}

fn encoder() -> Option<Encoder> {
    let dir = root().join("models/cache/all-MiniLM-L6-v2");
    if !Path::new(&dir).is_dir() {
        println!("skipped: no sentence encoder in {}; `attendant models pull` fetches it", dir.display());
        return None;
    }
    Some(Encoder::load(&dir).unwrap())
}

fn interpret(classifier: &IntentClassifier, text: &str) -> Interpretation {
    classifier.interpret(&[Hypothesis { text: text.into(), confidence: 0.8 }]).unwrap()
}

/// Sentences of callers that stand in no training file, some of them misheard.
const CALLERS: &[(&str, &str)] = &[
    ("order_status", "where is my hoarder"),
    ("order_status", "where my order"),
    ("order_status", "wear is my order"),
    ("order_status", "order state is"),
    ("order_status", "tracking number"),
    ("order_status", "i was wondering when my package gets here"),
    ("order_status", "hi my order was supposed to come on monday and it's still not here"),
    ("order_status", "could you look up an order for me i want to know if it was sent"),
    ("order_status", "why is my delivery taking so long"),
    ("new_order", "hello i'd like to buy a pair of boots"),
    ("new_order", "i want to place in order"),
    ("new_order", "can i get two more of those lamps"),
    ("new_order", "buying something"),
    ("return_refund", "i want to refund"),
    ("return_refund", "i want a re fund"),
    ("return_refund", "i would like to return these pants they're too big"),
    ("return_refund", "how do i get my money back for this"),
    ("return_refund", "cancel the order i made yesterday"),
    ("return_refund", "the vase was smashed when it got here"),
    ("billing", "bill"),
    ("billing", "you took money from my card two times"),
    ("billing", "why was i charged forty dollars"),
    ("billing", "i can't pay this invoice before next month"),
    ("tech_support", "technical sport"),
    ("tech_support", "the tablet i bought won't switch on"),
    ("tech_support", "i can't sign in on your site"),
    ("tech_support", "my speaker has no sound anymore"),
    ("agent", "a gent please"),
    ("agent", "i want to speak with a real human"),
    ("agent", "let me talk to customer service now"),
    ("agent", "can you put me through to somebody"),
];

const ELSEWHERE: &[&str] = &[
    "will it snow on the weekend",
    "what's the best restaurant around here",
    "tell me about the roman empire",
    "can you play some jazz",
    "my cat is sleeping on the sofa",
    "who is the prime minister of canada",
    "how many ounces are in a pound",
    "i need a taxi to the train station",
    "what should i wear tonight",
    "do you know a good book",
    "i'd like a burger with fries",
    "when is the next train to boston",
];

#[test]
fn the_demo_line_understands_its_callers() {
    let Some(encoder) = encoder() else { return };
    let options = TrainingOptions { seed: 1, ..Default::default() };
    let Trained { head, report, .. } = train(&demo_set(), Some(&encoder), &options, &mut |_| {}).unwrap();
    println!("{report}");
    let classifier = IntentClassifier::new(head, Some(encoder)).unwrap();
    let mut wrong = Vec::new();
    for (intent, text) in CALLERS {
        let said = interpret(&classifier, text);
        let best = said.best().unwrap();
        println!("{text}: {} {:.2} oos {:.2}", best.intent, best.probability, said.out_of_scope);
        if best.intent.as_str() != *intent || said.is_out_of_scope() {
            wrong.push(*text);
        }
    }
    let mut let_in = Vec::new();
    for text in ELSEWHERE {
        let said = interpret(&classifier, text);
        println!("{text}: oos {:.2}", said.out_of_scope);
        if !said.is_out_of_scope() {
            let_in.push(*text);
        }
    }
    assert!(report.accuracy >= 0.95, "{report}");
    assert!(wrong.len() <= 4, "{wrong:?}");
    assert!(let_in.len() <= 1, "{let_in:?}");
}

/// The intents of public e-commerce sentences that the demo line has too.
const PUBLIC: &[(&str, &str)] = &[
    ("cancel_order", "return_refund"),
    ("get_refund", "return_refund"),
    ("track_refund", "return_refund"),
    ("check_invoice", "billing"),
    ("get_invoice", "billing"),
    ("payment_issue", "billing"),
    ("contact_customer_service", "agent"),
    ("contact_human_agent", "agent"),
    ("place_order", "new_order"),
    ("track_order", "order_status"),
    ("recover_password", "tech_support"),
];

/// Every `step`th line of a public file: text and label.
fn public(name: &str, step: usize) -> Option<Vec<(String, String)>> {
    let base = std::env::var("ATTENDANT_DATA").map_or_else(|_| root().join("../shared/nlu"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(base.join(name)) else {
        println!("skipped: no {name} in {}", base.display());
        return None;
    };
    let pair = |line: &str| line.split_once('\t').map(|(a, b)| (a.to_owned(), b.trim().to_owned()));
    Some(text.lines().filter_map(pair).step_by(step).collect())
}

#[test]
fn public_sentences_are_understood_too() {
    let (Some(encoder), Some(shop), Some(elsewhere)) =
        (encoder(), public("bitext_cs/train.tsv", 23), public("clinc150/oos_test.tsv", 5))
    else {
        return;
    };
    let head =
        train(&demo_set(), Some(&encoder), &TrainingOptions { seed: 1, ..Default::default() }, &mut |_| {})
            .unwrap()
            .head;
    let classifier = IntentClassifier::new(head, Some(encoder)).unwrap();
    let (mut known, mut right, mut kept) = (0, 0, 0);
    for (text, label) in &shop {
        let Some((_, intent)) = PUBLIC.iter().find(|(l, _)| l == label) else { continue };
        let said = interpret(&classifier, text);
        known += 1;
        let best = said.best().unwrap();
        right += usize::from(best.intent.as_str() == *intent);
        if best.intent.as_str() != *intent {
            println!(
                "{text}: {intent} taken for {} {:.2} oos {:.2}",
                best.intent, best.probability, said.out_of_scope
            );
        }
        kept += usize::from(!said.is_out_of_scope());
    }
    let caught = elsewhere.iter().filter(|(text, _)| interpret(&classifier, text).is_out_of_scope()).count();
    println!(
        "shop: {right} of {known} right, {kept} kept; elsewhere: {caught} of {} caught",
        elsewhere.len()
    );
    assert!(right * 100 >= known * 70, "{right} of {known}");
    assert!(kept * 100 >= known * 80, "{kept} of {known}");
    assert!(caught * 100 >= elsewhere.len() * 80, "{caught} of {}", elsewhere.len());
}
