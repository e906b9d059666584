//! The runtime a command runs on, and what ends it early.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::exit::{Exit, Failure};

/// A runtime with so many threads.
///
/// # Errors
///
/// The system gives no threads.
pub(crate) fn runtime(threads: usize) -> Result<Runtime, Failure> {
    let made = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    made.map_err(|error: io::Error| Failure::refused(format_args!("cannot start threads: {error}")))
}

/// Runs a command until it is done or ctrl-c is pressed.
///
/// # Errors
///
/// Those of the command, and [`Exit::INTERRUPTED`].
pub(crate) fn until_ctrl_c(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = runtime(2)?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result,
            () = pnet::ctrl_c() => Err(Failure::interrupted()),
        }
    });
    // Nobody waits for a thread that reads the standard input.
    runtime.shutdown_background();
    result
}
