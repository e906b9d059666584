//! Packets and calls on their way out, and streams both ways.

pub(crate) mod asking;
pub(crate) mod call;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod stream;
pub(crate) mod untyped;
