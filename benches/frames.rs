//! What each 20 ms of a call cost before anything is recognised.

use std::hint::black_box;
use std::time::Duration;

use attendant::audio::{
    DtmfDetector, FRAME_SAMPLES, Frame, Law, NoiseColor, RATE_HZ, Resampler, SplitMix64, add_noise, tone,
};
use attendant::call::{CallTime, Dtmf};
use attendant::speech::{Endpointer, Timeouts, VoiceDetector};
use criterion::{Criterion, criterion_group, criterion_main};

/// Four seconds with something in every frame: keys and pauses under noise.
fn line() -> Vec<Frame> {
    let mut pcm: Vec<i16> = Vec::new();
    for key in Dtmf::ALL {
        pcm.extend(tone(key, Duration::from_millis(100), -12.0));
        pcm.extend([0; 150 * 16]);
    }
    add_noise(&mut pcm, NoiseColor::Pink, 20.0, 1);
    pcm.chunks(FRAME_SAMPLES).map(Frame::from_padded).collect()
}

fn hearing(c: &mut Criterion) {
    let frames = line();
    let mut next = frames.iter().cycle();
    let mut frame = || next.next().expect("a cycle has no end");
    let mut voice = VoiceDetector::new();
    c.bench_function("a frame: voice activity", |b| b.iter(|| voice.handle_frame(black_box(frame()))));
    let mut keys = DtmfDetector::new();
    c.bench_function("a frame: keypad tones", |b| b.iter(|| keys.handle_frame(black_box(frame()))));
    let mut endpointer = Endpointer::new(Timeouts::default());
    let mut now = CallTime::ZERO;
    let mut random = SplitMix64::new(1);
    c.bench_function("a frame: endpointing", |b| {
        b.iter(|| {
            now = now + Duration::from_millis(20);
            let voiced = random.next_f32() < 0.5;
            let voice = attendant::speech::Voice { probability: 0.5, voiced };
            endpointer.handle_frame(now, black_box(frame()), voice);
            endpointer.poll_turn()
        });
    });
}

fn line_formats(c: &mut Criterion) {
    let frames = line();
    let pcm = frames[0].samples();
    for law in [Law::Mu, Law::A] {
        let coded = law.encode_all(&pcm[..160]);
        c.bench_function(&format!("a frame: G.711 {law:?}, out"), |b| {
            b.iter(|| law.encode_all(black_box(&pcm[..160])));
        });
        c.bench_function(&format!("a frame: G.711 {law:?}, in"), |b| {
            b.iter(|| law.decode_all(black_box(&coded)));
        });
    }
    for (from, to) in [(8_000, RATE_HZ), (RATE_HZ, 8_000), (48_000, RATE_HZ), (44_100, RATE_HZ)] {
        let input = vec![1_000; from as usize / 50];
        let mut resampler = Resampler::new(from, to);
        c.bench_function(&format!("a frame: {from} -> {to} Hz"), |b| {
            b.iter(|| resampler.process(black_box(&input)));
        });
    }
}

criterion_group!(benches, hearing, line_formats);
criterion_main!(benches);
