//! What an operator may do to a running server or client: the acts behind the console's commands.
//!
//! They stand on the same handle that [looks](crate::inspect), and go the ways that the program's own handles go: what is
//! sent is checked and queued like any packet, what is closed is closed as by a [`Peer`](crate::Peer). One act is the
//! operator's alone: [`trigger`](Inspector::trigger) runs a handler of this side.

mod acts;
mod error;
mod nearest;
mod trigger;

pub(crate) use self::{
    error::{ActError, TriggerError, with_sources},
    nearest::nearest,
    trigger::{StreamEnd, Triggered},
};
#[cfg(doc)]
use crate::inspect::Inspector;

#[cfg(test)]
mod tests;
