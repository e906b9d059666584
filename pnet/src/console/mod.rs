//! The operator's console of a running program: looks into a server or client, tries it, and steers it.
//!
//! A [`Console`] has one set of commands, and three ways to them: the program's own terminal ([`Console::run`]), any reader
//! and writer ([`Console::run_on`]), and programs that attach to it from outside ([`Console::listen`],
//! [`Console::listen_tls`]; their end is in [`attach`]). `docs/console.md` in the repository has all commands.
//!
//! Inside, `answer` runs a line of an operator, who is a `session`: `words` are what it is made of, `commands` has all commands
//! and reads what stands behind their names, `ids` finds connections, and `output` is what all text and JSON goes through on
//! its way out.
//!
//! # Examples
//!
//! ```
//! use pnet::{
//!     Packet, action, actions,
//!     console::{Console, Terminal},
//!     protocol,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Packet, Serialize, Deserialize)]
//! pub struct Add { a: i64, b: i64 }
//!
//! #[derive(Packet, Serialize, Deserialize)]
//! pub struct Sum { sum: i64 }
//!
//! protocol! { pub Math { client { Add -> Sum } } }
//!
//! #[action("ADD")]
//! fn add(p: Add) -> Sum { Sum { sum: p.a + p.b } }
//!
//! actions! { pub server MathServer for Math: add }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = pnet::serve(MathServer, ()).bind("127.0.0.1:0").await?;
//!     let console = Console::new(&server).name("Math");
//!
//!     // `console.run().await` would talk to whoever has started the program. Here a script does.
//!     let mut said = Vec::new();
//!     let ended = console.run_on(&b"trigger ADD {\"a\": 1, \"b\": 2}\n"[..], &mut said, Terminal::plain()).await?;
//!     assert_eq!(ended.status(), 0);
//!     assert!(String::from_utf8(said)?.starts_with("Sum {\"sum\":3}"));
//!     Ok(())
//! }
//! ```

mod answer;
pub mod attach;
mod command;
mod commands;
mod complete;
mod ending;
mod fault;
mod format;
mod ids;
mod lines;
mod output;
mod protocol;
mod sample;
mod serve;
mod session;
mod standard;
mod terminal;
mod words;

use std::{
    fmt,
    io::{self, IsTerminal},
    sync::Arc,
};

use tokio::io::{AsyncRead, AsyncWrite};

pub use self::{
    command::Command,
    serve::Attachment,
    terminal::{Ended, Terminal},
};
use self::{ending::Ending, session::Session};
use crate::{
    error::BindError,
    inspect::{Inspect, Inspector},
};

/// The console of a server or client. Cheap to clone; holding one keeps nothing open.
#[derive(Clone)]
pub struct Console {
    shared: Arc<Shared>,
}

/// Sets the level of the program's log, or says why not.
type LogControl = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// What all operators of a console share.
#[derive(Clone)]
struct Shared {
    inspector: Inspector,
    name: Option<String>,
    log: Option<LogControl>,
    own: Vec<Command>,
    /// Commands of the program's own that cannot be had: two of one name.
    clash: Option<String>,
    ending: Arc<Ending>,
}

impl Shared {
    /// What the program is called.
    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.inspector.info().name)
    }
}

impl Console {
    /// A console that looks into `target`: a [`Server`](crate::Server) or its [`ServerHandle`](crate::ServerHandle), a
    /// [`MemoryServer`](crate::memory::MemoryServer), a [`Client`](crate::Client).
    #[must_use]
    pub fn new(target: &impl Inspect) -> Self {
        let shared = Shared {
            inspector: target.inspector(),
            name: None,
            log: None,
            own: Vec::new(),
            clash: None,
            ending: Arc::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What the program is called: in the prompt, and to those who attach. The protocol's name unless this says otherwise.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.with(|shared| shared.name = Some(name))
    }

    /// What `log LEVEL` does: `control` is given the level as it was typed, and says in words what it has done, or why it
    /// has not. Without this, `log` says that the program does not offer it.
    #[must_use]
    pub fn log_control(self, control: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.log = Some(Arc::new(control)))
    }

    /// Adds a command of the program's own.
    ///
    /// A name that the console or another command has already, or that is no word, is an error of [`run`](Self::run),
    /// [`run_on`](Self::run_on), [`listen`](Self::listen) and [`listen_tls`](Self::listen_tls).
    #[must_use]
    pub fn command(self, command: Command) -> Self {
        self.with(|shared| {
            shared.clash = shared.clash.take().or_else(|| commands::clash(&command, &shared.own));
            shared.own.push(command);
        })
    }

    /// Runs the console on the program's standard streams until they end, the operator leaves, or the program is stopped.
    ///
    /// On a terminal it prompts and asks; else it runs the lines that are piped in, one after the other, and
    /// [`Ended::status`] tells the first that failed.
    ///
    /// The standard input of a process can only be read by blocking a thread. It is one of its own, which the runtime does
    /// not wait for: a program whose `main` returns ends, also while the operator has not typed anything. What the thread
    /// has read and nobody took by then is lost.
    ///
    /// It does not notice that the program has ended what it looks into by itself: then wait for both.
    ///
    /// # Errors
    ///
    /// The streams' own, but that nobody reads any more ends it in good order; of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if two commands have one name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command that runs, and with it the console. A line that was read in part is lost.
    pub async fn run(self) -> io::Result<Ended> {
        let is_person = io::stdin().is_terminal() && io::stdout().is_terminal();
        let terminal = if is_person { Terminal::interactive() } else { Terminal::plain() };
        self.run_with(terminal).await
    }

    /// The same with settings: [`run`](Self::run) takes [`Terminal::interactive`] where both streams are a terminal, and
    /// [`Terminal::plain`] where they are not.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_with(self, terminal: Terminal) -> io::Result<Ended> {
        self.run_on(standard::input()?, standard::output()?, terminal).await
    }

    /// Runs the console on any reader and writer: see [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_on(
        self,
        reader: impl AsyncRead + Send + Unpin,
        writer: impl AsyncWrite + Send + Unpin,
        terminal: Terminal,
    ) -> io::Result<Ended> {
        if let Some(clash) = &self.shared.clash {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, clash.clone()));
        }
        let operator = terminal.operator_name().to_owned();
        terminal::run(&Session::new(self.shared, operator), reader, writer, &terminal).await
    }

    /// Lets operators of this machine attach at a Unix socket, with [`attach::unix`] or `pnet attach PATH`: the user whom the
    /// program runs as, and root.
    ///
    /// The socket belongs into a directory that nobody else may enter. It is there until the [`Attachment`] is dropped.
    ///
    /// # Errors
    ///
    /// [`BindError`]: the socket cannot be made there, or two commands have one name.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is bound.
    #[cfg(unix)]
    pub async fn listen(&self, path: impl AsRef<std::path::Path>) -> Result<Attachment, BindError> {
        self.check(path.as_ref().display())?;
        serve::unix(&self.shared, path.as_ref()).await
    }

    /// Lets operators with one of these keys attach from elsewhere, over TLS, with [`attach::tls`] or `pnet attach ADDRESS`.
    /// There are no passwords, and no plain text.
    ///
    /// # Errors
    ///
    /// [`BindError`]: the address cannot be bound, or two commands have one name.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing is bound.
    #[cfg(feature = "tls")]
    pub async fn listen_tls(
        &self,
        address: impl crate::transport::tcp::Address,
        identity: crate::Identity,
        operators: impl IntoIterator<Item = crate::Fingerprint>,
    ) -> Result<Attachment, BindError> {
        self.check(address.to_name())?;
        serve::tls(&self.shared, address, identity, operators).await
    }

    /// Refuses to be had with two commands of one name.
    fn check(&self, address: impl fmt::Display) -> Result<(), BindError> {
        let Some(clash) = &self.shared.clash else { return Ok(()) };
        let source = io::Error::new(io::ErrorKind::InvalidInput, clash.clone());
        Err(BindError::Io { address: address.to_string(), source })
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
