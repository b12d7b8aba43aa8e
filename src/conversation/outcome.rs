//! The end of a call: exactly one disposition, exactly one record.

use super::Conversation;
use crate::call::{Action, CallRecord, Disposition, HangupCause};

impl Conversation {
    /// Ends the call, whoever ended it. Whatever was going on is cancelled.
    pub(super) fn finish(&mut self, cause: HangupCause) {
        if self.ended {
            return;
        }
        self.message_hung_up();
        self.silence();
        self.ended = true;
        let Some((id, ani, dnis)) = self.party.take() else { return };
        // A caller who hangs up while an agent's telephone rings had what the agent would have got.
        let handoff = self.handoff.take().or_else(|| self.transfer.take().map(|(_, handoff)| handoff));
        if cause == HangupCause::ChannelFailed {
            self.dialogue.handle_drop();
        }
        let record = CallRecord {
            id,
            ani,
            dnis,
            duration: self.now,
            intent: self.dialogue.intent().cloned(),
            slots: self.dialogue.slots().clone(),
            turns: std::mem::take(&mut self.turns),
            handoff,
            disposition: self.disposition(cause),
            cause,
            stage: self.dialogue.stage(),
            reference: self.dialogue.reference(),
            rating: self.dialogue.rating(),
            callback: self.dialogue.callback().cloned(),
            look_ups: std::mem::take(&mut self.look_ups),
        };
        self.actions.push_back(Action::WriteRecord { record: Box::new(record) });
    }

    fn disposition(&self, cause: HangupCause) -> Disposition {
        match cause {
            HangupCause::Transferred => Disposition::Transferred,
            HangupCause::Caller | HangupCause::Line | HangupCause::ChannelFailed | HangupCause::Shutdown
                if self.dialogue.is_resolved() =>
            {
                Disposition::Resolved
            }
            // Somebody sees to it: the caller has not given up.
            HangupCause::Caller if self.has_left_message || self.dialogue.callback().is_some() => {
                Disposition::Unresolved
            }
            HangupCause::Caller => Disposition::Abandoned,
            HangupCause::Line | HangupCause::ChannelFailed | HangupCause::Shutdown => Disposition::Unresolved,
        }
    }
}
