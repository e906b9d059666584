//! Commands about the console itself.

use serde_json::json;

use super::{COMMANDS, Call, Spec, find, unknown};
use crate::console::{
    fault::Fault,
    output::{After, Output, Table},
};

/// `help [COMMAND]`
pub(super) async fn help(call: &Call<'_>) -> Result<Output, Fault> {
    let own = &call.session.shared().own;
    let Some(name) = call.parsed.value(0) else {
        let mut table = Table::new(HELP);
        for spec in COMMANDS {
            table.push(
                vec![spec.names().collect::<Vec<_>>().join(", "), spec.arguments(), spec.brief.to_owned()],
                as_json(spec),
            );
        }
        for command in own {
            let cells = [command.name(), command.arguments_text(), command.help_text()];
            let json = json!({"command": cells[0], "arguments": cells[1], "help": cells[2], "own": true});
            table.push(cells.map(str::to_owned).to_vec(), json);
        }
        let note =
            "`help COMMAND` says more. Ids may be cut to any beginning that is unique. Every command takes --json.";
        return Ok(Output::table(table).and_note(note));
    };
    if let Some(spec) = find(name) {
        let mut fields = vec![("usage", spec.usage()), ("", String::new())];
        if !spec.aliases.is_empty() {
            fields.push(("also", spec.aliases.join(", ")));
        }
        fields.push(("does", spec.help.to_owned()));
        fields.push(("example", spec.example.to_owned()));
        return Ok(Output::record(fields, as_json(spec)));
    }
    if let Some(command) = own.iter().find(|command| command.name() == name) {
        let (arguments, help) = (command.arguments_text(), command.help_text());
        let usage = format!("{name} {arguments}").trim_end().to_owned();
        let json = json!({"command": name, "arguments": arguments, "help": help, "own": true});
        return Ok(Output::record(vec![("usage", usage), ("does", help.to_owned())], json));
    }
    Err(unknown(name, own))
}

/// `clear`
pub(super) async fn clear(_: &Call<'_>) -> Result<Output, Fault> {
    Ok(Output::default().then(After::Clear))
}

/// `exit`
pub(super) async fn exit(_: &Call<'_>) -> Result<Output, Fault> {
    Ok(Output::default().then(After::Leave))
}

fn as_json(spec: &Spec) -> serde_json::Value {
    json!({
        "command": spec.name,
        "aliases": spec.aliases,
        "arguments": spec.arguments(),
        "brief": spec.brief,
        "help": spec.help,
        "example": spec.example,
        "own": false,
    })
}

const HELP: &[&str] = &["<COMMAND", "<TAKES", "~DOES"];
