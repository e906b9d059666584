//! Runnable programs, one per idea: see the files beside this package's manifest.

/// The programs of `docs/migration.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/migration.md")]
pub struct Migration;
