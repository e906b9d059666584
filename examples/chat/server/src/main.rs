//! The chat's server.
//!
//! It prints what happens and runs until ctrl-c. An address may be given; port 0 takes a free port.
//!
//! ```text
//! $ cargo run -p chat-server
//! * listening on 127.0.0.1:25565
//! * guest-1 has come from 127.0.0.1:53710
//! * guest-1 is ada now
//! ^C
//! * ada has gone: connection closed by this side: going-away (the server is shutting down)
//! * shut down: 1 in time, 0 cut off
//! ```

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{error::Error, process::ExitCode, time::Duration};

use chat_protocol::explained;
use chat_server::{Room, server};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-server: {}", explained(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| pnet::DEFAULT_ADDRESS.to_owned());
    if address.starts_with('-') || arguments.next().is_some() {
        return Err("usage: chat-server [ADDRESS]".into());
    }
    let server = server(Room::new()).grace(GRACE).bind(address).await?;
    println!("* listening on {}", server.local_addr());
    let done = server.run_until(pnet::ctrl_c()).await;
    println!("* shut down: {} in time, {} cut off", done.finished, done.cut_off);
    Ok(())
}

/// How long accepted messages may take after ctrl-c.
const GRACE: Duration = Duration::from_secs(5);
