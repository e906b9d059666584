//! One operator at a reader and a writer: lines in, answers out.

use std::{io, process::ExitCode};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{
    answer::{self, Answer},
    attach::RunOptions,
    fault::USAGE,
    format::age,
    lines::Lines,
    output::{After, ascii, harmless, render_fault},
    session::Session,
};

/// What an operator has in front of them.
///
/// # Examples
///
/// ```
/// use pnet::console::Terminal;
///
/// let script = Terminal::plain().json(true);
/// let person = Terminal::interactive().columns(80);
/// # let _ = (script, person);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    interactive: bool,
    json: bool,
    columns: u16,
    operator: Option<String>,
}

impl Terminal {
    /// A script, a pipe, a file: nobody is prompted or asked.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// A person: there are prompts, and questions before what cannot be undone.
    #[must_use]
    pub fn interactive() -> Self {
        Self { interactive: true, ..Self::default() }
    }

    /// Whether answers are JSON, a line for each thing.
    #[must_use]
    pub const fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// How wide tables may be; as wide as they are unless this says otherwise.
    #[must_use]
    pub const fn columns(mut self, columns: u16) -> Self {
        self.columns = columns;
        self
    }

    /// As whom the operator is logged; `terminal` unless this says otherwise.
    #[must_use]
    pub fn operator(mut self, operator: impl Into<String>) -> Self {
        self.operator = Some(operator.into());
        self
    }

    pub(super) fn operator_name(&self) -> &str {
        self.operator.as_deref().unwrap_or("terminal")
    }
}

/// How a console has come to its end.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The input is at its end, or the operator has left.
    InputEnded {
        /// The exit status of the first line that failed, or 0.
        status: u8,
    },
    /// The program was told to stop, here or by another operator.
    Stopped {
        /// The exit status of the first line that failed, or 0.
        status: u8,
    },
}

impl Ended {
    /// The exit status of the first line that failed, or 0: 1 refused, 2 not understood, 4 timed out. Of a person at a
    /// terminal it is always 0.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::InputEnded { status } | Self::Stopped { status } => status,
        }
    }

    /// Whether the program was told to stop.
    #[must_use]
    pub const fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped { .. })
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended.status())
    }
}

/// Runs the lines of one operator. Whose output goes to nobody any more has left.
pub(super) async fn run(
    session: &Session,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    terminal: &Terminal,
) -> io::Result<Ended> {
    let mut status = 0;
    match run_lines(session, reader, writer, terminal, &mut status).await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Ended::InputEnded { status }),
        Err(error) => Err(error),
        Ok(true) => Ok(Ended::Stopped { status }),
        Ok(false) => Ok(Ended::InputEnded { status }),
    }
}

/// Whether the program was told to stop. `status` is that of the first line that failed.
async fn run_lines(
    session: &Session,
    reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    terminal: &Terminal,
    status: &mut u8,
) -> io::Result<bool> {
    let mut lines = Lines::new(reader);
    if terminal.interactive && !terminal.json {
        writer.write_all(greeting(session).as_bytes()).await?;
    }
    loop {
        if terminal.interactive {
            writer.write_all(format!("{}> ", harmless(session.shared().title())).as_bytes()).await?;
        }
        writer.flush().await?;
        let line = tokio::select! {
            biased;
            line = lines.next() => line?,
            over = session.shared().ending.over() => {
                let lead = if terminal.interactive { "\n" } else { "" };
                writer.write_all(format!("{lead}{}\n", said(&over, terminal.json)).as_bytes()).await?;
                writer.flush().await?;
                return Ok(true);
            }
        };
        let answer = match line {
            None => break,
            Some(Ok(line)) => run_line(session, &line, terminal, &mut lines, &mut writer).await?,
            Some(Err(fault)) => Answer { text: render_fault(&fault, terminal.json), exit: USAGE, ..Answer::default() },
        };
        writer.write_all(answer.text.as_bytes()).await?;
        if !terminal.interactive && *status == 0 {
            *status = answer.exit;
        }
        match answer.after {
            After::Nothing => {}
            After::Clear if terminal.interactive => writer.write_all(CLEAR).await?,
            After::Clear => {}
            After::Leave => {
                writer.flush().await?;
                return Ok(false);
            }
            After::Stop => {
                writer.flush().await?;
                session.shared().ending.stop(&session.shared().inspector);
                return Ok(true);
            }
        }
    }
    if terminal.interactive {
        writer.write_all(b"\n").await?;
    }
    writer.flush().await?;
    Ok(false)
}

/// Runs a line; a person is asked what has to be asked.
async fn run_line(
    session: &Session,
    line: &str,
    terminal: &Terminal,
    lines: &mut Lines<impl AsyncRead + Unpin>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<Answer> {
    let options = RunOptions { json: terminal.json, confirmed: false, columns: terminal.columns };
    let answer = answer::run(session, line, options).await;
    let Some(question) = answer.question.as_ref().filter(|_| terminal.interactive) else { return Ok(answer) };
    writer.write_all(format!("{question} y/N ").as_bytes()).await?;
    writer.flush().await?;
    let said = lines.next().await?;
    if said.and_then(Result::ok).is_some_and(|said| ["y", "yes"].contains(&&*said.trim().to_lowercase())) {
        return Ok(answer::run(session, line, RunOptions { confirmed: true, ..options }).await);
    }
    Ok(Answer { text: "nothing was done\n".to_owned(), exit: USAGE, ..Answer::default() })
}

fn greeting(session: &Session) -> String {
    let about = session.shared().inspector.snapshot().about;
    let connections = session.shared().inspector.conns().len();
    format!(
        "pnet console of the {} \"{}\", pnet {}, up {}, connections: {connections}. `help` lists the commands.\n",
        about.role,
        harmless(session.shared().title()),
        about.version,
        age(about.uptime_ms),
    )
}

fn said(over: &str, as_json: bool) -> String {
    if as_json { ascii(&serde_json::json!({ "ended": over })) } else { harmless(over) }
}

/// Empties a terminal's screen, and puts the cursor into its corner.
const CLEAR: &[u8] = b"\x1b[2J\x1b[3J\x1b[H";
