//! `pnet attach`: the console of a running program, by hand or by script.

mod words;

use std::{io::IsTerminal, sync::Arc, time::Duration};

use pnet::console::attach::{Operator, Ran, RunOptions};
use serde_json::Value;

use self::words::RemoteWords;
use crate::{
    arguments::Attach,
    editor::{Editor, History, Input},
    exit::{Exit, Failure},
    output::Output,
    runtime, text,
};

/// `pnet attach`
pub(crate) fn run(arguments: &Attach, output: &Output) -> Result<Exit, Failure> {
    let runtime = runtime::runtime(2)?;
    let result = runtime.block_on(async {
        let operator = tokio::select! {
            operator = arguments.console.attach() => operator?,
            () = pnet::ctrl_c() => return Err(Failure::interrupted()),
        };
        let result = match line_of(&arguments.command) {
            Some(line) => once(&line, &operator, arguments, output).await,
            None => session(&operator, arguments, output).await,
        };
        // A program that is stopped takes no leave.
        let _ = tokio::time::timeout(LEAVE, operator.close()).await;
        result
    });
    runtime.shutdown_background();
    result
}

/// Runs one command, whose status becomes the program's.
async fn once(line: &str, operator: &Operator, arguments: &Attach, output: &Output) -> Result<Exit, Failure> {
    let mut ran = until_ctrl_c(operator, line, options(arguments, output)).await?;
    if let Some(question) = &ran.question {
        if output.is_json() || !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(needs_yes(question));
        }
        let mut editor = Editor::on_terminal(Arc::new(()), History::none(), false)?;
        if !editor.confirm(&text::escape(question)).await {
            return Err(Failure::refused("not done"));
        }
        ran = until_ctrl_c(operator, line, options(arguments, output).confirmed(true)).await?;
    }
    print(&ran, output)?;
    Ok(Exit(ran.exit))
}

/// Runs lines until there are no more.
async fn session(operator: &Operator, arguments: &Attach, output: &Output) -> Result<Exit, Failure> {
    let interactive = Editor::is_interactive() && !output.is_json();
    let about = operator.about().await?;
    let name = text::escape(&about.name);
    let words = Arc::new(RemoteWords::new(operator.clone(), about.commands));
    let mut editor = if interactive {
        let (history, problem) = History::open("attach_history");
        if let Some(problem) = problem {
            output.note(&text::escape(&problem));
        }
        output.note(&format!(
            "pnet console of {name:?} {}, {} connections. help, or Tab.",
            text::escape(&about.version),
            about.connections
        ));
        Editor::on_terminal(words.clone(), history, false)?
    } else {
        Editor::piped()?
    };

    let mut first = Exit::DONE;
    loop {
        let prompt = if words.operator().is_closed() { "not connected> ".to_owned() } else { format!("{name}> ") };
        let result = match editor.line(&prompt).await {
            Input::Ended => break,
            Input::Told(exit) => return Ok(exit),
            Input::Interrupted => continue,
            Input::Unreadable(failure) => Err(failure),
            Input::Line(line) if line.trim().is_empty() || line.trim_start().starts_with('#') => continue,
            Input::Line(line) => obey(&line, &mut editor, &words, arguments, output).await,
        };
        let exit = match result {
            Ok(ran) if ran.leave => break,
            Ok(ran) => Exit(ran.exit),
            // Nobody reads what is printed.
            Err(failure) if failure.message.is_empty() && failure.exit == Exit::DONE => return Ok(first),
            Err(failure) => output.failure(&failure),
        };
        if first == Exit::DONE && !interactive {
            first = exit;
        }
    }
    Ok(first)
}

async fn obey(
    line: &str,
    editor: &mut Editor,
    words: &RemoteWords,
    arguments: &Attach,
    output: &Output,
) -> Result<Ran, Failure> {
    let mut operator = words.operator();
    if operator.is_closed() {
        operator = arguments.console.attach().await?;
        words.replace(operator.clone());
    }
    let options = options(arguments, output);
    let mut ran = until_ctrl_c(&operator, line, options).await?;
    if let Some(question) = &ran.question {
        if !editor.can_ask() {
            return Err(needs_yes(question));
        }
        if !editor.confirm(&text::escape(question)).await {
            return Err(Failure::refused("not done"));
        }
        ran = until_ctrl_c(&operator, line, options.confirmed(true)).await?;
    }
    print(&ran, output)?;
    Ok(ran)
}

fn needs_yes(question: &str) -> Failure {
    Failure::usage(format_args!("{question} Nothing was done: nobody can be asked here; --yes says yes"))
}

async fn until_ctrl_c(operator: &Operator, line: &str, options: RunOptions) -> Result<Ran, Failure> {
    tokio::select! {
        ran = operator.run(line, &options) => Ok(ran?),
        // Dropped, the command ends there, too.
        () = pnet::ctrl_c() => Err(Failure::new(Exit::INTERRUPTED, "interrupted")),
    }
}

fn options(arguments: &Attach, output: &Output) -> RunOptions {
    let columns =
        if std::io::stdout().is_terminal() { crossterm::terminal::size().map_or(0, |(columns, _)| columns) } else { 0 };
    RunOptions::default().json(output.is_json()).confirmed(arguments.yes).columns(columns)
}

/// Prints what a command has said. It is harmless already if the console keeps its promise, and is made so if it does not.
fn print(ran: &Ran, output: &Output) -> Result<(), Failure> {
    if ran.clear && std::io::stdout().is_terminal() {
        output.write("\u{1b}[H\u{1b}[2J")?;
    }
    let shown: String = ran.text.lines().map(|line| text::line(line, output.is_json()) + "\n").collect();
    if shown.is_empty() { Ok(()) } else { output.write(&shown) }
}

/// The line that words of the shell make: one is a line by itself; of several each is quoted that needs it. JSON stays as it is,
/// since it is the rest of a line.
fn line_of(words: &[String]) -> Option<String> {
    match words {
        [] => None,
        [line] => Some(line.clone()),
        words => Some(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
    }
}

fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && !word.contains(|char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '\\'));
    if plain || serde_json::from_str::<Value>(word).is_ok() {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

/// How long the end of the connection may take.
const LEAVE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_shell_make_a_line() {
        let line = |words: &[&str]| line_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(line(&[]), None);
        assert_eq!(line(&["list --sort queue"]).as_deref(), Some("list --sort queue"));
        assert_eq!(line(&["list", "--sort", "queue"]).as_deref(), Some("list --sort queue"));
        let json = "{\"text\": \"a b\"}";
        assert_eq!(line(&["send", "81", "SAY", json]), Some(format!("send 81 SAY {json}")));
        assert_eq!(line(&["disconnect", "81", "too many"]).as_deref(), Some("disconnect 81 \"too many\""));
        assert_eq!(line(&["own", "a\"b\\c", ""]).as_deref(), Some("own \"a\\\"b\\\\c\" \"\""));
    }
}
