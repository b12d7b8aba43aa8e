//! A developer at a microphone as the caller's end of a call.

use std::time::Duration;

use super::session::Channel;
use crate::audio::Frame;
use crate::call::CallTime;
use crate::channel::mic::{MicChannel, MicEvent};

/// A microphone that gives nothing for so long is treated as silent.
const LATE: Duration = Duration::from_millis(100);

/// The ear stays shut for this long after the line's last word: a room's echo, and the sound card's queue.
const ECHO_TAIL: Duration = Duration::from_millis(250);

/// Called each 20 ms with the microphone's level in dBFS and whether the ear is open.
pub type Meter<'a> = dyn FnMut(f32, bool) + 'a;

/// A microphone, half duplex unless the caller wears a headset.
pub struct MicCaller<'a> {
    mic: MicChannel,
    headset: bool,
    talked: Option<CallTime>,
    meter: &'a mut Meter<'a>,
}

impl<'a> MicCaller<'a> {
    /// Without `headset` the ear is shut while the line speaks, so that it does not hear itself.
    pub fn new(mic: MicChannel, headset: bool, meter: &'a mut Meter<'a>) -> MicCaller<'a> {
        MicCaller { mic, headset, talked: None, meter }
    }
}

impl Channel for MicCaller<'_> {
    fn exchange(&mut self, now: CallTime, line: &Frame, line_talks: bool) -> Option<Frame> {
        if line_talks {
            self.talked = Some(now);
        }
        self.mic.play(line.samples());
        let shut = !self.headset && self.talked.is_some_and(|at| now.since(at) < ECHO_TAIL);
        (self.meter)(self.mic.level_dbfs(), !shut);
        match self.mic.next(LATE) {
            Some(MicEvent::Heard(frame)) => Some(if shut { Frame::SILENCE } else { frame }),
            Some(MicEvent::Lost { device, why }) => {
                tracing::error!(device, why, "the microphone is gone: the call ends");
                None
            }
            None => Some(Frame::SILENCE),
        }
    }

    fn is_paced(&self) -> bool {
        true
    }

    fn flush(&mut self) {
        self.mic.flush();
    }
}
