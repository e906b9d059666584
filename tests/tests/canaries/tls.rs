//! A gate that takes TLS off and puts it on again, so that what is said inside can be looked at; and private keys.

use std::{fs, sync::Arc, thread};

use pnet::Identity;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey},
    traits::PrivateKeyParts,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, copy_bidirectional};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::watch::{By, Recorded, Watch};

/// An authority's certificate, and what it has issued for `localhost`.
pub(crate) struct Authority {
    pub(crate) root: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// Made once, as it takes a moment.
pub(crate) static AUTHORITY: std::sync::LazyLock<Authority> = std::sync::LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().expect("a key is made");
    let root = params.self_signed(&root_key).expect("is signed").pem();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().expect("a key is made");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let chain = params.signed_by(&key, &issuer).expect("is signed").pem();
    Authority { root, chain, key: key.serialize_pem() }
});

/// Stands before a server that has a raw key, and shows clients a certificate. The tape of what goes through it.
pub(crate) fn gate(watch: Arc<Watch>, client: DuplexStream, server: Recorded<DuplexStream>) -> usize {
    // The transport comes in once TLS is done.
    let (through, tape) = watch.record((), By::Server);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(accepting()));
        let Ok(client) = acceptor.accept(client).await else { return };
        let connector = TlsConnector::from(Arc::new(connecting()));
        let Ok(mut server) = connector.connect("localhost".try_into().expect("a name"), server).await else { return };
        let mut client = through.map(|_| client);
        // Ends that break off are the tests' own.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    tape
}

fn accepting() -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(AUTHORITY.chain.as_bytes()).map(|read| read.expect("a certificate"));
    let key = PrivateKeyDer::from_pem_slice(AUTHORITY.key.as_bytes()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("is there")
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .expect("they belong together");
    config.alpn_protocols = vec![b"pnet/1".to_vec()];
    config
}

fn connecting() -> ClientConfig {
    let provider = Arc::new(default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"pnet/1".to_vec()];
    config
}

/// A client of TLS that takes whatever raw key it is shown.
pub(crate) async fn foreign<T: AsyncRead + AsyncWrite + Unpin>(io: T) -> tokio_rustls::client::TlsStream<T> {
    let connector = TlsConnector::from(Arc::new(connecting()));
    connector.connect("localhost".try_into().expect("a name"), io).await.expect("a handshake")
}

/// Believes every raw key.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// A key in PEM, as pnet has written it.
pub(crate) fn key() -> String {
    // On a thread without a runtime, since those that ask have one.
    let make = thread::spawn(|| {
        let path = std::env::temp_dir().join(format!("pnet-canaries-{}", uuid::Uuid::new_v4()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
        runtime.block_on(Identity::load_or_create_with(&path, 2048)).expect("a key can be made");
        let pem = fs::read_to_string(&path).expect("it was written");
        let _ = fs::remove_file(&path);
        pem
    });
    make.join().expect("no panic")
}

/// All that is secret about a key in PEM: the lines of its text, and the numbers of its DER in pieces, so that a part of a line
/// is found, too.
pub(crate) fn watch_key(watch: &Watch, name: &str, pem: &str) {
    let key = PrivateKey::from_pkcs8_pem(pem).expect("it is an RSA key");
    let der = key.to_pkcs8_der().expect("it can be written");
    // Before the private exponent stands what is public: the modulus is in every handshake.
    let d = key.d().to_be_bytes_trimmed_vartime();
    let start = der.as_bytes().windows(d.len()).position(|window| window == &*d).expect("it is part of the DER");
    let private = &der.as_bytes()[start..];
    for (number, piece) in private.as_chunks::<16>().0.iter().enumerate() {
        watch.secret(format!("{name}, piece {number}"), piece, &[]);
    }
    let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    // Four characters are three bytes.
    for (number, line) in lines.iter().enumerate().skip(start.div_ceil(48)) {
        if line.len() >= 8 {
            watch.secret(format!("{name}, line {number}"), line, &[]);
        }
    }
}
