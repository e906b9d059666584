//! The terminal as it was: an editor changes how it works, and a program that is ended from outside has to change it back.

use std::io;

use rustix::{
    stdio::stdin,
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::signal::unix::{SignalKind, signal};

/// How the terminal was set, to be set again when this is dropped.
#[derive(Debug)]
pub(super) struct Terminal {
    before: Option<Termios>,
}

impl Terminal {
    /// Remembers how the standard input's terminal is set.
    pub(super) fn remember() -> Self {
        Self { before: tcgetattr(stdin()).ok() }
    }

    fn restore(&self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(stdin(), OptionalActions::Flush, before);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Waits until the program is told to end, or its terminal is gone.
pub(super) async fn ended_from_outside() -> io::Result<()> {
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}
