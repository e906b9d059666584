//! The console's own protocol: what those who attach say, and what they are answered.
//!
//! It is spoken in JSON, where each packet is read by itself, so that a tool and a program of other versions understand each
//! other as far as they can: fields that are missing take their defaults, those that are unknown are left out.

use pnet_macros::{Packet, Schema, protocol};
use serde::{Deserialize, Serialize};

/// What answers the question who this is.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Packet, PartialEq, Serialize)]
#[packet("CONSOLE_ABOUT")]
pub struct About {
    /// What the program is called.
    pub name: String,
    /// `server` or `client`.
    pub role: String,
    /// The protocol's name.
    pub protocol: String,
    /// The version of pnet.
    pub version: String,
    /// For how long it has been there, in milliseconds.
    pub uptime_ms: u64,
    /// How many connections there are.
    pub connections: u64,
    /// As whom the operator is known there, and logged: `unix uid 1000`, `SHA256:…`.
    pub operator: String,
    /// What may be typed.
    pub commands: Vec<CommandInfo>,
}

/// A command, as `help` shows it.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct CommandInfo {
    /// Its name.
    pub name: String,
    /// Other names of it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it takes.
    pub arguments: String,
    /// What it does.
    pub help: String,
    /// Whether it asks before it does it, and needs `--yes` where nobody can be asked.
    #[serde(default)]
    pub asks: bool,
}

/// What a line has come to.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Packet, PartialEq, Serialize)]
#[packet("CONSOLE_RAN")]
pub struct Ran {
    /// What there is to show: lines, each with its end. Nothing in it can harm a terminal.
    pub text: String,
    /// The exit status: 0 done, 1 refused, 2 not understood, 4 timed out.
    pub exit: u8,
    /// What the operator has to say yes to first. Nothing was done; the same line with
    /// [`confirmed`](super::attach::RunOptions::confirmed) does exactly what is asked here.
    #[serde(default)]
    pub question: Option<String>,
    /// The operator wants an empty screen.
    #[serde(default)]
    pub clear: bool,
    /// The operator wants to leave.
    #[serde(default)]
    pub leave: bool,
}

/// How a line may go on.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Packet, PartialEq, Serialize)]
#[packet("CONSOLE_COMPLETION")]
pub struct Completion {
    /// Where in the line, in bytes, what a candidate stands for begins. It ends at the cursor.
    pub start: u64,
    /// What may stand there.
    pub candidates: Vec<Candidate>,
    /// How many more there are.
    #[serde(default)]
    pub left_out: u64,
}

/// One way in which a line may go on.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Schema, Serialize)]
pub struct Candidate {
    /// What to put into the line.
    pub text: String,
    /// What it is: a field's type, a connection's address.
    pub note: String,
}

/// Who are you?
#[derive(Debug, Deserialize, Packet, Serialize)]
#[packet("CONSOLE_HELLO")]
pub(crate) struct Hello {}

/// Run this line.
#[derive(Debug, Deserialize, Packet, Serialize)]
#[packet("CONSOLE_RUN")]
pub(crate) struct Run {
    pub(crate) line: String,
    #[serde(default)]
    pub(crate) json: bool,
    #[serde(default)]
    pub(crate) confirmed: bool,
    #[serde(default)]
    pub(crate) columns: u16,
}

/// How may this line go on?
#[derive(Debug, Deserialize, Packet, Serialize)]
#[packet("CONSOLE_COMPLETE")]
pub(crate) struct Complete {
    pub(crate) line: String,
    pub(crate) at: u64,
}

/// What is going on?
#[derive(Clone, Debug, Default, Deserialize, Packet, PartialEq, Serialize)]
#[packet("CONSOLE_SAMPLE")]
pub(crate) struct Sample {
    #[serde(default)]
    pub(crate) sort: String,
    #[serde(default)]
    pub(crate) descending: bool,
    #[serde(default)]
    pub(crate) limit: Option<u64>,
    #[serde(default)]
    pub(crate) filter: String,
    #[serde(default)]
    pub(crate) section: String,
}

/// A [`Snapshot`](crate::inspect::Snapshot) as JSON.
#[derive(Debug, Deserialize, Packet, Serialize)]
#[packet("CONSOLE_SAMPLED")]
pub(crate) struct Sampled {
    pub(crate) snapshot: String,
}

/// Why there is no sample.
#[derive(Debug, Deserialize, Packet, Serialize)]
#[packet("CONSOLE_REFUSED")]
pub(crate) struct NotSampled {
    pub(crate) why: String,
}

protocol! {
    pub(crate) PnetConsole {
        client {
            Hello -> About,
            Run -> Ran,
            Complete -> Completion,
            Sample -> Result<Sampled, NotSampled>,
        }
    }
}
