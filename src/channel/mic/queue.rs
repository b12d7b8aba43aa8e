//! Between a sound card's threads and the call's: what was heard, and what is still to be said.
//!
//! No device in here. The card's callbacks hold a lock for as long as it takes to move 20 ms of samples.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::MicEvent;
use crate::audio::{FLOOR_DB, FRAME_SAMPLES, Frame, Resampler, rms_dbfs};

/// Most events that wait for the call, one second of frames: whoever is later than that has lost touch
/// with the caller anyway.
pub(super) const MOST_EVENTS: usize = 50;

/// Most samples that wait for the loudspeaker, two minutes at 16 kHz: longer than any prompt.
pub(super) const MOST_SAMPLES: usize = 120 * 16_000;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics between two halves of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the microphone's thread hands to the call.
pub(super) struct Ear {
    state: Mutex<EarState>,
    arrived: Condvar,
}

struct EarState {
    events: VecDeque<MicEvent>,
    dropped_frames: u64,
    level_dbfs: f32,
}

impl Ear {
    pub(super) fn new() -> Ear {
        let state = EarState { events: VecDeque::new(), dropped_frames: 0, level_dbfs: FLOOR_DB };
        Ear { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Appends an event. Where too many wait, the oldest frame goes: the newest is the one that a
    /// barge-in hangs on. A lost device is never dropped.
    pub(super) fn push(&self, event: MicEvent) {
        let mut state = locked(&self.state);
        if let MicEvent::Heard(frame) = &event {
            state.level_dbfs = rms_dbfs(frame.samples());
        }
        if state.events.len() >= MOST_EVENTS
            && let Some(oldest) = state.events.iter().position(|e| matches!(e, MicEvent::Heard(_)))
        {
            state.events.remove(oldest);
            state.dropped_frames += 1;
        }
        state.events.push_back(event);
        self.arrived.notify_one();
    }

    /// The next event; waits up to `longest` for it.
    pub(super) fn next(&self, longest: Duration) -> Option<MicEvent> {
        let state = locked(&self.state);
        let waited = self.arrived.wait_timeout_while(state, longest, |s| s.events.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.events.pop_front()
    }

    pub(super) fn dropped_frames(&self) -> u64 {
        locked(&self.state).dropped_frames
    }

    pub(super) fn level_dbfs(&self) -> f32 {
        locked(&self.state).level_dbfs
    }
}

/// What the call hands to the loudspeaker's thread.
pub(super) struct Mouth {
    state: Mutex<MouthState>,
}

#[derive(Default)]
struct MouthState {
    /// 16 kHz mono.
    samples: VecDeque<i16>,
    played: u64,
    dropped: u64,
    /// Counts flushes, so that the loudspeaker's thread drops what it holds itself.
    flushes: u64,
}

impl Mouth {
    pub(super) fn new() -> Mouth {
        Mouth { state: Mutex::new(MouthState::default()) }
    }

    /// Appends samples, 16 kHz mono; what does not fit is dropped and counted.
    pub(super) fn push(&self, pcm: &[i16]) {
        let mut state = locked(&self.state);
        let fits = pcm.len().min(MOST_SAMPLES - state.samples.len());
        state.samples.extend(&pcm[..fits]);
        state.dropped += (pcm.len() - fits) as u64;
    }

    /// Drops everything that has not been played.
    pub(super) fn flush(&self) {
        let mut state = locked(&self.state);
        state.samples.clear();
        state.flushes += 1;
    }

    pub(super) fn queued(&self) -> usize {
        locked(&self.state).samples.len()
    }

    pub(super) fn played(&self) -> u64 {
        locked(&self.state).played
    }

    pub(super) fn dropped(&self) -> u64 {
        locked(&self.state).dropped
    }

    /// The next 20 ms, silence where there is nothing to say, and the number of flushes so far.
    fn take(&self) -> (Frame, u64) {
        let mut state = locked(&self.state);
        let n = state.samples.len().min(FRAME_SAMPLES);
        let samples: Vec<i16> = state.samples.drain(..n).collect();
        state.played += n as u64;
        (Frame::from_padded(&samples), state.flushes)
    }

    fn flushes(&self) -> u64 {
        locked(&self.state).flushes
    }
}

/// Turns what a microphone delivers into frames.
pub(super) struct Intake {
    channels: usize,
    resampler: Resampler,
    waiting: Vec<i16>,
    ear: Arc<Ear>,
}

impl Intake {
    pub(super) fn new(channels: u16, rate_hz: u32, ear: Arc<Ear>) -> Intake {
        let resampler = Resampler::new(rate_hz, crate::audio::RATE_HZ);
        Intake { channels: usize::from(channels.max(1)), resampler, waiting: Vec::new(), ear }
    }

    /// Takes interleaved samples; the channels are averaged.
    pub(super) fn take(&mut self, interleaved: &[i16]) {
        let channels = i32::try_from(self.channels).expect("channels came as u16");
        let mono: Vec<i16> = interleaved
            .chunks_exact(self.channels)
            .map(|moment| {
                let mean = moment.iter().map(|s| i32::from(*s)).sum::<i32>() / channels;
                i16::try_from(mean).expect("a mean lies between its terms")
            })
            .collect();
        self.waiting.append(&mut self.resampler.process(&mono));
        let whole = self.waiting.len() - self.waiting.len() % FRAME_SAMPLES;
        for frame in self.waiting[..whole].chunks(FRAME_SAMPLES) {
            self.ear.push(MicEvent::Heard(Frame::from_padded(frame)));
        }
        self.waiting.drain(..whole);
    }
}

/// Turns what is to be said into what a loudspeaker takes.
pub(super) struct Outlet {
    channels: usize,
    rate_hz: u32,
    resampler: Resampler,
    ready: VecDeque<i16>,
    flushes: u64,
    mouth: Arc<Mouth>,
}

impl Outlet {
    pub(super) fn new(channels: u16, rate_hz: u32, mouth: Arc<Mouth>) -> Outlet {
        Outlet {
            channels: usize::from(channels.max(1)),
            rate_hz,
            resampler: Resampler::new(crate::audio::RATE_HZ, rate_hz),
            ready: VecDeque::new(),
            flushes: 0,
            mouth,
        }
    }

    /// Gives every channel of every moment its sample.
    pub(super) fn fill(&mut self, interleaved: &mut [i16]) {
        self.drop_flushed(self.mouth.flushes());
        for moment in interleaved.chunks_mut(self.channels) {
            while self.ready.is_empty() {
                let (frame, flushes) = self.mouth.take();
                self.drop_flushed(flushes);
                self.ready.extend(self.resampler.process(frame.samples()));
            }
            moment.fill(self.ready.pop_front().unwrap_or(0));
        }
    }

    /// A flush empties what lies ready here, and what the resampler still holds.
    fn drop_flushed(&mut self, flushes: u64) {
        if self.flushes != flushes {
            self.flushes = flushes;
            self.ready.clear();
            self.resampler = Resampler::new(crate::audio::RATE_HZ, self.rate_hz);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_WAIT: Duration = Duration::ZERO;

    fn heard(level: i16) -> MicEvent {
        MicEvent::Heard(Frame::from([level; FRAME_SAMPLES]))
    }

    fn first_sample(event: Option<MicEvent>) -> i16 {
        match event.expect("something arrived") {
            MicEvent::Heard(frame) => frame.samples()[0],
            MicEvent::Lost { why, .. } => panic!("lost: {why}"),
        }
    }

    #[test]
    fn the_oldest_frames_go_first_and_are_counted() {
        let ear = Ear::new();
        for level in 0..60 {
            ear.push(heard(level));
        }
        assert_eq!(ear.dropped_frames(), 10);
        assert_eq!(first_sample(ear.next(NO_WAIT)), 10);
    }

    #[test]
    fn a_lost_device_is_heard_of_however_late() {
        let ear = Ear::new();
        ear.push(MicEvent::Lost { device: "usb".to_owned(), why: "unplugged".to_owned() });
        for level in 0..200 {
            ear.push(heard(level));
        }
        assert!(matches!(ear.next(NO_WAIT), Some(MicEvent::Lost { .. })));
    }

    #[test]
    fn the_level_follows_the_last_frame() {
        let ear = Ear::new();
        assert_eq!(ear.level_dbfs(), FLOOR_DB);
        ear.push(heard(16_384));
        assert!((ear.level_dbfs() + 6.02).abs() < 0.1, "{}", ear.level_dbfs());
        assert!(ear.next(NO_WAIT).is_some() && ear.next(NO_WAIT).is_none());
    }

    #[test]
    fn a_stereo_microphone_at_48_khz_gives_frames_at_16() {
        let ear = Arc::new(Ear::new());
        let mut intake = Intake::new(2, 48_000, Arc::clone(&ear));
        // 200 ms, left 8,000, right 4,000, in pieces that divide nothing.
        let samples: Vec<i16> = [8_000, 4_000].repeat(9_600);
        for piece in samples.chunks(2 * 731) {
            intake.take(piece);
        }
        let mut frames = Vec::new();
        while let Some(MicEvent::Heard(frame)) = ear.next(NO_WAIT) {
            frames.push(frame);
        }
        assert!((9..=10).contains(&frames.len()), "{}", frames.len());
        assert!(frames[5].samples().iter().all(|s| (5_900..6_100).contains(s)));
    }

    #[test]
    fn a_flush_silences_at_once_and_the_next_words_are_whole() {
        let mouth = Arc::new(Mouth::new());
        for rate_hz in [16_000, 44_100, 48_000] {
            let mut outlet = Outlet::new(2, rate_hz, Arc::clone(&mouth));
            let mut out = vec![0; 2 * rate_hz as usize / 10];
            mouth.push(&[6_000; 16_000]);
            outlet.fill(&mut out);
            assert!(out[out.len() / 2..].iter().all(|s| (5_000..7_000).contains(s)), "{rate_hz}");
            mouth.flush();
            outlet.fill(&mut out);
            assert!(out.iter().all(|s| *s == 0), "{rate_hz}: not a sample after the flush");
            let before = mouth.played();
            mouth.push(&[5_000; 3_200]);
            let mut rest = vec![0; 2 * rate_hz as usize];
            outlet.fill(&mut rest);
            assert_eq!(mouth.played() - before, 3_200);
            let loud = rest.iter().step_by(2).filter(|s| **s > 2_500).count();
            assert!(loud.abs_diff(rate_hz as usize / 5) < rate_hz as usize / 200, "{rate_hz}: {loud}");
        }
    }

    #[test]
    fn a_prompt_without_end_is_bounded() {
        let mouth = Mouth::new();
        mouth.push(&vec![1; MOST_SAMPLES - 10]);
        mouth.push(&[1; 30]);
        assert_eq!((mouth.queued(), mouth.dropped()), (MOST_SAMPLES, 20));
    }

    proptest! {
        #[test]
        fn at_equal_rates_what_is_said_is_what_is_heard(
            pcm in prop::collection::vec(any::<i16>(), 1..2000),
            period in 1..700_usize,
        ) {
            let mouth = Arc::new(Mouth::new());
            let mut outlet = Outlet::new(1, 16_000, Arc::clone(&mouth));
            mouth.push(&pcm);
            let mut heard = Vec::new();
            while heard.len() < pcm.len() {
                let mut out = vec![0; period];
                outlet.fill(&mut out);
                heard.append(&mut out);
            }
            prop_assert_eq!(&heard[..pcm.len()], &pcm[..]);
        }
    }
}
