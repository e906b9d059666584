//! What few connections have: wishes of handles that end them, peers that are waited for, streams that this side produces.

use std::task::Waker;

use pnet_protocol::connection::Producers;
use tokio::time::Instant;

use crate::{error::Closed, seldom::Empty};

/// See the module.
#[derive(Debug)]
pub(crate) struct Rare {
    /// A close asked for by a handle.
    pub(crate) close: Option<Closed>,
    /// An end asked for by a handle that lets accepted work finish, until the given time at most.
    pub(crate) drain: Option<(Closed, Instant)>,
    /// The grace is over: drop what still runs.
    pub(crate) kill: bool,
    /// Why is known already: the driver lets go of the transport without another word.
    pub(crate) cut_off: bool,
    pub(super) producers: Producers<Waker>,
    /// Handlers that operators run.
    #[cfg(feature = "console")]
    pub(crate) operators: Option<Box<super::operators::Operators>>,
}

impl Rare {
    /// Whether a handle has asked for something.
    pub(crate) const fn has_requests(&self) -> bool {
        #[cfg(feature = "console")]
        if let Some(operators) = &self.operators
            && operators.have_asked()
        {
            return true;
        }
        self.close.is_some() || self.kill || self.cut_off || self.drain.is_some()
    }
}

impl Empty for Rare {
    const EMPTY: Self = Self {
        close: None,
        drain: None,
        kill: false,
        cut_off: false,
        producers: Producers::new(),
        #[cfg(feature = "console")]
        operators: None,
    };
    const READ: &'static Self = &Self::EMPTY;
}
