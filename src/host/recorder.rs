//! Recordings of calls: both sides as they were heard, the caller left and the line right, as FLAC that is sealed while
//! it is written.
//!
//! One thread writes for all calls, so that a slow disk holds up no telephone. What it cannot take in time is no
//! recording: half of a call is thrown away, and the log says so. A secret never comes here: the session gives silence
//! in its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::runtime::Handle;

#[cfg(feature = "host")]
use super::line::Line;
use super::session::{Channel, Observer};
use crate::audio::{FRAME_SAMPLES, FlacStream, Frame, RATE_HZ};
use crate::call::{Ani, CallId};
#[cfg(feature = "host")]
use crate::config::{Config, ConfigError};
use crate::store::seal::{Sealing, is_sealed};
use crate::store::{KeptRecording, Store, Unfinished};

/// Where recordings lie, in the folder of data.
pub const FOLDER: &str = "recordings";

/// Frames that a call hands over at once: a second.
const PIECE: usize = 50;

/// Pieces that may wait for the disk: ten seconds of a hundred calls, 64 kB each.
const WAITING: usize = 1_000;

enum Job {
    Begin {
        call: CallId,
        ani: Option<Ani>,
        at: Timestamp,
    },
    /// Samples of both sides in turn.
    Sound(CallId, Vec<i16>),
    /// The call is over: its recording is kept.
    End(CallId),
    /// The recording is not wanted.
    Drop(CallId),
}

/// The way to the thread that writes. Nothing blocks on it: sound finds room or it does not, and what else there is to
/// say, three words a call, always goes.
#[derive(Clone)]
struct Inbox {
    jobs: Sender<Job>,
    /// Pieces of sound on the way.
    waiting: Arc<AtomicUsize>,
}

impl Inbox {
    fn new() -> (Inbox, Receiver<Job>) {
        let (jobs, work) = channel();
        (Inbox { jobs, waiting: Arc::default() }, work)
    }

    /// Whether there was room for a piece of sound, and somebody who takes it.
    fn sound(&self, call: &CallId, piece: Vec<i16>) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.jobs.send(Job::Sound(call.clone(), piece)).is_ok()
    }
}

/// Records calls. Dropping it, or [`Recorder::close`], waits for what is still to be written.
pub struct Recorder {
    inbox: Mutex<Option<Inbox>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Recorder {
    /// Records into a folder, and writes down in the store what is there.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn open(store: Arc<Store>, runtime: Handle, folder: PathBuf) -> io::Result<Recorder> {
        let (inbox, work) = Inbox::new();
        let waiting = Arc::clone(&inbox.waiting);
        let writer = Writer { store, runtime, folder, waiting, calls: BTreeMap::new() };
        let thread =
            std::thread::Builder::new().name("recorder".to_owned()).spawn(move || writer.run(&work))?;
        Ok(Recorder { inbox: Mutex::new(Some(inbox)), thread: Mutex::new(Some(thread)) })
    }

    /// Begins the recording of a call that arrives.
    pub fn begin(&self, call: &CallId, ani: Option<&Ani>, at: Timestamp) -> Recording {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Where the writer is gone there is no recording.
        let begin = Job::Begin { call: call.clone(), ani: ani.cloned(), at };
        let inbox = inbox.filter(|inbox| inbox.jobs.send(begin).is_ok());
        Recording { call: call.clone(), inbox, waiting: Vec::new() }
    }

    /// Writes what is still to be written, once every call is over.
    pub fn close(&self) {
        drop(self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

/// How calls are recorded.
#[derive(Clone)]
pub struct Recordings {
    /// By whom.
    pub recorder: Arc<Recorder>,
    /// Callers are told so first of all.
    pub announced: bool,
    /// What an agent and the caller say to each other is recorded, too.
    pub agents: bool,
}

impl Recordings {
    /// The conversation is over: the recording ends, or goes on with the agent whom the caller is joined to.
    pub fn go_on(&self, recording: Option<Recording>, channel: &mut dyn Channel) {
        if let Some(recording) = recording.filter(|_| self.agents) {
            channel.record_on(Box::new(recording));
        }
    }
}

/// A call that is being recorded. Dropping it says that the call is over.
pub struct Recording {
    call: CallId,
    /// `None` where there is no recording any more.
    inbox: Option<Inbox>,
    waiting: Vec<i16>,
}

impl Recording {
    /// Hands over what has come together; where there is no room for it, that is the end of the recording.
    fn hand_over(&mut self) {
        let piece = std::mem::take(&mut self.waiting);
        if self.inbox.as_ref().is_some_and(|inbox| !inbox.sound(&self.call, piece)) {
            tracing::error!(call = %self.call, "the disk is too slow for what is recorded: this call is not kept");
            self.end(Job::Drop(self.call.clone()));
        }
    }

    fn end(&mut self, job: Job) {
        if let Some(inbox) = self.inbox.take() {
            // Where nobody takes it the writer is gone, and what it had not finished with it.
            let _ = inbox.jobs.send(job);
        }
    }
}

impl Observer for Recording {
    fn frames(&mut self, caller: &Frame, line: &Frame) {
        if self.inbox.is_none() {
            return;
        }
        let pairs = caller.samples().iter().zip(line.samples());
        self.waiting.extend(pairs.flat_map(|(left, right)| [*left, *right]));
        if self.waiting.len() >= PIECE * FRAME_SAMPLES * 2 {
            self.hand_over();
        }
    }

    fn recording_refused(&mut self) {
        self.waiting.clear();
        self.end(Job::Drop(self.call.clone()));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if !self.waiting.is_empty() {
            self.hand_over();
        }
        self.end(Job::End(self.call.clone()));
    }
}

struct Writer {
    store: Arc<Store>,
    runtime: Handle,
    folder: PathBuf,
    waiting: Arc<AtomicUsize>,
    calls: BTreeMap<CallId, Open>,
}

/// A file that is being written.
struct Open {
    unfinished: Unfinished,
    sealing: Sealing<File>,
    stream: FlacStream,
    path: PathBuf,
    ani: Option<Ani>,
    at: Timestamp,
    /// Of each side.
    samples: usize,
}

impl Open {
    fn create(path: PathBuf, store: &Store, ani: Option<Ani>, at: Timestamp) -> io::Result<Open> {
        let unfinished = Unfinished::create(&path)?;
        let sealing = store.seal().writer(unfinished.file()?)?;
        let stream = FlacStream::new(2, RATE_HZ, 0);
        Ok(Open { unfinished, sealing, stream, path, ani, at, samples: 0 })
    }

    fn write(&mut self, sound: &[i16]) -> io::Result<()> {
        self.samples += sound.len() / 2;
        let bytes = self.stream.write(sound);
        self.sealing.write_all(&bytes)
    }

    fn finish(self, call: &CallId, sealed_to: &str) -> io::Result<KeptRecording> {
        let Open { mut unfinished, mut sealing, stream, path, ani, at, samples } = self;
        sealing.write_all(&stream.finish())?;
        sealing.finish()?;
        unfinished.keep()?;
        let sealed_to = if is_sealed(&path) { sealed_to } else { "" };
        let ms = u64::try_from(samples).unwrap_or(u64::MAX).saturating_mul(1_000) / u64::from(RATE_HZ);
        Ok(KeptRecording {
            call: call.clone(),
            ani,
            at_unix_ms: at.as_millisecond(),
            duration_ms: i64::try_from(ms).unwrap_or(i64::MAX),
            file: path.display().to_string(),
            sealed_to: sealed_to.to_owned(),
        })
    }
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let call = match &job {
                Job::Begin { call, .. } | Job::Sound(call, _) | Job::End(call) | Job::Drop(call) => {
                    call.clone()
                }
            };
            if let Err(error) = self.take(job) {
                tracing::error!(%call, %error, folder = %self.folder.display(), "this call is not recorded");
                self.calls.remove(&call);
            }
        }
    }

    fn take(&mut self, job: Job) -> io::Result<()> {
        match job {
            Job::Begin { call, ani, at } => {
                let path = self.folder.join(self.store.seal().name(&format!("{call}.flac")));
                let open = Open::create(path, &self.store, ani, at)?;
                self.calls.insert(call, open);
            }
            Job::Sound(call, sound) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                if let Some(open) = self.calls.get_mut(&call) {
                    open.write(&sound)?;
                }
            }
            Job::End(call) => {
                let Some(open) = self.calls.remove(&call) else { return Ok(()) };
                let recording = open.finish(&call, self.store.seal().to())?;
                if let Err(error) = self.runtime.block_on(self.store.keep_recording(&recording)) {
                    tracing::error!(%call, %error, "nobody knows of the call's recording: it is swept away");
                }
            }
            Job::Drop(call) => drop(self.calls.remove(&call)),
        }
        Ok(())
    }
}

/// The recordings that the settings ask for; `None` where nobody is recorded.
///
/// # Errors
/// A value that `record_calls` or `record_agents` does not have, callers who cannot be told because `line.toml` has no words for it, or no
/// thread.
#[cfg(feature = "host")]
pub fn from_settings(config: &Config, line: &Line) -> Result<Option<Recordings>, ConfigError> {
    const KEY: &str = "record_calls";
    let agents = match config.get("record_agents") {
        "yes" => true,
        "no" => false,
        _ => return Err(config.unfit("record_agents", "yes or no")),
    };
    let announced = match config.get(KEY) {
        "no" => return Ok(None),
        "announced" => true,
        "unannounced" => false,
        _ => return Err(config.unfit(KEY, "no, announced or unannounced")),
    };
    if announced && !line.flow.wording.has("recording") {
        let why = "line.toml has no prompt 'recording' that tells callers; docs/intents.md has an example";
        return Err(config.unfit_because(KEY, why.to_owned()));
    }
    if line.store.seal().to().is_empty() {
        tracing::warn!("calls are recorded, and lie open: `attendant data keygen` makes a key for seal_to");
    }
    let folder = config.path("state").join(FOLDER);
    let recorder = Recorder::open(Arc::clone(&line.store), line.runtime.handle().clone(), folder);
    let recorder = recorder.map_err(|e| config.unfit_because(KEY, format!("no thread for it: {e}")))?;
    Ok(Some(Recordings { recorder: Arc::new(recorder), announced, agents }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::{Seal, StoreOptions, UNFINISHED};

    struct Rig {
        folder: tempfile::TempDir,
        runtime: tokio::runtime::Runtime,
        store: Arc<Store>,
        recorder: Recorder,
    }

    impl Rig {
        fn open(sealed: bool) -> Rig {
            let folder = tempfile::tempdir().expect("a folder");
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let runtime = runtime.expect("a runtime");
            let key = folder.path().join("key");
            let seal = if sealed {
                let public = Seal::make_key(&key).expect("it is made");
                Seal::new([public.as_str()], &[key]).expect("keys")
            } else {
                Seal::default()
            };
            let options = StoreOptions { seal: Arc::new(seal), ..StoreOptions::default() };
            let store = runtime.block_on(Store::open_with(folder.path().join("shop.db"), options));
            let store = Arc::new(store.expect("it opens"));
            let sounds = folder.path().join("recordings");
            let recorder = Recorder::open(Arc::clone(&store), runtime.handle().clone(), sounds);
            Rig { folder, runtime, store, recorder: recorder.expect("a thread") }
        }

        fn begin(&self, call: &str) -> Recording {
            let ani = "+15550100".parse().expect("a number");
            self.recorder.begin(&call.parse().expect("an id"), Some(&ani), Timestamp::UNIX_EPOCH)
        }

        fn recordings(&self) -> Vec<KeptRecording> {
            self.runtime.block_on(self.store.recordings()).expect("it answers")
        }

        fn files(&self) -> Vec<String> {
            let files = std::fs::read_dir(self.folder.path().join("recordings"));
            let names = files.into_iter().flatten().flatten().map(|e| e.file_name());
            names.map(|name| name.to_string_lossy().into_owned()).collect()
        }
    }

    /// A second and a bit: a whole piece and a part of one.
    fn talk(recording: &mut Recording) {
        for n in 0..73 {
            recording.frames(&Frame::from([n; FRAME_SAMPLES]), &Frame::from([-9; FRAME_SAMPLES]));
        }
    }

    #[test]
    fn a_call_is_kept_sealed_with_both_sides() {
        let rig = Rig::open(true);
        let mut recording = rig.begin("call-1");
        talk(&mut recording);
        drop(recording);
        rig.recorder.close();
        let kept = rig.recordings();
        assert_eq!(
            (kept.len(), kept[0].duration_ms, kept[0].sealed_to.as_str()),
            (1, 1_460, rig.store.seal().to())
        );
        let path = Path::new(&kept[0].file);
        let bytes = std::fs::read(path).expect("it is there");
        assert!(bytes.starts_with(b"age-encryption.org") && !bytes.windows(4).any(|w| w == b"fLaC"));
        let sound = rig.store.seal().read(path).expect("the key is there");
        let mut reader = claxon::FlacReader::new(sound.as_slice()).expect("a FLAC stream");
        let samples: Vec<i32> = reader.samples().map(|s| s.expect("whole")).collect();
        assert_eq!((reader.streaminfo().channels, samples.len()), (2, 73 * FRAME_SAMPLES * 2));
        assert_eq!((samples[0], samples[1], samples[samples.len() - 2]), (0, -9, 72));
        assert_eq!(rig.files(), ["call-1.flac.age"], "nothing lies open beside it");
    }

    #[test]
    fn who_refuses_is_not_kept() {
        let rig = Rig::open(false);
        let mut recording = rig.begin("call-1");
        talk(&mut recording);
        recording.recording_refused();
        talk(&mut recording);
        drop(recording);
        rig.recorder.close();
        assert_eq!((rig.recordings(), rig.files()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_process_that_dies_leaves_no_recording() {
        let rig = Rig::open(false);
        let mut recording = rig.begin("call-1");
        talk(&mut recording);
        // Neither an end nor a destructor: the thread waits for more until its test is over.
        std::mem::forget(recording);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while rig.files().is_empty() {
            assert!(std::time::Instant::now() < deadline, "nothing is written");
            std::thread::yield_now();
        }
        assert!(rig.files()[0].ends_with(UNFINISHED), "{:?}", rig.files());
        assert_eq!(rig.recordings(), []);
        std::mem::forget(rig.recorder);
    }

    #[test]
    fn a_disk_that_stands_still_holds_up_no_call() {
        // Nobody reads: whoever waited for room would wait for ever.
        let (inbox, jobs) = Inbox::new();
        let call: CallId = "call-1".parse().expect("an id");
        let mut other = Recording { call: call.clone(), inbox: Some(inbox.clone()), waiting: Vec::new() };
        let frame = Frame::from([1; FRAME_SAMPLES]);
        for _ in 0..WAITING * PIECE {
            other.frames(&frame, &frame);
        }
        assert!(other.inbox.is_some(), "so much may wait");
        for _ in 0..PIECE {
            other.frames(&frame, &frame);
        }
        assert!(other.inbox.is_none(), "and no more");
        let mut refused = Recording { call, inbox: Some(inbox), waiting: Vec::new() };
        refused.recording_refused();
        let jobs: Vec<Job> = jobs.try_iter().collect();
        let dropped = jobs.iter().filter(|job| matches!(job, Job::Drop(_))).count();
        assert_eq!((jobs.len(), dropped), (WAITING + 2, 2));
    }

    #[test]
    fn a_disk_that_takes_nothing_holds_up_no_call() {
        let rig = Rig::open(false);
        std::fs::write(rig.folder.path().join("recordings"), "a file is no folder").expect("written");
        let mut recording = rig.begin("call-1");
        talk(&mut recording);
        drop(recording);
        rig.recorder.close();
        assert_eq!(rig.recordings(), []);
    }
}
