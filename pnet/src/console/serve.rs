//! The console for those who attach: a server of pnet's own kind, with limits for a few people.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use pnet_macros::{action, actions};
use pnet_protocol::limits::Limits;

use super::{
    Shared, answer,
    attach::RunOptions,
    complete,
    output::After,
    protocol::{About, CommandInfo, Complete, Completion, Hello, NotSampled, PnetConsole, Ran, Run, Sample, Sampled},
    sample,
    session::Session,
};
use crate::{Peer, ServerBuilder, ServerHandle, error::BindError, serve};

actions! {
    pub(crate) server ConsoleServer(Console) for PnetConsole(Session): joined, left, hello, run, complete_line, sample_now
}

/// Where operators attach. Dropped, those who have are closed, and nobody else can.
#[must_use = "dropped, nobody can attach"]
pub struct Attachment {
    address: String,
    handle: ServerHandle<PnetConsole>,
    /// The server, which ends when it is dropped.
    _server: Box<dyn Any + Send + Sync>,
}

impl Attachment {
    /// What to attach to: the path, or the address with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets what operators are doing finish, for a second, tells them, and ends it. When this is ready, the socket is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends it at once.
    pub async fn close(self) {
        self.handle.shutdown(GRACE).await;
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What all who attach share.
pub(crate) struct Console {
    shared: Arc<Shared>,
}

/// Listens at a Unix socket.
#[cfg(unix)]
pub(super) async fn unix(shared: &Arc<Shared>, path: &std::path::Path) -> Result<Attachment, BindError> {
    let acceptor = crate::transport::unix::UnixAcceptor::bind(path).await?;
    let server = settings(shared).listen(acceptor);
    Ok(Attachment { address: path.display().to_string(), handle: server.handle(), _server: Box::new(server) })
}

/// Listens at an address, for those whose keys are listed.
#[cfg(feature = "tls")]
pub(super) async fn tls(
    shared: &Arc<Shared>,
    address: impl crate::transport::tcp::Address,
    identity: crate::Identity,
    operators: impl IntoIterator<Item = crate::Fingerprint>,
) -> Result<Attachment, BindError> {
    let server = settings(shared).identity(identity).clients(operators).bind(address).await?;
    Ok(Attachment { address: server.local_addr().to_string(), handle: server.handle(), _server: Box::new(server) })
}

fn settings(shared: &Arc<Shared>) -> ServerBuilder<ConsoleServer> {
    // A line is at most as long as one that is typed, which JSON may write in six times as many bytes.
    let limits = *Limits::default().max_frame_len(512 * 1024).calls(8).packets(8).streams(1);
    serve(ConsoleServer, Console { shared: Arc::clone(shared) })
        .limits(limits)
        .max_connections(OPERATORS)
        .max_memory(MEMORY)
        .grace(GRACE)
}

#[action(connect)]
fn joined(me: Peer<PnetConsole>, console: &Console) -> Session {
    let operator = me.key().map_or_else(|| me.addr().to_string(), ToString::to_string);
    tracing::info!(operator, "an operator has attached");
    Session::new(Arc::clone(&console.shared), operator)
}

#[action(disconnect)]
fn left(session: &Session) {
    tracing::info!(operator = session.operator(), "an operator has left");
}

#[action("CONSOLE_HELLO")]
fn hello(_: Hello, session: &Session) -> About {
    let shared = session.shared();
    let about = shared.inspector.snapshot().about;
    About {
        name: shared.title().to_owned(),
        role: about.role,
        protocol: about.protocol,
        version: about.version,
        uptime_ms: about.uptime_ms,
        connections: shared.inspector.conns().len() as u64,
        operator: session.operator().to_owned(),
        commands: commands(shared),
    }
}

/// Lines of one operator may run side by side, so that one that waits does not hold up `exit`.
#[action("CONSOLE_RUN", concurrent)]
async fn run(p: Run, session: &Session, console: &Console) -> Ran {
    let options = RunOptions { json: p.json, confirmed: p.confirmed, columns: p.columns };
    let answer = answer::run(session, &p.line, options).await;
    if answer.after == After::Stop {
        let shared = Arc::clone(&console.shared);
        // The answer goes first: the program may end with what is stopped.
        tokio::spawn(async move {
            tokio::time::sleep(LAST_WORDS).await;
            shared.ending.stop(&shared.inspector);
        });
    }
    Ran {
        text: answer.text,
        exit: answer.exit,
        question: answer.question,
        clear: answer.after == After::Clear,
        leave: answer.after == After::Leave,
    }
}

#[action("CONSOLE_COMPLETE")]
fn complete_line(p: Complete, session: &Session) -> Completion {
    complete::complete(session, &p.line, usize::try_from(p.at).unwrap_or(usize::MAX))
}

#[action("CONSOLE_SAMPLE")]
fn sample_now(p: Sample, session: &Session) -> Result<Sampled, NotSampled> {
    let snapshot = session.shared().inspector.snapshot();
    let mut rates = session.rates();
    let arranged = sample::arrange(snapshot, &p, &mut rates).map_err(|fault| NotSampled { why: fault.to_string() })?;
    drop(rates);
    let text = serde_json::to_string(&arranged);
    let text = text.map_err(|error| NotSampled { why: format!("the snapshot cannot be written: {error}") })?;
    if text.len() > SAMPLE_LEN {
        return Err(NotSampled { why: format!("{} bytes are too many: ask for fewer connections", text.len()) });
    }
    Ok(Sampled { snapshot: text })
}

fn commands(shared: &Shared) -> Vec<CommandInfo> {
    let built_in = super::commands::COMMANDS.iter().map(|spec| CommandInfo {
        name: spec.name.to_owned(),
        aliases: spec.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        arguments: spec.arguments(),
        help: spec.help.to_owned(),
        asks: spec.asks,
    });
    let own = shared.own.iter().map(|command| CommandInfo {
        name: command.name().to_owned(),
        arguments: super::output::harmless(command.arguments_text()),
        help: super::output::harmless(command.help_text()),
        ..CommandInfo::default()
    });
    built_in.chain(own).collect()
}

/// What operators are given at the end.
const GRACE: Duration = Duration::from_secs(1);
/// How many operators may be attached at once.
const OPERATORS: usize = 16;
/// What may be held for all of them.
const MEMORY: usize = 64 * 1024 * 1024;
/// How long an answer has to be written before the program may end.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// The longest snapshot, which JSON may write in twice as many bytes.
const SAMPLE_LEN: usize = 3 * 1024 * 1024;
