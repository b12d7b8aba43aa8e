//! From words to meaning: normalisation, spoken numbers, answers, entities; and, in
//! [`classifier`], the trained view of which intent a sentence has.
//!
//! Never decides what to do about it: that is the dialogue. Read [`digits`] and [`answer`] first; the
//! training files that teams write are read by [`TrainingFile`].

mod answer;
mod answer_patterns;
mod entity;
mod entity_file;
mod normalize;
mod numbers;
mod phrase;
mod spoken;
mod training_file;
mod training_set;

#[cfg(feature = "engines")]
pub mod classifier;

pub use answer::{Answer, AnswerMatch, answer};
pub use entity::{EntityKind, EntitySpec, ListValue, best_candidate, entities};
pub use entity_file::EntityFileError;
pub use normalize::{Word, is_filler, normalize, words};
pub use numbers::{DigitRun, Reading, digits, mask_numbers};
pub use phrase::{PhraseMatch, PhraseSet};
pub use training_file::{Annotation, Example, TrainingFile, TrainingFileError};
pub use training_set::{MIN_EXAMPLES, TrainingSet, TrainingSetError};
