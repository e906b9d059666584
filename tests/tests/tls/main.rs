//! TLS: who trusts whom, what comes of it, and what nobody between the two can do.

mod attack;
mod between;
mod choice;
mod cuts;
mod edges;
mod matrix;
mod support;
