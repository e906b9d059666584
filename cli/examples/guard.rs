//! Takes the terminal as `pnet top` does, and loses it in the way that its argument says: `quit`, `error`, `panic`, `thread` (a
//! panic on another one) or `wait` (for a signal). Whatever it is, the terminal is as before, and the text of a panic can be
//! read. `.ci/top` looks at that in a real terminal.

use std::{error::Error, process::ExitCode, thread, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

#[path = "../src/top/terminal.rs"]
mod terminal;

async fn run(how: &str) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut screen = terminal::Screen::take()?;
    screen.terminal().draw(|frame| frame.render_widget("drawn by the guard", frame.area()))?;
    sleep(Duration::from_millis(500)).await;
    match how {
        "quit" => Ok(()),
        "error" => Err("an error as it may happen".into()),
        "panic" => panic!("a panic as it may happen"),
        "thread" => {
            let other = thread::spawn(|| panic!("a panic elsewhere"));
            screen.broken().await;
            // What is drawn from now on must not be seen.
            screen.terminal().draw(|frame| frame.render_widget("drawn too late", frame.area()))?;
            other.join().map_err(|_| "the other thread has panicked".into())
        }
        _ => {
            terminate.recv().await;
            Ok(())
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&std::env::args().nth(1).unwrap_or_default()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The terminal is given back by now.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
