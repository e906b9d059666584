//! What a server keeps and says so that it can be looked into.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use pnet_protocol::protocol::{ProtocolInfo, Role};
use tokio::sync::Semaphore;

use super::{ServerBuilder, ServerConfig, accept::Serving, penalties};
use crate::{
    config,
    counts::{Counts, Met},
    driver::limits::{millis, of_connections},
    service::{Service, User},
};

/// What a server keeps so that it can be looked into.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Where it listens.
    pub(crate) addr: String,
    /// How many runs of the handler that authenticates there may be, and a place for each.
    pub(crate) runs: (usize, Arc<Semaphore>),
}

impl Observed {
    pub(super) fn new(addr: &impl fmt::Debug, serving: &Serving) -> Self {
        let at_once = &serving.authentication.at_once;
        Self { addr: format!("{addr:?}"), runs: (at_once.available_permits(), Arc::clone(at_once)) }
    }
}

/// Makes the text that says who is there.
#[derive(Default)]
pub(super) struct Person(Option<Name>);

type Name = Box<dyn Fn(&User) -> Option<String> + Send + Sync>;

impl Person {
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

impl<S: Service> ServerBuilder<S> {
    /// Says by which name a [`Snapshot`] shows who is there: `name` makes it of what the handler under
    /// `#[action(authenticate)]` has made, if that is a `T`. Without this, snapshots say nothing about users.
    ///
    /// It is asked once, when the connection is opened. The text is cut at 64 bytes; after a panic there is none. It goes to
    /// whoever looks into the server, so it should be a name and no secret.
    ///
    /// # Examples
    ///
    /// ```
    /// # use pnet::{Packet, protocol, actions, action};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
    /// # protocol! { pub Quiz { client { Ask } } }
    /// # #[action("ASK")] fn ask(_: Ask) {}
    /// # actions! { pub server QuizServer for Quiz: ask }
    /// struct Player { name: String }
    ///
    /// let builder = pnet::serve(QuizServer, ()).person(|player: &Player| player.name.clone());
    /// # drop(builder);
    /// ```
    pub fn person<T: Any>(mut self, name: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.config.person = Person(Some(Box::new(move |user| user.get::<T>().map(&name))));
        self
    }
}

/// Where everything is counted that concerns a server.
pub(super) fn counts(config: &ServerConfig, info: &ProtocolInfo) -> Counts {
    let mut allowed = vec![
        (Met::MaxConnections, config.max_connections as u64),
        (Met::MaxMemory, config.max_memory as u64),
        (Met::MaxAuthenticating, config.max_authenticating.clamp(1, Semaphore::MAX_PERMITS) as u64),
        (Met::WaitingSilent, config::HALF_OPEN as u64),
        (Met::WaitingHandshakes, config::HALF_OPEN as u64),
        (Met::WaitingPerAddress, config::HALF_OPEN_PER_ADDRESS as u64),
        (Met::LoginDelay, millis(penalties::LONGEST)),
    ];
    let timeouts = (config.handshake_timeout, config.heartbeat_ms, config.call_timeout);
    allowed.extend(of_connections(&config.limits, timeouts));
    Counts::new(info, Role::Server, allowed, None)
}

/// Most bytes of a person's name.
const PERSON_LEN: usize = 64;
