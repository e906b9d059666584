//! What contestants with TLS prove who they are with: one RSA key of 2048 bits and a certificate for it, made anew each time
//! the program starts. The processes of server and client find them in a folder that a variable of the environment names.

use std::{fs, path::PathBuf, sync::OnceLock};

use pnet::Identity;
use rcgen::{CertificateParams, KeyPair};
use tokio::runtime::Builder;

use crate::contestant::Result;

/// The folder, for as long as this is there.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the key and the certificate.
    pub fn new() -> Result<Self> {
        let folder = Self(std::env::temp_dir().join(format!("pnet-bench-{}", std::process::id())));
        fs::create_dir_all(&folder.0)?;
        let path = folder.0.join(KEY);
        let runtime = Builder::new_current_thread().build()?;
        let identity = runtime.block_on(Identity::load_or_create_with(&path, BITS))?;
        let key = KeyPair::from_pem(&fs::read_to_string(path)?)?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
        fs::write(folder.0.join(PIN), identity.fingerprint().to_string())?;
        fs::write(folder.0.join(CERTIFICATE), certificate.pem())?;
        Ok(folder)
    }

    /// How a process is told of it.
    pub const fn variable(&self) -> (&'static str, &PathBuf) {
        (VARIABLE, &self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a client knows of its server.
#[derive(Debug)]
pub struct Trusted {
    /// The fingerprint of its key.
    pub pin: String,
    /// In PEM.
    pub certificate: String,
}

/// Read once: clients connect many times.
pub fn trusted() -> Result<&'static Trusted> {
    static TRUSTED: OnceLock<Trusted> = OnceLock::new();
    if let Some(trusted) = TRUSTED.get() {
        return Ok(trusted);
    }
    let trusted = Trusted { pin: read(PIN)?, certificate: read(CERTIFICATE)? };
    Ok(TRUSTED.get_or_init(|| trusted))
}

/// The server's private key, in PEM.
pub fn key() -> Result<String> {
    read(KEY)
}

fn read(name: &str) -> Result<String> {
    let folder = std::env::var_os(VARIABLE).ok_or_else(|| format!("{VARIABLE} is not set"))?;
    Ok(fs::read_to_string(PathBuf::from(folder).join(name))?)
}

const VARIABLE: &str = "PNET_BENCH_KEYS";
const KEY: &str = "key.pem";
const CERTIFICATE: &str = "certificate.pem";
const PIN: &str = "pin";
const BITS: u32 = 2048;
