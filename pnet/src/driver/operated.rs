//! Handlers that an operator runs: their packets come from this side, and go the way of those that have arrived.

use std::task::Context;

use pnet_protocol::{
    connection::ReplyTo,
    failure::{Failure, code},
};

use super::{
    Driver, Stage,
    dispatch::{Answering, Job, JobKind},
};
use crate::{
    connection::{Injected, OperatorsAsked},
    counts::Stopwatch,
};

impl Driver {
    /// Does what operators have asked for since the last turn.
    pub(super) fn operate(&mut self, asked: OperatorsAsked, task: &Context<'_>) {
        for id in asked.left {
            self.dispatch.cancel(JobKind::Operator { id });
        }
        for injected in asked.coming {
            self.inject(injected, task);
        }
    }

    /// Hands a packet to its handler, as [`admit`](Self::admit) does. What is wrong with it is no mistake of the peer's. Of
    /// a connection that is ending the operator learns by its end.
    fn inject(&mut self, Injected { id, action, meta, payload }: Injected, task: &Context<'_>) {
        if !matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. }) {
            return;
        }
        self.engaged = true;
        let refused = self.refuses_work();
        let job = Job { action, kind: JobKind::Operator { id }, to: ReplyTo::Nobody, meta, timed: Stopwatch::NONE };
        let (dispatch, mut sink) = self.split();
        if refused {
            let failure = Failure::public(code::GOING_AWAY, "this side is shutting down and takes nothing new");
            sink.fail(&job, failure);
            return;
        }
        dispatch.admit(&job, &payload, task.waker(), &mut sink);
    }
}
