//! What the engine's tests run on: plain text in the test program `engine`, TLS in `engine_tls`, which is the same tests.
//!
//! Over TLS, peers that a test plays by hand go on in plain text, which such a server takes on this machine.

use std::sync::Arc;

use pnet::{ClientBuilder, InboxBuilder, Protocol, ServerBuilder, Service, TlsPolicy, memory::MemoryServer};
use pnet_tests::keys;

/// Whether these are the tests over TLS.
pub(crate) const OVER_TLS: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"engine_tls");

/// As [`pnet::serve`].
pub(crate) fn builder<S>(service: S, state: impl Into<Arc<S::State>>) -> ServerBuilder<S>
where
    S: Service,
    S::Side: pnet::__private::Serves,
{
    let builder = pnet::serve(service, state);
    if OVER_TLS { builder.identity(keys::server()).tls(TlsPolicy::Optional) } else { builder }
}

/// As [`pnet::memory::serve`]. Who connects by the server's own methods trusts it.
pub(crate) fn serve<S, P>(service: S, state: impl Into<Arc<S::State>>) -> MemoryServer<P>
where
    S: Service,
    S::Side: pnet::__private::Serves,
    P: pnet::Phase<Protocol = S::Protocol>,
    S::Protocol: Protocol<Start = P>,
{
    builder(service, state).in_memory()
}

/// As [`pnet::connect`], for a server that one of the above has made.
pub(crate) fn connect<S>(service: S, state: impl Into<Arc<S::State>>) -> ClientBuilder<S>
where
    S: Service,
    S::Side: pnet::__private::Connects,
{
    let builder = pnet::connect(service, state);
    if OVER_TLS { builder.pin(keys::server().fingerprint()) } else { builder }
}

/// As [`pnet::connect_inbox`], for a server that one of the above has made.
pub(crate) fn connect_inbox<P: pnet::__private::Receive<pnet::__private::ClientSide>>() -> InboxBuilder<P> {
    let builder = pnet::connect_inbox();
    if OVER_TLS { builder.pin(keys::server().fingerprint()) } else { builder }
}

#[tokio::test]
async fn the_tests_run_on_what_they_say() {
    let pair = super::support::pair().await;
    assert_eq!(pair.client.key(), OVER_TLS.then(|| keys::server().fingerprint()));
}
