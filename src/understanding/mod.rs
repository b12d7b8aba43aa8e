//! From words to meaning: normalisation, spoken numbers, answers, entities; and, in
//! [`classifier`], the trained view of which intent a sentence has.
//!
//! Never decides what to do about it: that is the dialogue. Read [`entities`] and [`answer`] first; the
//! training files that teams write are read by [`TrainingFile`]. Values come in two families: those that are
//! said symbol by symbol (`spelling`) and those that are said in words of measure (`values`).

mod answer;
mod answer_patterns;
mod entity;
mod entity_file;
mod evaluation;
pub mod exchange;
mod lint;
mod normalize;
pub mod number_words;
mod numbers;
mod phrase;
mod spelling;
mod spoken;
mod training_file;
mod training_set;
mod values;

#[cfg(feature = "engines")]
pub mod classifier;

pub use answer::{Answer, AnswerMatch, answer};
pub use entity::{
    Context, EntityKind, EntitySpec, Known, ListValue, best_candidate, candidates, entities, entities_in,
};
pub use entity_file::EntityFileError;
pub use evaluation::{Bin, ClassFigures, Evaluation, Judgement, Mistake};
pub use lint::{Finding, Severity, lint};
pub use normalize::{Word, is_filler, normalize, words};
pub use numbers::{DigitRun, Reading, digits, mask_numbers};
pub use phrase::{PhraseMatch, PhraseSet};
pub use spelling::{CheckDigit, PatternError, Region, Shape};
pub use training_file::{Annotation, Example, TrainingFile, TrainingFileError};
pub use training_set::{MIN_EXAMPLES, TrainingSet, TrainingSetError};
pub use values::{DateReading, Prefer};
pub(crate) use values::{dates, times};
