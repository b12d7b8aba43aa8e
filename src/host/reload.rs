//! The flow while the line serves: read anew when a file of `intents/` has changed. A mistake keeps the
//! old one and says why.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::line::read_sources;
use crate::dialogue::{Flow, Source};

/// A folder of intents and the flow that it last held.
pub struct LiveFlow {
    folder: PathBuf,
    seen: Mutex<Seen>,
}

struct Seen {
    /// As last read, sound or not: a mistake is told once.
    sources: Vec<Source>,
    flow: Arc<Flow>,
}

impl LiveFlow {
    /// A flow that was parsed from `sources`, which were read from `folder`.
    pub fn new(folder: PathBuf, sources: Vec<Source>, flow: Arc<Flow>) -> LiveFlow {
        LiveFlow { folder, seen: Mutex::new(Seen { sources, flow }) }
    }

    /// The flow as it is now: for the next call. Calls in progress keep theirs.
    ///
    /// What the classifier was trained from is not trained anew here; examples take effect with the next
    /// training (see [`HeadWatch`](super::head_watch::HeadWatch)).
    pub fn current(&self) -> Arc<Flow> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match read_sources(&self.folder) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, "the intents cannot be read; the line goes on with what it has");
                return Arc::clone(&seen.flow);
            }
        };
        if read == seen.sources {
            return Arc::clone(&seen.flow);
        }
        match Flow::parse(&read) {
            Ok(flow) => {
                tracing::info!(
                    intents = flow.intents.len(),
                    "the intents have changed; the next calls go by them"
                );
                seen.flow = Arc::new(flow);
            }
            Err(error) => {
                tracing::error!(%error, "the intents have a mistake; the line goes on with what it has");
            }
        }
        seen.sources = read;
        Arc::clone(&seen.flow)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn live() -> (tempfile::TempDir, LiveFlow) {
        let folder = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("intents")).expect("there")
        {
            let path = entry.expect("an entry").path();
            std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
        }
        let sources = read_sources(folder.path()).expect("readable");
        let flow = Arc::new(Flow::parse(&sources).expect("sound"));
        let live = LiveFlow::new(folder.path().to_owned(), sources, flow);
        (folder, live)
    }

    fn change(folder: &Path, from: &str, to: &str) {
        let path = folder.join("line.toml");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
    }

    #[test]
    fn a_change_is_taken_up_and_a_mistake_is_not() {
        let (folder, live) = live();
        let first = live.current();
        assert!(Arc::ptr_eq(&first, &live.current()), "nothing has changed");
        change(folder.path(), "the demo shop", "the other shop");
        let second = live.current();
        assert_eq!(second.line.name, "the other shop");
        assert_eq!(first.line.name, "the demo shop", "a call in progress keeps its own");
        change(folder.path(), "[menu]", "[menoo]");
        assert!(Arc::ptr_eq(&second, &live.current()), "a mistake keeps the old");
        change(folder.path(), "[menoo]", "[menu]");
        assert_eq!(live.current().line.name, "the other shop");
        std::fs::remove_file(folder.path().join("line.toml")).expect("removed");
        assert_eq!(live.current().line.name, "the other shop", "a missing file keeps the old");
    }
}
