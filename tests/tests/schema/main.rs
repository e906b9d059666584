//! The schema of a protocol as JSON (docs/schema.md): what is recorded, and that it comes back as the same.

mod everything;
mod recorded;
mod round_trip;
