//! The chat's client for the terminal.
//!
//! Takes an address and a name. Lines are said to everybody, `/msg NAME text` to one person, `/who` asks who is there,
//! `/quit`, the end of the input, or ctrl-c leave.
//!
//! ```text
//! $ cargo run -p chat-client 127.0.0.1:25565 ada
//! * you are ada, alone
//! * guest-2 has come
//! * guest-2 is bob now
//! hello
//! bob: hello, ada
//! /msg bob psst
//! (to bob) psst
//! * bob has gone
//! /quit
//! ```

use std::{error::Error, io, process::ExitCode};

use chat_client::{ChatUi, Screen, enter, talk};
use chat_protocol::explained;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-client: {}", explained(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(name), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: chat-client ADDRESS NAME".into());
    };
    let screen = Screen::new(io::stdout());
    let chat = pnet::connect(ChatUi, screen.clone()).to(address).await?;
    tokio::select! {
        result = async {
            enter(&chat, &screen, name).await?;
            talk(&chat, &screen, lines()).await
        } => result,
        () = pnet::ctrl_c() => {
            chat.close().await;
            Ok(())
        }
    }
}

/// The lines of the standard input. They are read by a thread that nobody waits for, since such a read cannot be
/// interrupted: the program ends while it waits for a line.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
