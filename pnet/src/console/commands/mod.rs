//! The commands: what each is called, takes, and does. There is one table of them, and nothing else knows their names.

mod answers;
mod connections;
mod many;
mod packets;
pub(super) mod parsed;
mod running;
mod session;
mod statistics;

use std::{pin::Pin, sync::Arc, time::Duration};

use pnet_protocol::protocol::Direction;

use self::parsed::Parsed;
use super::{
    command::Command,
    fault::{Fault, Plan},
    ids,
    output::Output,
    session::Session,
};
use crate::{connection::Conn, inspect::Inspector, operate::nearest};

/// A command of the console.
pub(crate) struct Spec {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) params: &'static [Param],
    pub(super) options: &'static [Choice],
    /// Whether `as ID` may stand at the end.
    pub(super) has_as: bool,
    /// Whether it asks first.
    pub(super) asks: bool,
    /// What it does, in a few words.
    pub(super) brief: &'static str,
    pub(super) help: &'static str,
    pub(super) example: &'static str,
    pub(super) run: for<'a> fn(&'a Call<'a>) -> Running<'a>,
}

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Output, Fault>> + Send + 'a>>;

/// One thing that a command takes.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// What stands for a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection's id.
    Connection,
    /// An action, and what is done with it.
    Action(Way),
    /// JSON, to the end of the line.
    Data,
    /// Words, to the end of the line.
    Text,
    /// A command's name.
    Command,
    /// A level of the log.
    Level,
    /// A number of seconds.
    Seconds,
}

/// What is done with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// This side sends it, and nothing answers.
    Send,
    /// This side sends it, and is answered.
    Call,
    /// A handler of this side runs.
    Trigger,
    /// It is looked at.
    Look,
}

/// An option with a value.
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) value: &'static str,
}

/// A command that is run.
pub(super) struct Call<'a> {
    pub(super) session: &'a Session,
    pub(super) parsed: &'a Parsed,
    pub(super) consent: Consent,
}

/// What the operator has agreed to.
#[derive(Debug)]
pub(super) enum Consent {
    /// Nothing yet.
    None,
    /// Whatever it is.
    Yes,
    /// Just what was asked.
    Planned(Plan),
}

impl Spec {
    /// What it is called, its aliases behind that.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// What it takes, as `help` shows it.
    pub(super) fn arguments(&self) -> String {
        let mut parts = Vec::new();
        for param in self.params {
            parts.push(if param.required { param.name.to_owned() } else { format!("[{}]", param.name) });
        }
        parts.extend(self.options.iter().map(|option| format!("[--{} {}]", option.name, option.value)));
        if self.has_as {
            parts.push("[as ID]".to_owned());
        }
        if self.asks {
            parts.push("[--yes]".to_owned());
        }
        parts.join(" ")
    }

    pub(super) fn usage(&self) -> String {
        format!("{} {}", self.name, self.arguments()).trim_end().to_owned()
    }
}

impl Call<'_> {
    pub(super) fn inspector(&self) -> &Inspector {
        &self.session.shared().inspector
    }

    pub(super) fn is_client(&self) -> bool {
        self.session.is_client()
    }

    /// What this side sends.
    pub(super) fn outgoing(&self) -> &'static Direction {
        self.inspector().info().sent_by(self.inspector().role())
    }

    /// The connection that parameter `index` stands for; on a client's console, the one there is.
    pub(super) fn conn(&self, index: usize) -> Result<Arc<Conn>, Fault> {
        let conns = self.inspector().conns();
        match self.parsed.value(index) {
            Some(word) => ids::find(word, &conns),
            None => conns.last().map(Arc::clone).ok_or_else(|| Fault::refused("the client is not connected")),
        }
    }

    /// A connection's id as the operator sees it.
    pub(super) fn short(&self, conn: &Conn) -> String {
        ids::short(&conn.id.to_string(), ids::short_len(&self.inspector().conns()))
    }

    /// Refuses what only a server can do.
    pub(super) fn servers_only(&self, instead: &str) -> Result<(), Fault> {
        if self.is_client() {
            return Err(Fault::refused(format!("this is a client, which has one connection: {instead}")));
        }
        Ok(())
    }

    /// Asks, unless the operator has agreed; then what was agreed to.
    pub(super) fn agreed(&self, plan: Plan, question: impl FnOnce() -> String) -> Result<Plan, Fault> {
        match &self.consent {
            Consent::Yes => Ok(plan),
            Consent::Planned(planned) => Ok(planned.clone()),
            Consent::None => Err(Fault::Ask { question: question(), plan }),
        }
    }
}

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    COMMANDS.iter().find(|spec| spec.names().any(|known| known == name))
}

/// Why a command of the program's own cannot be had beside these, if it cannot.
pub(super) fn clash(command: &Command, own: &[Command]) -> Option<String> {
    let name = command.name();
    if !command.is_named_well() {
        return Some(format!("{name:?} is no name for a command: a word of letters, digits, `-` and `_` is"));
    }
    if find(name).is_some() {
        return Some(format!("`{name}` is a command of the console already: choose another name"));
    }
    own.iter().any(|other| other.name() == name).then(|| format!("there are two commands `{name}`"))
}

/// Why a command of this name is not run: there is none, here or among the program's own.
pub(super) fn unknown(name: &str, own: &[Command]) -> Fault {
    let shown = pnet_protocol::text::cut(name, SHOWN_LEN);
    if let Some((_, instead)) = GONE.iter().find(|(gone, _)| *gone == name) {
        return Fault::usage(format!("there is no `{name}` here: {instead}"));
    }
    let mut all: Vec<&str> = COMMANDS.iter().flat_map(Spec::names).collect();
    all.extend(own.iter().map(Command::name));
    match &*nearest(name, all) {
        [] => Fault::usage(format!("unknown command \"{shown}\"; `help` lists all")),
        nearest => Fault::usage(format!("unknown command \"{shown}\"; nearest: {}", nearest.join(", "))),
    }
}

/// The most of a name that is not known.
const SHOWN_LEN: usize = 64;
/// Commands of the Python library's console that have no counterpart.
const GONE: &[(&str, &str)] = &[
    ("token", "the secret one is shown to nobody, and the public id of each connection is in `list`"),
    ("start", "what the console looks into has been started already"),
    ("mode", "there are no modes; `clear` works in any terminal"),
    ("disconnectrecent", "say `disconnect latest`"),
];
/// How long a command may take.
pub(super) const TIME: Duration = Duration::from_secs(30);

const fn required(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: false }
}

const ID: Param = required("ID", Kind::Connection);
const DATA: Param = optional("JSON", Kind::Data);

/// What most commands have none of.
const PLAIN: Spec = Spec {
    name: "",
    aliases: &[],
    params: &[],
    options: &[],
    has_as: false,
    asks: false,
    brief: "",
    help: "",
    example: "",
    run: |_| Box::pin(async { Ok(Output::default()) }),
};

/// All commands, as `help` lists them.
pub(super) static COMMANDS: &[Spec] = &[
    Spec {
        name: "help",
        params: &[optional("COMMAND", Kind::Command)],
        brief: "lists the commands",
        help: "Lists the commands, or says what one of them does.",
        example: "help send",
        run: |call| Box::pin(session::help(call)),
        ..PLAIN
    },
    Spec {
        name: "list",
        options: &[Choice { name: "sort", value: "KEY" }, Choice { name: "limit", value: "N" }],
        brief: "lists the connections",
        help: "Lists the connections, in the order in which they were let in, or by a key, the largest first.",
        example: "list --sort queue --limit 10",
        run: |call| Box::pin(connections::list(call)),
        ..PLAIN
    },
    Spec {
        name: "info",
        aliases: &["coninfo"],
        params: &[ID],
        brief: "all about a connection",
        help: "Shows all that is known about a connection.",
        example: "info 7f3a",
        run: |call| Box::pin(connections::info(call)),
        ..PLAIN
    },
    Spec {
        name: "ping",
        params: &[ID],
        brief: "measures a round trip",
        help: "Measures the round trip to a connection's other end.",
        example: "ping 7f3a",
        run: |call| Box::pin(connections::ping(call)),
        ..PLAIN
    },
    Spec {
        name: "pingall",
        brief: "measures all round trips",
        help: "Measures the round trips of all connections side by side, and lists those that do not answer.",
        example: "pingall",
        run: |call| Box::pin(many::pingall(call)),
        ..PLAIN
    },
    Spec {
        name: "send",
        params: &[ID, required("ACTION", Kind::Action(Way::Send)), DATA],
        brief: "sends a packet",
        help: "Sends a packet that has no answer.",
        example: "send 7f3a NOTICE {\"text\": \"hello\"}",
        run: |call| Box::pin(packets::send(call)),
        ..PLAIN
    },
    Spec {
        name: "call",
        params: &[ID, required("ACTION", Kind::Action(Way::Call)), DATA],
        brief: "sends, and shows the answer",
        help: "Sends a packet, and shows what the other side answers; of a stream, 100 items or what comes in 5 s.",
        example: "call 7f3a CONFIRM {\"text\": \"ready?\"}",
        run: |call| Box::pin(packets::call(call)),
        ..PLAIN
    },
    Spec {
        name: "broadcast",
        params: &[required("ACTION", Kind::Action(Way::Send)), DATA],
        brief: "sends to all connections",
        help: "Sends a packet that has no answer to all connections.",
        example: "broadcast NOTICE {\"text\": \"we restart at noon\"}",
        run: |call| Box::pin(packets::broadcast(call)),
        ..PLAIN
    },
    Spec {
        name: "trigger",
        params: &[required("ACTION", Kind::Action(Way::Trigger)), DATA],
        has_as: true,
        brief: "runs a handler of this side",
        help: "Runs the handler that is bound here to an action, as if the packet had come from a peer, and shows what it \
               answers. `as ID` says from which.",
        example: "trigger SAY {\"text\": \"hello\"} as 7f3a",
        run: |call| Box::pin(packets::trigger(call)),
        ..PLAIN
    },
    Spec {
        name: "actions",
        brief: "what may be said, and how often it was",
        help: "Lists what may be said in either direction, how often it was, and how long handlers took.",
        example: "actions",
        run: |call| Box::pin(packets::actions(call)),
        ..PLAIN
    },
    Spec {
        name: "schema",
        params: &[optional("ACTION", Kind::Action(Way::Look))],
        brief: "the protocol, or one packet",
        help: "Shows the protocol, or one of its packets with its fields.",
        example: "schema SAY",
        run: |call| Box::pin(packets::schema(call)),
        ..PLAIN
    },
    Spec {
        name: "suspend",
        params: &[ID],
        brief: "sends a connection answers only",
        help: "Sends nothing to a connection any more but answers; see `resume`.",
        example: "suspend 7f3a",
        run: |call| Box::pin(connections::suspend(call)),
        ..PLAIN
    },
    Spec {
        name: "resume",
        params: &[ID],
        brief: "ends what `suspend` began",
        help: "Ends what `suspend` began.",
        example: "resume 7f3a",
        run: |call| Box::pin(connections::resume(call)),
        ..PLAIN
    },
    Spec {
        name: "disconnect",
        params: &[ID, optional("REASON", Kind::Text)],
        brief: "closes a connection",
        help: "Closes a connection now. Its other end is told the reason.",
        example: "disconnect 7f3a you were asked to be quiet",
        run: |call| Box::pin(connections::disconnect(call)),
        ..PLAIN
    },
    Spec {
        name: "dropall",
        asks: true,
        brief: "closes all connections",
        help: "Closes all connections there are, after asking. The server goes on.",
        example: "dropall --yes",
        run: |call| Box::pin(many::dropall(call)),
        ..PLAIN
    },
    Spec {
        name: "tasks",
        aliases: &["threads"],
        brief: "threads, tasks, handlers",
        help: "Shows what the program runs on: the runtime's threads and tasks, the handlers, the threads of the process.",
        example: "tasks",
        run: |call| Box::pin(statistics::tasks(call)),
        ..PLAIN
    },
    Spec {
        name: "stats",
        brief: "sums over all connections",
        help: "Shows what all connections have carried, and how connections have ended.",
        example: "stats",
        run: |call| Box::pin(statistics::stats(call)),
        ..PLAIN
    },
    Spec {
        name: "limits",
        brief: "limits, and how often each was met",
        help: "Lists the limits, what is used of them, and how often each was met.",
        example: "limits",
        run: |call| Box::pin(statistics::limits(call)),
        ..PLAIN
    },
    Spec {
        name: "log",
        params: &[required("LEVEL", Kind::Level)],
        brief: "sets what is logged",
        help: "Sets what the program logs, if it offers that.",
        example: "log debug",
        run: |call| Box::pin(running::log(call)),
        ..PLAIN
    },
    Spec {
        name: "drain",
        params: &[optional("SECONDS", Kind::Seconds)],
        asks: true,
        brief: "lets all finish, and ends",
        help: "Takes nothing new, lets what was accepted finish within 10 s or as many as are given, and ends the server or \
               client, after asking.",
        example: "drain 30 --yes",
        run: |call| Box::pin(running::drain(call)),
        ..PLAIN
    },
    Spec {
        name: "stop",
        asks: true,
        brief: "ends now",
        help: "Ends the server or client now, after asking.",
        example: "stop --yes",
        run: |call| Box::pin(running::stop(call)),
        ..PLAIN
    },
    Spec {
        name: "clear",
        brief: "empties the screen",
        help: "Empties the screen.",
        example: "clear",
        run: |call| Box::pin(session::clear(call)),
        ..PLAIN
    },
    Spec {
        name: "exit",
        aliases: &["quit"],
        brief: "ends this console",
        help: "Ends this console, and nothing else.",
        example: "exit",
        run: |call| Box::pin(session::exit(call)),
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_all_is_said() {
        let mut names: Vec<&str> = Vec::new();
        for spec in COMMANDS {
            names.extend(spec.names());
            assert!(spec.help.ends_with('.') && spec.example.starts_with(spec.name), "{}", spec.name);
            // The table fits into 80 columns.
            assert!(!spec.brief.is_empty() && spec.brief.len() <= 38, "{}", spec.name);
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_may_be_left_out_stands_last() {
        for spec in COMMANDS {
            assert!(spec.params.is_sorted_by_key(|param| !param.required), "{}", spec.name);
        }
    }
}
