//! One line, ready to answer: the flow, the ear, the classifier, the voice and the store, opened from
//! the settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::engines::OneRecognizer;
use super::head_watch::HeadWatch;
use super::models::{ModelError, ModelSet};
use super::rehearsal::Rehearsal;
use super::reload::LiveFlow;
use crate::call::{CallRecord, Prompt};
use crate::channel::wav;
use crate::config::{Config, ConfigError};
use crate::desk::{DeskError, DeskPlan};
use crate::dialogue::{Flow, FlowError, Source};
use crate::speech::asr::{AsrError, PoolOptions, Recognizer, RecognizerPool, Settings, WhisperModel};
use crate::store::{Declared, DeclaredQuery, Seal, SealError, Store, StoreError, StoreOptions, Written};
use crate::understanding::classifier::{
    ClassifierError, Encoder, Head, IntentClassifier, Progress, Trained, TrainingOptions, TrainingReport,
    train,
};
use crate::understanding::{TrainingFile, TrainingFileError, TrainingSet, TrainingSetError};
use crate::voice::{
    MAX_STRETCH, PromptVoice, PromptVoiceOptions, Recordings, VoiceError, VoiceName, VoiceSettings,
    default_synthesizer,
};

/// Where messages lie, in the folder of data.
pub const VOICEMAIL: &str = "voicemail";

/// The encoder's name in `models/manifest.toml`.
pub const ENCODER: &str = "all-MiniLM-L6-v2";

/// The seed of training; printed with the report.
pub const TRAINING_SEED: u64 = 20_260_101;

/// How much longer speech is for a caller who asked for it slowly.
const SLOWER: f32 = 1.35;

/// Utterances that may wait for each recogniser: past that the caller is better served by the keypad.
const QUEUE_PER_RECOGNIZER: usize = 4;

/// Why a line cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the line cannot be read.
    #[error("cannot read {path}: {why}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why, and what was expected.
        why: String,
    },
    /// A mistake in `intents/`.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// A mistake in `intents/desk.toml`.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A mistake in an intent file's examples.
    #[error(transparent)]
    Training(#[from] TrainingFileError),
    /// The intent files contradict each other.
    #[error(transparent)]
    TrainingSet(#[from] TrainingSetError),
    /// A model is missing or broken.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ear.
    #[error(transparent)]
    Asr(#[from] AsrError),
    /// The classifier.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// The voice.
    #[error(transparent)]
    Voice(#[from] VoiceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A recorded prompt.
    #[error(transparent)]
    Wav(#[from] wav::WavError),
    /// No runtime for the store.
    #[error("cannot start the store's thread: {0}")]
    Runtime(#[from] std::io::Error),
}

/// All parts of a line. Shared by its calls.
pub struct Line {
    /// What it says and does.
    pub flow: std::sync::Arc<Flow>,
    /// The same, read anew when a team changes it: for the next call.
    pub live: LiveFlow,
    /// Who takes the calls that need a person.
    pub desk: std::sync::Arc<DeskPlan>,
    /// What a sentence means.
    pub classifier: IntentClassifier,
    /// Whether it has been trained anew.
    pub head_watch: HeadWatch,
    /// The ear, for measured time.
    pub recognizer: OneRecognizer,
    /// The ear, for real time.
    pub pool: RecognizerPool,
    /// The voice.
    pub voice: PromptVoice,
    /// Customers, orders, records.
    pub store: std::sync::Arc<Store>,
    /// A database of the team's own, where look-ups are asked of one.
    pub declared: Option<Declared>,
    /// Where the store's work runs.
    pub runtime: tokio::runtime::Runtime,
}

/// The `.toml` files of a folder, in order of their names.
///
/// # Errors
/// The folder cannot be read, holds no TOML file, or one of them is not UTF-8.
pub fn read_sources(folder: &Path) -> Result<Vec<Source>, LineError> {
    let unreadable = |path: &Path, why: String| LineError::Read { path: path.to_owned(), why };
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, e.to_string()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    if paths.is_empty() {
        return Err(unreadable(
            folder,
            "expected line.toml, entities.toml and one file an intent".to_owned(),
        ));
    }
    let mut sources = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line =
                e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            unreadable(&path, format!("line {line} is not UTF-8: save the file as UTF-8"))
        })?;
        sources.push(Source { path: path.display().to_string(), text });
    }
    Ok(sources)
}

/// Who takes calls: the folder's `desk.toml`, or a desk with nobody at it where there is none.
///
/// # Errors
/// The first mistake, with file and line.
pub fn read_desk(folder: &Path) -> Result<DeskPlan, LineError> {
    let path = folder.join("desk.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(DeskPlan::parse(&path.display().to_string(), &text)?),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(DeskPlan::empty()),
        Err(e) => Err(LineError::Read { path, why: e.to_string() }),
    }
}

/// Where agents are declared, callers wait for them, and must hear something meanwhile.
///
/// # Errors
/// `line.toml` has no `[waiting]`.
pub fn check_waiting(folder: &Path, flow: &Flow, desk: &DeskPlan) -> Result<(), LineError> {
    if desk.agents.is_empty() || flow.line.waiting.is_some() {
        return Ok(());
    }
    Err(LineError::Desk(DeskError {
        path: folder.join("line.toml").display().to_string(),
        line: 1,
        message: "desk.toml declares agents, so callers wait for them: expected a table [waiting] with what \
                  they hear; docs/intents.md lists its keys"
            .to_owned(),
    }))
}

/// The training set in a folder's files; `line.toml` and `entities.toml` hold no examples.
///
/// # Errors
/// The first mistake, with file and line.
pub fn training_set(sources: &[Source]) -> Result<TrainingSet, LineError> {
    let holds_examples = |s: &&Source| {
        let stem = Path::new(&s.path).file_stem().map(|s| s.to_string_lossy().into_owned());
        !matches!(stem.as_deref(), Some("line" | "entities" | "desk"))
    };
    let files = sources
        .iter()
        .filter(holds_examples)
        .map(|s| TrainingFile::parse(&s.path, &s.text))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(TrainingSet::from_files(files)?)
}

/// Where the trained head lives.
pub fn head_folder(config: &Config) -> PathBuf {
    config.path("state").join("head")
}

/// Opens the encoder where it is there; a line without it hears intents less well, and says so.
///
/// # Errors
/// It is there but broken.
pub fn open_encoder(config: &Config) -> Result<Option<Encoder>, LineError> {
    let models = ModelSet::open(&config.path("models"))?;
    match models.locate(ENCODER) {
        Ok(folder) => Ok(Some(Encoder::load(&folder)?)),
        Err(error @ ModelError::Missing { .. }) => {
            tracing::warn!(%error, "no sentence encoder: the n-grams alone tell intents apart");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// How the line's own head is trained.
pub fn training_options(config: &Config) -> TrainingOptions {
    TrainingOptions { seed: TRAINING_SEED, cache: Some(head_folder(config)), ..Default::default() }
}

/// Trains the head from `intents/` and keeps it with its report.
///
/// # Errors
/// A mistake in the files, or a fault of the engine.
pub fn train_head(
    config: &Config,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(TrainingReport, PathBuf), LineError> {
    let set = training_set(&read_sources(&config.path("intents"))?)?;
    let encoder = open_encoder(config)?;
    let Trained { head, report, .. } = train(&set, encoder.as_ref(), options, progress)?;
    let folder = head_folder(config);
    head.save(&folder, &report)?;
    Ok((report, folder))
}

/// What the line's ear makes of its training sentences in the line's voice, over a telephone; kept between
/// trainings. `progress` gets how many are done, and how many there are.
///
/// # Errors
/// A mistake in the files, or voice or ear cannot be used.
pub fn rehearse(
    config: &Config,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BTreeMap<String, String>, LineError> {
    let set = training_set(&read_sources(&config.path("intents"))?)?;
    let inside = set.sentences().iter().map(|(text, _)| text.as_str());
    let sentences: Vec<&str> = inside.chain(set.negatives().iter().map(String::as_str)).collect();
    let file = speech_model_file(config)?;
    let size = std::fs::metadata(&file).map_or(0, |m| m.len());
    let ear = WhisperModel::load(&file, Settings::default())?.recognizer()?;
    let voice =
        default_synthesizer(&VoiceSettings { voice: voice_name(config)?, stretch: config.voice_stretch()? })?;
    let rehearsal = Rehearsal {
        voice: voice.as_ref(),
        ear: &ear,
        ear_name: format!("{} of {size} bytes", file.display()),
        folder: head_folder(config),
    };
    rehearsal.heard(&sentences, &mut |done| progress(done, sentences.len()))
}

/// Whether the head fits the files and the encoder as they are now.
///
/// # Errors
/// A mistake in the files.
pub fn head_is_fresh(config: &Config) -> Result<bool, LineError> {
    let set = training_set(&read_sources(&config.path("intents"))?)?;
    let encoder = open_encoder(config)?;
    Ok(Head::load(&head_folder(config), &set.fingerprint(), encoder.as_ref()).is_ok())
}

impl Line {
    /// Opens everything. A head that is missing or older than the intent files is trained anew.
    ///
    /// # Errors
    /// The first part that cannot be used, with what to do.
    pub fn open(config: &Config, progress: &mut dyn FnMut(Progress)) -> Result<Line, LineError> {
        let state = config.path("state");
        Line::open_at(config, &store_address(config), &state, progress)
    }

    /// Opens everything, with the store in a folder of its own: for suites, whose calls are nobody's.
    ///
    /// # Errors
    /// The first part that cannot be used, with what to do.
    pub fn open_with_store(
        config: &Config,
        store: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Line, LineError> {
        Line::open_at(config, &database(store), store, progress)
    }

    fn open_at(
        config: &Config,
        address: &Path,
        state: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Line, LineError> {
        let sources = read_sources(&config.path("intents"))?;
        let flow = std::sync::Arc::new(Flow::parse(&sources)?);
        let desk = std::sync::Arc::new(read_desk(&config.path("intents"))?);
        check_waiting(&config.path("intents"), &flow, &desk)?;
        let set = training_set(&sources)?;
        let classifier = open_classifier(config, &set, progress)?;
        let head_watch = HeadWatch::new(config.path("intents"), head_folder(config));
        let (recognizer, pool) = open_ear(config)?;
        let voice = open_voice(config, &flow)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let options = store_options(config, address, state, std::sync::Arc::clone(&desk))?;
        let store = runtime.block_on(open_store(address, state, options))?;
        let store = std::sync::Arc::new(store);
        let declared = runtime.block_on(open_declared(config, address, &flow))?;
        let live = LiveFlow::new(config.path("intents"), sources, std::sync::Arc::clone(&flow));
        Ok(Line {
            flow,
            live,
            desk,
            classifier,
            head_watch,
            recognizer,
            pool,
            voice,
            store,
            declared,
            runtime,
        })
    }

    /// Keeps a call's record; where the store does not take it, on disk until it does.
    pub fn write_record(&self, record: &CallRecord) {
        let length = Duration::from_millis(record.duration.as_millis());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(now.saturating_sub(length).as_millis()).unwrap_or(u64::MAX);
        let written = self.runtime.block_on(async {
            let written = self.store.write_record(record, started).await?;
            // The store answers again: what it did not take before is written now.
            if matches!(written, Written::Stored) {
                self.store.flush_spool().await?;
            }
            Ok::<_, StoreError>(written)
        });
        if let Err(error) = written {
            tracing::error!(%error, call = %record.id, "a call's record could not be kept");
        }
    }
}

fn open_classifier(
    config: &Config,
    set: &TrainingSet,
    progress: &mut dyn FnMut(Progress),
) -> Result<IntentClassifier, LineError> {
    let encoder = open_encoder(config)?;
    let folder = head_folder(config);
    let head = match Head::load(&folder, &set.fingerprint(), encoder.as_ref()) {
        Ok(head) => head,
        Err(ClassifierError::Stale { .. } | ClassifierError::Head { .. }) => {
            let Trained { head, report, .. } =
                train(set, encoder.as_ref(), &training_options(config), progress)?;
            head.save(&folder, &report)?;
            head
        }
        Err(
            error @ (ClassifierError::Engine(_)
            | ClassifierError::Encoder { .. }
            | ClassifierError::Overloaded { .. }),
        ) => {
            return Err(error.into());
        }
    };
    Ok(IntentClassifier::new(head, encoder)?)
}

/// The GGML file that the settings name.
///
/// # Errors
/// Neither a file nor a model of the manifest that has been fetched.
pub fn speech_model_file(config: &Config) -> Result<PathBuf, LineError> {
    let name = config.get("speech_model");
    let file = PathBuf::from(name);
    if file.is_file() {
        return Ok(file);
    }
    Ok(ModelSet::open(&config.path("models"))?.locate(name)?)
}

fn open_ear(config: &Config) -> Result<(OneRecognizer, RecognizerPool), LineError> {
    let model = WhisperModel::load(&speech_model_file(config)?, Settings::default())?;
    let recognizer: Box<dyn Recognizer> = Box::new(model.recognizer()?);
    let states = config.recognizers()?;
    let options =
        PoolOptions { states, queue_bound: states * QUEUE_PER_RECOGNIZER, stopwatch: super::stopwatch };
    let factory = move || model.recognizer().map(|r| Box::new(r) as Box<dyn Recognizer>);
    Ok((Mutex::new(recognizer), RecognizerPool::new(factory, options)?))
}

fn voice_name(config: &Config) -> Result<Option<VoiceName>, LineError> {
    Ok(match config.get("voice") {
        "auto" => None,
        name => Some(name.parse()?),
    })
}

/// The line's voice, with every prompt that never changes rendered or recorded.
///
/// # Errors
/// A setting of the voice is wrong, its synthesiser is not installed, or a recording is none.
pub fn open_voice(config: &Config, flow: &Flow) -> Result<PromptVoice, LineError> {
    let voice = voice_name(config)?;
    let stretch = config.voice_stretch()?;
    let synthesizer = default_synthesizer(&VoiceSettings { voice: voice.clone(), stretch })?;
    let slow = default_synthesizer(&VoiceSettings { voice, stretch: (stretch * SLOWER).min(MAX_STRETCH) })?;
    let recordings = read_recordings(&config.path("audio").join("prompts"))?;
    let cache_folder = Some(config.path("state").join("prompts"));
    let voice =
        PromptVoice::new(synthesizer, PromptVoiceOptions { recordings, cache_folder, ..Default::default() })?
            .with_slow(slow);
    let evergreen: Vec<Prompt> = flow.wording.evergreen().collect();
    voice.warm(&evergreen)?;
    Ok(voice)
}

fn read_recordings(folder: &Path) -> Result<Recordings, LineError> {
    let mut recordings = Recordings::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(recordings) };
    for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
        let is_wav = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("wav"));
        if let Some(stem) = path.file_stem().filter(|_| is_wav) {
            recordings.insert(stem.to_string_lossy().into_owned(), wav::read(&path)?);
        }
    }
    Ok(recordings)
}

/// The database in the settings' folder of data.
pub fn database(data: &Path) -> PathBuf {
    data.join("attendant.db")
}

/// Where the settings say that the store is: a file, by default in the folder of data, or a server.
pub fn store_address(config: &Config) -> PathBuf {
    match config.get("database") {
        "" => database(&config.path("state")),
        address => PathBuf::from(address),
    }
}

/// The store with what past calls left; `None` where there is none yet.
///
/// # Errors
/// Where it cannot be opened, or does not take what waited for it.
pub async fn open_kept(config: &Config) -> Result<Option<Store>, LineError> {
    let address = store_address(config);
    if !Store::is_there(&address) {
        return Ok(None);
    }
    let desk = std::sync::Arc::new(read_desk(&config.path("intents"))?);
    let options = store_options(config, &address, &config.path("state"), desk)?;
    let store = Store::open_with(&address, options).await?;
    store.flush_spool().await?;
    Ok(Some(store))
}

/// What a server cannot take waits in the folder of data; what a file cannot, beside it.
fn store_options(
    config: &Config,
    address: &Path,
    data: &Path,
    desk: std::sync::Arc<DeskPlan>,
) -> Result<StoreOptions, LineError> {
    let is_server = Store::is_server(address);
    let spool_folder = is_server.then(|| data.join("attendant.spool"));
    let seal = std::sync::Arc::new(seal_of(config)?);
    Ok(StoreOptions { spool_folder, desk, seal, ..StoreOptions::default() })
}

/// By what the settings have sound sealed and opened.
fn seal_of(config: &Config) -> Result<Seal, ConfigError> {
    let words = |key| config.list(key, |word| Some(word.to_owned()), "names with commas");
    let keys: Vec<PathBuf> = words("seal_keys")?.into_iter().map(PathBuf::from).collect();
    let to = words("seal_to")?;
    Seal::new(to.iter().map(String::as_str), &keys).map_err(|error| {
        let key = if matches!(error, SealError::NoRecipient(_)) { "seal_to" } else { "seal_keys" };
        config.unfit_because(key, error.to_string())
    })
}

/// Opens the database of the `[sql]` look-ups, and has it check them; `None` where there are none.
async fn open_declared(config: &Config, own: &Path, flow: &Flow) -> Result<Option<Declared>, LineError> {
    let address = match config.get("sql_database") {
        "" if flow.line.sql.is_empty() => return Ok(None),
        "" => own.to_owned(),
        address => PathBuf::from(address),
    };
    let declared = Declared::open(&address).await?;
    for (name, sql) in &flow.line.sql {
        declared.check(&DeclaredQuery { name, sql: sql.query.get_ref(), fields: &sql.fields }).await?;
    }
    Ok(Some(declared))
}

async fn open_store(address: &Path, data: &Path, options: StoreOptions) -> Result<Store, LineError> {
    std::fs::create_dir_all(data)
        .map_err(|e| LineError::Read { path: data.to_owned(), why: e.to_string() })?;
    let store = Store::open_with(address, options).await?;
    store.seed_demo().await?;
    store.flush_spool().await?;
    Ok(store)
}
