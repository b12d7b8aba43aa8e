//! Training on a tiny set, with n-grams alone.

use std::path::Path;

use crate::call::Hypothesis;
use crate::understanding::TrainingFile;

use super::super::{Classifier, IntentClassifier};
use super::*;

fn tiny() -> TrainingSet {
    TrainingSet::from_files(tiny_files()).unwrap()
}

fn tiny_files() -> Vec<TrainingFile> {
    let file = |name: &str, sentences: &[&str]| {
        let quoted: Vec<String> = sentences.iter().map(|s| format!("\"{s}\",")).collect();
        let text = format!("examples = [\n{}\n]", quoted.join("\n"));
        TrainingFile::parse(&format!("intents/{name}.toml"), &text).unwrap()
    };
    vec![
        file(
            "status",
            &[
                "where is my order",
                "where is my parcel",
                "track my order",
                "when does my order come",
                "is my order on its way",
                "order status",
                "my parcel is late",
                "where is order [45 12 88](order_number)",
            ],
        ),
        file(
            "refund",
            &[
                "i want a refund",
                "give me my money back",
                "refund please",
                "i want my money back",
                "return this for a refund",
                "can i get a refund",
                "i need a refund",
                "money back please",
            ],
        ),
        file(
            "agent",
            &[
                "speak to a person",
                "agent please",
                "i want to talk to a person",
                "a real person please",
                "get me an agent",
                "talk to an agent",
                "can i speak to a human",
                "human please",
            ],
        ),
        file(
            "out_of_scope",
            &[
                "what is the weather",
                "tell me a joke",
                "play some music",
                "it rains a lot today",
                "who won the game",
                "sing a song",
                "order me a pizza",
                "how old are you",
            ],
        ),
    ]
}

fn trained(seed: u64) -> (Head, TrainingReport) {
    let Trained { head, report, .. } =
        train(&tiny(), None, &TrainingOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
    (head, report)
}

fn heard(list: &[(&str, f32)]) -> Vec<Hypothesis> {
    list.iter()
        .map(|(text, confidence)| Hypothesis { text: (*text).into(), confidence: *confidence })
        .collect()
}

fn best(classifier: &IntentClassifier, list: &[(&str, f32)]) -> String {
    let interpretation = classifier.interpret(&heard(list)).unwrap();
    let sum: f32 = interpretation.ranked.iter().map(|r| r.probability).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    assert!(interpretation.ranked.windows(2).all(|w| w[0].probability >= w[1].probability));
    interpretation.best().unwrap().intent.to_string()
}

#[test]
fn a_tiny_set_is_learnt() {
    let (head, report) = trained(1);
    assert!(report.accuracy > 0.6, "{report}");
    assert!(report.in_scope_kept >= 0.9, "{report}");
    assert!(report.warnings.iter().any(|w| w.contains("no sentence encoder")), "{report}");
    let classifier = IntentClassifier::new(head, None).unwrap();
    assert_eq!(best(&classifier, &[("where's my order", 0.9)]), "status");
    assert_eq!(best(&classifier, &[("I need my money back!", 0.9)]), "refund");
    assert_eq!(best(&classifier, &[("um a person please", 0.9)]), "agent");
    assert_eq!(best(&classifier, &[("where is order 20 33 19", 0.9)]), "status");
}

#[test]
fn hypotheses_count_by_their_confidence() {
    let (head, _) = trained(1);
    let classifier = IntentClassifier::new(head, None).unwrap();
    assert_eq!(best(&classifier, &[("agent please", 0.9), ("refund please", 0.1)]), "agent");
    assert_eq!(best(&classifier, &[("agent please", 0.1), ("refund please", 0.9)]), "refund");
    let unclear = classifier.interpret(&heard(&[("agent please", 0.5), ("refund please", 0.5)])).unwrap();
    let clear = classifier.interpret(&heard(&[("agent please", 0.5)])).unwrap();
    assert!(unclear.margin() < clear.margin());
}

#[test]
fn nothing_said_is_out_of_scope() {
    let (head, _) = trained(1);
    let classifier = IntentClassifier::new(head, None).unwrap();
    for list in [heard(&[]), heard(&[("um", 0.9)])] {
        assert!(classifier.interpret(&list).unwrap().is_out_of_scope());
    }
}

#[test]
fn one_answer_comes_twice_the_same() {
    let (head, _) = trained(1);
    let classifier = IntentClassifier::new(head, None).unwrap();
    let list = heard(&[("is my parcel here", 0.7), ("is my person here", 0.3)]);
    assert_eq!(classifier.interpret(&list).unwrap(), classifier.interpret(&list).unwrap());
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for dir in &dirs {
        let (head, report) = trained(7);
        head.save(dir.path(), &report).unwrap();
    }
    for name in ["head.safetensors", "head.json", "report.json", "report.txt"] {
        let read = |dir: &Path| std::fs::read(dir.join(name)).unwrap();
        assert!(read(dirs[0].path()) == read(dirs[1].path()), "{name} differs");
    }
}

#[test]
fn a_head_comes_back_from_disk_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (head, report) = trained(3);
    head.save(dir.path(), &report).unwrap();
    let loaded = Head::load(dir.path(), &tiny().fingerprint(), None).unwrap();
    assert_eq!(TrainingReport::load(dir.path()).unwrap(), report);
    let before = IntentClassifier::new(head, None).unwrap();
    let after = IntentClassifier::new(loaded, None).unwrap();
    for text in ["where is it", "person", "pizza with cheese"] {
        let list = heard(&[(text, 0.8)]);
        assert_eq!(before.interpret(&list).unwrap(), after.interpret(&list).unwrap());
    }
}

#[test]
fn every_sentence_is_judged_by_a_head_that_had_not_seen_it() {
    let trained =
        train(&tiny(), None, &TrainingOptions { seed: 1, ..Default::default() }, &mut |_| {}).unwrap();
    let set = tiny();
    assert_eq!(trained.held_out.len(), set.sentences().len() + set.negatives().len());
    let inside = trained.held_out.iter().filter(|h| h.intent.is_some());
    let right = inside.filter(|h| h.intent.as_ref() == h.interpretation.best().map(|b| &b.intent)).count();
    #[expect(clippy::cast_precision_loss, reason = "24 sentences")]
    let accuracy = right as f32 / set.sentences().len() as f32;
    assert!((accuracy - trained.report.accuracy).abs() < 1e-6, "{accuracy}");
}

#[test]
fn an_explanation_names_the_nearest_examples() {
    let classifier = IntentClassifier::new(trained(1).0, None).unwrap();
    let said = classifier.explain(&["Where is my parcel?", "um", "sing a song"], 2, &mut |_| {}).unwrap();
    let first = &said[0];
    assert_eq!((first.nearest.len(), first.nearest[0].sentence.as_str()), (2, "where is my parcel"));
    assert_eq!(first.nearest[0].intent, Some("status".parse().unwrap()));
    assert!((first.nearest[0].similarity - 1.0).abs() < 1e-4 && first.nearest[1].similarity < 1.0);
    assert!(said[1].nearest.is_empty() && said[1].interpretation.is_out_of_scope());
    assert_eq!(said[2].nearest[0].intent, None);
    let alone = classifier.interpret(&heard(&[("where is my parcel", 0.9)])).unwrap();
    assert_eq!(alone, first.interpretation);
}

#[test]
fn a_new_head_takes_the_old_ones_place_in_mid_call() {
    let classifier = IntentClassifier::new(trained(1).0, None).unwrap();
    let list = heard(&[("sing me my parcel", 0.9)]);
    let before = classifier.interpret(&list).unwrap();
    let mut files = tiny_files();
    let more = "examples = [\"sing me my parcel\", \"sing it\", \"sing the song of refunds\", \"sing\", \"a singer\"]";
    files[1].examples.extend(TrainingFile::parse("intents/refund.toml", more).unwrap().examples);
    let set = TrainingSet::from_files(files).unwrap();
    let options = TrainingOptions { seed: 1, ..Default::default() };
    let other = train(&set, None, &options, &mut |_| {}).unwrap().head;
    // A call in progress on another thread goes on all the while.
    std::thread::scope(|scope| {
        let call = scope.spawn(|| (0..200).all(|_| classifier.interpret(&list).is_ok()));
        classifier.swap(other).unwrap();
        assert!(call.join().unwrap());
    });
    let after = classifier.interpret(&list).unwrap();
    assert_ne!(before, after, "the new head answers, not the old one's cache");
    assert_eq!(after.best().unwrap().intent.as_str(), "refund");
    assert_eq!(classifier.fingerprint(), set.fingerprint());
}

#[test]
fn a_head_of_other_intents_does_not_take_a_lines_place() {
    let classifier = IntentClassifier::new(trained(1).0, None).unwrap();
    let mut files = tiny_files();
    files.remove(0);
    let set = TrainingSet::from_files(files).unwrap();
    let options = TrainingOptions { seed: 1, ..Default::default() };
    let fewer = train(&set, None, &options, &mut |_| {}).unwrap().head;
    assert!(matches!(classifier.swap(fewer), Err(ClassifierError::Stale { .. })));
    assert_eq!(best(&classifier, &[("where's my order", 0.9)]), "status");
}

#[test]
fn a_head_older_than_its_files_is_refused_with_the_command_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let (head, report) = trained(3);
    head.save(dir.path(), &report).unwrap();
    let error = Head::load(dir.path(), "another", None).err().unwrap();
    assert!(matches!(error, ClassifierError::Stale { .. }));
    assert!(error.to_string().contains("run `attendant train`"), "{error}");
}

#[test]
fn a_damaged_head_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fingerprint = tiny().fingerprint();
    assert!(Head::load(dir.path(), &fingerprint, None).is_err());
    let (head, report) = trained(3);
    head.save(dir.path(), &report).unwrap();
    std::fs::write(dir.path().join("head.safetensors"), b"no tensors").unwrap();
    let error = Head::load(dir.path(), &fingerprint, None).err().unwrap().to_string();
    assert!(error.contains("head.safetensors") && error.contains("attendant train"), "{error}");
}

#[test]
fn every_class_is_dealt_over_all_folds() {
    let labels: Vec<usize> = (0..60).map(|i| i / 20).collect();
    let folds = folds(&labels, FOLDS, 5);
    for class in 0..3 {
        for fold in 0..FOLDS {
            let count = labels.iter().zip(&folds).filter(|(l, f)| (**l, **f) == (class, fold)).count();
            assert_eq!(count, 4);
        }
    }
    assert_ne!(folds, super::folds(&labels, FOLDS, 6));
}
