//! `pnet`: one tool for every server that is made with pnet.
//!
//! [`arguments`] says what can be asked for, and each command has a module. What they share: [`target`] (whom to connect
//! to, and whom to trust), [`output`] (what is printed, and how), [`exit`] (what the program's status means) and [`text`]
//! (words of others on a terminal).

mod actions;
mod arguments;
mod attach;
mod call;
mod completions;
mod duration;
mod editor;
mod exit;
mod key;
mod load;
mod nearest;
mod new;
mod operator;
mod output;
mod packet;
mod repl;
mod runtime;
mod target;
mod text;
mod top;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{
    arguments::{Arguments, Command},
    exit::{Exit, Failure},
    output::Output,
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return arguments::refused(&error).into(),
    };
    let output = Output::new(arguments.json, arguments.color);
    match run(arguments.command, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => output.failure(&failure).into(),
    }
}

fn run(command: Command, output: &Output) -> Result<Exit, Failure> {
    match command {
        Command::Call(arguments) => call::call(&arguments, output),
        Command::Send(arguments) => call::send(&arguments, output),
        Command::Stream(arguments) => call::stream(&arguments, output),
        Command::Listen(arguments) => call::listen(&arguments, output),
        Command::Actions(arguments) => actions::actions(&arguments, output),
        Command::Schema(arguments) => actions::schema(&arguments, output),
        Command::Top(arguments) => top::run(&arguments, output),
        Command::Key(arguments) => key::run(&arguments, output),
        Command::Repl(arguments) => repl::run(&arguments, output),
        Command::Attach(arguments) => attach::run(&arguments, output),
        Command::Load(arguments) => load::run(&arguments, output),
        Command::New(arguments) => new::run(&arguments, output),
        Command::Completions(arguments) => completions::run(arguments.shell, Arguments::command(), output),
    }
}
