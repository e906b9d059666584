//! What a server keeps and says so that it can be looked into.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::sync::Semaphore;

use crate::service::User;

/// What a server keeps so that it can be looked into.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Where it listens.
    pub(crate) addr: String,
    /// How many runs of the handler that authenticates there may be, and a place for each.
    pub(crate) runs: (usize, Arc<Semaphore>),
}

impl Observed {
    pub(super) fn new(addr: &impl fmt::Debug, at_once: &Arc<Semaphore>) -> Self {
        Self { addr: format!("{addr:?}"), runs: (at_once.available_permits(), Arc::clone(at_once)) }
    }
}

/// Makes the text that says who is there.
#[derive(Default)]
pub(super) struct Person(Option<Name>);

type Name = Box<dyn Fn(&User) -> Option<String> + Send + Sync>;

impl Person {
    pub(super) fn new(name: impl Fn(&User) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(name)))
    }

    /// The name, cut where it is too long; `None` if the program says none.
    pub(super) fn name(&self, user: Option<&User>) -> Option<String> {
        let name = self.0.as_ref().zip(user).map(|(name, user)| catch_unwind(AssertUnwindSafe(|| name(user))))?;
        let Ok(name) = name else {
            // What it says may be about the user.
            tracing::error!("the function given to `person` panicked");
            return None;
        };
        name.map(|mut name| {
            if let Some(end) = (0..=PERSON_LEN).rev().find(|end| name.is_char_boundary(*end)) {
                name.truncate(end);
            }
            name
        })
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Person").field(&self.0.is_some()).finish()
    }
}

/// Most bytes of a person's name.
const PERSON_LEN: usize = 64;
