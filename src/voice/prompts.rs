//! Prompts as sound: a recording where there is one, else a kept rendering, else synthesis.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cache::{Disk, Key, Memory};
use super::shape::{self, Shaper};
use super::{Synthesizer, VoiceError};
use crate::audio::RATE_HZ;
use crate::call::Prompt;

/// Recorded prompts by name: 16-bit mono PCM at 16 kHz.
pub type Recordings = BTreeMap<String, Vec<i16>>;

/// What a voice is measured with: sounds of every kind, long enough for a steady level (about 3 s).
const MEASURING_WORDS: &str =
    "Thank you for calling. Please tell me, in a few words, how I can help you today.";

/// Memory for renderings that are not evergreen: 16 MiB, about eight minutes of speech.
const MEMORY_BYTES: usize = 16 << 20;

/// Samples of a ready prompt that are handed over at once, 100 ms.
const PIECE: usize = RATE_HZ as usize / 10;

/// The longest recording taken for a prompt: two minutes.
const LONGEST_RECORDING: usize = 120 * RATE_HZ as usize;

/// What surrounds the synthesiser.
#[derive(Clone, Debug)]
pub struct PromptVoiceOptions {
    /// Recordings that replace the synthesis of evergreen prompts.
    pub recordings: Recordings,
    /// Where renderings of evergreen prompts outlive the process; `None` keeps them in memory only.
    pub cache_folder: Option<PathBuf>,
    /// Bytes of memory for renderings that are not evergreen.
    pub memory_bytes: usize,
}

impl Default for PromptVoiceOptions {
    fn default() -> PromptVoiceOptions {
        PromptVoiceOptions { recordings: Recordings::new(), cache_folder: None, memory_bytes: MEMORY_BYTES }
    }
}

/// The line's voice: shared by all calls.
///
/// Every prompt comes out at the same loudness (speech at −20 dBFS, peaks below −1) and without the
/// silence that synthesisers begin with.
pub struct PromptVoice {
    synthesizer: Arc<dyn Synthesizer>,
    /// Speaks for callers who asked for it slowly.
    slow: Arc<dyn Synthesizer>,
    /// Brings the synthesiser to the line's loudness. One factor for all it says: no prompt has to be
    /// complete before its first word can be played.
    gain: f32,
    recordings: BTreeMap<String, Arc<[i16]>>,
    memory: Mutex<Memory>,
    disk: Option<Disk>,
}

impl PromptVoice {
    /// Takes the recordings in, and measures the voice's loudness by having it speak (about 100 ms
    /// of compute with flite).
    ///
    /// # Errors
    /// Where the synthesiser does not speak, a recording is empty, silent or longer than two
    /// minutes, or the cache folder cannot be made.
    pub fn new(
        synthesizer: Arc<dyn Synthesizer>,
        options: PromptVoiceOptions,
    ) -> Result<PromptVoice, VoiceError> {
        let PromptVoiceOptions { recordings, cache_folder, memory_bytes } = options;
        let recordings = recordings
            .into_iter()
            .map(|(name, pcm)| checked_recording(&name, &pcm).map(|pcm| (name, pcm)))
            .collect::<Result<_, _>>()?;
        let disk = match cache_folder {
            None => None,
            Some(path) => Some(Disk::open(&path).map_err(|source| VoiceError::CacheFolder { path, source })?),
        };
        let mut measured = Vec::new();
        synthesizer.speak(MEASURING_WORDS, &mut |piece| {
            measured.extend_from_slice(piece);
            ControlFlow::Continue(())
        })?;
        let gain = shape::gain_for(&measured);
        let slow = Arc::clone(&synthesizer);
        Ok(PromptVoice {
            synthesizer,
            slow,
            gain,
            recordings,
            memory: Mutex::new(Memory::new(memory_bytes)),
            disk,
        })
    }

    /// Takes the synthesiser that speaks prompts which the caller wants to hear slowly: the same voice,
    /// or a recorded prompt would be as fast as before.
    #[must_use]
    pub fn with_slow(self, slow: Arc<dyn Synthesizer>) -> PromptVoice {
        PromptVoice { slow, ..self }
    }

    fn speaker(&self, prompt: &Prompt) -> &dyn Synthesizer {
        if prompt.slow { &*self.slow } else { &*self.synthesizer }
    }

    /// Engine, voice and settings in one word.
    pub fn name(&self) -> &str {
        self.synthesizer.name()
    }

    /// The whole prompt: 16-bit mono PCM at 16 kHz.
    ///
    /// # Errors
    /// Where it had to be rendered and the synthesiser failed.
    pub fn pcm(&self, prompt: &Prompt) -> Result<Arc<[i16]>, VoiceError> {
        match self.ready(prompt) {
            Some(pcm) => Ok(pcm),
            None => self.render(prompt, &mut |_| ControlFlow::Continue(())).map(Rendered::into_pcm),
        }
    }

    /// Hands the prompt to `sink` piece by piece, 16-bit mono PCM at 16 kHz, the first as early as it
    /// can be had; stops when `sink` breaks, and says so. `sink` must not wait for the caller's ear
    /// (see [`Synthesizer::speak`]).
    ///
    /// # Errors
    /// Where it had to be rendered and the synthesiser failed; pieces already handed over stay valid.
    pub fn stream(
        &self,
        prompt: &Prompt,
        sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, VoiceError> {
        match self.ready(prompt) {
            Some(pcm) => Ok(pcm.chunks(PIECE).try_for_each(sink)),
            None => self.render(prompt, sink).map(|rendered| match rendered {
                Rendered::Whole(_) => ControlFlow::Continue(()),
                Rendered::Stopped(_) => ControlFlow::Break(()),
            }),
        }
    }

    /// Renders the evergreen ones of `prompts`, so that the first caller does not wait for them.
    /// Returns how many had to be rendered anew.
    ///
    /// # Errors
    /// Where the synthesiser failed; what was rendered before stays.
    pub fn warm(&self, prompts: &[Prompt]) -> Result<usize, VoiceError> {
        let mut rendered = 0;
        for prompt in prompts.iter().filter(|p| p.evergreen) {
            if self.ready(prompt).is_none() {
                self.pcm(prompt)?;
                rendered += 1;
            }
        }
        Ok(rendered)
    }

    /// The prompt, if nothing has to be rendered for it.
    fn ready(&self, prompt: &Prompt) -> Option<Arc<[i16]>> {
        if prompt.evergreen
            && let Some(recording) = self.recordings.get(&prompt.name)
        {
            return Some(Arc::clone(recording));
        }
        let key = self.key(prompt);
        let kept = self.memory().get(key);
        if kept.is_some() || !prompt.evergreen {
            return kept;
        }
        let kept = self.disk.as_ref()?.read(key)?;
        self.memory().put(key, Arc::clone(&kept), true);
        Some(kept)
    }

    fn key(&self, prompt: &Prompt) -> Key {
        Key::new(self.speaker(prompt).name(), prompt.text.expose())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Renderings are put in whole, so that a panic elsewhere cannot have damaged them.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn render(
        &self,
        prompt: &Prompt,
        sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<Rendered, VoiceError> {
        let mut shaper = Shaper::new(self.gain);
        let mut pcm = Vec::new();
        let mut flow = ControlFlow::Continue(());
        self.speaker(prompt).speak(prompt.text.expose(), &mut |piece| {
            let heard = pcm.len();
            shaper.push(piece, &mut pcm);
            if pcm.len() > heard {
                flow = sink(&pcm[heard..]);
            }
            flow
        })?;
        if flow.is_break() {
            return Ok(Rendered::Stopped(pcm.into()));
        }
        let heard = pcm.len();
        shaper.finish(&mut pcm);
        if pcm.len() > heard {
            flow = sink(&pcm[heard..]);
        }
        let pcm: Arc<[i16]> = pcm.into();
        self.keep(prompt, &pcm);
        Ok(if flow.is_break() { Rendered::Stopped(pcm) } else { Rendered::Whole(pcm) })
    }

    /// Keeps a rendering. A disk that is full costs the next start some time, and nothing else.
    fn keep(&self, prompt: &Prompt, pcm: &Arc<[i16]>) {
        if pcm.is_empty() {
            return;
        }
        let key = self.key(prompt);
        self.memory().put(key, Arc::clone(pcm), prompt.evergreen);
        if let (true, Some(disk)) = (prompt.evergreen, &self.disk)
            && let Err(error) = disk.write(key, pcm)
        {
            tracing::warn!(prompt = prompt.name, %error, "a rendered prompt could not be kept on disk");
        }
    }
}

/// How far a rendering came.
enum Rendered {
    /// To its end.
    Whole(Arc<[i16]>),
    /// To where the sink broke.
    Stopped(Arc<[i16]>),
}

impl Rendered {
    fn into_pcm(self) -> Arc<[i16]> {
        match self {
            Rendered::Whole(pcm) | Rendered::Stopped(pcm) => pcm,
        }
    }
}

/// Shapes a recording, or says why it is none.
fn checked_recording(name: &str, pcm: &[i16]) -> Result<Arc<[i16]>, VoiceError> {
    let refused = |why| Err(VoiceError::Recording { name: name.to_owned(), why });
    if pcm.is_empty() {
        return refused("holds no sound");
    }
    if pcm.len() > LONGEST_RECORDING {
        return refused("is longer than two minutes");
    }
    let shaped = shape::shaped(pcm);
    if shaped.is_empty() { refused("is silent from end to end") } else { Ok(shaped.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Speaks a tone of 100 ms for each letter after 150 ms of silence, in pieces of 10 ms. Fails at
    /// the word "fail".
    #[derive(Default)]
    struct Fake {
        renderings: AtomicUsize,
    }

    impl Synthesizer for Fake {
        fn name(&self) -> &str {
            "fake/1"
        }

        fn speak(
            &self,
            text: &str,
            sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
        ) -> Result<(), VoiceError> {
            self.renderings.fetch_add(1, Ordering::Relaxed);
            let mut pcm = vec![0_i16; 2400];
            pcm.extend((0..1600 * text.len()).map(|i| ((i as f32 * 0.3).sin() * 800.0) as i16));
            for piece in pcm.chunks(160) {
                if sink(piece).is_break() {
                    return Ok(());
                }
            }
            if text == "fail" {
                return Err(VoiceError::Engine {
                    voice: "fake".to_owned(),
                    why: "it was asked to".to_owned(),
                });
            }
            Ok(())
        }
    }

    struct Rig {
        fake: Arc<Fake>,
        voice: PromptVoice,
    }

    impl Rig {
        fn new(options: PromptVoiceOptions) -> Rig {
            let fake = Arc::new(Fake::default());
            let voice = PromptVoice::new(fake.clone(), options).expect("the fake speaks");
            fake.renderings.store(0, Ordering::Relaxed);
            Rig { fake, voice }
        }

        fn renderings(&self) -> usize {
            self.fake.renderings.load(Ordering::Relaxed)
        }
    }

    fn prompt(name: &str, text: &str, evergreen: bool) -> Prompt {
        Prompt { name: name.to_owned(), text: text.into(), evergreen, barge_in: true, slow: false }
    }

    #[test]
    fn a_prompt_is_rendered_once_and_starts_within_20_ms() {
        let rig = Rig::new(PromptVoiceOptions::default());
        let said = prompt("answer", "shipped", false);
        let pcm = rig.voice.pcm(&said).expect("it speaks");
        assert!(pcm[..400].iter().any(|s| s.unsigned_abs() > 100));
        assert_eq!(rig.voice.pcm(&said).expect("it is kept"), pcm);
        assert_eq!(rig.renderings(), 1);
    }

    #[test]
    fn streaming_hands_over_exactly_the_prompt_from_cache_or_not() {
        let rig = Rig::new(PromptVoiceOptions::default());
        let said = prompt("answer", "shipped", false);
        let stream = || {
            let (mut pieces, mut pcm) = (0, Vec::new());
            let flow = rig.voice.stream(&said, &mut |piece| {
                pieces += 1;
                pcm.extend_from_slice(piece);
                ControlFlow::Continue(())
            });
            assert_eq!(flow.expect("it speaks"), ControlFlow::Continue(()));
            (pieces, pcm)
        };
        let (rendered_pieces, rendered) = stream();
        let (_, cached) = stream();
        assert!(rendered_pieces > 10, "{rendered_pieces}");
        assert_eq!(rendered, cached);
        assert_eq!(rig.renderings(), 1);
    }

    #[test]
    fn a_prompt_that_was_interrupted_is_not_kept() {
        let rig = Rig::new(PromptVoiceOptions::default());
        let said = prompt("answer", "shipped", true);
        let flow = rig.voice.stream(&said, &mut |_| ControlFlow::Break(())).expect("a break is no error");
        assert_eq!(flow, ControlFlow::Break(()));
        assert!(rig.voice.pcm(&said).expect("it speaks").len() > 1600 * 7);
        assert_eq!(rig.renderings(), 2);
    }

    #[test]
    fn a_recording_wins_over_synthesis_for_evergreen_prompts_only() {
        let tone: Vec<i16> = (0..3200).map(|i| ((i as f32 * 0.1).sin() * 3_000.0) as i16).collect();
        let recordings = Recordings::from([("greeting".to_owned(), tone)]);
        let rig = Rig::new(PromptVoiceOptions { recordings, ..PromptVoiceOptions::default() });
        assert_eq!(rig.voice.pcm(&prompt("greeting", "hello", true)).expect("it is recorded").len(), 3200);
        assert_eq!(rig.renderings(), 0);
        assert!(rig.voice.pcm(&prompt("greeting", "hello Maria", false)).expect("it speaks").len() > 3200);
        assert_eq!(rig.renderings(), 1);
    }

    #[test]
    fn a_recording_that_is_none_is_refused_by_name() {
        for (pcm, word) in
            [(vec![], "no sound"), (vec![0; 16_000], "silent"), (vec![900; 2_000_000], "two minutes")]
        {
            let recordings = Recordings::from([("greeting".to_owned(), pcm)]);
            let options = PromptVoiceOptions { recordings, ..PromptVoiceOptions::default() };
            let refused = PromptVoice::new(Arc::new(Fake::default()), options).err().expect(word).to_string();
            assert!(refused.contains("'greeting'") && refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn evergreen_renderings_outlive_the_process_and_others_leave_no_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = PromptVoiceOptions {
            cache_folder: Some(folder.path().to_owned()),
            ..PromptVoiceOptions::default()
        };
        let prompts = [prompt("greeting", "hello", true), prompt("answer", "Maria", false)];
        let first = Rig::new(options.clone());
        assert_eq!(first.voice.warm(&prompts).expect("it speaks"), 1);
        let private = first.voice.pcm(&prompts[1]).expect("it speaks");
        assert!(!private.is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder is there").count(), 1);

        let second = Rig::new(options);
        assert_eq!(second.voice.warm(&prompts).expect("it is kept"), 0);
        assert_eq!(second.renderings(), 0);
        assert_eq!(second.voice.pcm(&prompts[0]).expect("kept"), first.voice.pcm(&prompts[0]).expect("kept"));
    }

    #[test]
    fn a_failure_is_reported_and_not_kept() {
        let rig = Rig::new(PromptVoiceOptions::default());
        let said = prompt("answer", "fail", true);
        assert!(rig.voice.pcm(&said).is_err());
        assert!(rig.voice.pcm(&said).is_err());
        assert_eq!(rig.renderings(), 2);
    }

    #[test]
    fn the_installed_voice_comes_out_at_the_line_s_loudness() {
        let synthesizer = match super::super::default_synthesizer(&super::super::VoiceSettings::default()) {
            Ok(synthesizer) => synthesizer,
            Err(e) => {
                eprintln!("skipped: {e}");
                return;
            }
        };
        let voice = PromptVoice::new(synthesizer, PromptVoiceOptions::default()).expect("it speaks");
        let pcm = voice.pcm(&prompt("a", "Your order was shipped yesterday.", false)).expect("it speaks");
        let gain_db = 20.0 * shape::gain_for(&pcm).log10();
        assert!(gain_db.abs() < 3.0, "{gain_db} dB off");
        assert!(pcm[..800].iter().any(|s| s.unsigned_abs() > 300), "speech within 50 ms");
    }
}
