//! What the tests of TLS share: certificates, a server and a client that meet over a wire of the test's own, and both sides'
//! errors.

use std::{
    error::Error,
    sync::{Arc, LazyLock},
    time::Duration,
};

use pnet::{
    Certificates, Client, ClientBuilder, ConnectError, Server, ServerBuilder,
    transport::{Listener, PeerAddr},
};
use pnet_tests::{
    log::Log,
    talk::{Book, Talk, TalkClient, TalkServer, Touch},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority, and a server's certificate that it has issued for `localhost`.
pub(crate) struct Authority {
    pub(crate) root: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// Made anew each time, so that it never expires.
pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
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

pub(crate) fn certificates() -> Certificates {
    Certificates::from_pem(&AUTHORITY.chain, &AUTHORITY.key).expect("they are good")
}

/// Gives a server the transports that a test makes.
pub(crate) struct Handed(mpsc::Receiver<DuplexStream>);

impl Listener for Handed {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, PeerAddr)> {
        let io = self.0.recv().await.ok_or(std::io::ErrorKind::NotConnected)?;
        Ok((io, PeerAddr::Memory))
    }

    fn local_addr(&self) {}
}

/// A server, the book of its handlers, and where transports to it are handed in.
pub(crate) struct Served {
    pub(crate) server: Server<Talk, ()>,
    pub(crate) book: Arc<Book>,
    pub(crate) door: mpsc::Sender<DuplexStream>,
}

pub(crate) fn serve(configure: impl FnOnce(ServerBuilder<TalkServer>) -> ServerBuilder<TalkServer>) -> Served {
    let (door, receiver) = mpsc::channel(16);
    let book = Arc::new(Book::default());
    let server = configure(pnet::serve(TalkServer, Arc::clone(&book))).listen(Handed(receiver));
    Served { server, book, door }
}

impl Served {
    /// A transport to the server.
    pub(crate) async fn open(&self) -> DuplexStream {
        let (here, there) = duplex(64 * 1024);
        self.door.send(there).await.expect("the server accepts");
        here
    }

    /// Lets the server end whatever it has begun, and gives the book of its handlers.
    pub(crate) async fn end(self) -> Vec<String> {
        self.server.shutdown(Duration::from_secs(30)).await;
        self.book.lines()
    }
}

pub(crate) fn client() -> ClientBuilder<TalkClient> {
    pnet::connect(TalkClient, Book::default())
}

/// Connects, and calls once.
pub(crate) async fn connect(
    builder: ClientBuilder<TalkClient>,
    io: DuplexStream,
) -> Result<Client<Talk>, ConnectError> {
    let client = builder.over::<Talk>(io, PeerAddr::Memory).await?;
    client.call(Touch {}).await.expect("who is connected is answered");
    Ok(client)
}

/// How it went, in words: an error with all that it was caused by.
pub(crate) fn told(connected: &Result<Client<Talk>, ConnectError>) -> String {
    match connected {
        Ok(_) => "connected".to_owned(),
        Err(error) => {
            let mut words = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                words += &format!(": {error}");
                cause = error.source();
            }
            words
        }
    }
}

/// Why the server has opened no connection, as it has logged it; `-` if it has nothing to say.
pub(crate) fn why_not(log: &Log) -> String {
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("message=no connection") || line.contains("broke during"));
    let reasons: Vec<_> = lines
        .map(|line| {
            let reason = line.split(" error=").nth(1).unwrap_or(line);
            // The log shows each field twice.
            reason[..reason.len() / 2].to_owned()
        })
        .collect();
    if reasons.is_empty() { "-".to_owned() } else { reasons.join("; ") }
}

/// A client of TLS that is not pnet's, and takes whatever key it is shown.
pub(crate) async fn foreign(io: DuplexStream, alpn: &[&str]) -> std::io::Result<TlsStream<DuplexStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("is there")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, io).await
}

/// Believes everything.
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
