//! The tool as its users have it: the built program, against servers in this process.

mod attach;
mod connecting;
mod help;
mod load;
mod new;
mod packets;
mod repl;
mod support;
