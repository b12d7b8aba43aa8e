//! From words to meaning: normalisation, spoken numbers, answers, entities; and, in
//! [`classifier`], the trained view of which intent a sentence has.
//!
//! Never decides what to do about it: that is the dialogue.

#[cfg(feature = "engines")]
pub mod classifier;
