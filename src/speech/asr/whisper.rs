//! Whisper through whisper.cpp.
//!
//! One [`WhisperModel`] holds the weights; each [`WhisperRecognizer`] has a state of its own on it.
//! Of whisper.cpp's own pipeline only the parts below the search are used: `full` with a duration of
//! 100 ms computes the spectrogram and sets the encoder's context, and stops before it encodes
//! anything; then encoder and decoder are called one by one. No callback crosses into C.
//!
//! Never: a clock, a socket, a second thread.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
};

use super::agreement::agreed;
use super::expectation::{Bias, Expectations};
use super::guards::Guards;
use super::search::{self, End, Found, Policy, Scorer, SearchOptions, Token};
use super::{AsrError, ModelShape, Recognizer, fit, transcript};
use crate::audio::{RATE_HZ, resample};
use crate::call::{Expect, Hypothesis, Pii, Recognition, Utterance};

/// Samples of one encoder position: 20 ms at 16 kHz.
const SAMPLES_PER_POSITION: usize = 320;

/// whisper.cpp ignores audio under 100 ms and reads out of bounds under 201 samples; and models are
/// trained with silence around short words. So everything is padded to one second.
const MIN_SAMPLES: usize = 16_000;

/// The encoder's context is rounded up to a multiple of this, so that ggml's plans are few.
const CONTEXT_STEP: usize = 16;

/// Rates to which a short utterance is resampled to be heard again: played at 16 kHz it is a tenth faster, a tenth
/// slower.
const OTHER_PACES_HZ: [u32; 2] = [14_400, 17_600];

/// Width, that of OpenAI's smallest, from which on a model is taken to be sure of short words, and too slow to hear
/// them three times.
const WIDE: i32 = 384;

/// More threads only spin on a shared machine (measured: 1.2 to 10 times slower).
const THREADS: usize = 1;

/// Everything that can be tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Encoder positions (20 ms each) beyond the utterance's own.
    pub context_margin: usize,
    /// How widely the decoder searches.
    pub search: SearchOptions,
    /// What is believed.
    pub guards: Guards,
    /// Up to so much sound is heard by a small model at three paces.
    pub several_paces: Duration,
    /// What unexpected words cost.
    pub bias: Bias,
    /// A hypothesis that fits the question comes first where it is at least so confident beside the best.
    pub expected_share: f32,
}

impl Default for Settings {
    /// Figures: `docs/asr.md`.
    fn default() -> Settings {
        Settings {
            context_margin: 16,
            search: SearchOptions::default(),
            guards: Guards::default(),
            several_paces: Duration::from_millis(1_800),
            bias: Bias::default(),
            expected_share: 0.5,
        }
    }
}

/// The weights, loaded once and shared by all recognisers. Cheap to clone.
#[derive(Clone)]
pub struct WhisperModel {
    inner: Arc<Inner>,
}

struct Inner {
    context: WhisperContext,
    shape: ModelShape,
    settings: Settings,
    /// Starts every decoding.
    prompt: Vec<Token>,
    eot: Token,
    expectations: Expectations,
    /// Each token's bytes; a character may be split between tokens.
    texts: Vec<Vec<u8>>,
}

impl fmt::Debug for WhisperModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhisperModel")
            .field("shape", &self.inner.shape)
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl WhisperModel {
    /// Loads a GGML file.
    ///
    /// # Errors
    /// [`AsrError::Model`] where the file is missing, truncated, or no Whisper model.
    pub fn load(path: &Path, settings: Settings) -> Result<WhisperModel, AsrError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| AsrError::Model {
            path: name.clone(),
            why: format!("{error}; `attendant models pull` fetches what is missing"),
        })?;
        WhisperModel::from_bytes(&bytes, &name, settings)
    }

    /// Loads a GGML file that is in memory already; `name` is for error messages.
    ///
    /// # Errors
    /// As [`WhisperModel::load`].
    pub fn from_bytes(bytes: &[u8], name: &str, settings: Settings) -> Result<WhisperModel, AsrError> {
        let unusable = |why: String| AsrError::Model { path: name.to_owned(), why };
        // whisper.cpp writes a page about every model to stderr otherwise.
        whisper_rs::install_logging_hooks();
        let shape = ModelShape::inspect(bytes).map_err(unusable)?;
        let mut parameters = WhisperContextParameters::new();
        // Flash attention leaves padded keys of a cut context unmasked: the answer would depend on the
        // calls before.
        parameters.use_gpu(false).flash_attn(false);
        let context = WhisperContext::new_from_buffer_with_params(bytes, parameters)
            .map_err(|error| unusable(format!("whisper.cpp refuses it: {error}")))?;
        let texts = (0..shape.n_vocab)
            .map(|id| context.token_to_bytes(id).map(<[u8]>::to_vec))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(format!("its vocabulary cannot be read: {error}")))?;
        let lossy: Vec<String> =
            texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        let eot = context.token_eot();
        let expectations = Expectations::new(&lossy, eot.cast_unsigned() as usize, settings.bias, |word| {
            tokens_of(&context, word)
        });
        let prompt = prompt_of(&context);
        let inner = Inner { context, shape, settings, prompt, eot, expectations, texts };
        Ok(WhisperModel { inner: Arc::new(inner) })
    }

    /// The model's dimensions.
    pub fn shape(&self) -> ModelShape {
        self.inner.shape
    }

    /// What it was loaded with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// How often a short utterance is heard.
    fn hearings(&self) -> usize {
        let repeats = self.inner.shape.n_state < WIDE && !self.inner.settings.several_paces.is_zero();
        if repeats { 1 + OTHER_PACES_HZ.len() } else { 1 }
    }

    /// A recogniser with states of its own (memory for one utterance at a time).
    ///
    /// # Errors
    /// [`AsrError::Engine`] where whisper.cpp cannot allocate the state.
    pub fn recognizer(&self) -> Result<WhisperRecognizer, AsrError> {
        let state = || self.inner.context.create_state().map_err(|error| failed("create a state", &error));
        let states = (0..self.hearings()).map(|_| state()).collect::<Result<_, _>>()?;
        Ok(WhisperRecognizer { model: self.clone(), states: Mutex::new(states) })
    }

    /// Encoder positions for so many samples, margin included.
    fn audio_ctx(&self, samples: usize) -> usize {
        let wanted = samples.div_ceil(SAMPLES_PER_POSITION) + self.inner.settings.context_margin;
        wanted.next_multiple_of(CONTEXT_STEP).min(self.inner.shape.n_audio_ctx.cast_unsigned() as usize)
    }

    /// Most tokens of an utterance: Whisper's own half of the decoder's context, and what can be said
    /// in the time (a word of hurried digits is one token, seven a second; other words are up to three).
    fn max_tokens(&self, samples: usize) -> usize {
        let half = self.inner.shape.n_text_ctx.cast_unsigned() as usize / 2 - 4;
        half.min(12 + samples * 15 / 16_000)
    }

    fn text_of(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .filter_map(|token| self.inner.texts.get(usize::try_from(*token).ok()?))
            .flatten()
            .copied()
            .collect();
        transcript::plain(&String::from_utf8_lossy(&bytes))
    }
}

/// A text's tokens; none where whisper.cpp has none for it.
fn tokens_of(context: &WhisperContext, text: &str) -> Vec<usize> {
    let tokens = context.tokenize(text, 32).unwrap_or_default();
    tokens.into_iter().filter_map(|token| usize::try_from(token).ok()).collect()
}

/// Start, for multilingual models the language and the task, and no time stamps.
fn prompt_of(context: &WhisperContext) -> Vec<Token> {
    let mut prompt = vec![context.token_sot()];
    if context.is_multilingual() {
        // English is whisper.cpp's language 0.
        prompt.extend([context.token_lang(0), context.token_transcribe()]);
    }
    prompt.push(context.token_not());
    prompt
}

fn failed(what: &str, error: &WhisperError) -> AsrError {
    AsrError::Engine(format!("whisper.cpp could not {what}: {error}"))
}

/// A recogniser with a whisper.cpp state for each pace. Calls from several threads take turns.
pub struct WhisperRecognizer {
    model: WhisperModel,
    /// The first hears everything, the others short utterances at other paces. Never empty.
    states: Mutex<Vec<WhisperState>>,
}

impl fmt::Debug for WhisperRecognizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhisperRecognizer").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Recognizer for WhisperRecognizer {
    /// [`Recognition::compute`] stays zero: engines read no clock.
    fn recognize(&self, utterance: &Utterance, expect: &Expect) -> Result<Recognition, AsrError> {
        let guards = &self.model.inner.settings.guards;
        let voiced = utterance.ended.since(utterance.started);
        if !guards.is_loud_enough(&utterance.pcm) || !guards.is_long_enough(voiced) {
            return Ok(Recognition { no_speech: 1.0, ..Recognition::default() });
        }
        // A panic can only have struck between two calls of whisper.cpp, each of which begins anew.
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = self.model.inner.shape.n_audio_ctx.cast_unsigned() as usize * SAMPLES_PER_POSITION;
        let mut whole: Option<Recognition> = None;
        for part in parts(&utterance.pcm, longest) {
            let heard = self.hear(&mut states, &utterance.pcm[part], expect)?;
            whole = Some(match whole {
                None => heard,
                Some(before) => joined(before, heard),
            });
        }
        let mut recognition = whole.unwrap_or_default();
        let spoken = spoken_time(utterance);
        recognition.hypotheses.retain(|h| guards.is_sayable(h.text.expose(), spoken));
        // The alternatives of a good guess help whoever knows what an order number looks like; those of a
        // bad one are noise. How good it was is for the likeliest to tell, whichever then comes first.
        let no_speech = recognition.no_speech;
        let is_good = recognition.best().is_some_and(|best| guards.is_sure_enough(best, no_speech, false));
        fit::prefer_expected(&mut recognition.hypotheses, expect, self.model.inner.settings.expected_share);
        let believed = |best: &Hypothesis| {
            is_good || guards.is_sure_enough(best, no_speech, fit::fits(expect, best.text.expose()))
        };
        if !recognition.best().is_some_and(believed) {
            recognition.hypotheses.clear();
        }
        Ok(recognition)
    }
}

impl WhisperRecognizer {
    /// Recognises what fits into the encoder at once.
    fn hear(
        &self,
        states: &mut [WhisperState],
        pcm: &[i16],
        expect: &Expect,
    ) -> Result<Recognition, AsrError> {
        let inner = &self.model.inner;
        let adjust = inner.expectations.adjust(expect, |word| tokens_of(&inner.context, word));
        let policy = Policy {
            adjust: &adjust,
            eot: inner.eot,
            no_speech: inner.context.token_nosp(),
            max_tokens: self.model.max_tokens(pcm.len()),
        };
        let is_short = sound_time(pcm) <= inner.settings.several_paces;
        let rates = OTHER_PACES_HZ.iter().filter(|_| is_short);
        let others = rates.map(|rate| Cow::Owned(resample(pcm, RATE_HZ, *rate)));
        let mut heard = Vec::new();
        let mut no_speech = 0.0;
        for (state, pcm) in states.iter_mut().zip(std::iter::once(Cow::Borrowed(pcm)).chain(others)) {
            let mut decoding = self.encode(state, &pcm)?;
            if heard.is_empty() {
                no_speech = decoding.no_speech()?;
            }
            let found = search::search(&mut decoding, &policy, &inner.settings.search)?;
            heard.push((decoding, found));
        }
        self.recognition(&agreed(&mut heard, &policy)?, no_speech)
    }

    fn encode<'a>(&'a self, state: &'a mut WhisperState, pcm: &[i16]) -> Result<Decoding<'a>, AsrError> {
        let mut samples: Vec<f32> = pcm.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        samples.resize(samples.len().max(MIN_SAMPLES), 0.0);
        let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        parameters.set_n_threads(THREADS as i32);
        parameters.set_audio_ctx(self.model.audio_ctx(pcm.len().max(MIN_SAMPLES)) as i32);
        // Stops `full` after the spectrogram: see the module's head.
        parameters.set_duration_ms(100);
        state.full(parameters, &samples).map_err(|error| failed("compute the spectrogram", &error))?;
        state.encode(0, THREADS).map_err(|error| failed("encode", &error))?;
        Ok(Decoding { state, inner: &self.model.inner, decoded: None })
    }

    fn recognition(&self, found: &Found, no_speech: f32) -> Result<Recognition, AsrError> {
        let is_speech = self.model.inner.settings.guards.is_speech(no_speech, found.empty);
        let no_speech = no_speech.max(found.empty);
        if no_speech.is_nan() || found.paths.iter().any(|path| path.confidence().is_nan()) {
            return Err(AsrError::Engine("whisper.cpp computed no numbers (NaN)".to_owned()));
        }
        let mut hypotheses: Vec<Hypothesis> = Vec::new();
        if is_speech {
            for path in found.paths.iter().filter(|path| path.end == End::Text) {
                let text = Pii::new(self.model.text_of(&path.tokens));
                // Paths may differ in capitals and punctuation only.
                if hypotheses.iter().all(|h| h.text != text) {
                    hypotheses.push(Hypothesis { text, confidence: path.confidence() });
                }
            }
        }
        Ok(Recognition { hypotheses, no_speech, compute: Duration::ZERO })
    }
}

/// The decoder's cache and what is in it.
struct Decoding<'a> {
    state: &'a mut WhisperState,
    inner: &'a Inner,
    /// Tokens after the prompt that are in the cache; `None` before the prompt is.
    decoded: Option<Vec<Token>>,
}

impl Decoding<'_> {
    /// Whisper's probability of no speech: that of its token right after the start. Models with two
    /// decoder layers (distilled ones, and ours) say it, if at all, where the text begins: the search
    /// sees to that.
    fn no_speech(&mut self) -> Result<f32, AsrError> {
        if self.inner.shape.n_text_layer <= 2 {
            return Ok(0.0);
        }
        self.decode(&self.inner.prompt[..1], 0)?;
        Ok(search::share_of(last_logits(self.state)?, self.inner.context.token_nosp()))
    }

    fn decode(&mut self, tokens: &[Token], position: usize) -> Result<(), AsrError> {
        self.state.decode(tokens, position, THREADS).map_err(|error| failed("decode", &error))
    }
}

fn last_logits(state: &WhisperState) -> Result<&[f32], AsrError> {
    state.get_logits().map_err(|error| failed("give its logits", &error))
}

impl Scorer for Decoding<'_> {
    fn logits(&mut self, text: &[Token]) -> Result<&[f32], AsrError> {
        let prompt = &self.inner.prompt;
        if self.decoded.as_deref() != Some(text) {
            // What both have in common stays in the cache, but one token must be decoded for its logits.
            let common = self.decoded.as_ref().map_or(0, |decoded| {
                let alike = decoded.iter().zip(text).take_while(|(a, b)| a == b).count();
                prompt.len() + alike.min(text.len().saturating_sub(1))
            });
            self.decoded = None;
            let all: Vec<Token> = prompt.iter().chain(text).copied().collect();
            let common = common.min(all.len() - 1);
            // The last token alone: of a batch whisper.cpp shows the first token's logits only.
            let last = all.len() - 1;
            if common < last {
                self.decode(&all[common..last], common)?;
            }
            self.decode(&all[last..], last)?;
            self.decoded = Some(text.to_vec());
        }
        last_logits(self.state)
    }
}

fn sound_time(pcm: &[i16]) -> Duration {
    Duration::from_micros(pcm.len() as u64 * 1_000_000 / u64::from(RATE_HZ))
}

/// Time in which the words were said: the voiced part where it is known, else all of it.
fn spoken_time(utterance: &Utterance) -> Duration {
    let sound = sound_time(&utterance.pcm);
    match utterance.ended.since(utterance.started) {
        Duration::ZERO => sound,
        // The last voiced frame's own length, and what voice activity misses of weak sounds.
        voiced => sound.min(voiced + Duration::from_millis(200)),
    }
}

/// Cuts what is longer than the encoder's context, at the quietest 100 ms of each piece's last third.
fn parts(pcm: &[i16], longest: usize) -> Vec<Range<usize>> {
    const WINDOW: usize = 1600;
    let mut parts = Vec::new();
    let mut start = 0;
    while pcm.len() - start > longest {
        let loudness = |at: usize| -> i64 {
            let window = &pcm[at..(at + WINDOW).min(pcm.len())];
            window.iter().map(|s| i64::from(*s) * i64::from(*s)).sum()
        };
        let places = (start + longest * 2 / 3..(start + longest).saturating_sub(WINDOW)).step_by(WINDOW / 2);
        let cut = places.min_by_key(|at| loudness(*at)).map_or(start + longest, |at| at + WINDOW / 2);
        parts.push(start..cut);
        start = cut;
    }
    parts.push(start..pcm.len());
    parts
}

/// Two stretches of one utterance: the best of both, then each with the other's alternatives.
fn joined(before: Recognition, after: Recognition) -> Recognition {
    let no_speech = before.no_speech.min(after.no_speech);
    let (Some(first), Some(second)) = (before.best(), after.best()) else {
        let spoken = if before.hypotheses.is_empty() { after } else { before };
        return Recognition { no_speech, ..spoken };
    };
    let pair = |a: &Hypothesis, b: &Hypothesis| Hypothesis {
        text: Pii::new(format!("{} {}", a.text.expose(), b.text.expose())),
        confidence: (a.confidence * b.confidence).sqrt(),
    };
    let mut hypotheses = vec![pair(first, second)];
    hypotheses.extend(before.hypotheses.iter().skip(1).map(|a| pair(a, second)));
    hypotheses.extend(after.hypotheses.iter().skip(1).map(|b| pair(first, b)));
    hypotheses.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    Recognition { hypotheses, no_speech, compute: Duration::ZERO }
}

#[cfg(test)]
#[path = "whisper_tests.rs"]
mod tests;
