//! Unix sockets as transport: what goes over them, where they may lie, and who may come.

#![cfg(unix)]

mod hostile;
mod peers;
mod places;
mod support;
mod talk;
