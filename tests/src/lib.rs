//! Tests of behaviour across crates, and what they share.

pub mod talk;
