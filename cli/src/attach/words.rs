//! How lines go on, as the program that is attached to says.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pnet::console::attach::{CommandInfo, Operator};
use tokio::{runtime::Handle, time::timeout};

use crate::editor::{Candidate, Words};

/// Asks the program.
#[derive(Debug)]
pub(super) struct RemoteWords {
    operator: Mutex<Operator>,
    handle: Handle,
    /// What each command takes.
    arguments: Vec<(String, String)>,
}

impl RemoteWords {
    /// Asks by way of this operator. To be called in a runtime.
    pub(super) fn new(operator: Operator, commands: Vec<CommandInfo>) -> Self {
        let arguments = commands
            .into_iter()
            .flat_map(|command| {
                let names = std::iter::once(command.name).chain(command.aliases);
                names.map(move |name| (name, command.arguments.clone())).collect::<Vec<_>>()
            })
            .collect();
        Self { operator: Mutex::new(operator), handle: Handle::current(), arguments }
    }

    /// Who is attached now.
    pub(super) fn operator(&self) -> Operator {
        self.operator.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks by way of another operator from now on.
    pub(super) fn replace(&self, operator: Operator) {
        *self.operator.lock().unwrap_or_else(PoisonError::into_inner) = operator;
    }
}

impl Words for RemoteWords {
    fn complete(&self, line: &str, at: usize) -> (usize, Vec<Candidate>) {
        let operator = self.operator();
        let asked = async { timeout(PATIENCE, operator.complete(line, at)).await };
        // The editor's thread is none of the runtime's.
        let Ok(Ok(completion)) = self.handle.block_on(asked) else { return (at, Vec::new()) };
        let candidates =
            completion.candidates.into_iter().map(|candidate| Candidate { text: candidate.text, note: candidate.note });
        (usize::try_from(completion.start).unwrap_or(at), candidates.collect())
    }

    fn hint(&self, line: &str) -> Option<String> {
        let name = line.strip_suffix(' ')?;
        let (_, arguments) = self.arguments.iter().find(|(known, _)| known == name)?;
        (!arguments.is_empty()).then(|| arguments.clone())
    }

    fn kept(&self, line: &str) -> Option<String> {
        kept(line)
    }
}

/// What of a line may be kept: commands that carry nothing of a packet, and the word behind them if it looks like an id or a
/// name. All others are not in the list, the program's own among them.
fn kept(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let command = words.next().filter(|command| KEPT.contains(command))?;
    let argument = words.next().filter(|word| {
        word.len() <= 40 && word.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
    });
    Some(argument.map_or_else(|| command.to_owned(), |argument| format!("{command} {argument}")))
}

const KEPT: [&str; 20] = [
    "actions",
    "clear",
    "coninfo",
    "disconnect",
    "drain",
    "dropall",
    "help",
    "info",
    "limits",
    "list",
    "log",
    "ping",
    "pingall",
    "resume",
    "schema",
    "stats",
    "stop",
    "suspend",
    "tasks",
    "threads",
];

/// Who types waits no longer than this for candidates.
const PATIENCE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_sent_is_kept() {
        assert_eq!(kept("list --sort queue").as_deref(), Some("list --sort"));
        assert_eq!(kept(" info  81c0 ").as_deref(), Some("info 81c0"));
        assert_eq!(kept("disconnect 81c0 because of {secret}").as_deref(), Some("disconnect 81c0"));
        assert_eq!(kept("schema {\"token\":1}").as_deref(), Some("schema"));
        for line in ["send 81 SAY {}", "trigger SAY {}", "broadcast SAY {}", "call X {}", "own secret", "SEND", ""] {
            assert_eq!(kept(line), None, "{line}");
        }
    }
}
