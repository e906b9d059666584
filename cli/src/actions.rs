//! `pnet actions` and `pnet schema`: what a server understands.

use pnet::dynamic::{Action, Client, Direction, Kind};
use serde_json::{Value, json};

use crate::{
    arguments::{Actions, Schema},
    exit::{Exit, Failure},
    output::{Output, Style},
    packet, runtime, text,
};

/// `pnet actions`
pub(crate) fn actions(arguments: &Actions, output: &Output) -> Result<Exit, Failure> {
    runtime::until_ctrl_c(async {
        let (client, _inbox) = arguments.target.connect(arguments.target.connect_timeout).await?;
        let width = width(&client);
        for direction in [Direction::ToServer, Direction::ToClient] {
            for action in client.actions(direction) {
                print(output, direction, &action, width)?;
            }
        }
        client.close().await;
        Ok(Exit::DONE)
    })
}

/// `pnet schema`
pub(crate) fn schema(arguments: &Schema, output: &Output) -> Result<Exit, Failure> {
    runtime::until_ctrl_c(async {
        let (client, _inbox) = arguments.target.connect(arguments.target.connect_timeout).await?;
        match &arguments.action {
            None => print_schema(&client, output)?,
            Some(name) => describe(&client, name, output)?,
        }
        client.close().await;
        Ok(Exit::DONE)
    })
}

/// Prints an action in a line of a table.
pub(crate) fn print(output: &Output, direction: Direction, action: &Action, width: usize) -> Result<(), Failure> {
    output.event(&event(direction, action), || line(output, direction, action, width))
}

/// Prints all of the schema as JSON.
pub(crate) fn print_schema(client: &Client, output: &Output) -> Result<(), Failure> {
    // It comes from the server: read as JSON, it can be escaped.
    let schema: Value =
        serde_json::from_str(&client.schema()).map_err(|_| Failure::refused("the server's schema is no JSON"))?;
    output.write(&(text::json(&schema) + "\n"))
}

/// Prints an action and its fields, whoever sends it; both, if both sides have one of that name.
pub(crate) fn describe(client: &Client, name: &str, output: &Output) -> Result<(), Failure> {
    let directions = [Direction::ToServer, Direction::ToClient];
    let mut found = directions.into_iter().filter_map(|direction| Some((direction, client.action(direction, name)?)));
    let Some(first) = found.next() else {
        return packet::action(client, name).map(drop);
    };
    [first].into_iter().chain(found).try_for_each(|(direction, action)| {
        output.event(&event(direction, &action), || described(output, direction, &action))
    })
}

/// The longest name of an action.
pub(crate) fn width(client: &Client) -> usize {
    let all = client.actions(Direction::ToServer).chain(client.actions(Direction::ToClient));
    all.map(|action| action.action().chars().count()).max().unwrap_or(0).min(MAX_WIDTH)
}

/// An action in a line of a table.
fn line(output: &Output, direction: Direction, action: &Action, width: usize) -> String {
    let name = output.paint(Style::Bold, &format!("{:width$}", text::escape(action.action())));
    format!("{name}  {:10}  {}", how(direction, action.kind()), text::escape(&shape(action)))
}

/// An action and its fields.
fn described(output: &Output, direction: Direction, action: &Action) -> String {
    let mut lines = vec![line(output, direction, action, 0)];
    let fields = action.fields();
    let width = fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0).min(MAX_WIDTH);
    for field in fields {
        let optional = if field.required { "" } else { "  (may be left out)" };
        lines.push(format!("  {:width$}  {}{optional}", text::escape(field.name), text::escape(&field.ty)));
    }
    lines.join("\n")
}

fn event(direction: Direction, action: &Action) -> Value {
    let fields: Vec<_> = action
        .fields()
        .into_iter()
        .map(|field| json!({"name": field.name, "type": field.ty, "required": field.required}))
        .collect();
    json!({
        "action": action.action(),
        "direction": if direction == Direction::ToServer { "to-server" } else { "to-client" },
        "packet": action.packet(),
        "kind": match action.kind() {
            Kind::OneWay => "send",
            Kind::Stream => "stream",
            _ => "call",
        },
        "described": action.is_described(),
        "shape": shape(action),
        "fields": fields,
    })
}

fn shape(action: &Action) -> String {
    if action.is_described() { action.shape() } else { "(the server does not tell its shape)".to_owned() }
}

fn how(direction: Direction, kind: Kind) -> &'static str {
    match (direction, kind) {
        (Direction::ToServer, Kind::OneWay) => "send",
        (Direction::ToServer, Kind::Stream) => "stream",
        (Direction::ToServer, _) => "call",
        (_, Kind::OneWay) => "is pushed",
        (_, _) => "is called",
    }
}

const MAX_WIDTH: usize = 32;
