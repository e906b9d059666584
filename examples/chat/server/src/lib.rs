//! The chat example.
