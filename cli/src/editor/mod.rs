//! Where lines come from: an editor with completion on a terminal, or whatever is piped in.
//!
//! The editor runs on a thread of its own, since it blocks while somebody types. What is to be shown meanwhile goes through a
//! [`Printer`], which puts it above the line.

mod history;
mod lines;
mod terminal;

use std::{
    borrow::Cow,
    collections::VecDeque,
    io::{self, IsTerminal},
    sync::{Arc, mpsc as blocking},
    thread,
};

use rustyline::{
    CompletionType, Config, Context, ExternalPrinter, Helper,
    completion::{Completer, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::{Hint, Hinter},
    history::MemHistory,
    validate::Validator,
};
use tokio::sync::mpsc;

pub(crate) use self::history::History;
use self::{
    lines::Lines,
    terminal::{Signals, Terminal},
};
use crate::{
    exit::{Exit, Failure},
    text,
};

/// What came of asking for a line.
#[derive(Debug)]
pub(crate) enum Input {
    /// A line.
    Line(String),
    /// A line that cannot be read. Others may follow.
    Unreadable(Failure),
    /// ctrl-c was pressed.
    Interrupted,
    /// There are no more lines.
    Ended,
    /// The program was told to end, which makes this its status.
    Told(Exit),
}

/// Knows how a line may go on. It is asked while somebody waits at the keyboard, so it answers at once or nothing.
pub(crate) trait Words: Send + Sync {
    /// Where the word begins that is completed, in bytes, and what may stand there.
    fn complete(&self, line: &str, at: usize) -> (usize, Vec<Candidate>);

    /// What is expected behind this line, to be shown in grey.
    fn hint(&self, line: &str) -> Option<String>;

    /// What of this line may be kept for later sessions.
    fn kept(&self, line: &str) -> Option<String>;
}

/// Knows nothing, and nothing is kept.
impl Words for () {
    fn complete(&self, _: &str, at: usize) -> (usize, Vec<Candidate>) {
        (at, Vec::new())
    }

    fn hint(&self, _: &str) -> Option<String> {
        None
    }

    fn kept(&self, _: &str) -> Option<String> {
        None
    }
}

/// How a line may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// What is put into the line.
    pub(crate) text: String,
    /// What is said about it.
    pub(crate) note: String,
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Editor {
    asked: blocking::Sender<String>,
    inputs: mpsc::Receiver<Input>,
    /// Lines of a paste that were not asked for yet.
    pasted: VecDeque<String>,
    printer: Option<Printer>,
    signals: Signals,
    /// The program was told to end.
    told: Option<Exit>,
    /// Set as it was when this is dropped.
    terminal: Option<Terminal>,
}

impl Editor {
    /// Whether a person types the lines and sees what is printed.
    pub(crate) fn is_interactive() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Reads lines from the terminal. `shows`: whether something is to be shown while somebody types.
    pub(crate) fn on_terminal(words: Arc<dyn Words>, mut history: History, shows: bool) -> Result<Self, Failure> {
        let terminal = Terminal::remember();
        let signals = signals(true)?;
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(1000)
            .map_err(unusable)?
            .history_ignore_space(true)
            .build();
        let mut editor =
            rustyline::Editor::<Assistant, MemHistory>::with_history(config.clone(), MemHistory::with_config(&config))
                .map_err(unusable)?;
        for line in history.take() {
            editor.add_history_entry(line).map_err(unusable)?;
        }
        editor.set_helper(Some(Assistant(Arc::clone(&words))));
        let printer =
            if shows { Some(Printer::start(editor.create_external_printer().map_err(unusable)?)?) } else { None };

        let (asked, prompts) = blocking::channel::<String>();
        let (sender, inputs) = mpsc::channel(1);
        spawn("editor", move || {
            while let Ok(prompt) = prompts.recv() {
                let input = match editor.readline(&prompt) {
                    Ok(line) => {
                        remember(&mut editor, &mut history, &*words, &line);
                        Input::Line(line)
                    }
                    Err(ReadlineError::Interrupted) => Input::Interrupted,
                    Err(ReadlineError::Eof) => Input::Ended,
                    Err(error) => {
                        let _ = sender.blocking_send(Input::Unreadable(unusable(error)));
                        Input::Ended
                    }
                };
                if sender.blocking_send(input).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asked, inputs, pasted: VecDeque::new(), printer, signals, told: None, terminal: Some(terminal) })
    }

    /// Reads lines from the standard input, whatever that is.
    pub(crate) fn piped() -> Result<Self, Failure> {
        let signals = signals(false)?;
        let (asked, prompts) = blocking::channel::<String>();
        let (sender, inputs) = mpsc::channel(1);
        spawn("lines", move || {
            let mut lines = Lines::new(io::stdin().lock());
            while prompts.recv().is_ok() {
                let input = match lines.next() {
                    Ok(Some(Ok(line))) => Input::Line(line),
                    Ok(Some(Err(failure))) => Input::Unreadable(failure),
                    Ok(None) => Input::Ended,
                    Err(error) => {
                        let failure = Failure::usage(format_args!("the standard input cannot be read: {error}"));
                        let _ = sender.blocking_send(Input::Unreadable(failure));
                        Input::Ended
                    }
                };
                if sender.blocking_send(input).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { asked, inputs, pasted: VecDeque::new(), printer: None, signals, told: None, terminal: None })
    }

    /// Whether somebody can be asked.
    pub(crate) const fn can_ask(&self) -> bool {
        self.terminal.is_some()
    }

    /// Shows what has happened while somebody types; `None` where nobody does, or nothing was to be shown.
    pub(crate) fn printer(&self) -> Option<Printer> {
        self.printer.clone()
    }

    /// Asks for the next line. Several that were pasted at once come one after the other.
    pub(crate) async fn line(&mut self, prompt: &str) -> Input {
        if self.told.is_none()
            && let Some(line) = self.pasted.pop_front()
        {
            return Input::Line(line);
        }
        match self.next(prompt).await {
            Input::Line(line) => {
                let mut lines = line.split(['\n', '\r']).map(str::to_owned);
                let first = lines.next().unwrap_or_default();
                self.pasted.extend(lines.filter(|line| !line.trim().is_empty()));
                Input::Line(first)
            }
            input => input,
        }
    }

    /// Asks a question, and says whether the answer was yes. What was pasted answers no question, and is dropped.
    pub(crate) async fn confirm(&mut self, question: &str) -> bool {
        self.pasted.clear();
        match self.next(&format!("{question} y/N ")).await {
            Input::Line(answer) => matches!(answer.trim(), "y" | "Y" | "yes"),
            _ => false,
        }
    }

    async fn next(&mut self, prompt: &str) -> Input {
        if let Some(exit) = self.told {
            return Input::Told(exit);
        }
        if self.asked.send(prompt.to_owned()).is_err() {
            return Input::Ended;
        }
        tokio::select! {
            biased;
            exit = self.signals.end() => {
                self.told = Some(exit);
                Input::Told(exit)
            }
            input = self.inputs.recv() => input.unwrap_or(Input::Ended),
        }
    }
}

/// Keeps a line: all of it for this session, and what may be kept for later ones.
fn remember(
    editor: &mut rustyline::Editor<Assistant, MemHistory>,
    history: &mut History,
    words: &dyn Words,
    line: &str,
) {
    if line.trim().is_empty() {
        return;
    }
    // A full history drops its oldest line, so this does not fail.
    let _ = editor.add_history_entry(line);
    if let Some(kept) = words.kept(line) {
        history.keep(&kept);
    }
}

/// Shows lines above the one that is being typed. Clones show them in the same place.
#[derive(Clone, Debug)]
pub(crate) struct Printer(blocking::SyncSender<String>);

impl Printer {
    /// The editor takes one line at a time and may block, so it has a thread.
    fn start(mut printer: impl ExternalPrinter + Send + 'static) -> Result<Self, Failure> {
        let (sender, lines) = blocking::sync_channel::<String>(WAITING);
        spawn("printer", move || {
            for line in lines {
                if printer.print(line + "\n").is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// Shows a line, which has to be harmless already. One that comes while too many wait is not shown, and is counted by the
    /// caller: `false`.
    pub(crate) fn show(&self, line: &str) -> bool {
        self.0.try_send(line.to_owned()).is_ok()
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(drop).map_err(|error| Failure::refused(format_args!("cannot start a thread: {error}")))
}

fn signals(interactive: bool) -> Result<Signals, Failure> {
    Signals::listen(interactive).map_err(|error| Failure::refused(format_args!("cannot wait for signals: {error}")))
}

fn unusable(error: ReadlineError) -> Failure {
    Failure::refused(format_args!("the terminal cannot be used: {error}"))
}

/// What the editor asks while somebody types.
struct Assistant(Arc<dyn Words>);

impl Helper for Assistant {}

impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = self.0.complete(line, pos);
        let start = if start <= pos && line.is_char_boundary(start) { start } else { pos };
        // Each in a line of its own.
        let columns = crossterm::terminal::size().map_or(usize::MAX, |(columns, _)| columns.saturating_sub(1).into());
        let pairs = candidates.into_iter().map(|Candidate { text, note }| {
            // Both may be words of the other side.
            let shown = if note.is_empty() { text.clone() } else { format!("{text}  {note}") };
            Pair { display: text::escape(&shown).chars().take(columns).collect(), replacement: text::escape(&text) }
        });
        Ok((start, pairs.collect()))
    }
}

impl Hinter for Assistant {
    type Hint = Expected;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Expected> {
        if pos < line.len() { None } else { self.0.hint(line).map(|hint| Expected(text::escape(&hint))) }
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        format!("\u{1b}[2m{hint}\u{1b}[0m").into()
    }
}

/// What is expected. It is shown and not taken into the line.
struct Expected(String);

impl Hint for Expected {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

/// So many lines may wait to be shown.
const WAITING: usize = 256;
