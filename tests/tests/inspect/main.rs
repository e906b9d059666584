//! What a snapshot says of a server or client, against traffic that the tests know.

mod actions;
mod clients;
mod connections;
mod limits;
mod many;
mod people;
mod shape;
mod support;
mod totals;
