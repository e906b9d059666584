//! Slots to be used again.

use std::sync::{Mutex, PoisonError};

use super::slot::Seat;
use crate::service::Service;

/// Slots to be used again, per route; one pool for all connections of a server.
pub(crate) struct Pool<S: Service>(Mutex<Vec<Vec<Seat<S>>>>);

impl<S: Service> Pool<S> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn take(&self, action: u16) -> Option<Seat<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(usize::from(action))?.pop()
    }

    pub(crate) fn give(&self, mut seat: Seat<S>) {
        seat.leave();
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if routes.is_empty() {
            routes.resize_with(S::ROUTES.len(), Vec::new);
        }
        if let Some(seats) = routes.get_mut(seat.action())
            && seats.len() < SPARE_SEATS
        {
            seats.push(seat);
        }
    }
}

const SPARE_SEATS: usize = 64;
