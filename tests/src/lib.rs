//! Tests of behaviour across crates, and what they share.

pub mod gate;
pub mod keys;
pub mod log;
pub mod shown;
pub mod talk;

/// The programs of the guide to TLS.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/tls.md")]
pub struct TlsGuide;

/// The programs of the guide to logging in.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/login.md")]
pub struct LoginGuide;

/// The program of the guide to looking in.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide/inspect.md")]
pub struct InspectGuide;

/// The program of the page about sealed packets.
#[cfg(doctest)]
#[doc = include_str!("../../docs/sealed.md")]
pub struct SealedPackets;

/// The programs of the page about the console.
#[cfg(doctest)]
#[doc = include_str!("../../docs/console.md")]
pub struct ConsolePage;

/// The README's programs, which are compiled and run as this crate's doctests; they would not be found from a published
/// package.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
