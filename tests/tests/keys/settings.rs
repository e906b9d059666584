//! Pins, and what clients and servers cannot be told at the same time.

use pnet::{BindError, ConnectError, Fingerprint, Identity, TlsError, TlsPolicy, transport::PeerAddr};
use pnet_tests::{
    gate::{Gate, GateClient, GateServer, Pass, Porter},
    talk::Divide,
};

use super::support::{
    Authority, Folder, NAME, PATIENCE, assert_keeps_secret, client, dial, identity, pin, rsa, server, server_with,
    settings, tls, untrusted, works,
};

#[tokio::test]
async fn of_several_pins_any_will_do_so_that_keys_can_be_replaced() {
    let both = || client().pin(pin(0)).pin(pin(1));
    for number in [0, 1] {
        let server = server_with(identity(number));
        let client = dial(&server, both()).await.expect("connects");
        assert!(works(&client).await);
        assert_eq!(client.key(), Some(pin(number)));
    }
    let mistrust = untrusted(dial(&server_with(identity(2)), both()).await);
    assert_eq!((&*mistrust.server, mistrust.shown, &mistrust.stored), (NAME, pin(2), &None));
    assert_eq!(mistrust.expected, [pin(0), pin(1)]);
    let text = mistrust.to_string();
    assert!(text.contains(&format!("pinned is {} or {}, shown is {}", pin(0), pin(1), pin(2))), "{text}");
}

#[tokio::test]
async fn who_shows_another_key_is_told_nothing() {
    let (porter, mut events) = Porter::new(async |_, _| panic!("credentials have come")).telling();
    let server = pnet::serve(GateServer, porter).identity(identity(0)).handshake_timeout(PATIENCE).in_memory();
    let client = pnet::connect(GateClient, ()).pin(pin(1)).credentials(&Pass::new("secret")).identity(identity(2));
    let io = server.connector().open().await.expect("the server listens");
    let error = match client.over::<Gate>(io, PeerAddr::Other(NAME.to_owned())).await {
        Err(ConnectError::Tls(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert!(server.hub().peers().is_empty());
    assert!(events.try_recv().is_err());
}

#[tokio::test]
async fn pins_are_fingerprints_or_their_texts() {
    let server = server_with(identity(0));
    let text = pin(0).to_string();
    let read: [Fingerprint; 1] = [text.parse().expect("it is one")];
    let borrowed = read.first().expect("there is one");
    for client in [client().pin(&*text), client().pin(text.clone()), client().pin(read[0]), client().pin(borrowed)] {
        assert!(works(&dial(&server, client).await.expect("connects")).await);
    }
}

#[tokio::test]
async fn a_pin_that_cannot_be_read_is_an_error_that_shows_it() {
    let server = server_with(identity(0));
    let good = pin(0).to_string();
    for wrong in ["", "SHA256:", "secret", "\u{1b}[31m", &good[..20], &good[7..]] {
        for client in [client().pin(wrong), client().pin(pin(0)).pin(wrong), client().pin(wrong).pin(pin(0))] {
            let error = tls(dial(&server, client).await);
            assert!(matches!(error, TlsError::Pin(_)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("is no fingerprint") && text.contains("43 characters of base64"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}

#[tokio::test]
async fn what_a_client_cannot_be_told_at_once_is_said_in_words() {
    let folder = Folder::new();
    let hosts = folder.path("known_hosts");
    let root = Authority::new("an authority").pem;
    let server = server_with(identity(0));
    for client in [
        client().pin(pin(0)).roots(&root),
        client().pin(pin(0)).system_roots(),
        client().pin(pin(0)).known_hosts(&hosts),
        client().known_hosts(&hosts).roots(&root),
        client().known_hosts(&hosts).pin(pin(0)).roots(&root).server_name("host.example"),
    ] {
        let what = settings(dial(&server, client).await);
        assert!(what.contains("`.pin`, `.known_hosts` and `.roots` exclude each other"), "{what}");
    }
    let what = settings(dial(&server, client().identity(identity(1))).await);
    assert!(what.contains("use `.pin`, `.known_hosts` or `.roots`, too"), "{what}");
    let what = settings(dial(&server, client().server_name("host.example")).await);
    assert!(what.contains("`.server_name` needs `.roots` or `.system_roots`"), "{what}");
    for client in [client().pin(pin(0)), client().known_hosts(&hosts)] {
        let what = settings(dial(&server, client.server_name("host.example")).await);
        assert!(what.contains("a pinned or known key has no name"), "{what}");
    }
    assert!(folder.names().is_empty());
}

/// All of that before anything is dialled: nobody listens there.
#[tokio::test]
async fn settings_are_judged_before_anything_is_dialled() {
    let nowhere = "127.0.0.1:1";
    let what = settings(client().identity(identity(0)).to(nowhere).await);
    assert!(what.contains("an identity is shown to servers that are trusted"), "{what}");
    let reconnecting = client().identity(identity(0)).reconnect(pnet::Backoff::default()).to(nowhere).await;
    assert_eq!(settings(reconnecting), what);
    let inbox = pnet::connect_inbox::<pnet_tests::talk::Talk>().identity(identity(0)).to(nowhere).await;
    assert_eq!(settings(inbox.map(|(client, _)| client)), what);
    let error = tls(client().roots("nothing").to(nowhere).await);
    assert!(matches!(error, TlsError::Roots(_)), "{error:?}");
    let error = tls(client().pin("nothing").to(nowhere).await);
    assert!(matches!(error, TlsError::Pin(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_asks_for_keys_or_tls_needs_one_of_its_own() {
    for (builder, expected) in [
        (server().clients([pin(0)]), "set `.identity`"),
        (server().clients_by(|_, _| async { Ok(()) }), "set `.identity`"),
        (server().identity(identity(0)).clients([pin(0)]).tls(TlsPolicy::Off), "set `.identity`"),
        (server().tls(TlsPolicy::Required), "set `.identity` or `.certificates`"),
        (server().tls(TlsPolicy::Optional), "set `.identity` or `.certificates`"),
    ] {
        let error = builder.bind("127.0.0.1:0").await.expect_err("it cannot be meant");
        assert!(matches!(error, BindError::Settings { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_people_see_of_builders_and_errors_is_no_secret() {
    let folder = Folder::new();
    let identity = Identity::from_pem(rsa(0)).expect("it is a key");
    let server = server().identity(identity.clone()).in_memory();
    let builder = client().identity(identity).pin(pin(0)).known_hosts(folder.path("known_hosts"));
    let shown = format!("{builder:?} {server:?}");
    assert_keeps_secret(&shown, &[rsa(0)]);
    let shown = format!("{:?}", dial(&server, builder).await);
    assert_keeps_secret(&shown, &[rsa(0)]);
    let client = dial(&server, client().pin(pin(0))).await.expect("connects");
    let shown = format!("{client:?} {:?} {:?}", server.handle(), client.call(Divide { a: 1, b: 0 }).await);
    assert_keeps_secret(&shown, &[rsa(0)]);
}
