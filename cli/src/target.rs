//! Whom to connect to, whom to trust, and what to show: the options that all commands share.

use std::{
    fs::File,
    io::{self, Read},
    net::Ipv6Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueHint};
use pnet::{
    Fingerprint, Identity,
    dynamic::{self, Builder, Client, Inbox},
};
use serde_json::Value;

use crate::{
    duration,
    exit::{Failure, explained},
};

/// A server, and how to get in.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// The server: HOST:PORT, or HOST for port 25565
    #[arg(value_name = "ADDR", value_hint = ValueHint::Hostname)]
    pub(crate) address: String,
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// A file with the credentials to show, as JSON; or the environment's PNET_CREDENTIALS. Never an argument,
    /// since everybody on the machine can read those
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) credentials_file: Option<PathBuf>,
    /// A file with the server's schema, as `pnet schema` prints it; the server is not asked then
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) schema: Option<PathBuf>,
    /// How long connecting may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse_positive,
        help_heading = CONNECTION)]
    pub(crate) connect_timeout: Duration,
}

/// Whom to trust. Without any of it the connection is plain text, and does not leave this machine.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Trust {
    /// TLS, to a server that has this key: SHA256:…, which the server prints
    #[arg(long, value_name = "FINGERPRINT", help_heading = CONNECTION)]
    pub(crate) pin: Vec<String>,
    /// TLS, to a server whose key is in this file; a new server is trusted once, and written down
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) known_hosts: Option<PathBuf>,
    /// TLS, to a server with a certificate of an authority in this PEM file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) roots: Vec<PathBuf>,
    /// TLS, to a server with a certificate of an authority that this system trusts
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) system_roots: bool,
    /// The name the certificate has to be for, if it is not that of ADDR
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    pub(crate) server_name: Option<String>,
    /// A PEM file with the key to show to the server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) identity: Option<PathBuf>,
    /// Allow plain text beyond this machine
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) plaintext_on_network: bool,
    /// Allow credentials in plain text beyond this machine
    #[arg(long, help_heading = CONNECTION)]
    pub(crate) plaintext_credentials: bool,
}

/// The console of a running program.
#[derive(Clone, Debug, Args)]
pub(crate) struct Console {
    /// The console's socket, or its HOST:PORT
    #[arg(value_name = "PATH|ADDR", value_hint = ValueHint::AnyPath)]
    pub(crate) place: String,
    /// Over HOST:PORT, the console's key: SHA256:…
    #[arg(long, value_name = "FINGERPRINT", help_heading = CONNECTION)]
    pub(crate) pin: Option<String>,
    /// Over HOST:PORT, a PEM file with the operator's key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    pub(crate) identity: Option<PathBuf>,
}

const CONNECTION: &str = "Connection";

/// The port of servers that have not chosen one.
const PORT: u16 = 25565;

impl Target {
    /// Connects; a call waits for its answer so long.
    ///
    /// # Errors
    ///
    /// An option cannot be meant like this, a file cannot be read, or the server cannot be connected to.
    pub(crate) async fn connect(&self, call_timeout: Duration) -> Result<(Client, Inbox), Failure> {
        let (address, builder) = self.builder(call_timeout).await?;
        Ok(builder.to(address).await?)
    }

    /// Where to connect to, and how: for those who connect more than once.
    pub(crate) async fn builder(&self, call_timeout: Duration) -> Result<(String, Builder), Failure> {
        let address = with_port(&self.address)?;
        let mut builder = self
            .trust
            .apply(dynamic::connect())
            .await?
            .call_timeout(Some(call_timeout))
            .handshake_timeout(self.connect_timeout);
        if let Some(credentials) = self.credentials()? {
            builder = builder.credentials(credentials);
        }
        if let Some(file) = &self.schema {
            builder = builder.schema(text_of(file, MAX_SCHEMA)?);
        }
        Ok((address, builder))
    }

    /// What is to be shown. What is wrong with it is told without quoting it.
    fn credentials(&self) -> Result<Option<Value>, Failure> {
        let (text, place) = match (&self.credentials_file, std::env::var(CREDENTIALS)) {
            (Some(file), _) => (text_of(file, MAX_CREDENTIALS)?, file.display().to_string()),
            (None, Ok(text)) => (text, CREDENTIALS.to_owned()),
            (None, Err(std::env::VarError::NotPresent)) => return Ok(None),
            (None, Err(_)) => return Err(Failure::usage(format_args!("{CREDENTIALS} is not UTF-8"))),
        };
        let read = serde_json::from_str(&text).map(Some);
        read.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Failure::usage(format_args!("the credentials in {place} are no JSON: line {line}, column {column}"))
        })
    }
}

impl Trust {
    async fn apply(&self, mut builder: Builder) -> Result<Builder, Failure> {
        for pin in &self.pin {
            let pin: Fingerprint = pin.parse().map_err(|error| Failure::usage(explained(&error)))?;
            builder = builder.pin(pin);
        }
        if let Some(file) = &self.known_hosts {
            builder = builder.known_hosts(file);
        }
        for file in &self.roots {
            builder = builder.roots(text_of(file, MAX_PEM)?);
        }
        if self.system_roots {
            builder = builder.system_roots();
        }
        if let Some(name) = &self.server_name {
            builder = builder.server_name(name);
        }
        if let Some(file) = &self.identity {
            builder = builder.identity(identity(file).await?);
        }
        if self.plaintext_on_network {
            builder = builder.plaintext_on_network();
        }
        if self.plaintext_credentials {
            builder = builder.plaintext_credentials();
        }
        Ok(builder)
    }
}

/// Reads a key. None is made where there is none: whoever mistypes the file's name is told so.
pub(crate) async fn identity(file: &Path) -> Result<Identity, Failure> {
    if !file.exists() {
        let shown = file.display();
        return Err(Failure::usage(format_args!("there is no key {shown}: `pnet key {shown}` makes one")));
    }
    Identity::load_or_create(file).await.map_err(|error| Failure::usage(explained(&error)))
}

/// The text of a file that the user names.
fn text_of(file: &Path, max: u64) -> Result<String, Failure> {
    let read = File::open(file).and_then(|file| read_at_most(file, max));
    read.map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", file.display())))
}

/// Reads a text to its end, if that comes soon enough.
pub(crate) fn read_at_most(reader: impl Read, max: u64) -> io::Result<String> {
    let mut text = String::new();
    reader.take(max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::other(format!("it is longer than {max} bytes")));
    }
    Ok(text)
}

/// The variable of the environment with the credentials.
const CREDENTIALS: &str = "PNET_CREDENTIALS";

const MAX_CREDENTIALS: u64 = 64 * 1024;

const MAX_PEM: u64 = 4 * 1024 * 1024;

const MAX_SCHEMA: u64 = 4 * 1024 * 1024;

impl Console {
    /// Where the console is.
    pub(crate) fn place(&self) -> Place {
        let address = self.place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if address && !self.place.contains('/') {
            Place::Address(self.place.clone())
        } else {
            Place::Path(PathBuf::from(&self.place))
        }
    }
}

/// Where a console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a Unix socket.
    Path(PathBuf),
    /// At a port, with TLS.
    Address(String),
}

fn with_port(address: &str) -> Result<String, Failure> {
    if address.is_empty() || address.contains(char::is_whitespace) {
        return Err(Failure::usage(format_args!("`{address}` is no address: write HOST:PORT")));
    }
    // An IPv6 address has colons of its own.
    if let Ok(ip) = address.parse::<Ipv6Addr>() {
        return Ok(format!("[{ip}]:{PORT}"));
    }
    if address.starts_with('[') && address.ends_with(']') {
        return Ok(format!("{address}:{PORT}"));
    }
    match address.rsplit_once(':') {
        None => Ok(format!("{address}:{PORT}")),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(address.to_owned()),
        Some(_) => Err(Failure::usage(format_args!("`{address}` is no address: write HOST:PORT"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_may_be_left_out() {
        for (address, full) in [
            ("localhost", "localhost:25565"),
            ("localhost:1", "localhost:1"),
            ("::1", "[::1]:25565"),
            ("[::1]", "[::1]:25565"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(with_port(address).expect(address), full);
        }
        for address in ["", ":1", "host:", "host:http", "host:70000", "a b"] {
            assert!(with_port(address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_console_is_at_a_socket_or_a_port() {
        let place = |place: &str| Console { place: place.to_owned(), pin: None, identity: None }.place();
        assert_eq!(place("127.0.0.1:4040"), Place::Address("127.0.0.1:4040".to_owned()));
        for path in ["console", "/run/app/console", "./a:1", "a:b"] {
            assert_eq!(place(path), Place::Path(path.into()), "{path}");
        }
    }
}
