//! What operators do, on servers and clients in memory.

mod acts;
mod ends;
mod handlers;
mod log;
mod peers;
mod streams;
mod stress;
mod town;
