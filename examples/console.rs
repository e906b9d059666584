//! A server that can be looked into: three clients talk to it, the console is on the terminal, and others may attach to it.
//!
//! ```text
//! $ cargo run --example console
//! attach from another terminal: pnet attach /run/user/1000/pnet-example-4711/console
//! pnet console of the server "Market", pnet 0.1.0, up 0s, connections: 3. `help` lists the commands.
//! Market> list
//! ID        ADDR             FORM    AGE  IDLE  RTT  IN   OUT  BYTES   QUEUE  FLY  S
//! 0d6a1e0c  127.0.0.1:41264  native   2s    0s        9     9  1.2 kB      0    0
//! …
//! Market> trigger BID {"lot": 3, "pence": 990}
//! Taken {"high":990,"lot":3}
//! Market> stop
//! Stop the server "Market" with 3 connections now? y/N y
//! ```
//!
//! Where nobody sits at a terminal, it runs the lines that are piped in, and ends: `printf 'list\nstats\n' | cargo run
//! --example console`.

use std::{
    error::Error,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pnet::{
    CallError, Client, Dialect, Hub, Packet, action, actions,
    console::{Command, Console},
    protocol,
};
use serde::{Deserialize, Serialize};

/// What somebody would pay for a lot.
#[derive(Packet, Serialize, Deserialize)]
struct Bid {
    lot: u8,
    pence: u32,
}

#[derive(Packet, Serialize, Deserialize)]
struct Taken {
    lot: u8,
    high: u32,
}

#[derive(Packet, Serialize, Deserialize)]
struct TooLow {
    least: u32,
}

/// What all are told.
#[derive(Packet, Serialize, Deserialize)]
struct Announce {
    text: String,
}

protocol! {
    Market {
        client { Bid -> Result<Taken, TooLow> }
        server { Announce }
    }
}

#[derive(Default)]
struct Hall {
    /// The highest bid for each lot.
    lots: Mutex<[u32; 8]>,
}

#[action("BID")]
fn bid(p: Bid, hall: &Hall, hub: Hub<Market>) -> Result<Taken, TooLow> {
    let mut lots = hall.lots.lock().unwrap_or_else(PoisonError::into_inner);
    let high = &mut lots[usize::from(p.lot) % 8];
    if p.pence <= *high {
        return Err(TooLow { least: high.saturating_add(1) });
    }
    *high = p.pence;
    hub.broadcast(&Announce { text: format!("lot {} stands at {}", p.lot, p.pence) });
    Ok(Taken { lot: p.lot, high: p.pence })
}

/// A client in this process says nothing of what it hears.
#[action("ANNOUNCE")]
fn announce(_: Announce) {}

actions! { server MarketServer(Hall) for Market: bid }
actions! { client Bidder for Market: announce }

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let server = pnet::serve(MarketServer, Hall::default()).bind("127.0.0.1:0").await?;
    let hub = server.hub();
    let greet = move |words: Vec<String>| {
        let hub = hub.clone();
        async move {
            let text =
                format!("the house greets {}", if words.is_empty() { "all".into() } else { words.join(" and ") });
            Ok::<_, String>(format!("{} have heard it", hub.broadcast(&Announce { text }).queued))
        }
    };
    let console = Console::new(&server)
        .name("Market")
        .command(Command::new("greet").help("Greets people by name.").arguments("[NAME…]").run(greet));

    let mut bidders = Vec::new();
    for (number, dialect) in [Dialect::Native, Dialect::Json, Dialect::Native].into_iter().enumerate() {
        let market: Client<Market> = pnet::connect(Bidder, ()).dialect(dialect).to(server.local_addr()).await?;
        bidders.push(tokio::spawn(bids(market, number)));
    }

    // Whoever may enter this folder may do everything that the console can: nobody else.
    let folder = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_else(|| std::env::temp_dir().into()));
    let folder = folder.join(format!("pnet-example-{}", std::process::id()));
    let attachment = console.listen(folder.join("console")).await?;
    eprintln!("attach from another terminal: pnet attach {}", attachment.address());

    let handle = server.handle();
    let serving = tokio::spawn(server.run());
    let ended = console.run().await?;
    if !ended.is_stopped() {
        handle.shutdown(Duration::from_secs(2)).await;
    }
    serving.await?;
    attachment.close().await;
    let _ = std::fs::remove_dir(folder);
    Ok(ended.into())
}

/// Bids a little more each time, until the market is over.
async fn bids(market: Client<Market>, number: usize) {
    for round in 1..u32::MAX {
        let lot = u8::try_from(round as usize * (number + 1) % 8).unwrap_or_default();
        let answer = market.call(Bid { lot, pence: round * 10 + number as u32 }).await;
        if answer.is_err_and(|error| !matches!(error, CallError::Declared(_))) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
