//! From an operator's line to its answer.

use std::time::{Duration, Instant};

use super::{
    attach::RunOptions,
    command::Command,
    commands::{
        self, Call, Consent,
        parsed::{self, Parsed},
    },
    fault::{Fault, USAGE},
    ids,
    lines::{MAX_LINE, too_long},
    output::{After, Output, harmless, render_fault},
    session::Session,
};
use crate::unwind::hook;

/// What a line has come to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) exit: u8,
    pub(super) question: Option<String>,
    pub(super) after: After,
}

/// Runs a line.
///
/// # Cancel safety
///
/// Dropping the future ends the command at its next `.await`.
pub(super) async fn run(session: &Session, line: &str, options: RunOptions) -> Answer {
    let began = Instant::now();
    let line = line.trim();
    let mut as_json = options.json;
    let mut answer = match output(session, line, options, &mut as_json).await {
        Ok(output) => {
            let text = output.render(as_json, options.columns);
            Answer { text, exit: output.exit, after: output.after, ..Answer::default() }
        }
        Err(fault) => {
            let text = render_fault(&fault, as_json);
            match fault {
                Fault::Failed { exit, .. } => Answer { text, exit, ..Answer::default() },
                Fault::Ask { question, plan } => {
                    session.ask(line, plan);
                    Answer { text, exit: USAGE, question: Some(harmless(&question)), ..Answer::default() }
                }
            }
        }
    };
    let took = began.elapsed();
    if took >= SLOW && !as_json && answer.question.is_none() {
        answer.text.push_str(&format!("took {:.2} s\n", took.as_secs_f64()));
    }
    answer
}

/// What comes of a line; `as_json` becomes whether the line wants it so.
async fn output(session: &Session, line: &str, options: RunOptions, as_json: &mut bool) -> Result<Output, Fault> {
    let asked = session.take_asked(line);
    if line.len() > MAX_LINE {
        return Err(too_long(line.len()));
    }
    let (name, words, mut parsed) = parsed::begin(line)?;
    let Some(name) = name else { return Ok(Output::default()) };
    parsed.json |= options.json;
    let own = &session.shared().own;
    if let Some(command) = own.iter().find(|command| command.name() == name) {
        let read = parsed.read_words(words);
        *as_json = parsed.json;
        read?;
        return run_own(session, command, parsed).await;
    }
    *as_json = parsed.json;
    let spec = commands::find(&name).ok_or_else(|| commands::unknown(&name, own))?;
    let conns = session.shared().inspector.conns();
    let is_client = session.is_client();
    // The empty word asks whether an id may be left out.
    let is_id = |word: &str| if word.is_empty() { is_client } else { !is_client || ids::is_own(word, &conns) };
    let read = parsed.read(spec, words, &is_id);
    *as_json = parsed.json;
    read?;
    let consent = match asked {
        Some(plan) if options.confirmed => Consent::Planned(plan),
        _ if options.confirmed || parsed.yes => Consent::Yes,
        _ => Consent::None,
    };
    let call = Call { session, parsed: &parsed, consent };
    in_time(spec.name, commands::TIME, (spec.run)(&call)).await?
}

/// Runs a command of the program's own.
async fn run_own(session: &Session, command: &Command, parsed: Parsed) -> Result<Output, Fault> {
    let name = command.name();
    tracing::info!(operator = %session.operator(), command = name, "an operator's command");
    match in_time(name, command.time(), hook::run(name, || command.running(parsed.words))).await? {
        Ok(Ok(text)) => {
            let json = serde_json::json!({"command": name, "text": text});
            Ok(Output::text(text, json))
        }
        Ok(Err(error)) => Err(Fault::refused(error)),
        Err(hook::Panicked) => Err(Fault::refused(format!("`{name}` has panicked; the log says where"))),
    }
}

async fn in_time<T>(command: &str, time: Duration, running: impl Future<Output = T>) -> Result<T, Fault> {
    let late = |_| Fault::timed_out(format!("`{command}` was not done within {time:?}"));
    tokio::time::timeout(time, running).await.map_err(late)
}

/// How long a command has to take for the time to be worth a line.
const SLOW: Duration = Duration::from_millis(500);
