//! Clients that trust an authority: which certificates they take, and what they say of the others.

use std::path::PathBuf;

use pnet::{Certificates, Client, ClientBuilder, ConnectError, TlsError};
use pnet_tests::talk::{Talk, TalkClient};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_RSA_SHA256, date_time_ymd};

use super::support::{
    Authority, Folder, Leaf, NAME, child, client, dial_as, fingerprint_by_openssl, identity, pin, rsa, server,
    settings, tls, works,
};

/// Connects as `name` to a server with these certificates.
async fn reach(leaf: &Leaf, name: &str, client: ClientBuilder<TalkClient>) -> Result<Client<Talk>, ConnectError> {
    let server = server().certificates(leaf.certificates()).in_memory();
    let client = dial_as(&server, name, client).await?;
    assert!(works(&client).await);
    Ok(client)
}

/// What is wrong with the certificate, and whether it may be good at another time.
#[track_caller]
fn reason(result: Result<Client<Talk>, ConnectError>) -> (String, bool) {
    match tls(result) {
        error @ TlsError::Certificate { passing, .. } => (error.to_string(), passing),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_is_for_the_host_that_was_dialled() {
    let authority = Authority::new("an authority");
    let leaf = authority.issue(&["host.example", "*.many.example", "127.0.0.1", "::1"]);
    for name in [NAME, "HOST.example:1", "one.many.example:1", "127.0.0.1:1", "[::1]:1"] {
        let client = reach(&leaf, name, client().roots(&authority.pem)).await;
        let client = client.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(client.key(), Some(fingerprint_by_openssl(&leaf.key)));
    }
    for name in ["other.example:1", "a.b.many.example:1", "many.example:1", "127.0.0.2:1", "[::2]:1"] {
        let (reason, passing) = reason(reach(&leaf, name, client().roots(&authority.pem)).await);
        assert!(reason.starts_with(&format!("{name}: the certificate is for another name")), "{reason}");
        assert!(reason.contains("host.example"), "{reason}");
        assert!(!passing);
    }
}

#[tokio::test]
async fn the_name_may_be_given_by_hand() {
    let authority = Authority::new("an authority");
    let leaf = authority.issue(&["host.example", "10.0.0.1"]);
    for name in ["host.example", "10.0.0.1"] {
        let client = client().roots(&authority.pem).server_name(name);
        reach(&leaf, "127.0.0.1:25565", client).await.expect("connects");
    }
    let by_hand = client().roots(&authority.pem).server_name("other.example");
    let (reason, _) = reason(reach(&leaf, NAME, by_hand).await);
    assert!(reason.contains("another name") && reason.contains("not other.example"), "{reason}");
    for name in ["", "not a name", "host.example:25565"] {
        let what = settings(reach(&leaf, NAME, client().roots(&authority.pem).server_name(name)).await);
        assert!(what.contains("is no host name and no IP address"), "{what}");
    }
}

#[tokio::test]
async fn certificates_count_in_their_time_only() {
    let authority = Authority::new("an authority");
    let key = KeyPair::generate().expect("a key can be made");
    let expired = authority.issue_with(&["host.example"], &key, |params| params.not_after = date_time_ymd(2020, 1, 1));
    let (text, passing) = reason(reach(&expired, NAME, client().roots(&authority.pem)).await);
    assert!(text.contains("the certificate has expired") && passing, "{text}");
    let early = authority.issue_with(&["host.example"], &key, |params| params.not_before = date_time_ymd(4000, 1, 1));
    let (text, passing) = reason(reach(&early, NAME, client().roots(&authority.pem)).await);
    assert!(text.contains("the certificate is not valid yet") && passing, "{text}");
}

#[tokio::test]
async fn an_issuer_that_nobody_knows_is_not_trusted() {
    let (authority, other) = (Authority::new("an authority"), Authority::new("another"));
    let leaf = other.issue(&["host.example"]);
    let (text, passing) = reason(reach(&leaf, NAME, client().roots(&authority.pem)).await);
    assert!(text.contains("no root that is trusted has issued the certificate") && !passing, "{text}");
    // Several roots add up, in one text and in two.
    reach(&leaf, NAME, client().roots(&authority.pem).roots(&other.pem)).await.expect("connects");
    reach(&leaf, NAME, client().roots(authority.pem + &other.pem)).await.expect("connects");
}

#[tokio::test]
async fn an_authority_that_was_made_anew_under_its_name_is_another() {
    let (authority, other) = (Authority::new("an authority"), Authority::new("an authority"));
    let leaf = other.issue(&["host.example"]);
    let (text, passing) = reason(reach(&leaf, NAME, client().roots(&authority.pem)).await);
    assert!(text.contains("a signature in the chain") && text.contains("is not by the key"), "{text}");
    assert!(!passing);
}

/// What `openssl req -x509` makes unless it is told otherwise.
#[tokio::test]
async fn an_authority_s_own_certificate_is_no_servers() {
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::new(vec!["host.example".to_owned()]).expect("it is a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let chain = params.self_signed(&key).expect("it can be signed").pem();
    let leaf = Leaf { chain: chain.clone(), key: key.serialize_pem() };
    let (reason, passing) = reason(reach(&leaf, NAME, client().roots(&chain)).await);
    assert!(reason.contains("an authority's own certificate") && reason.contains("CA:FALSE"), "{reason}");
    assert!(!passing);
}

#[tokio::test]
async fn a_chain_has_to_include_those_in_between() {
    let authority = Authority::new("an authority");
    let between = authority.intermediate("one in between");
    let mut leaf = between.issue(&["host.example"]);
    let (text, _) = reason(reach(&leaf, NAME, client().roots(&authority.pem)).await);
    assert!(text.contains("a chain has to include those in between"), "{text}");
    leaf.chain += &between.pem;
    reach(&leaf, NAME, client().roots(&authority.pem)).await.expect("connects");
}

#[tokio::test]
async fn roots_that_are_none_are_named() {
    let leaf = Authority::new("an authority").issue(&["host.example"]);
    let nonsense = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n".to_owned();
    for (roots, expected) in [
        (String::new(), "what was given to `.roots` holds no PEM"),
        ("these are no roots".to_owned(), "what was given to `.roots` holds no PEM"),
        (leaf.key.clone(), "what was given to `.roots` holds `PRIVATE KEY`"),
        (leaf.chain[..300].to_owned(), "what was given to `.roots` is not whole"),
        (nonsense, "a certificate that was given to `.roots` cannot be read"),
    ] {
        let error = tls(reach(&leaf, NAME, client().roots(&roots)).await);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn one_key_has_one_fingerprint_as_a_raw_key_and_in_a_certificate() {
    let authority = Authority::new("an authority");
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(rsa(0), &PKCS_RSA_SHA256).expect("a key");
    let leaf = authority.issue_with(&["host.example"], &key, |_| {});
    let server = server().identity(identity(0)).certificates(leaf.certificates()).in_memory();
    for client in [client().roots(&authority.pem), client().pin(pin(0))] {
        let client = dial_as(&server, NAME, client.identity(identity(1))).await.expect("connects");
        assert!(works(&client).await);
        assert_eq!(client.key(), Some(pin(0)));
    }
    // Clients show their raw key to whichever they trust.
    assert!(server.hub().peers().iter().all(|peer| peer.key() == Some(&pin(1))));
}

#[tokio::test]
async fn who_trusts_keys_and_who_has_certificates_have_nothing_in_common() {
    let authority = Authority::new("an authority");
    let chain_only = server().certificates(authority.issue(&["host.example"]).certificates()).in_memory();
    let key_only = server().identity(identity(0)).in_memory();
    for (server, client, hint) in [
        (&chain_only, client().pin(pin(0)), "use `.roots` or `.system_roots`"),
        (&key_only, client().roots(&authority.pem), "use `.pin` or `.known_hosts`"),
    ] {
        let error = tls(dial_as(server, NAME, client).await);
        assert!(matches!(error, TlsError::NothingInCommon { .. }), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

/// Which file has the system's roots is the process's to say, so this runs in others.
#[test]
fn the_systems_roots_are_those_of_a_file_that_can_be_named() {
    let authority = Authority::new("an authority");
    let leaf = authority.issue(&["host.example"]);
    let folder = Folder::new();
    let (chain, key) = (folder.write("chain.pem", &leaf.chain), folder.write("key.pem", &leaf.key));
    let other = folder.write("other.pem", Authority::new("another").pem);
    let empty = folder.write("empty.pem", "");
    let root = folder.write("root.pem", authority.pem);
    let run = |roots: &PathBuf| {
        let variables = [("SSL_CERT_FILE", &**roots), (CHAIN_FILE, &*chain), (LEAF_KEY_FILE, &*key)];
        let child = child("roots::prints_what_the_systems_roots_say", &variables);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it prints text")
    };
    assert!(run(&root).contains("result: connected"));
    assert!(run(&other).contains("no root that is trusted has issued the certificate"));
    assert!(run(&empty).contains("no root certificates were found"));
}

/// A part of the test above, which sets the variables.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the other test reads it")]
async fn prints_what_the_systems_roots_say() {
    let (Some(chain), Some(key)) = (std::env::var_os(CHAIN_FILE), std::env::var_os(LEAF_KEY_FILE)) else { return };
    let certificates = Certificates::load(chain, key).await.expect("they belong together");
    let server = server().certificates(certificates).in_memory();
    match dial_as(&server, NAME, client().system_roots()).await {
        Ok(_) => println!("result: connected"),
        Err(error) => println!("result: {error}"),
    }
}

const CHAIN_FILE: &str = "PNET_TEST_CHAIN_FILE";
const LEAF_KEY_FILE: &str = "PNET_TEST_LEAF_KEY_FILE";
