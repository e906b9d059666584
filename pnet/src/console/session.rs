//! One operator: runs lines, and remembers what was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pnet_protocol::protocol::Role;

use super::{
    Shared,
    command::Command,
    commands::{self, COMMANDS, Call, Consent},
    fault::{Fault, Plan},
    ids,
    line::{self, Parsed},
    output::{Output, render_fault},
    sample::Rates,
};
use crate::{operate::nearest, unwind::hook};

/// One operator of a console.
pub(crate) struct Session {
    shared: Arc<Shared>,
    /// As whom the operator is logged.
    operator: String,
    memory: Mutex<Memory>,
    pub(super) rates: Mutex<Rates>,
}

#[derive(Default)]
struct Memory {
    /// The lines that were not done yet, and what each does if the operator says yes; the newest [`QUESTIONS`].
    asked: VecDeque<(String, Plan)>,
}

/// What is to be done when an answer has been shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    #[default]
    Nothing,
    /// The screen is emptied.
    Clear,
    /// The operator leaves.
    Leave,
    /// What is looked into is ended.
    Stop,
}

/// How a line is run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) json: bool,
    pub(super) confirmed: bool,
    pub(super) columns: u16,
}

/// What a line has come to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) exit: u8,
    pub(super) question: Option<String>,
    pub(super) after: After,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, operator: impl Into<String>) -> Self {
        Self { shared, operator: operator.into(), memory: Mutex::default(), rates: Mutex::default() }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    pub(super) fn is_client(&self) -> bool {
        self.shared.inspector.role() == Role::Client
    }

    /// Runs a line.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the command at its next `.await`.
    pub(super) async fn run(&self, line: &str, options: Options) -> Answer {
        let began = Instant::now();
        let line = line.trim();
        let (done, as_json) = self.done(line, options).await;
        let mut answer = match done {
            Ok(output) => {
                let text = output.render(as_json, options.columns);
                Answer { text, exit: output.exit, after: output.after, ..Answer::default() }
            }
            Err(fault) => self.answer_to(line, fault, as_json),
        };
        let took = began.elapsed();
        if took >= SLOW && !as_json && answer.question.is_none() {
            answer.text.push_str(&format!("took {:.2} s\n", took.as_secs_f64()));
        }
        answer
    }

    fn answer_to(&self, line: &str, fault: Fault, as_json: bool) -> Answer {
        let text = render_fault(&fault, as_json);
        match fault {
            Fault::Failed { exit, .. } => Answer { text, exit, ..Answer::default() },
            Fault::Ask { question, plan } => {
                let asked = &mut self.memory().asked;
                asked.truncate(QUESTIONS - 1);
                asked.push_front((line.to_owned(), plan));
                let question = Some(super::output::harmless(&question));
                Answer { text, exit: super::fault::USAGE, question, ..Answer::default() }
            }
        }
    }

    /// What comes of a line, and whether it is wanted as JSON.
    async fn done(&self, line: &str, options: Options) -> (Result<Output, Fault>, bool) {
        let asked = {
            let asked = &mut self.memory().asked;
            let place = asked.iter().position(|(asked, _)| asked == line);
            place.and_then(|place| asked.remove(place))
        };
        if line.len() > MAX_LINE {
            let message = format!("a line of {} bytes is longer than {MAX_LINE}, which is the most", line.len());
            return (Err(Fault::usage(message)), options.json);
        }
        let (name, words, mut parsed) = match line::begin(line) {
            Ok(begun) => begun,
            Err(fault) => return (Err(fault), options.json),
        };
        let Some(name) = name else { return (Ok(Output::default()), options.json) };
        parsed.json |= options.json;
        if let Some(command) = self.shared.own.iter().find(|command| command.name() == name) {
            let read = parsed.read_words(words);
            let as_json = parsed.json;
            let done = match read {
                Ok(()) => self.run_own(command, parsed).await,
                Err(fault) => Err(fault),
            };
            return (done, as_json);
        }
        let Some(spec) = commands::find(&name) else { return (Err(self.unknown(&name)), parsed.json) };
        let conns = self.shared.inspector.conns();
        let is_client = self.is_client();
        // The empty word asks whether an id may be left out.
        let is_id = |word: &str| if word.is_empty() { is_client } else { !is_client || ids::is_own(word, &conns) };
        let read = parsed.read(spec, words, &is_id);
        let as_json = parsed.json;
        if let Err(fault) = read {
            return (Err(fault), as_json);
        }
        let consent = match asked {
            Some((_, plan)) if options.confirmed => Consent::Planned(plan),
            _ if options.confirmed || parsed.yes => Consent::Yes,
            _ => Consent::None,
        };
        let call = Call { session: self, parsed: &parsed, consent };
        let done = match tokio::time::timeout(commands::TIME, (spec.run)(&call)).await {
            Ok(done) => done,
            Err(_) => Err(Fault::timed_out(format!("`{}` was not done within {:?}", spec.name, commands::TIME))),
        };
        (done, as_json)
    }

    /// Runs a command of the program's own.
    async fn run_own(&self, command: &Command, parsed: Parsed) -> Result<Output, Fault> {
        let name = command.name();
        tracing::info!(operator = %self.operator, command = name, "an operator's command");
        let running = hook::run(name, || command.running(parsed.words));
        match tokio::time::timeout(command.time(), running).await {
            Ok(Ok(Ok(text))) => {
                let json = serde_json::json!({"command": name, "text": text});
                Ok(Output::text(text, json))
            }
            Ok(Ok(Err(error))) => Err(Fault::refused(error)),
            Ok(Err(hook::Panicked)) => Err(Fault::refused(format!("`{name}` has panicked; the log says where"))),
            Err(_) => Err(Fault::timed_out(format!("`{name}` was not done within {:?}", command.time()))),
        }
    }

    /// Why a command of this name is not run.
    pub(super) fn unknown(&self, name: &str) -> Fault {
        let shown = pnet_protocol::text::cut(name, SHOWN_LEN);
        if let Some((_, instead)) = GONE.iter().find(|(gone, _)| *gone == name) {
            return Fault::usage(format!("there is no `{name}` here: {instead}"));
        }
        let own = self.shared.own.iter().map(Command::name);
        let all = COMMANDS.iter().flat_map(|spec| std::iter::once(spec.name).chain(spec.aliases.iter().copied()));
        match &*nearest(name, all.chain(own)) {
            [] => Fault::usage(format!("unknown command \"{shown}\"; `help` lists all")),
            nearest => Fault::usage(format!("unknown command \"{shown}\"; nearest: {}", nearest.join(", "))),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest line, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Questions of one operator that wait for an answer.
const QUESTIONS: usize = 16;
/// The most of a name that is not known.
const SHOWN_LEN: usize = 64;
/// How long a command has to take for the time to be worth a line.
const SLOW: Duration = Duration::from_millis(500);
/// Commands of the Python library's console that have no counterpart.
const GONE: &[(&str, &str)] = &[
    ("token", "the secret one is shown to nobody, and the public id of each connection is in `list`"),
    ("start", "what the console looks into has been started already"),
    ("mode", "there are no modes; `clear` works in any terminal"),
    ("disconnectrecent", "say `disconnect latest`"),
];
