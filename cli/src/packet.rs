//! The packet that the user wants to send: its data is read and checked before anything leaves this program.

use std::io;

use pnet::{
    Json, JsonError,
    dynamic::{Action, Client, Direction, Kind},
};
use serde_json::Value;

use crate::{
    exit::{Failure, explained},
    nearest::nearest,
    target::read_at_most,
};

/// Reads data that was given as an argument, or for `-` from the standard input.
///
/// # Errors
///
/// It is no JSON, or too long.
pub(crate) fn data(argument: &str) -> Result<Value, Failure> {
    if argument != "-" {
        return parse(argument);
    }
    let text = read_at_most(io::stdin().lock(), MAX_INPUT)
        .map_err(|error| Failure::usage(format_args!("the standard input cannot be read: {error}")))?;
    parse(&text)
}

/// Reads JSON.
///
/// # Errors
///
/// It is none.
pub(crate) fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::usage(format_args!("the data is no JSON: {error}")))
}

/// The action of this name that clients send.
///
/// # Errors
///
/// There is none. The nearest is named.
pub(crate) fn action(client: &Client, name: &str) -> Result<Action, Failure> {
    find(client, Direction::ToServer, name)
}

/// The action of this name that is sent in this direction.
///
/// # Errors
///
/// There is none. The nearest is named.
pub(crate) fn find(client: &Client, direction: Direction, name: &str) -> Result<Action, Failure> {
    if let Some(action) = client.action(direction, name) {
        return Ok(action);
    }
    let who = if direction == Direction::ToServer { "clients" } else { "the server" };
    let known: Vec<_> = client.actions(direction).map(|action| action.action()).collect();
    let near = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; nearest: {near}"),
        None if known.is_empty() => String::new(),
        None => format!("; there are {}", known.join(", ")),
    };
    Err(Failure::usage(format_args!("{name:?} is no action that {who} of `{}` can send{near}", client.protocol())))
}

/// Makes a packet, and sees that the protocol has it, that it is answered in this way, and that the data fits.
///
/// # Errors
///
/// What is wrong with it, with the field that does not fit.
pub(crate) fn checked(client: &Client, name: &str, data: Value, kind: Kind) -> Result<Json, Failure> {
    let action = action(client, name)?;
    if action.kind() != kind {
        let (is, command) = match action.kind() {
            Kind::OneWay => ("has no answer", "send"),
            Kind::Stream => ("is answered with a stream", "stream"),
            _ => ("is answered", "call"),
        };
        return Err(Failure::usage(format_args!("{} {is}: use `{command}`", action.action())));
    }
    let packet = Json::new(action.action(), data);
    client.check(&packet).map_err(|error| misfit(&error))?;
    Ok(packet)
}

fn misfit(error: &JsonError) -> Failure {
    match error {
        JsonError::Misfit { action, source } => Failure::usage(format_args!("{action}: {source}")),
        error => Failure::usage(explained(error)),
    }
}

/// As much as a server takes by default, and then some.
const MAX_INPUT: u64 = 16 * 1024 * 1024;
