//! A head that was trained while the line runs: the next call is answered with it.
//!
//! Nothing polls: the files are looked at whenever a call begins, which costs one question to the file system.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::line::{LineError, read_sources, training_set};
use crate::understanding::classifier::{Head, IntentClassifier};

/// Written last by a training.
const NEWEST: &str = "head.json";

/// Where a line's head and intents lie, and when the head in use was written.
#[derive(Debug)]
pub struct HeadWatch {
    intents: PathBuf,
    head: PathBuf,
    seen: Mutex<Option<SystemTime>>,
}

impl HeadWatch {
    /// Watches the head in `head`, trained from the files in `intents`, from now on.
    pub fn new(intents: PathBuf, head: PathBuf) -> HeadWatch {
        let watch = HeadWatch { intents, head, seen: Mutex::new(None) };
        let written = watch.written();
        *watch.seen.lock().unwrap_or_else(PoisonError::into_inner) = written;
        watch
    }

    fn written(&self) -> Option<SystemTime> {
        std::fs::metadata(self.head.join(NEWEST)).and_then(|m| m.modified()).ok()
    }

    /// Puts a head that was written since the last look into use. One that does not fit is left alone, with
    /// a warning: the line goes on with the one that it has. Says whether there is a new one.
    pub fn refresh(&self, classifier: &IntentClassifier) -> bool {
        let written = self.written();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_none() || *seen == written {
            return false;
        }
        *seen = written;
        match self.load(classifier) {
            Ok(()) => {
                tracing::info!(head = %self.head.display(), "a newly trained head is in use");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a newly trained head does not fit: the line keeps the old one until it is started anew");
                false
            }
        }
    }

    fn load(&self, classifier: &IntentClassifier) -> Result<(), LineError> {
        let set = training_set(&read_sources(&self.intents)?)?;
        let head = Head::load(&self.head, &set.fingerprint(), classifier.encoder())?;
        Ok(classifier.swap(head)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::understanding::classifier::{TrainingOptions, train};

    const GREET: [&str; 5] = ["hello there", "good morning", "hi", "good evening", "hey you"];
    const LEAVE: [&str; 5] = ["goodbye now", "see you", "i am off", "bye bye", "until tomorrow"];

    /// Writes the files and a head trained from them, as `attendant train` does, at a time of its own.
    fn write(folder: &Path, greet: &[&str], leave: &str, minutes: u64) {
        let intents = folder.join("intents");
        fs::create_dir_all(&intents).unwrap();
        fs::write(intents.join("greet.toml"), format!("examples = {greet:?}")).unwrap();
        fs::write(intents.join(format!("{leave}.toml")), format!("examples = {LEAVE:?}")).unwrap();
        let set = training_set(&read_sources(&intents).unwrap()).unwrap();
        let trained = train(&set, None, &TrainingOptions::default(), &mut |_| {}).unwrap();
        let head = folder.join("head");
        trained.head.save(&head, &trained.report).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes);
        File::options().write(true).open(head.join(NEWEST)).unwrap().set_modified(time).unwrap();
    }

    fn open(folder: &Path) -> (HeadWatch, IntentClassifier) {
        let (intents, head) = (folder.join("intents"), folder.join("head"));
        let set = training_set(&read_sources(&intents).unwrap()).unwrap();
        let loaded = Head::load(&head, &set.fingerprint(), None).unwrap();
        (HeadWatch::new(intents, head), IntentClassifier::new(loaded, None).unwrap())
    }

    #[test]
    fn a_newly_trained_head_is_used_from_the_next_call_on() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &GREET, "leave", 1);
        let (watch, classifier) = open(folder.path());
        let before = classifier.fingerprint();
        assert!(!watch.refresh(&classifier), "nothing has changed");
        write(folder.path(), &[GREET.as_slice(), &["welcome"]].concat(), "leave", 2);
        assert!(watch.refresh(&classifier));
        assert_ne!(classifier.fingerprint(), before);
        assert!(!watch.refresh(&classifier), "once is enough");
    }

    #[test]
    fn a_head_that_does_not_fit_leaves_the_line_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &GREET, "leave", 1);
        let (watch, classifier) = open(folder.path());
        let before = classifier.fingerprint();
        fs::remove_file(folder.path().join("intents/leave.toml")).unwrap();
        write(folder.path(), &GREET, "depart", 2);
        assert!(!watch.refresh(&classifier), "other intents");
        fs::write(folder.path().join("head").join(NEWEST), "no head").unwrap();
        assert!(!watch.refresh(&classifier), "a damaged one");
        assert_eq!(classifier.fingerprint(), before);
    }
}
