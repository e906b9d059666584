//! The macros of `pnet`.
