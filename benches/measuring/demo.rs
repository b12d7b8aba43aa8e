//! The demo line's examples, for the benches that classify.

use std::fs;

use attendant::understanding::{TrainingFile, TrainingSet};

/// All files of `intents/` that hold examples.
pub(crate) fn demo_set() -> TrainingSet {
    let mut files = Vec::new();
    for entry in fs::read_dir("intents").expect("run in the project's directory") {
        let path = entry.expect("a readable directory").path();
        let text = fs::read_to_string(&path).expect("a readable file");
        if text.contains("\nexamples") {
            files.push(TrainingFile::parse(&path.display().to_string(), &text).expect("a valid file"));
        }
    }
    TrainingSet::from_files(files).expect("files that go together")
}
