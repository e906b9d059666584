//! What the tests of keys share: a folder, keys, an authority, and servers in memory that have a name.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use pnet::{
    Certificates, Client, ClientBuilder, ConnectError, Fingerprint, Identity, ServerBuilder, TlsError, Untrusted,
    memory::MemoryServer, transport::PeerAddr,
};
use pnet_tests::talk::{Book, Divide, Talk, TalkClient, TalkServer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rsa::{PrivateKey, pkcs8::DecodePrivateKey};

/// A folder of a test's own, gone when the test is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("pnet-keys-{}-{number}", std::process::id()));
        // What a test that was killed has left under this number.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a file in its place that its owner alone may read.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file can be written");
        set_mode(&path, 0o600);
        path
    }

    /// What is in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file as it is now: what must not have changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    content: Vec<u8>,
    mode: u32,
    written: std::time::SystemTime,
}

impl Snapshot {
    pub(crate) fn of(path: &Path) -> Self {
        let written = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("the file is there");
        Self { content: fs::read(path).expect("the file can be read"), mode: mode(path), written }
    }
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode can be set");
}

#[cfg(not(unix))]
pub(crate) fn mode(_: &Path) -> u32 {
    0o600
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) {}

/// One of the RSA keys that the tests share, in PEM as pnet has written it.
pub(crate) fn rsa(number: usize) -> &'static str {
    static KEYS: [OnceLock<String>; 3] = [const { OnceLock::new() }; 3];
    KEYS[number].get_or_init(|| {
        // On a thread without a runtime, since those that ask have one.
        let make = thread::spawn(|| {
            let folder = Folder::new();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
            let made = runtime.block_on(Identity::load_or_create_with(folder.path("key"), 2048));
            made.expect("a key can be made");
            fs::read_to_string(folder.path("key")).expect("it was written")
        });
        make.join().expect("no panic")
    })
}

/// The same as an identity.
pub(crate) fn identity(number: usize) -> Identity {
    Identity::from_pem(rsa(number)).expect("it is a key")
}

/// Its fingerprint.
pub(crate) fn pin(number: usize) -> Fingerprint {
    identity(number).fingerprint()
}

/// The numbers of a key, in the order in which they stand in the file.
pub(crate) fn numbers(pem: &str) -> PrivateKey {
    PrivateKey::from_pkcs8_pem(pem).expect("it is an RSA key")
}

/// What `openssl` prints; `input` is what it reads.
pub(crate) fn openssl(arguments: &str, input: impl AsRef<[u8]>) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("these tests need the program `openssl`: {error}"));
    let written = child.stdin.take().expect("it is piped").write_all(input.as_ref());
    // One that needs no input may be gone by now.
    if let Err(error) = written {
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    let output = child.wait_with_output().expect("its output can be read");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same as text.
pub(crate) fn openssl_text(arguments: &str, input: impl AsRef<[u8]>) -> String {
    String::from_utf8(openssl(arguments, input)).expect("it prints text")
}

/// The fingerprint of a private key, by `openssl` alone.
pub(crate) fn fingerprint_by_openssl(pem: &str) -> Fingerprint {
    let spki = openssl("pkey -pubout -outform DER", pem);
    let hash = openssl("dgst -sha256 -binary", spki);
    Fingerprint::from_bytes(hash.try_into().expect("it has 32 bytes"))
}

/// Fails if a text that people see holds 16 characters in a row of the base64 of one of these keys.
pub(crate) fn assert_keeps_secret(text: &str, keys: &[&str]) {
    for pem in keys {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let parts = text.as_bytes().windows(16).filter_map(|part| str::from_utf8(part).ok());
        let told = parts.filter(|part| base64.contains(part)).count();
        assert_eq!(told, 0, "a part of a key is in: {text}");
    }
}

/// An authority that issues certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) pem: String,
}

/// A server's certificate and what belongs to it, in PEM.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::made(name, |params, key| params.self_signed(key))
    }

    /// One that this one has issued a certificate for.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        Self::made(name, |params, key| params.signed_by(key, &self.issuer))
    }

    fn made(
        name: &str,
        sign: impl FnOnce(&CertificateParams, &KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
    ) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = sign(&params, &key).expect("it can be signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names, with a key of its own.
    pub(crate) fn issue(&self, names: &[&str]) -> Leaf {
        self.issue_with(names, &KeyPair::generate().expect("a key can be made"), |_| {})
    }

    /// The same for a key that is there already, with whatever `change` makes of it.
    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        key: &KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("they are names");
        change(&mut params);
        let chain = params.signed_by(key, &self.issuer).expect("it can be signed").pem();
        Leaf { chain, key: key.serialize_pem() }
    }
}

impl Leaf {
    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::from_pem(&self.chain, &self.key).expect("they belong together")
    }
}

/// What the servers of these tests are called.
pub(crate) const NAME: &str = "host.example:25565";

/// A server that is patient: on a busy machine a handshake may take long.
pub(crate) fn server() -> ServerBuilder<TalkServer> {
    pnet::serve(TalkServer, Book::default()).handshake_timeout(PATIENCE)
}

/// A server in memory with a raw key.
pub(crate) fn server_with(identity: Identity) -> MemoryServer<Talk> {
    server().identity(identity).in_memory()
}

/// A client that is patient, too.
pub(crate) fn client() -> ClientBuilder<TalkClient> {
    pnet::connect(TalkClient, Book::default()).handshake_timeout(PATIENCE)
}

/// Connects to a server in memory, which the client knows by [`NAME`].
pub(crate) async fn dial(
    server: &MemoryServer<Talk>,
    client: ClientBuilder<TalkClient>,
) -> Result<Client<Talk>, ConnectError> {
    dial_as(server, NAME, client).await
}

/// The same for a server with another name.
pub(crate) async fn dial_as(
    server: &MemoryServer<Talk>,
    name: &str,
    client: ClientBuilder<TalkClient>,
) -> Result<Client<Talk>, ConnectError> {
    let io = server.connector().open().await.expect("the server is there");
    client.over(io, PeerAddr::Other(name.to_owned())).await
}

/// Whether calls are answered.
pub(crate) async fn works(client: &Client<Talk>) -> bool {
    client.call(Divide { a: 6, b: 3 }).await.is_ok_and(|quotient| quotient.q == 2)
}

/// Why there is no TLS.
#[track_caller]
pub(crate) fn tls(result: Result<Client<Talk>, ConnectError>) -> TlsError {
    match result {
        Err(ConnectError::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Which key was not the expected one.
#[track_caller]
pub(crate) fn untrusted(result: Result<Client<Talk>, ConnectError>) -> Untrusted {
    match tls(result) {
        TlsError::Untrusted(untrusted) => untrusted,
        other => panic!("{other:?}"),
    }
}

/// What the settings lack, in words.
#[track_caller]
pub(crate) fn settings(result: Result<Client<Talk>, ConnectError>) -> &'static str {
    match tls(result) {
        TlsError::Settings { what } => what,
        other => panic!("{other:?}"),
    }
}

/// Runs one of this program's tests in a process of its own, with these variables, and gives what it prints.
pub(crate) fn child(test: &str, variables: &[(&str, &Path)]) -> std::process::Child {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture"]).envs(variables.iter().copied()).env_remove("SSL_CERT_DIR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("this program can be started again")
}

/// Longer than any test takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
