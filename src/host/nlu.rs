//! What tools for the team need to judge the understanding: the classifier without the rest of the line,
//! its evaluation, the mistakes of all training files, and what differs between two heads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::line::{self, LineError};
use crate::call::{IntentName, Interpretation, OUT_OF_SCOPE};
use crate::config::Config;
use crate::dialogue::{Flow, Source};
use crate::understanding::classifier::{
    ClassifierError, Head, IntentClassifier, Progress, TrainingReport, train,
};
use crate::understanding::exchange::{Bundle, unmarked};
use crate::understanding::{
    EntitySpec, Evaluation, Finding, Judgement, Severity, TrainingFile, lint, normalize,
};

/// Sentences that two intents must share, held out, to be called close.
const CLOSE_SENTENCES: usize = 3;

/// A probability from which an intent that is not the sentence's own is close to it.
const CLOSE_PROBABILITY: f32 = 0.3;

/// Sentences that a finding on close intents shows.
const SHOWN: usize = 3;

/// The trained classifier alone. A head that is missing or older than the files is trained anew.
///
/// # Errors
/// A mistake in the files, or a fault of the engine.
pub fn open_classifier(
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<IntentClassifier, LineError> {
    if !line::head_is_fresh(config)? {
        line::train_head(config, &line::training_options(config), progress)?;
    }
    load_classifier(config, &line::head_folder(config))
}

/// The classifier of a head in another folder, whatever it was trained from.
///
/// # Errors
/// It is broken, or was trained with another encoder than there is now.
pub fn load_classifier(config: &Config, folder: &Path) -> Result<IntentClassifier, LineError> {
    let encoder = line::open_encoder(config)?;
    let report = TrainingReport::load(folder)?;
    let head = Head::load(folder, &report.fingerprint, encoder.as_ref())?;
    Ok(IntentClassifier::new(head, encoder)?)
}

/// Every example of `intents/`, judged by a head that had not seen it.
///
/// # Errors
/// A mistake in the files, or a fault of the engine.
pub fn cross_validate(
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Judgement>, LineError> {
    let set = line::training_set(&line::read_sources(&config.path("intents"))?)?;
    let encoder = line::open_encoder(config)?;
    let trained = train(&set, encoder.as_ref(), &line::training_options(config), progress)?;
    Ok(trained
        .held_out
        .into_iter()
        .map(|h| Judgement { sentence: h.sentence, expected: h.intent, interpretation: h.interpretation })
        .collect())
}

/// The sentences of `bundle` as the trained head judges them. `progress` gets the number encoded.
///
/// # Errors
/// A fault of the engine, or an intent that the head does not know.
pub fn judge(
    classifier: &IntentClassifier,
    bundle: &Bundle,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Judgement>, ClassifierError> {
    let known = classifier.intents();
    if let Some(unknown) = bundle.intents.keys().find(|i| i.as_str() != OUT_OF_SCOPE && !known.contains(i)) {
        let names: Vec<&str> = known.iter().map(IntentName::as_str).collect();
        return Err(ClassifierError::Engine(format!(
            "the intent '{unknown}' is not one of the head's: expected {} or {OUT_OF_SCOPE}",
            names.join(", ")
        )));
    }
    let rows: Vec<(&IntentName, String)> = bundle
        .intents
        .iter()
        .flat_map(|(intent, examples)| examples.iter().map(move |e| (intent, unmarked(e))))
        .collect();
    let texts: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
    let explained = classifier.explain(&texts, 0, progress)?;
    let judged = rows.iter().zip(explained).map(|((intent, text), e)| Judgement {
        sentence: text.clone(),
        expected: (intent.as_str() != OUT_OF_SCOPE).then(|| (*intent).clone()),
        interpretation: e.interpretation,
    });
    Ok(judged.collect())
}

/// A page that shows an evaluation: a file of its own, without scripts or links to elsewhere.
pub fn page(evaluation: &Evaluation, title: &str) -> String {
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    environment
        .add_template("page", include_str!("nlu_page.html"))
        .expect("the template is part of the program");
    let page = environment.get_template("page").expect("it was just added");
    page.render(minijinja::context! { e => minijinja::value::Serde(evaluation), title })
        .expect("the template knows all of an evaluation")
}

/// Everything that is wrong in `intents/`, as far as it shows without training.
///
/// # Errors
/// The folder cannot be read.
pub fn findings(config: &Config) -> Result<Vec<Finding>, LineError> {
    let sources = line::read_sources(&config.path("intents"))?;
    let stem = |s: &Source| Path::new(&s.path).file_stem().map(|s| s.to_string_lossy().into_owned());
    let error = |path: &str, line: usize, message: &str| Finding {
        severity: Severity::Error,
        path: path.to_owned(),
        line,
        message: message.to_owned(),
    };
    let mut found = Vec::new();
    let mut files = Vec::new();
    for source in sources.iter().filter(|s| !matches!(stem(s).as_deref(), Some("line" | "entities" | "desk")))
    {
        match TrainingFile::parse(&source.path, &source.text) {
            Ok(file) => files.push(file),
            Err(e) => found.push(error(&e.path, e.line, &e.message)),
        }
    }
    let entities = sources.iter().find(|s| stem(s).as_deref() == Some("entities"));
    let specs = match entities.map(|s| EntitySpec::parse_all(&s.path, &s.text)) {
        Some(Ok(specs)) => specs,
        Some(Err(e)) => {
            found.push(error(&e.path, e.line, &e.message));
            Vec::new()
        }
        None => Vec::new(),
    };
    let asked_for = match Flow::parse(&sources) {
        Ok(flow) => asked_for(&flow),
        Err(e) => {
            found.push(error(&e.path, e.line, &e.message));
            // What is asked for is not known then.
            specs.iter().map(|s| s.name.clone()).collect()
        }
    };
    let path = entities.map_or("entities.toml", |s| &s.path);
    found.extend(lint(&files, path, &specs, &asked_for));
    found.sort();
    found.dedup_by(|a, b| (&a.path, a.line) == (&b.path, b.line) && a.message == b.message);
    Ok(found)
}

/// The entities that slots and proofs ask for.
fn asked_for(flow: &Flow) -> BTreeSet<String> {
    let slots = flow.intents.values().flat_map(|i| &i.slot).map(|s| s.entity.get_ref().clone());
    let proofs = flow.line.verification.iter().flat_map(|v| &v.proof);
    slots.chain(proofs.filter_map(|p| p.entity.as_ref().map(|e| e.get_ref().clone()))).collect()
}

/// Intents that cross-validation could not keep apart, with the sentences.
pub fn close_intents(judged: &[Judgement]) -> Vec<Finding> {
    let mut pairs: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for j in judged {
        let Some(expected) = &j.expected else { continue };
        let others = j.interpretation.ranked.iter().filter(|r| r.intent != *expected);
        if let Some(other) = others.max_by(|a, b| a.probability.total_cmp(&b.probability))
            && other.probability >= CLOSE_PROBABILITY
        {
            let (a, b) = (expected.as_str(), other.intent.as_str());
            pairs.entry((a.min(b), a.max(b))).or_default().push(&j.sentence);
        }
    }
    pairs.retain(|_, sentences| sentences.len() >= CLOSE_SENTENCES);
    let shown = |s: &[&str]| s.iter().take(SHOWN).map(|s| format!("'{s}'")).collect::<Vec<_>>().join(", ");
    pairs
        .into_iter()
        .map(|((a, b), sentences)| Finding {
            severity: Severity::Warning,
            path: format!("{a}.toml"),
            line: 1,
            message: format!(
                "close to '{b}': {} sentences could be either ({}); give both more examples of what tells them \
                 apart, or make one intent of them",
                sentences.len(),
                shown(&sentences)
            ),
        })
        .collect()
}

/// A sentence that two heads see differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The sentence.
    pub sentence: String,
    /// The first head's view.
    pub before: View,
    /// The second's.
    pub after: View,
}

/// What a head says of a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// The intent, or out of scope.
    pub intent: String,
    /// How surely, 0 to 1.
    pub confidence: f32,
}

impl View {
    fn of(interpretation: &Interpretation) -> View {
        let out = interpretation.out_of_scope;
        match interpretation.ranked.first() {
            Some(best) if out < 0.5 => View { intent: best.intent.to_string(), confidence: best.probability },
            Some(_) | None => View { intent: OUT_OF_SCOPE.to_owned(), confidence: out },
        }
    }
}

/// The sentences whose intent changes from one classifier to the other, in the order given, each once.
///
/// # Errors
/// Only for faults of the engine.
pub fn compare(
    before: &IntentClassifier,
    after: &IntentClassifier,
    sentences: &[String],
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Difference>, ClassifierError> {
    let mut seen = BTreeSet::new();
    let texts: Vec<&str> =
        sentences.iter().filter(|s| seen.insert(normalize(s))).map(String::as_str).collect();
    let first = before.explain(&texts, 0, progress)?;
    let second = after.explain(&texts, 0, &mut |done| progress(texts.len() + done))?;
    let views = texts.iter().zip(first.iter().zip(&second));
    Ok(views
        .map(|(sentence, (a, b))| Difference {
            sentence: (*sentence).to_owned(),
            before: View::of(&a.interpretation),
            after: View::of(&b.interpretation),
        })
        .filter(|d| d.before.intent != d.after.intent)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::IntentScore;

    fn judged(sentence: &str, expected: &str, scores: &[(&str, f32)]) -> Judgement {
        let ranked = scores
            .iter()
            .map(|(n, p)| IntentScore { intent: n.parse().expect("a name"), probability: *p })
            .collect();
        let interpretation = Interpretation { ranked, out_of_scope: 0.0 };
        Judgement { sentence: sentence.to_owned(), expected: expected.parse().ok(), interpretation }
    }

    #[test]
    fn close_intents_are_named_with_their_sentences() {
        let all = [
            judged("one", "a", &[("a", 0.6), ("b", 0.4)]),
            judged("two <b>", "b", &[("a", 0.6), ("b", 0.4)]),
            judged("three", "b", &[("b", 0.6), ("a", 0.4)]),
            judged("four", "b", &[("b", 0.9), ("c", 0.1)]),
            judged("five", "c", &[("c", 0.5), ("a", 0.5)]),
        ];
        let found = close_intents(&all);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].message.contains("close to 'b': 3 sentences") && found[0].message.contains("'two <b>'")
        );
        let page = page(&Evaluation::of(&all), "held out");
        assert!(page.contains("two &lt;b&gt;") && !page.contains("two <b>"), "texts are no markup");
        assert!(page.contains("<svg") && !page.contains("<script"));
    }
}
