//! Servers that are not made with pnet and show raw keys: what they show is judged before it is believed.

use std::sync::Arc;

use pnet::{TlsError, transport::PeerAddr};
use pnet_tests::talk::Talk;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::AlwaysResolvesServerRawPublicKeys,
    sign::CertifiedKey,
    version::TLS13,
};
use tokio::io::duplex;
use tokio_rustls::TlsAcceptor;

use super::support::{Folder, NAME, client, openssl, pin, rsa, tls};

/// Something in DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("it is short").to_be_bytes();
    // As few bytes as will do.
    let head = match (high, low) {
        (0, ..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head, content].concat()
}

/// An RSA key with these numbers, whatever they are good for.
fn spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let algorithm = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let numbers = der(0x30, &[der(2, modulus), der(2, exponent)].concat());
    let bits = der(3, &[&[0], &*numbers].concat());
    der(0x30, &[&algorithm[..], &bits].concat())
}

/// A modulus of so many bits, a multiple of 8.
fn modulus(bits: usize) -> Vec<u8> {
    [&[0][..], &vec![0xc3; bits / 8]].concat()
}

/// What a client makes of a server that shows `shown`, and signs with the first key.
async fn meet(shown: Vec<u8>, alpn: &[u8]) -> TlsError {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(rsa(0).as_bytes()).expect("it is a key");
    let signing = provider.key_provider.load_private_key(key).expect("it is a key");
    let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(shown)], signing));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
    let mut config = builder
        .expect("ring has what TLS 1.3 needs")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
    config.alpn_protocols = if alpn.is_empty() { Vec::new() } else { vec![alpn.to_vec()] };
    let (near, far) = duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let _ = TlsAcceptor::from(Arc::new(config)).accept(far).await;
    });
    let folder = Folder::new();
    let builder = client().known_hosts(folder.path("known_hosts"));
    let error = tls(builder.over::<Talk>(near, PeerAddr::Other(NAME.to_owned())).await);
    assert!(folder.names().is_empty(), "nothing is stored: {error}");
    serving.abort();
    error
}

#[tokio::test]
async fn raw_keys_that_are_not_taken_are_named() {
    let public = openssl("pkey -pubout -outform DER", rsa(0));
    let ec = KeyPair::generate().expect("a key can be made").subject_public_key_info();
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made").subject_public_key_info();
    let f4 = [1, 0, 1];
    for (expected, shown) in [
        ("whose numbers are none", spki(&modulus(512), &f4)),
        ("an RSA key of 1024 bits", spki(&modulus(1024), &f4)),
        ("an RSA key of 2040 bits", spki(&modulus(2040), &f4)),
        ("an RSA key of 4104 bits", spki(&modulus(4104), &f4)),
        ("an RSA key of more than 4096 bits", spki(&modulus(16384), &f4)),
        ("an EC key", ec),
        ("an Ed25519 key", ed25519),
        ("whose numbers are none", spki(&modulus(2048), &[0])),
        ("whose numbers are none", spki(&modulus(2048), &[1])),
        ("whose numbers are none", spki(&modulus(2048), &[2])),
        ("whose numbers are none", spki(&modulus(2048), &modulus(64))),
        ("whose numbers are none", spki(&[&modulus(2040)[..], &[0]].concat(), &f4)),
        ("whose numbers are none", spki(&[0], &f4)),
        ("whose numbers are none", spki(&[0xc3; 256], &f4)),
        ("a key that cannot be read", Vec::new()),
        ("a key that cannot be read", b"hello".to_vec()),
        ("a key that cannot be read", public[..public.len() - 1].to_vec()),
        ("a key that cannot be read", [&*public, &[0]].concat()),
    ] {
        let error = meet(shown, b"pnet/1").await;
        assert!(matches!(error, TlsError::RawKey { .. }), "{expected}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(text.contains("RSA keys of 2048 to 4096 bits are taken as raw keys"), "{text}");
    }
}

#[tokio::test]
async fn a_key_that_the_server_does_not_hold_is_not_believed() {
    let error = meet(openssl("pkey -pubout -outform DER", rsa(1)), b"pnet/1").await;
    let text = error.to_string();
    assert!(text.contains("the signature does not belong to the key that was shown"), "{text}");
    assert!(!text.contains(&pin(1).to_string()), "{text}");
}

#[tokio::test]
async fn a_server_that_speaks_something_else_inside_is_not_remembered() {
    let public = openssl("pkey -pubout -outform DER", rsa(0));
    for alpn in [&b"h2"[..], b"pnet/2", b""] {
        let error = meet(public.clone(), alpn).await;
        assert!(matches!(error, TlsError::NotPnet { .. }), "{error:?}");
    }
}
