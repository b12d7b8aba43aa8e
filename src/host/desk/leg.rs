//! A telephone of an agent's, with whom the line itself speaks: a sentence, music, a few keys.

use std::borrow::BorrowMut;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::{FRAME_DURATION, FRAME_SAMPLES, Frame};
use crate::call::{CallTime, Dtmf};
use crate::channel::sip::PhoneCall;

/// A call, and its clock: one of its own, or one that somebody else holds and lends.
pub(in crate::host) struct Leg<C = PhoneCall> {
    pub(super) call: C,
    /// The call's time when this began.
    from: CallTime,
    began: Instant,
    now: CallTime,
}

impl<C: BorrowMut<PhoneCall>> Leg<C> {
    pub(in crate::host) fn new(call: C) -> Leg<C> {
        let from = call.borrow().now();
        Leg { call, from, began: Instant::now(), now: from }
    }

    /// 20 ms; whether there is still somebody.
    pub(super) fn exchange(&mut self, frame: &Frame) -> bool {
        self.now = self.now + FRAME_DURATION;
        std::thread::sleep(self.now.since(self.from).saturating_sub(self.began.elapsed()));
        self.call.borrow_mut().exchange(self.now, frame).is_some()
    }

    /// Says a sentence until it is over, or `stop` says so; whether there is still somebody.
    pub(in crate::host) fn says(
        &mut self,
        pcm: Vec<i16>,
        stop: &mut dyn FnMut(&mut PhoneCall) -> bool,
    ) -> bool {
        let mut pcm: VecDeque<i16> = pcm.into();
        while !pcm.is_empty() && !stop(self.call.borrow_mut()) {
            let piece: Vec<i16> = pcm.drain(..pcm.len().min(FRAME_SAMPLES)).collect();
            if !self.exchange(&Frame::from_padded(&piece)) {
                return false;
            }
        }
        true
    }

    /// Says a sentence and takes one key, which may come before its end. `None` where none comes for `patience` after it.
    pub(in crate::host) fn asks_key(
        &mut self,
        pcm: Vec<i16>,
        patience: Duration,
        stopping: &dyn Fn() -> bool,
    ) -> Option<Dtmf> {
        let mut key = None;
        let there = self.says(pcm, &mut |call| {
            key = call.key();
            key.is_some() || stopping()
        });
        let asked = self.now;
        while there && key.is_none() && !stopping() && self.now.since(asked) < patience {
            if !self.exchange(&Frame::SILENCE) {
                return None;
            }
            key = self.call.borrow_mut().key();
        }
        key
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
            if let Some(key) = self.call.borrow_mut().key() {
                keys.push(key);
                last = self.now;
            }
        }
        there.then(|| keys.into_iter().filter(|key| *key != Dtmf::POUND).map(|key| key.as_char()).collect())
    }
}
