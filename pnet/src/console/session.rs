//! One operator: who it is, and what was asked and shown.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pnet_protocol::protocol::Role;

use super::{Shared, fault::Plan, sample::Rates};

/// One operator of a console.
pub(crate) struct Session {
    shared: Arc<Shared>,
    /// As whom the operator is logged.
    operator: String,
    /// The lines that were not done yet, and what each does if the operator says yes; the newest [`QUESTIONS`].
    asked: Mutex<VecDeque<(String, Plan)>>,
    rates: Mutex<Rates>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, operator: impl Into<String>) -> Self {
        Self { shared, operator: operator.into(), asked: Mutex::default(), rates: Mutex::default() }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    pub(super) fn is_client(&self) -> bool {
        self.shared.inspector.role() == Role::Client
    }

    /// Keeps what a line does if the operator says yes.
    pub(super) fn ask(&self, line: &str, plan: Plan) {
        let mut asked = locked(&self.asked);
        asked.truncate(QUESTIONS - 1);
        asked.push_front((line.to_owned(), plan));
    }

    /// What was asked about this line, if anything was.
    pub(super) fn take_asked(&self, line: &str) -> Option<Plan> {
        let mut asked = locked(&self.asked);
        let place = asked.iter().position(|(asked, _)| asked == line)?;
        asked.remove(place).map(|(_, plan)| plan)
    }

    /// What the operator was shown last.
    pub(super) fn rates(&self) -> MutexGuard<'_, Rates> {
        locked(&self.rates)
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Questions of one operator that wait for an answer.
const QUESTIONS: usize = 16;
