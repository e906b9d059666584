//! Tests of behaviour across crates; the README is compiled here.
