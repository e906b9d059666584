//! A restart that loses no answered call: a server with clients that ask all the time is drained, and another one takes
//! over on the same port. The clients come back when they were told to, and ask again what was not taken.
//!
//! ```text
//! $ cargo run --example drain
//! clients:  5 of them, which have 400 questions
//! server 1: shuts down
//! server 1: done, 5 connections finished, 0 cut off, with 0 calls
//! server 2: takes over
//! clients:  all have come back, none before its time
//! clients:  400 asked, 400 answered, 11 of them asked again because server 1 was going away
//! servers:  400 answered, none twice: 173 by server 1, 227 by server 2
//! ```

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Backoff, CallError, Client, CloseCode, LinkState, Packet, Server, action, actions, code, protocol};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const CLIENTS: u32 = 5;
/// Questions that a client has at the same time, and how many one after the other.
const AT_ONCE: u32 = 2;
const QUESTIONS: u32 = 40;

#[derive(Packet, Serialize, Deserialize)]
struct Question {
    number: u32,
}

#[derive(Packet, Serialize, Deserialize)]
struct Answer {
    number: u32,
    server: u32,
}

protocol! {
    Quiz {
        client { Question -> Answer }
    }
}

/// A server, with the ledger that outlives it.
struct Desk {
    server: u32,
    ledger: Arc<Ledger>,
}

/// Which server has answered what; more than one if it went wrong.
type Ledger = Mutex<BTreeMap<u32, Vec<u32>>>;

#[action("QUESTION")]
async fn question(p: Question, desk: &Desk) -> Answer {
    sleep(Duration::from_millis(10 + u64::from(p.number * 37 % 50))).await;
    desk.ledger.lock().unwrap_or_else(PoisonError::into_inner).entry(p.number).or_default().push(desk.server);
    Answer { number: p.number, server: desk.server }
}

actions! { server QuizServer(Desk) for Quiz: question }
actions! { client QuizClient for Quiz: }

/// What the clients have counted.
#[derive(Default)]
struct Counts {
    answered: AtomicU32,
    /// Of them, those that were asked again because the server was going away.
    again: AtomicU32,
    came_back: AtomicU32,
    too_early: AtomicU32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    timeout(Duration::from_secs(30), run()).await?
}

async fn run() -> Result<(), Box<dyn Error>> {
    let ledger = Arc::new(Ledger::default());
    let first = start(1, ([127, 0, 0, 1], 0).into(), &ledger).await?;
    let address = first.local_addr();

    let total = CLIENTS * AT_ONCE * QUESTIONS;
    println!("clients:  {CLIENTS} of them, which have {total} questions");
    let counts = Arc::new(Counts::default());
    let (mut asking, mut watching) = (JoinSet::new(), JoinSet::new());
    for number in 0..CLIENTS {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let client: Client<Quiz> = pnet::connect(QuizClient, ()).reconnect(backoff).to(address).await?;
        watching.spawn(watch(client.clone(), Arc::clone(&counts)));
        for place in 0..AT_ONCE {
            let from = (number * AT_ONCE + place) * QUESTIONS;
            asking.spawn(ask(client.clone(), from, Arc::clone(&counts)));
        }
    }

    sleep(Duration::from_millis(500)).await;
    println!("server 1: shuts down");
    let done = first.shutdown(Duration::from_secs(5)).await;
    println!(
        "server 1: done, {} connections finished, {} cut off, with {} calls",
        done.finished, done.cut_off, done.calls
    );
    let second = start(2, address, &ledger).await?;
    println!("server 2: takes over");

    while let Some(watched) = watching.join_next().await {
        watched?;
    }
    check(counts.came_back.load(Relaxed) == CLIENTS && counts.too_early.load(Relaxed) == 0, "they came when told")?;
    println!("clients:  all have come back, none before its time");
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    let (answered, again) = (counts.answered.load(Relaxed), counts.again.load(Relaxed));
    check(answered == total && again > 0, "every question is answered, some after all")?;
    println!(
        "clients:  {total} asked, {answered} answered, {again} of them asked again because server 1 was going away"
    );

    second.shutdown(Duration::from_secs(5)).await;
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    check(ledger.values().all(|servers| servers.len() == 1), "nothing was answered twice")?;
    let by = |server| ledger.values().flatten().filter(|by| **by == server).count();
    let (one, two) = (by(1), by(2));
    check(one > 0 && two > 0 && one + two == total as usize, "both servers have answered")?;
    println!("servers:  {} answered, none twice: {one} by server 1, {two} by server 2", one + two);
    Ok(())
}

async fn start(server: u32, address: SocketAddr, ledger: &Arc<Ledger>) -> Result<Server<Quiz>, Box<dyn Error>> {
    let desk = Desk { server, ledger: Arc::clone(ledger) };
    Ok(pnet::serve(QuizServer, desk).come_back(Duration::from_millis(500)).bind(address).await?)
}

/// Asks one question after the other, each until it is answered.
async fn ask(client: Client<Quiz>, from: u32, counts: Arc<Counts>) -> Result<(), String> {
    for number in from..from + QUESTIONS {
        let mut again = false;
        loop {
            match client.call(Question { number }).await {
                Ok(answer) if answer.number == number => break,
                // Not taken. As long as this connection is there, for what it has still to answer, others are not, either.
                Err(CallError::Failed { code, .. }) if code == code::GOING_AWAY => {
                    again = true;
                    sleep(Duration::from_millis(20)).await;
                }
                // It crossed the server's last words. The server answers all it has taken, within its grace, so this was
                // not taken. Of other ends nobody could say that.
                Err(CallError::Disconnected { why, .. }) if why.code() == CloseCode::GoingAway => {
                    again = true;
                }
                Ok(answer) => {
                    return Err(format!("{} instead of {number}, by server {}", answer.number, answer.server));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        counts.answered.fetch_add(1, Relaxed);
        counts.again.fetch_add(u32::from(again), Relaxed);
    }
    Ok(())
}

/// Sees the client lose its connection, and come back when it was told to.
async fn watch(client: Client<Quiz>, counts: Arc<Counts>) {
    let mut states = client.states();
    let mut told = None;
    while states.changed().await.is_ok() {
        match &*states.borrow_and_update() {
            LinkState::Waiting { retry_at, why, .. } if why.code() == CloseCode::GoingAway => told = Some(*retry_at),
            LinkState::Up => {
                counts.came_back.fetch_add(1, Relaxed);
                if told.is_none_or(|told| Instant::now() < told) {
                    counts.too_early.fetch_add(1, Relaxed);
                }
                return;
            }
            _ => {}
        }
    }
}

fn check(promised: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if promised { Ok(()) } else { Err(format!("not as promised: {what}").into()) }
}
