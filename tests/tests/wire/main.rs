//! Both dialects as bytes: recorded conversations, any split of them, properties of the codec, hostile input.

mod conversation;
mod fingerprint;
mod hostile;
mod objects;
mod payloads;
mod protocols;
mod roles;
mod round_trip;
mod split;
mod vectors;
