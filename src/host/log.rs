//! What a call leaves for people: its timeline, its delays, and a stereo recording.

use std::time::Duration;

use super::session::Observer;
use crate::audio::Frame;
use crate::call::{Action, CallTime, Event};
use crate::channel::wav::StereoWriter;
use crate::conversation::script::{show_action, show_event};

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: CallTime,
    /// `>` what came in, `<` what the line did, `=` what was measured.
    pub side: char,
    /// What.
    pub text: String,
}

/// Observes one call.
pub struct CallLog<'a> {
    entries: Vec<Entry>,
    delays: Vec<Duration>,
    recorder: Option<StereoWriter>,
    watch: &'a mut dyn FnMut(&Entry),
}

impl<'a> CallLog<'a> {
    /// A log that hands each entry to `watch` as it happens, and records both sides where it is given a
    /// writer.
    pub fn new(recorder: Option<StereoWriter>, watch: &'a mut dyn FnMut(&Entry)) -> CallLog<'a> {
        CallLog { entries: Vec::new(), delays: Vec::new(), recorder, watch }
    }

    /// The timeline and the delays; the recording is complete when this returns.
    pub fn finish(mut self) -> (Vec<Entry>, Vec<Duration>) {
        if let Some(recorder) = self.recorder.take()
            && let Err(error) = recorder.finish()
        {
            tracing::error!(%error, "the recording is incomplete");
        }
        (self.entries, self.delays)
    }

    fn push(&mut self, at: CallTime, side: char, text: String) {
        let entry = Entry { at, side, text };
        (self.watch)(&entry);
        self.entries.push(entry);
    }
}

impl Observer for CallLog<'_> {
    fn event(&mut self, now: CallTime, event: &Event) {
        if let Some(text) = show_event(event) {
            self.push(now, '>', text);
        }
    }

    fn action(&mut self, now: CallTime, action: &Action) {
        if let Some(text) = show_action(action) {
            self.push(now, '<', text);
        }
    }

    fn answered(&mut self, now: CallTime, delay: Duration) {
        self.delays.push(delay);
        self.push(now, '=', format!("answer's first sound {} ms after the end of speech", delay.as_millis()));
    }

    fn frames(&mut self, caller: &Frame, line: &Frame) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.write(caller, line)
        {
            tracing::error!(%error, "the recording stops here");
            self.recorder = None;
        }
    }
}

/// The `p`th percentile (0 to 100) by nearest rank; zero of nothing.
pub fn percentile(times: &[Duration], p: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (sorted.len() * p).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(10));
        assert_eq!(percentile(&times, 95), Duration::from_millis(19));
        assert_eq!(percentile(&times, 100), Duration::from_millis(20));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
