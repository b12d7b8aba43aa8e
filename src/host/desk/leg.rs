//! A telephone of an agent's, with whom the line itself speaks: a sentence, music, a few keys.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame};
use crate::call::{CallTime, Dtmf};
use crate::channel::sip::PhoneCall;

/// A call, and its clock.
pub(super) struct Leg {
    pub(super) call: PhoneCall,
    began: Instant,
    now: CallTime,
}

impl Leg {
    pub(super) fn new(call: PhoneCall) -> Leg {
        Leg { call, began: Instant::now(), now: CallTime::ZERO }
    }

    /// 20 ms; whether there is still somebody.
    pub(super) fn exchange(&mut self, frame: &Frame) -> bool {
        self.now = self.now + FRAME_DURATION;
        std::thread::sleep(self.now.since(CallTime::ZERO).saturating_sub(self.began.elapsed()));
        self.call.exchange(self.now, frame).is_some()
    }

    /// Says a sentence until it is over, or `stop` says so; whether there is still somebody.
    pub(super) fn says(&mut self, pcm: Vec<i16>, stop: &mut dyn FnMut(&mut PhoneCall) -> bool) -> bool {
        let mut pcm: VecDeque<i16> = pcm.into();
        while !pcm.is_empty() && !stop(&mut self.call) {
            let piece: Vec<i16> = pcm.drain(..pcm.len().min(FRAME_SAMPLES)).collect();
            if !self.exchange(&Frame::from_padded(&piece)) {
                return false;
            }
        }
        true
    }

    /// Says a sentence and takes keys up to `#`, which may come before its end. `None` where nobody is there any
    /// more; without a key for `patience`, what came so far.
    pub(super) fn asks(
        &mut self,
        pcm: Vec<i16>,
        patience: Duration,
        stopping: &dyn Fn() -> bool,
    ) -> Option<String> {
        let mut keys: Vec<Dtmf> = Vec::new();
        let there = self.says(pcm, &mut |call| {
            keys.extend(call.key());
            !keys.is_empty() || stopping()
        });
        let mut last = self.now;
        while there && keys.last() != Some(&Dtmf::POUND) && self.now.since(last) < patience {
            if stopping() || !self.exchange(&Frame::SILENCE) {
                return None;
            }
            if let Some(key) = self.call.key() {
                keys.push(key);
                last = self.now;
            }
        }
        there.then(|| keys.into_iter().filter(|key| *key != Dtmf::POUND).map(|key| key.as_char()).collect())
    }
}
