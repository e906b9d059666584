//! Secrets are planted, everything that can happen to connections happens, and then they are looked for: in the log, in all
//! that can be printed, in errors with their causes, in reasons of closing, and in what others were sent.
//!
//! `PNET_CANARIES` is the number of connections; 60 unless set.

mod clients;
mod dynamic;
mod house;
mod keys;
mod operators;
mod replay;
mod search;
mod servers;
mod sinks;
mod tls;
mod visits;
mod watch;
mod way;
