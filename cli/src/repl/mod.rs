//! `pnet repl`: a session with a server, by hand or by script.

mod command;
mod link;
mod words;

use std::{sync::Arc, time::Instant};

use pnet::{
    Json,
    dynamic::{Client, Direction, Kind},
};
use serde_json::{Value, json};

use self::{
    command::{COMMANDS, Command},
    link::Link,
    words::Words,
};
use crate::{
    actions,
    arguments::Repl,
    call,
    duration::short,
    editor::{Editor, History, Input},
    exit::{Exit, Failure},
    output::{Output, Style},
    packet, runtime, text,
};

/// `pnet repl`
pub(crate) fn run(arguments: &Repl, output: &Output) -> Result<Exit, Failure> {
    let runtime = runtime::runtime(2)?;
    let result = runtime.block_on(session(arguments, output));
    runtime.shutdown_background();
    result
}

async fn session(arguments: &Repl, output: &Output) -> Result<Exit, Failure> {
    let interactive = Editor::is_interactive() && !output.is_json();
    let words = Arc::new(Words::default());
    let mut editor = if interactive {
        let (history, problem) = History::open("repl_history");
        if let Some(problem) = problem {
            output.note(&text::escape(&problem));
        }
        Editor::on_terminal(words.clone(), history, true)?
    } else {
        Editor::piped()?
    };
    let mut link = Link::new(arguments, Arc::clone(&words), editor.printer(), *output);
    // Whoever cannot be reached at first is an error; whoever goes away later is connected to again.
    let client = tokio::select! {
        client = link.client() => client?,
        () = pnet::ctrl_c() => return Err(Failure::interrupted()),
    };
    if interactive {
        let welcome = format!("{} at {}. help, or Tab.", client.protocol(), arguments.target.address);
        output.note(&text::escape(&welcome));
    }
    drop(client);

    let mut first = Exit::DONE;
    loop {
        let failure = match editor.line(&link.prompt()).await {
            Input::Ended => break,
            // Whoever says so waits for nobody.
            Input::Told(exit) => return Ok(exit),
            Input::Interrupted => continue,
            Input::Unreadable(failure) => failure,
            Input::Line(line) => match obey(&line, &mut link, &words, output).await {
                Ok(After::GoOn) => continue,
                Ok(After::Quit) => break,
                // Nobody reads what is printed.
                Err(failure) if failure.message.is_empty() && failure.exit == Exit::DONE => return Ok(first),
                Err(failure) => failure,
            },
        };
        output.failure(&failure);
        if first == Exit::DONE && !interactive {
            first = failure.exit;
        }
    }
    link.close().await;
    Ok(first)
}

/// What comes after a line.
enum After {
    GoOn,
    Quit,
}

async fn obey(line: &str, link: &mut Link<'_>, words: &Words, output: &Output) -> Result<After, Failure> {
    // It may need the actions of a server that has to be connected to first.
    let command = Command::parse(line, &words.actions())?;
    match command {
        Command::Nothing => return Ok(After::GoOn),
        Command::Quit => return Ok(After::Quit),
        Command::Help => {
            help(output)?;
            return Ok(After::GoOn);
        }
        _ => {}
    }
    let doing = async {
        let client = link.client().await?;
        match command {
            Command::Packet { kind, action, data } => {
                let data = if data.is_empty() { json!({}) } else { packet::parse(data)? };
                let kind = match kind {
                    Some(kind) => kind,
                    None => packet::action(&client, action)?.kind(),
                };
                exchange(&client, packet::checked(&client, action, data, kind)?, kind, output).await
            }
            Command::Actions => {
                let width = actions::width(&client);
                let directions = [Direction::ToServer, Direction::ToClient];
                directions.into_iter().try_for_each(|direction| {
                    client.actions(direction).try_for_each(|action| actions::print(output, direction, &action, width))
                })
            }
            Command::Schema(None) => actions::print_schema(&client, output),
            Command::Schema(Some(name)) => actions::describe(&client, name, output),
            Command::Ping => {
                let took = client.ping().await.map_err(|why| Failure::closed(&why))?;
                output.event(&json!({"event": "ping", "ms": millis(took)}), || short(took))
            }
            Command::Info => info(&client, output),
            Command::Nothing | Command::Quit | Command::Help => Ok(()),
        }
    };
    tokio::select! {
        done = doing => done.map(|()| After::GoOn),
        // It ends what is being done, and not the session.
        () = pnet::ctrl_c() => Err(Failure::new(Exit::INTERRUPTED, "interrupted")),
    }
}

async fn exchange(client: &Client, packet: Json, kind: Kind, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    match kind {
        Kind::OneWay => {
            client.send(&packet).await?;
            output.event(&json!({"event": "sent", "action": packet.action()}), || "sent".to_owned())
        }
        Kind::Stream => call::print_stream(client.stream(&packet), None, output).await,
        _ => {
            let answer = client.call(packet).await?;
            let took = start.elapsed();
            output.event(&call::answered(&answer, took), || {
                format!("{}   {}", call::words(output, &answer), output.paint(Style::Dim, &short(took)))
            })
        }
    }
}

fn info(client: &Client, output: &Output) -> Result<(), Failure> {
    let key = client.key().map(|key| key.to_string());
    let event = json!({
        "event": "info",
        "protocol": client.protocol(),
        "address": client.addr().to_string(),
        "id": client.id().to_string(),
        "key": key,
        "rtt_ms": client.rtt().map(millis),
    });
    output.event(&event, || {
        let form = key.map_or_else(|| "plain text".to_owned(), |key| format!("TLS, key {key}"));
        text::escape(&format!("{} at {}, {form}, connection {}", client.protocol(), client.addr(), client.id()))
    })
}

fn help(output: &Output) -> Result<(), Failure> {
    COMMANDS.iter().try_for_each(|(name, arguments, help)| {
        let event = json!({"event": "command", "name": name, "arguments": arguments, "help": help});
        output.event(&event, || {
            format!("{}  {help}", output.paint(Style::Bold, &format!("{:20}", format!("{name} {arguments}"))))
        })
    })?;
    if output.is_json() {
        return Ok(());
    }
    output.write("An action's name alone does what fits it: ACTION JSON. Pushes are shown as they come.\n")
}

fn millis(time: std::time::Duration) -> Value {
    json!((time.as_secs_f64() * 1e6).round() / 1e3)
}
