//! Hearing: what an utterance costs, and what cutting the encoder's context saves and spoils.
//!
//! Needs `models/starter-en.bin` (or another GGML file in `$ATTENDANT_SPEECH_MODEL`); without it a
//! stand-in of random weights shows that the bench runs, and no figure means anything.

#![expect(clippy::print_stderr, reason = "a bench says what it skips, and prints its tables")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use attendant::call::{CallTime, Expect, Utterance};
use attendant::speech::asr::{Guards, Recognizer, SearchOptions, Settings, StandIn, WhisperModel};
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};

/// The model's file.
fn bytes() -> Vec<u8> {
    let path = std::env::var_os("ATTENDANT_SPEECH_MODEL")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("models/starter-en.bin"), PathBuf::from);
    if path.is_file() {
        return std::fs::read(&path).expect("the model can be read");
    }
    eprintln!("{} is not there: random weights instead, the figures mean nothing", path.display());
    StandIn::random(1).with_audio_ctx(1500).to_bytes()
}

fn model(settings: Settings) -> WhisperModel {
    WhisperModel::from_bytes(&bytes(), "the model", settings).expect("the model is sound")
}

/// Syllables of a kind: a hum of 150 Hz with overtones, four times a second, over faint noise.
fn babble(seconds: usize) -> Utterance {
    let mut noise = 1_u32;
    let pcm = (0..seconds * 16_000)
        .map(|n| {
            let t = n as f32 / 16_000.0;
            let voice: f32 =
                (1..12).map(|k| (t * 150.0 * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (noise >> 16) as f32 / 65_536.0 - 0.5;
            (voice * 3000.0 * (t * 4.0 * std::f32::consts::PI).sin().abs() + hiss * 60.0) as i16
        })
        .collect();
    utterance(pcm)
}

fn utterance(pcm: Vec<i16>) -> Utterance {
    Utterance { pcm: pcm.into(), started: CallTime::ZERO, ended: CallTime::ZERO }
}

/// Encoder positions of 20 ms, and Whisper's margin and rounding: as the line cuts the context.
fn context(seconds: usize) -> i32 {
    let margin = Settings::default().context_margin;
    (seconds * 50 + margin).next_multiple_of(16) as i32
}

/// Encoder and decoder apart, for one second of speech each: the time for an utterance over its length.
/// The decoder writes seven tokens a second, digits in a hurry.
fn by_part(c: &mut Criterion) {
    const TOKENS_A_SECOND: usize = 7;
    whisper_rs::install_logging_hooks();
    let mut parameters = whisper_rs::WhisperContextParameters::new();
    parameters.use_gpu(false).flash_attn(false);
    let whisper = whisper_rs::WhisperContext::new_from_buffer_with_params(&bytes(), parameters)
        .expect("the model is sound");
    let mut state = whisper.create_state().expect("memory");
    let mut group = c.benchmark_group("whisper, per second of speech");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for seconds in [1, 3, 6] {
        let samples: Vec<f32> = babble(seconds).pcm.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        let mut full = whisper_rs::FullParams::new(whisper_rs::SamplingStrategy::Greedy { best_of: 1 });
        full.set_n_threads(1);
        full.set_audio_ctx(context(seconds));
        // Less than whisper.cpp decodes: it stops after the spectrogram.
        full.set_duration_ms(100);
        let each = |took: Duration| took / seconds as u32;
        group.bench_function(format!("spectrogram, {seconds} s"), |b| {
            b.iter_custom(|times| {
                let began = Instant::now();
                for _ in 0..times {
                    state.full(full.clone(), black_box(&samples)).expect("it computes");
                }
                each(began.elapsed())
            });
        });
        state.full(full, &samples).expect("it computes");
        group.bench_function(format!("encoder, {seconds} s"), |b| {
            b.iter_custom(|times| {
                let began = Instant::now();
                for _ in 0..times {
                    state.encode(0, 1).expect("it encodes");
                }
                each(began.elapsed())
            });
        });
        group.bench_function(format!("decoder, {} tokens, {seconds} s", seconds * TOKENS_A_SECOND), |b| {
            b.iter_custom(|times| {
                let began = Instant::now();
                for _ in 0..times {
                    state.decode(&[whisper.token_sot(), whisper.token_not()], 0, 1).expect("it decodes");
                    for n in 0..seconds * TOKENS_A_SECOND {
                        // The token is all one to the time it takes.
                        state.decode(&[100], n + 2, 1).expect("it decodes");
                        black_box(state.get_logits().expect("it has logits"));
                    }
                }
                each(began.elapsed())
            });
        });
    }
    group.finish();
}

fn by_length(c: &mut Criterion) {
    let model = model(Settings::default());
    let recognizer = model.recognizer().expect("memory");
    let mut group = c.benchmark_group("whisper");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for seconds in [1, 3, 6] {
        let utterance = babble(seconds);
        group.bench_function(format!("{seconds} s of sound, all of it"), |b| {
            b.iter(|| recognizer.recognize(black_box(&utterance), &Expect::Open).expect("it hears"));
        });
    }
    group.finish();
}

/// What the settings are worth: word errors and time against the context beyond the utterance, the number of
/// hypotheses and the paces, over each folder in `$ATTENDANT_UTTERANCES` (WAV of 16 kHz, mono, the words in a
/// .txt file of the same name). No guard stands between.
fn by_settings(_: &mut Criterion) {
    let Some(folder) = std::env::var_os("ATTENDANT_UTTERANCES") else {
        eprintln!("the sweep over the settings is skipped: ATTENDANT_UTTERANCES names a folder of sets");
        return;
    };
    let plain = Settings { guards: Guards::NONE, ..Settings::default() };
    let mut rows: Vec<(String, Settings)> = Vec::new();
    for context_margin in [0, 8, 16, 32, 64, 128] {
        rows.push((format!("margin {context_margin}"), Settings { context_margin, ..plain }));
    }
    for paths in [1, 2, 3, 6] {
        let search = SearchOptions { paths, wide_paths: paths, ..plain.search };
        rows.push((format!("hypotheses {paths}, always"), Settings { search, ..plain }));
    }
    rows.push(("one pace".to_owned(), Settings { several_paces: Duration::ZERO, ..plain }));
    rows.push(("as the line hears".to_owned(), plain));
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").filter_map(|e| Some(e.ok()?.path())).collect();
    folders.sort();
    for folder in folders.iter().filter(|f| f.is_dir()) {
        let said = utterances(folder);
        let seconds: f64 = said.iter().map(|(u, _)| u.pcm.len() as f64 / 16_000.0).sum();
        eprintln!("\n{}: {} utterances, {seconds:.0} s", folder.display(), said.len());
        eprintln!("{:<22} word error  exact  among  ms each  real-time factor", "");
        for (name, settings) in &rows {
            let recognizer = model(*settings).recognizer().expect("memory");
            let (mut errors, mut words, mut exact, mut among) = (0, 0, 0, 0);
            let began = cpu_time();
            for (utterance, text) in &said {
                let heard = recognizer.recognize(utterance, &Expect::Open).expect("it hears");
                let best = heard.best().map_or("", |h| h.text.expose());
                errors += edits(best, text);
                words += text.split_whitespace().count();
                exact += usize::from(best == text);
                among += usize::from(heard.hypotheses.iter().any(|h| h.text.expose() == text.as_str()));
            }
            let took = cpu_time() - began;
            let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
            eprintln!(
                "{name:<22} {:>10.3} {:>6.3} {:>6.3} {:>8.0} {:>17.3}",
                share(errors, words),
                share(exact, said.len()),
                share(among, said.len()),
                took * 1000.0 / said.len().max(1) as f64,
                took / seconds,
            );
        }
    }
}

/// Seconds of processor time that this thread has had.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn utterances(folder: &Path) -> Vec<(Utterance, String)> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").filter_map(|e| Some(e.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "wav"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let bytes = std::fs::read(path).expect("a file");
            // The canonical header of 44 bytes, then 16-bit samples.
            let pcm = bytes[44..].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
            let text =
                std::fs::read_to_string(path.with_extension("txt")).expect("the words beside the sound");
            (utterance(pcm), text.trim().to_owned())
        })
        .collect()
}

/// Words to change, add or leave out to get from one text to the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<&str> = b.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, word) in a.split_whitespace().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(word != *other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

criterion_group!(benches, by_part, by_length, by_settings);
criterion_main!(benches);
