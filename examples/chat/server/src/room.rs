//! Who is there: the state all connections share, and the part of each.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chat_protocol::GUEST;
use pnet::ConnectionId;

/// Everybody who is there, by name.
#[derive(Debug, Default)]
pub struct Room {
    inner: Mutex<Inner>,
    quiet: bool,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the name in lower case, so that nobody can pass for somebody else by a capital letter.
    people: BTreeMap<String, (String, ConnectionId)>,
    guests: u64,
}

/// One connection's own state.
#[derive(Debug)]
pub struct Member {
    id: ConnectionId,
    name: Mutex<String>,
}

impl Room {
    /// An empty room, which prints what happens in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty room, which prints nothing.
    #[must_use]
    pub fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    /// Everybody's names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.inner().people.values().map(|(name, _)| name.clone()).collect()
    }

    /// The name as its owner writes it, and the connection.
    pub fn find(&self, name: &str) -> Option<(String, ConnectionId)> {
        self.inner().people.get(&name.to_lowercase()).cloned()
    }

    /// Prints a line with what has happened. That nobody reads it is no reason to stop.
    pub(crate) fn log(&self, what: fmt::Arguments<'_>) {
        if !self.quiet {
            let _ = writeln!(io::stdout(), "* {what}");
        }
    }

    /// Gives a new connection a guest's name.
    pub(crate) fn enter(&self, id: ConnectionId) -> Member {
        let mut inner = self.inner();
        inner.guests += 1;
        let name = format!("{GUEST}{}", inner.guests);
        inner.people.insert(name.clone(), (name.clone(), id));
        Member { id, name: Mutex::new(name) }
    }

    /// Gives a connection another name, and returns the one it had; `None` if somebody else has the new one.
    pub(crate) fn rename(&self, member: &Member, to: &str) -> Option<String> {
        let key = to.to_lowercase();
        let mut inner = self.inner();
        if inner.people.get(&key).is_some_and(|(_, id)| *id != member.id) {
            return None;
        }
        let from = std::mem::replace(&mut *member.lock(), to.to_owned());
        inner.people.remove(&from.to_lowercase());
        inner.people.insert(key, (to.to_owned(), member.id));
        Some(from)
    }

    /// Takes a connection out; its name is free again.
    pub(crate) fn leave(&self, member: &Member) {
        self.inner().people.remove(&member.name().to_lowercase());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// What the connection is called now.
    pub fn name(&self) -> String {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_one_connection() {
        let room = Room::quiet();
        let ada = room.enter(ConnectionId::random());
        let bob = room.enter(ConnectionId::random());
        assert_eq!((ada.name(), bob.name()), ("guest-1".into(), "guest-2".into()));
        assert_eq!(room.rename(&ada, "Ada"), Some("guest-1".into()));
        assert_eq!(room.rename(&bob, "ADA"), None);
        assert_eq!(room.rename(&ada, "ada"), Some("Ada".into()));
        assert_eq!(room.names(), ["ada", "guest-2"]);
        assert_eq!(room.find("aDa").map(|(name, _)| name), Some("ada".into()));
        room.leave(&ada);
        assert_eq!(room.rename(&bob, "Ada"), Some("guest-2".into()));
        assert_eq!(room.names(), ["Ada"]);
    }
}
