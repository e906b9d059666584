//! What can be asked for, as clap reads it: one struct for each command, with an example in its help.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueHint, error::ErrorKind};
use clap_complete::Shell;
use serde_json::json;

use crate::{
    duration,
    exit::Exit,
    output::When,
    target::{Console, Target},
    text,
};

/// Talk to any pnet server, put load on it, watch and steer it, start a new project.
#[derive(Debug, Parser)]
#[command(name = "pnet", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print one JSON object a line, errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  pnet actions 127.0.0.1:25565
  pnet call 127.0.0.1:25565 ADD '{\"a\": 1, \"b\": 2}'
  pnet repl 127.0.0.1:25565
  pnet load 127.0.0.1:25565 ECHO '{\"text\": \"hello\"}' --connections 10 --rate 1000 --for 30s
  pnet attach /run/app/console
  pnet new demo

Exit status: 0 done, 1 refused by the server or a handler, 2 usage, 3 cannot connect or not trusted,
4 timed out, 130 ctrl-C.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call an action and print its answer
    #[command(after_help = "\
Examples:
  pnet call 127.0.0.1:25565 ADD '{\"a\": 1, \"b\": 2}'
  echo '{\"a\": 1, \"b\": 2}' | pnet call 127.0.0.1:25565 ADD - --json
  pnet call game.example:25565 LOGIN '{\"name\": \"ada\"}' --known-hosts known_hosts")]
    Call(Packet),
    /// Send a packet that has no answer
    #[command(after_help = "\
Example:
  pnet send 127.0.0.1:25565 SAY '{\"text\": \"hello\"}'")]
    Send(Packet),
    /// Open a stream and print its items
    #[command(after_help = "\
Examples:
  pnet stream 127.0.0.1:25565 WATCH '{\"symbol\": \"PNET\"}'
  pnet stream 127.0.0.1:25565 WATCH '{\"symbol\": \"PNET\"}' --json | head -3")]
    Stream(Packet),
    /// Print what a server sends on its own
    #[command(after_help = "\
Examples:
  pnet listen 127.0.0.1:25565
  pnet listen 127.0.0.1:25565 SAID JOINED --json --count 10")]
    Listen(Listen),
    /// List the actions of a server
    #[command(after_help = "\
Example:
  pnet actions 127.0.0.1:25565")]
    Actions(Actions),
    /// Print a server's schema, or the shape of one action
    #[command(after_help = "\
Examples:
  pnet schema 127.0.0.1:25565 SAY
  pnet schema 127.0.0.1:25565 > chat.json
  pnet call 127.0.0.1:25565 SAY '{\"text\": \"hi\"}' --schema chat.json")]
    Schema(Schema),
    /// Talk to a server, line by line
    #[command(after_help = "\
Examples:
  pnet repl 127.0.0.1:25565
  printf 'call WHO\\nsend SAY {\"text\": \"hi\"}\\n' | pnet repl 127.0.0.1:25565 --json

On a terminal Tab completes, and pushes are shown while one types. Piped lines are carried out one after
the other; the exit status is that of the first that failed.")]
    Repl(Repl),
    /// Call an action at a fixed rate, and print how long the calls took
    #[command(after_help = "\
Examples:
  pnet load 127.0.0.1:25565 ECHO '{\"text\": \"hello\"}' --connections 10 --rate 1000 --for 30s
  pnet load 127.0.0.1:25565 ECHO '{\"text\": \"hello\"}' --rate 200 --for 10s --json --svg times.svg

Times count from when a call was due, so that a server which stops for two seconds shows it. The exit
status is 1 if the rate was not sustained.")]
    Load(Load),
    /// Attach to the console of a running program
    #[command(after_help = "\
Examples:
  pnet attach /run/app/console
  pnet attach /run/app/console list --sort queue
  pnet attach /run/app/console --json stats
  pnet attach /run/app/console --yes dropall

With a command behind it, that is run and its exit status taken over. Without one, lines are read: with
completion on a terminal, else from the standard input one after the other.")]
    Attach(Attach),
    /// Watch a running program, full screen
    #[command(after_help = "\
Examples:
  pnet top /run/app/console
  pnet top /run/app/console --snapshots 1 --sort queue
  pnet top 127.0.0.1:4040 --identity operator.key --pin SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")]
    Top(Top),
    /// Print a key's fingerprint, by which servers know its owner; make the key if there is none
    #[command(after_help = "\
Example:
  pnet key operator.key")]
    Key(Key),
    /// Start a project: protocol, server and client, which compile, run and are tested as they stand
    #[command(after_help = "\
Example:
  pnet new demo && cd demo && cargo test && cargo run")]
    New(New),
    /// Print a script that completes this tool's words in a shell
    #[command(after_help = "\
Examples:
  pnet completions bash > ~/.local/share/bash-completion/completions/pnet
  pnet completions zsh > \"${fpath[1]}/_pnet\"
  pnet completions fish > ~/.config/fish/completions/pnet.fish")]
    Completions(Completions),
}

/// `call`, `send` and `stream`.
#[derive(Debug, Args)]
pub(crate) struct Packet {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The packet's action
    pub(crate) action: String,
    /// The packet's data; `-` reads it from the standard input
    #[arg(value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    pub(crate) data: String,
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
}

/// `listen`.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The actions to print; all, if none is named
    pub(crate) actions: Vec<String>,
    /// End after so many packets
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// End after so long
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse_positive)]
    pub(crate) length: Option<Duration>,
}

/// `actions`.
#[derive(Debug, Args)]
pub(crate) struct Actions {
    #[command(flatten)]
    pub(crate) target: Target,
}

/// `schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The action to describe; without it the whole schema is printed as JSON
    pub(crate) action: Option<String>,
}

/// `repl`.
#[derive(Debug, Args)]
pub(crate) struct Repl {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
}

/// `load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The action to call
    pub(crate) action: String,
    /// The packet's data; `-` reads it from the standard input
    #[arg(value_name = "JSON", default_value = "{}", allow_hyphen_values = true)]
    pub(crate) data: String,
    /// How many connections take turns
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) connections: NonZeroUsize,
    /// Calls a second, all connections together
    #[arg(long, value_name = "R")]
    pub(crate) rate: f64,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    pub(crate) length: Duration,
    /// How long a call may take; at the end answers are waited for this long, too
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    pub(crate) timeout: Duration,
    /// Calls that may be open at a time; those that are due beyond that are counted and not made
    #[arg(long, value_name = "M", default_value = "100000")]
    pub(crate) max_in_flight: usize,
    /// Threads for the connections, beside the one of the schedule
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) threads: NonZeroUsize,
    /// Write the histogram to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,
}

/// `attach`.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    pub(crate) console: Console,
    /// Say yes to whatever a command asks
    #[arg(long)]
    pub(crate) yes: bool,
    /// A command to run; `help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// `top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) console: Console,
    /// How often to look: 100ms to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse_positive)]
    pub(crate) every: Duration,
    /// Sort connections by this column; the keys < and > pick others
    #[arg(long, value_name = "COLUMN")]
    pub(crate) sort: Option<String>,
    /// Show connections with this in their id, address, form, key or person
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Print so many snapshots as text, or with --json as JSON lines, instead of taking the screen; where there is no
    /// terminal, one is printed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) snapshots: Option<u64>,
}

/// `key`.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The key's file, in PEM
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// `new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The project's name, and that of its folder
    pub(crate) name: String,
    /// Depend on this checkout of pnet instead of the published version
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) path_to_pnet: Option<PathBuf>,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Says that the arguments cannot be understood, or prints the help or the version.
pub(crate) fn refused(error: &clap::Error) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !asked && std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        // What is wrong, without what the help says anyway.
        let why = message.trim_start_matches("error: ");
        let why = why.split("\n\nUsage").next().unwrap_or_default();
        let why = why.split("\n\nFor more information").next().unwrap_or_default();
        let event = json!({"error": why, "exit": Exit::USAGE.0});
        // There is nobody left to tell if this fails, here and below.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), (text::json(&event) + "\n").as_bytes());
    } else {
        let _ = error.print();
    }
    if asked { Exit::DONE } else { Exit::USAGE }
}
