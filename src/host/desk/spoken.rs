//! The agent whom a caller spoke to last, found out while the caller is greeted, so that nobody waits for the store.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use crate::call::Ani;
use crate::desk::{DeskPlan, Spoken};
use crate::host::serve::Answerer;

/// What is known of it by now.
#[derive(Default)]
pub(in crate::host) struct SpokenLast {
    told: Option<Receiver<Option<Spoken>>>,
    known: Option<Spoken>,
}

impl SpokenLast {
    /// Begins to ask, where a queue goes by it.
    pub(in crate::host) fn of(
        ani: Option<&Ani>,
        plan: &DeskPlan,
        answerer: &Arc<dyn Answerer>,
    ) -> SpokenLast {
        let is_wanted = plan.queues.iter().any(|queue| queue.spec.last_agent_rating > 0);
        let Some(ani) = ani.filter(|_| is_wanted).cloned() else { return SpokenLast::default() };
        let (answerer, (tell, told)) = (Arc::clone(answerer), channel());
        std::thread::spawn(move || tell.send(answerer.spoken_last(&ani)));
        SpokenLast { told: Some(told), known: None }
    }

    /// `None` where there is none, or nobody has said yet.
    pub(in crate::host) fn known(&mut self) -> Option<Spoken> {
        if let Some(Ok(spoken)) = self.told.as_ref().map(Receiver::try_recv) {
            self.known = spoken;
        }
        self.known.clone()
    }
}
