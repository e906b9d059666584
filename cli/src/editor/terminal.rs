//! The terminal as it was: an editor changes how it works, and a program that is ended from outside has to change it back.

use std::io;

use rustix::{
    stdio::stdin,
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

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

/// What tells the program to end, from its beginning on: nothing is missed that comes while something else is waited for.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    hang_up: Signal,
    /// Where a person types, ctrl-c is for what is being done, and not for the session.
    interrupt: Option<Signal>,
}

impl Signals {
    /// To be made in a runtime.
    pub(super) fn listen(interactive: bool) -> io::Result<Self> {
        let interrupt = if interactive { None } else { Some(signal(SignalKind::interrupt())?) };
        Ok(Self { terminate: signal(SignalKind::terminate())?, hang_up: signal(SignalKind::hangup())?, interrupt })
    }

    /// Waits until the program is told to end, or its terminal is gone, and says the status that this makes.
    pub(super) async fn end(&mut self) -> Exit {
        let interrupted = async {
            match &mut self.interrupt {
                Some(interrupt) => interrupt.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Exit::TERMINATED,
            _ = self.hang_up.recv() => Exit::HUNG_UP,
            _ = interrupted => Exit::INTERRUPTED,
        }
    }
}
