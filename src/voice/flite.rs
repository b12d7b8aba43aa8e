//! flite, loaded when the line starts: no headers, no build step, no link-time dependency.
//!
//! Only what has kept its binary layout since flite 1.x is touched: the first two fields of a voice,
//! the first two of the streaming settings, and the wave. Flite's globals are not made for threads,
//! so that one lock stands before everything; it is taken sentence by sentence, which lets calls take
//! turns.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_float, c_int, c_void};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libloading::Library;

use super::{Synthesizer, VoiceError, checked_stretch, text};
use crate::audio::RATE_HZ;

/// The voices of Debian's package libflite1 that speak at 16 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FliteVoice {
    /// A US English woman; the line's own voice.
    Slt,
    /// A US English man.
    Rms,
    /// A Scottish English man.
    Awb,
    /// A US English man from 1990s diphones: poor, but twenty times as fast.
    Kal16,
}

impl FliteVoice {
    /// All of them, best first.
    pub const ALL: [FliteVoice; 4] = [FliteVoice::Slt, FliteVoice::Rms, FliteVoice::Awb, FliteVoice::Kal16];

    /// `slt`, `rms`, `awb`, `kal16`.
    pub fn as_str(self) -> &'static str {
        match self {
            FliteVoice::Slt => "slt",
            FliteVoice::Rms => "rms",
            FliteVoice::Awb => "awb",
            FliteVoice::Kal16 => "kal16",
        }
    }

    /// Whether rendering may be broken off in the middle. The diphone voice renders a sentence in
    /// milliseconds, and its way out is the less trodden one.
    fn can_stop(self) -> bool {
        match self {
            FliteVoice::Slt | FliteVoice::Rms | FliteVoice::Awb => true,
            FliteVoice::Kal16 => false,
        }
    }
}

/// A voice of flite at one speaking rate.
#[derive(Debug)]
pub struct Flite {
    voice: FliteVoice,
    stretch: f32,
    name: String,
}

impl Flite {
    /// Loads the voice. `stretch` is the length of speech against the voice's own.
    ///
    /// # Errors
    /// [`VoiceError::NotInstalled`] where the library or the voice is missing,
    /// [`VoiceError::Stretch`] where the rate is out of bounds.
    pub fn open(voice: FliteVoice, stretch: f32) -> Result<Flite, VoiceError> {
        let stretch = checked_stretch(stretch)?;
        lock_engine(voice)?.voice(voice)?;
        Ok(Flite { voice, stretch, name: format!("flite/{}/{stretch:.2}", voice.as_str()) })
    }

    fn failed(&self, why: impl Into<String>) -> VoiceError {
        VoiceError::Engine { voice: self.name.clone(), why: why.into() }
    }
}

impl Synthesizer for Flite {
    fn name(&self) -> &str {
        &self.name
    }

    fn speak(&self, text: &str, sink: &mut dyn FnMut(&[i16]) -> ControlFlow<()>) -> Result<(), VoiceError> {
        for sentence in text::sentences(text) {
            let sentence = CString::new(text::ascii(sentence)).expect("ASCII letters hold no NUL");
            let mut job = Job { sink: &mut *sink, can_stop: self.voice.can_stop(), outcome: Outcome::Going };
            let rendered = lock_engine(self.voice)?.render(self.voice, self.stretch, &sentence, &mut job)?;
            match job.outcome {
                Outcome::Panicked(payload) => resume_unwind(payload),
                Outcome::Malformed(why) => return Err(self.failed(why)),
                Outcome::Stopped => return Ok(()),
                Outcome::Going if !rendered => return Err(self.failed("flite could not say a sentence")),
                Outcome::Going => {}
            }
        }
        Ok(())
    }
}

/// The leading fields of `cst_voice`.
#[repr(C)]
struct CstVoice {
    name: *const c_char,
    features: *mut c_void,
}

/// `cst_wave`.
#[repr(C)]
struct CstWave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const i16,
}

/// The leading fields of `cst_audio_streaming_info`.
#[repr(C)]
struct CstStreaming {
    min_buffsize: c_int,
    callback: Option<StreamCallback>,
}

type StreamCallback = extern "C" fn(
    wave: *const CstWave,
    start: c_int,
    size: c_int,
    last: c_int,
    info: *mut CstStreaming,
) -> c_int;

/// Flite's `CST_AUDIO_STREAM_CONT`.
const CONTINUE: c_int = 0;

/// Flite's `CST_AUDIO_STREAM_STOP`.
const STOP: c_int = -1;

/// How rendering of one sentence goes.
enum Outcome {
    /// Every piece was taken.
    Going,
    /// The sink had enough.
    Stopped,
    /// The sink panicked; flite's frames must not be unwound, so the panic waits here.
    Panicked(Box<dyn Any + Send>),
    /// Flite handed over what is not 16 kHz mono.
    Malformed(String),
}

/// Where the pieces of the sentence in hand go.
struct Job<'a> {
    sink: &'a mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    can_stop: bool,
    outcome: Outcome,
}

impl Job<'_> {
    fn take(&mut self, piece: &[i16]) {
        self.outcome = match catch_unwind(AssertUnwindSafe(|| (self.sink)(piece))) {
            Ok(ControlFlow::Continue(())) => Outcome::Going,
            Ok(ControlFlow::Break(())) => Outcome::Stopped,
            Err(payload) => Outcome::Panicked(payload),
        };
    }
}

thread_local! {
    /// The job of the sentence that this thread renders. Flite's own `userdata` stands at another
    /// place in each version of its struct.
    static JOB: Cell<*mut Job<'static>> = const { Cell::new(ptr::null_mut()) };
}

/// Flite calls this with each new piece of the wave, on the thread that asked for it.
extern "C" fn take_piece(
    wave: *const CstWave,
    start: c_int,
    size: c_int,
    _: c_int,
    _: *mut CstStreaming,
) -> c_int {
    // SAFETY: `render` sets the pointer to a live job for the length of flite's call, which is the only
    // time that this function runs on this thread, and touches the job only before and after.
    let Some(job) = (unsafe { JOB.get().as_mut() }) else { return STOP };
    if matches!(job.outcome, Outcome::Going) {
        // SAFETY: flite passes its wave, whose samples outlive this call.
        match unsafe { piece_of(wave, start, size) } {
            Ok(piece) => job.take(piece),
            Err(why) => job.outcome = Outcome::Malformed(why),
        }
    }
    let going = matches!(job.outcome, Outcome::Going);
    if going || !job.can_stop { CONTINUE } else { STOP }
}

/// The new samples of a wave.
///
/// # Safety
/// `wave` is null or points to a `cst_wave` that stays as it is for `'a`.
unsafe fn piece_of<'a>(wave: *const CstWave, start: c_int, size: c_int) -> Result<&'a [i16], String> {
    // SAFETY: the caller's promise.
    let wave = unsafe { wave.as_ref() }.ok_or("flite sent no wave")?;
    if u32::try_from(wave.sample_rate) != Ok(RATE_HZ) || wave.num_channels != 1 {
        return Err(format!(
            "expected 16000 Hz mono, got {} Hz, {} channels",
            wave.sample_rate, wave.num_channels
        ));
    }
    let bounds = usize::try_from(start).ok().zip(usize::try_from(size).ok());
    let total = usize::try_from(wave.num_samples).unwrap_or(0);
    match bounds {
        Some((start, size)) if start.saturating_add(size) <= total && !wave.samples.is_null() => {
            // SAFETY: a wave holds `num_samples` samples, and the range lies within them.
            Ok(unsafe { std::slice::from_raw_parts(wave.samples.add(start), size) })
        }
        Some(_) | None => Err(format!("flite sent samples {start}+{size} of {total}")),
    }
}

type SynthText = unsafe extern "C" fn(text: *const c_char, voice: *mut CstVoice) -> *mut c_void;
type DeleteUtterance = unsafe extern "C" fn(utterance: *mut c_void);
type FeatSet = unsafe extern "C" fn(features: *mut c_void, name: *const c_char, value: *const c_void);
type FeatSetFloat = unsafe extern "C" fn(features: *mut c_void, name: *const c_char, value: c_float);
type NewStreaming = unsafe extern "C" fn() -> *mut CstStreaming;
type StreamingVal = unsafe extern "C" fn(info: *mut CstStreaming) -> *mut c_void;
type Register = unsafe extern "C" fn(folder: *const c_char) -> *mut CstVoice;

/// The library's functions and the voices loaded so far.
struct Engine {
    synth_text: SynthText,
    delete_utterance: DeleteUtterance,
    feat_set: FeatSet,
    feat_set_float: FeatSetFloat,
    new_streaming: NewStreaming,
    streaming_val: StreamingVal,
    voices: BTreeMap<FliteVoice, NonNull<CstVoice>>,
    /// Never closed: the voices' data lies in them.
    libraries: Vec<Library>,
}

// SAFETY: the pointers lead to the libraries' static voices, which belong to no thread; every use
// goes through the lock below.
unsafe impl Send for Engine {}

/// Flite in this process, loaded with the first voice.
static ENGINE: Mutex<Option<Engine>> = Mutex::new(None);

/// The loaded engine, behind its lock.
struct Locked(MutexGuard<'static, Option<Engine>>);

impl std::ops::Deref for Locked {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.0.as_ref().expect("lock_engine loads it")
    }
}

impl std::ops::DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Engine {
        self.0.as_mut().expect("lock_engine loads it")
    }
}

/// Waits for the engine, loading it where that has not happened yet. A missing library is looked for
/// again each time, so that installing it needs no restart.
fn lock_engine(voice: FliteVoice) -> Result<Locked, VoiceError> {
    let mut guard = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    if guard.is_none() {
        *guard = Some(Engine::load().map_err(|e| not_installed(voice, &e))?);
    }
    Ok(Locked(guard))
}

fn not_installed(voice: FliteVoice, why: &libloading::Error) -> VoiceError {
    VoiceError::NotInstalled {
        voice: format!("flite/{}", voice.as_str()),
        why: why.to_string(),
        packages: "libflite1",
    }
}

impl Engine {
    fn load() -> Result<Engine, libloading::Error> {
        // SAFETY: loading libflite runs no code of its own; the signatures are those of flite.h,
        // unchanged between 1.4 and 2.2, both of which bear this soname.
        unsafe {
            let library = Library::new("libflite.so.1")?;
            let init = *library.get::<unsafe extern "C" fn() -> c_int>(b"flite_init\0")?;
            init();
            Ok(Engine {
                synth_text: *library.get(b"flite_synth_text\0")?,
                delete_utterance: *library.get(b"delete_utterance\0")?,
                feat_set: *library.get(b"feat_set\0")?,
                feat_set_float: *library.get(b"feat_set_float\0")?,
                new_streaming: *library.get(b"new_audio_streaming_info\0")?,
                streaming_val: *library.get(b"audio_streaming_info_val\0")?,
                voices: BTreeMap::new(),
                libraries: vec![library],
            })
        }
    }

    /// The voice, loaded where that has not happened yet.
    fn voice(&mut self, voice: FliteVoice) -> Result<NonNull<CstVoice>, VoiceError> {
        if let Some(loaded) = self.voices.get(&voice) {
            return Ok(*loaded);
        }
        let word = voice.as_str();
        // SAFETY: a voice's library brings its language and lexicon along; registering with a null
        // folder is what flite's own program does. The streaming settings belong to flite from
        // `feat_set` on.
        unsafe {
            let library =
                Library::new(format!("libflite_cmu_us_{word}.so.1")).map_err(|e| not_installed(voice, &e))?;
            let symbol = format!("register_cmu_us_{word}\0");
            let register =
                *library.get::<Register>(symbol.as_bytes()).map_err(|e| not_installed(voice, &e))?;
            let loaded = NonNull::new(register(ptr::null())).ok_or_else(|| VoiceError::Engine {
                voice: format!("flite/{word}"),
                why: "flite did not register it".to_owned(),
            })?;
            let streaming = (self.new_streaming)();
            (*streaming).callback = Some(take_piece);
            let features = loaded.as_ref().features;
            (self.feat_set)(features, c"streaming_info".as_ptr(), (self.streaming_val)(streaming));
            self.libraries.push(library);
            self.voices.insert(voice, loaded);
            Ok(loaded)
        }
    }

    /// Renders one sentence into `job`; false where flite made nothing of it.
    fn render(
        &mut self,
        voice: FliteVoice,
        stretch: f32,
        sentence: &CString,
        job: &mut Job<'_>,
    ) -> Result<bool, VoiceError> {
        let voice = self.voice(voice)?;
        // SAFETY: the voice is loaded and, behind the lock, ours alone. The job outlives the call, and
        // the pointer to it is taken back before it ends.
        unsafe {
            (self.feat_set_float)(voice.as_ref().features, c"duration_stretch".as_ptr(), stretch);
            JOB.set(ptr::from_mut(job).cast());
            let utterance = (self.synth_text)(sentence.as_ptr(), voice.as_ptr());
            JOB.set(ptr::null_mut());
            if !utterance.is_null() {
                (self.delete_utterance)(utterance);
            }
            Ok(!utterance.is_null())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "Your order was shipped. It arrives tomorrow.";

    /// The voice, or `None` with a word where flite is not installed.
    fn open(voice: FliteVoice, stretch: f32) -> Option<Flite> {
        match Flite::open(voice, stretch) {
            Ok(flite) => Some(flite),
            Err(e) => {
                eprintln!("skipped: {e}");
                None
            }
        }
    }

    fn spoken(flite: &Flite, text: &str) -> Vec<i16> {
        let mut pcm = Vec::new();
        flite
            .speak(text, &mut |piece| {
                pcm.extend_from_slice(piece);
                ControlFlow::Continue(())
            })
            .expect("flite speaks");
        pcm
    }

    #[test]
    fn every_voice_speaks_a_plausible_length_in_pieces() {
        for voice in FliteVoice::ALL {
            let Some(flite) = open(voice, 1.0) else { return };
            let mut pieces = 0;
            let mut samples = 0;
            flite
                .speak(WORDS, &mut |piece| {
                    pieces += 1;
                    samples += piece.len();
                    ControlFlow::Continue(())
                })
                .expect("flite speaks");
            let seconds = samples as f32 / RATE_HZ as f32;
            assert!((1.5..6.0).contains(&seconds), "{voice:?}: {seconds} s");
            assert!(pieces > 10, "{voice:?}: {pieces} pieces");
        }
    }

    #[test]
    fn a_stretch_lengthens_speech_and_does_not_stick() {
        let (Some(plain), Some(slow)) = (open(FliteVoice::Slt, 1.0), open(FliteVoice::Slt, 1.5)) else {
            return;
        };
        let before = spoken(&plain, WORDS).len();
        let stretched = spoken(&slow, WORDS).len();
        assert_eq!(spoken(&plain, WORDS).len(), before);
        let ratio = stretched as f32 / before as f32;
        assert!((1.3..1.7).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_broken_sink_gets_nothing_more_and_the_next_prompt_is_whole() {
        for voice in [FliteVoice::Slt, FliteVoice::Kal16] {
            let Some(flite) = open(voice, 1.0) else { return };
            let whole = spoken(&flite, WORDS).len();
            let mut pieces = 0;
            flite
                .speak(WORDS, &mut |_| {
                    pieces += 1;
                    if pieces == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .expect("a break is no error");
            assert_eq!(pieces, 3, "{voice:?}");
            assert_eq!(spoken(&flite, WORDS).len(), whole, "{voice:?}");
        }
    }

    #[test]
    fn a_panicking_sink_does_not_unwind_through_flite() {
        let Some(flite) = open(FliteVoice::Slt, 1.0) else { return };
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _ = flite.speak(WORDS, &mut |_| panic!("the sink's own fault"));
        }));
        assert!(caught.is_err());
        assert!(!spoken(&flite, WORDS).is_empty());
    }

    #[test]
    fn many_threads_get_what_one_gets() {
        let Some(flite) = open(FliteVoice::Slt, 1.0) else { return };
        let alone = spoken(&flite, WORDS).len();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| spoken(&flite, WORDS).len())).collect();
            for thread in threads {
                assert_eq!(thread.join().expect("no panic"), alone);
            }
        });
    }

    #[test]
    fn odd_text_is_survived() {
        let Some(flite) = open(FliteVoice::Slt, 1.0) else { return };
        for text in ["", "...", "\0", "\u{4e2d}\u{6587}", "&<>\"'%s%n", "José\u{2019}s 24-inch TV"] {
            let _ = spoken(&flite, text);
        }
        assert!(!spoken(&flite, &"word ".repeat(300)).is_empty());
    }
}
