//! One operator at a reader and a writer: lines in, answers out.

use std::process::ExitCode;

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
