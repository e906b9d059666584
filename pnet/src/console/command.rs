//! [`Command`]: what a program adds to its console.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

/// A command of the program's own, for [`Console::command`](super::Console::command).
///
/// Its words are given to it as they were typed, quotes taken off. It says what it has to say as text. Like all commands it
/// ends when its operator goes away, and after 30 s unless it may take [longer](Self::timeout); a panic in it is caught.
///
/// # Examples
///
/// ```
/// use pnet::console::Command;
///
/// let greet = Command::new("greet").help("Greets somebody.").arguments("NAME [NAME…]").run(|names| async move {
///     if names.is_empty() { Err("whom?".to_owned()) } else { Ok(format!("hello, {}", names.join(" and "))) }
/// });
/// # drop(greet);
/// ```
#[derive(Clone)]
pub struct Command {
    name: String,
    help: String,
    arguments: String,
    timeout: Duration,
    run: Option<Run>,
}

pub(super) type Running = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

type Run = Arc<dyn Fn(Vec<String>) -> Running + Send + Sync>;

impl Command {
    /// A command of this name: a word of letters, digits, `-` and `_`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            help: String::new(),
            arguments: String::new(),
            timeout: Duration::from_secs(30),
            run: None,
        }
    }

    /// What it does, in a sentence, for `help`.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// What it takes, for `help`: `"COUNT [REASON]"`.
    #[must_use]
    pub fn arguments(mut self, arguments: impl Into<String>) -> Self {
        self.arguments = arguments.into();
        self
    }

    /// How long it may take; 30 s by default.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What is run: given the words behind the name, it returns the text to show, or an error to show, which makes the
    /// exit status 1.
    #[must_use]
    pub fn run<F, Fut, T, E>(mut self, run: F) -> Self
    where
        F: Fn(Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: fmt::Display,
        E: fmt::Display,
    {
        self.run = Some(Arc::new(move |words| {
            let running = run(words);
            Box::pin(async move { running.await.map(|text| text.to_string()).map_err(|error| error.to_string()) })
        }));
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn help_text(&self) -> &str {
        &self.help
    }

    pub(super) fn arguments_text(&self) -> &str {
        &self.arguments
    }

    pub(super) const fn time(&self) -> Duration {
        self.timeout
    }

    pub(super) fn running(&self, words: Vec<String>) -> Running {
        match &self.run {
            Some(run) => run(words),
            None => Box::pin(async { Err("the program has not said what this command does".to_owned()) }),
        }
    }

    /// Whether its name is a word.
    pub(super) fn is_named_well(&self) -> bool {
        let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
        (1..=MAX_NAME).contains(&self.name.len()) && self.name.chars().all(is_word) && !self.name.starts_with('-')
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("name", &self.name).finish_non_exhaustive()
    }
}

const MAX_NAME: usize = 64;
