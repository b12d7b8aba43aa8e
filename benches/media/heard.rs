//! The real line as the answerer: ear, classifier, voice and store.

use std::path::Path;
use std::sync::Arc;

use attendant::call::CallRecord;
use attendant::channel::gate::Gate;
use attendant::config::Config;
use attendant::host::line::Line;
use attendant::host::serve::{Answerer, LineAnswerer};
use attendant::host::session::{Arrival, Channel};

use crate::{Lateness, Timed};

struct Heard {
    answerer: LineAnswerer,
    lateness: Arc<Lateness>,
    /// The line's store; it goes with the run.
    _store: tempfile::TempDir,
}

impl Answerer for Heard {
    fn answer(&self, arrival: Arrival, channel: &mut dyn Channel) -> Option<CallRecord> {
        let mut timed = Timed { inner: channel, lateness: &self.lateness, zero: None };
        self.answerer.answer(arrival, &mut timed)
    }

    fn speak(&self, sentence: &str) -> Vec<i16> {
        self.answerer.speak(sentence)
    }
}

/// The line of the settings, with a store of its own; `None` with a word where its models are not there.
#[expect(clippy::print_stderr, reason = "a bench says why it measures nothing")]
pub(crate) fn line() -> Option<(Arc<Line>, tempfile::TempDir)> {
    std::env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the checkout is there");
    let config = Config::load(None, std::env::vars(), &[]).expect("settings");
    let store = tempfile::tempdir().expect("a folder");
    match Line::open_with_store(&config, &store.path().join("store"), &mut |_| {}) {
        Ok(line) => Some((Arc::new(line), store)),
        Err(error) => {
            eprintln!("nothing is measured: {error}");
            None
        }
    }
}

/// Answers by that line, and times its calls' ticks.
pub(crate) fn answerer(
    (line, store): (Arc<Line>, tempfile::TempDir),
    gate: &Arc<Gate>,
    lateness: Arc<Lateness>,
) -> Arc<dyn Answerer> {
    Arc::new(Heard { answerer: LineAnswerer::new(line, Arc::clone(gate)), lateness, _store: store })
}
