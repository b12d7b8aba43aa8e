//! Training sentences as the line's own ear hears them in the line's own voice, over a telephone.
//!
//! What a recogniser makes of "I'd like a refund" is what the classifier gets to see. Rendering is slow, so each
//! sentence is kept with what was heard of it, for as long as voice and ear are the same.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hearing::{Conditions, arrives, utterances};
use super::line::LineError;
use crate::audio::Law;
use crate::call::Expect;
use crate::speech::asr::Recognizer;
use crate::voice::Synthesizer;

const FILE: &str = "heard.json";

/// Sentences between two savings: an interrupted rehearsal loses minutes and not hours.
const SAVED_EVERY: usize = 50;

/// Sentences with what was heard of them; empty where nothing was.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    voice: String,
    ear: String,
    heard: BTreeMap<String, String>,
}

/// Rehearses in a voice, with an ear that is told apart from others by its name.
pub struct Rehearsal<'a> {
    /// The voice.
    pub voice: &'a dyn Synthesizer,
    /// The ear.
    pub ear: &'a dyn Recognizer,
    /// Which model that is; another one hears everything anew.
    pub ear_name: String,
    /// Where what was heard is kept.
    pub folder: PathBuf,
}

impl Rehearsal<'_> {
    /// What is heard of each of `sentences`; empty where nothing is. `progress` gets how many are done.
    ///
    /// # Errors
    /// Voice or ear failed, or the folder cannot be written.
    pub fn heard(
        &self,
        sentences: &[&str],
        progress: &mut dyn FnMut(usize),
    ) -> Result<BTreeMap<String, String>, LineError> {
        let path = self.folder.join(FILE);
        let mut kept: Kept = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|k: &Kept| k.voice == self.voice.name() && k.ear == self.ear_name)
            .unwrap_or_default();
        self.voice.name().clone_into(&mut kept.voice);
        kept.ear.clone_from(&self.ear_name);
        let mut unsaved = 0;
        for (done, sentence) in sentences.iter().enumerate() {
            progress(done);
            if !kept.heard.contains_key(*sentence) {
                kept.heard.insert((*sentence).to_owned(), self.hear(sentence)?);
                unsaved += 1;
                if unsaved % SAVED_EVERY == 0 {
                    save(&path, &kept)?;
                }
            }
        }
        progress(sentences.len());
        // Sentences that are gone are forgotten.
        kept.heard.retain(|sentence, _| sentences.contains(&sentence.as_str()));
        save(&path, &kept)?;
        Ok(kept.heard)
    }

    fn hear(&self, sentence: &str) -> Result<String, LineError> {
        let mut pcm = Vec::new();
        self.voice.speak(sentence, &mut |piece| {
            pcm.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        let line = Conditions { law: Some(Law::Mu), snr_db: None };
        let mut words = Vec::new();
        for utterance in utterances(&arrives(&pcm, line, 0)) {
            let said = self.ear.recognize(&utterance, &Expect::Open)?;
            words.extend(said.best().map(|h| h.text.expose().clone()).filter(|t| !t.is_empty()));
        }
        Ok(words.join(" "))
    }
}

fn save(path: &Path, kept: &Kept) -> Result<(), LineError> {
    let unwritable = |why: String| LineError::Read { path: path.to_owned(), why };
    let bytes = serde_json::to_vec_pretty(kept).map_err(|e| unwritable(e.to_string()))?;
    let part = path.with_extension("part");
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
        .and_then(|()| fs::write(&part, bytes))
        .and_then(|()| fs::rename(&part, path))
        .map_err(|e| unwritable(format!("cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::call::{Hypothesis, Recognition, Utterance};
    use crate::speech::asr::AsrError;
    use crate::voice::VoiceError;

    /// Speaks a hum, and counts how often.
    struct Voice(AtomicUsize);

    impl Synthesizer for Voice {
        fn name(&self) -> &str {
            "hum"
        }

        fn speak(
            &self,
            text: &str,
            sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
        ) -> Result<(), VoiceError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let _ = sink(&vec![0; 100 * text.len()]);
            Ok(())
        }
    }

    struct Ear;

    impl Recognizer for Ear {
        fn recognize(&self, _: &Utterance, _: &Expect) -> Result<Recognition, AsrError> {
            let heard = Hypothesis { text: "word".to_owned().into(), confidence: 0.9 };
            Ok(Recognition { hypotheses: vec![heard], ..Recognition::default() })
        }
    }

    #[test]
    fn only_what_is_new_is_spoken() {
        let folder = tempfile::tempdir().unwrap();
        let voice = Voice(AtomicUsize::new(0));
        let spoken = |ear_name: &str, sentences: &[&str]| {
            let folder = folder.path().to_owned();
            let rehearsal = Rehearsal { voice: &voice, ear: &Ear, ear_name: ear_name.to_owned(), folder };
            let heard = rehearsal.heard(sentences, &mut |_| {}).unwrap();
            assert!(sentences.iter().all(|s| heard.contains_key(*s)) && heard.len() == sentences.len());
            voice.0.load(Ordering::Relaxed)
        };
        assert_eq!(spoken("a", &["one", "two"]), 2);
        assert_eq!(spoken("a", &["two", "three"]), 3);
        assert_eq!(spoken("a", &["one"]), 4, "what was gone is forgotten");
        assert_eq!(spoken("b", &["one"]), 5, "another ear hears anew");
    }

    #[test]
    fn silence_is_heard_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let voice = Voice(AtomicUsize::new(0));
        let rehearsal =
            Rehearsal { voice: &voice, ear: &Ear, ear_name: String::new(), folder: folder.path().to_owned() };
        assert_eq!(rehearsal.heard(&["one"], &mut |_| {}).unwrap()["one"], "");
    }
}
