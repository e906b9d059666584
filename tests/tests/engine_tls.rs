//! The engine's tests once more, over TLS: see `engine/net.rs`.

#[path = "engine/main.rs"]
mod engine;
