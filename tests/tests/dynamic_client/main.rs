//! Clients whose protocol is known at run time only: what they ask, what they send, and what servers may do to them.

mod conversation;
mod described;
mod hostile;
mod pushed;
mod streams;
mod support;
mod trust;
