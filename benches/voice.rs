//! Prompts as sound: how long a caller waits for the first of it, and what the whole costs.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use attendant::call::Prompt;
use attendant::voice::{PromptVoice, PromptVoiceOptions, Synthesizer, VoiceSettings, default_synthesizer};
use criterion::{Criterion, criterion_group, criterion_main};

/// An answer as the line gives it: two sentences, 21 words.
const ANSWER: &str = "Your headphones were shipped with Parcel Express and should arrive tomorrow. \
                      Is there anything else that I can do for you?";

fn prompt(text: &str) -> Prompt {
    Prompt { name: "answer".to_owned(), text: text.into(), evergreen: false, barge_in: true, slow: false }
}

/// The voice by name, or `None` with a word where it is not installed.
#[expect(clippy::print_stderr, reason = "a bench that is skipped says so")]
fn voice(name: &str) -> Option<Arc<dyn Synthesizer>> {
    let settings = VoiceSettings { voice: Some(name.parse().expect("a voice's name")), stretch: 1.0 };
    match default_synthesizer(&settings) {
        Ok(voice) => Some(voice),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    }
}

fn synthesis(c: &mut Criterion) {
    for name in ["slt", "kal16", "espeak-ng"] {
        let Some(synthesizer) = voice(name) else { continue };
        // Nothing is kept, so that every pass renders.
        let options = PromptVoiceOptions { memory_bytes: 0, ..PromptVoiceOptions::default() };
        let voice = PromptVoice::new(synthesizer, options).expect("it speaks");
        let answer = prompt(ANSWER);
        c.bench_function(&format!("{name}: first audio of 21 words"), |b| {
            b.iter(|| voice.stream(black_box(&answer), &mut |_| ControlFlow::Break(())));
        });
        // A machine so busy that a process misses its time-out makes a slow pass, not a failed bench.
        c.bench_function(&format!("{name}: all of 21 words"), |b| {
            b.iter(|| voice.pcm(black_box(&answer)));
        });
    }
}

fn cache(c: &mut Criterion) {
    let Some(synthesizer) = voice("slt").or_else(|| voice("espeak-ng")) else { return };
    let voice = PromptVoice::new(synthesizer, PromptVoiceOptions::default()).expect("it speaks");
    let answer = prompt(ANSWER);
    voice.pcm(&answer).expect("it speaks");
    c.bench_function("a kept prompt of 21 words: first audio", |b| {
        b.iter(|| voice.stream(black_box(&answer), &mut |_| ControlFlow::Break(())));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = synthesis, cache
}
criterion_main!(benches);
