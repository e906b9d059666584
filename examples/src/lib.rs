//! Runnable programs, one per idea: see the files beside this package's manifest. What some of them share is in here.

pub mod calls;

/// The programs of `docs/migration.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/migration.md")]
pub struct Migration;
