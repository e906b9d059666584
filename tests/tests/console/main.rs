//! The operator's console: every command, in every way in which it can be reached, and what may go wrong with it.

mod attached;
mod bad_input;
mod client;
mod every;
mod hall;
mod hostile;
mod shown;
mod transcript;
