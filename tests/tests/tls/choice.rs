//! What a client shows and trusts, what a server shows, and whom it takes: every combination, with what each side learns.

use pnet::{Fingerprint, Refused};
use pnet_tests::{keys, log::Log};

use super::support::{AUTHORITY, certificates, client, connect, serve, told, why_not};

/// What the client shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    NoKey,
    Key,
    /// A key that is not on the server's list.
    OtherKey,
}

/// Whom it trusts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trusts {
    Pin,
    Roots,
}

/// What the server shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Has {
    Raw,
    Pem,
    Both,
}

/// Whom it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    Anyone,
    List,
    Check,
}

/// What the client learns, what the server logs. The keys in it are written as `A` (listed) and `B`.
fn expected(shows: Shows, trusts: Trusts, has: Has, takes: Takes) -> (&'static str, &'static str) {
    match (trusts, has) {
        (Trusts::Pin, Has::Pem) => return (ONLY_CERTIFICATES, WANTS_A_KEY),
        (Trusts::Roots, Has::Raw) => return (ONLY_A_KEY, WANTS_CERTIFICATES),
        _ => {}
    }
    match (takes, shows) {
        (Takes::Anyone, _) | (_, Shows::Key) => ("connected", "-"),
        (_, Shows::NoKey) => (NO_KEY, NO_KEY_THERE),
        (Takes::List, Shows::OtherKey) => (UNLISTED, UNLISTED_THERE),
        (Takes::Check, Shows::OtherKey) => (UNWANTED, UNWANTED_THERE),
    }
}

const ONLY_CERTIFICATES: &str =
    "nothing in common with memory: the server has certificates only: use `.roots` or `.system_roots`";
const WANTS_A_KEY: &str = "nothing in common: the client wants a raw key, and this server has certificates only";
const ONLY_A_KEY: &str = "nothing in common with memory: the server has a raw key only: use `.pin` or `.known_hosts`";
const WANTS_CERTIFICATES: &str = "nothing in common: the client wants certificates, and this server has a raw key only";
const NO_KEY: &str = "the server did not take the connection: connection closed by the peer: unauthorized (the server \
                      wants a client key: set `.identity`)";
const NO_KEY_THERE: &str = "the client was refused by its key: the server wants a client key: set `.identity`";
const UNLISTED: &str = "the server did not take the connection: connection closed by the peer: unauthorized (this \
                        client's key B is not on the server's list)";
const UNLISTED_THERE: &str = "the client was refused by its key: this client's key B is not on the server's list";
const UNWANTED: &str =
    "the server did not take the connection: connection closed by the peer: unauthorized (who are you?)";
const UNWANTED_THERE: &str = "the client was refused by its key: who are you?";

#[tokio::test(start_paused = true)]
async fn keys_and_certificates_find_each_other_or_say_why_not() {
    for shows in [Shows::NoKey, Shows::Key, Shows::OtherKey] {
        for trusts in [Trusts::Pin, Trusts::Roots] {
            for has in [Has::Raw, Has::Pem, Has::Both] {
                for takes in [Takes::Anyone, Takes::List, Takes::Check] {
                    meet(shows, trusts, has, takes).await;
                }
            }
        }
    }
}

async fn meet(shows: Shows, trusts: Trusts, has: Has, takes: Takes) {
    let what = format!("{shows:?} {trusts:?} {has:?} {takes:?}");
    let listed = keys::client().fingerprint();
    let (log, guard) = Log::keep();
    let served = serve(|mut builder| {
        if has != Has::Pem {
            builder = builder.identity(keys::server());
        }
        if has != Has::Raw {
            builder = builder.certificates(certificates());
        }
        match takes {
            Takes::Anyone => builder,
            Takes::List => builder.clients([listed]),
            Takes::Check => builder.clients_by(move |key, _| async move {
                tokio::task::yield_now().await;
                if key == listed { Ok(()) } else { Err(Refused::new("who are you?")) }
            }),
        }
    });
    let mut builder = match trusts {
        Trusts::Pin => client().pin(keys::server().fingerprint()),
        Trusts::Roots => client().roots(&AUTHORITY.root).server_name("localhost"),
    };
    builder = match shows {
        Shows::NoKey => builder,
        Shows::Key => builder.identity(keys::client()),
        Shows::OtherKey => builder.identity(keys::stranger()),
    };
    let io = served.open().await;
    let connected = connect(builder, io).await;
    let words = with_names(&told(&connected));
    if let Ok(client) = connected {
        // Each side knows the other's key, whatever it was shown as.
        let peer = served.server.hub().peers().pop().expect("it is there");
        let key = match shows {
            Shows::NoKey => None,
            Shows::Key => Some(keys::client().fingerprint()),
            Shows::OtherKey => Some(keys::stranger().fingerprint()),
        };
        assert_eq!((peer.key().copied(), peer.info().key), (key, key), "{what}");
        let raw = (trusts == Trusts::Pin).then(|| keys::server().fingerprint());
        let shown = client.key().expect("a server has shown something");
        assert!(raw.is_none_or(|raw| raw == shown), "{what}");
        assert_eq!(shown == keys::server().fingerprint(), trusts == Trusts::Pin, "{what}");
        client.close().await;
    }
    let refused = words != "connected";
    let lines = served.end().await;
    assert_eq!(lines.is_empty(), refused, "{what}: {lines:?}");
    drop(guard);
    assert_eq!((&*words, &*with_names(&why_not(&log))), expected(shows, trusts, has, takes), "{what}");
}

fn with_names(words: &str) -> String {
    let name = |key: Fingerprint, name: &str, words: String| words.replace(&key.to_string(), name);
    let words = name(keys::client().fingerprint(), "A", words.to_owned());
    name(keys::stranger().fingerprint(), "B", words)
}
