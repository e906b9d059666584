//! Logins beside calls: while many log in with passwords that are hashed slowly, on purpose, those that are connected have
//! their calls answered as before.
//!
//! A hundred clients make a call every 100 ms each, first by themselves and then beside so many logins a second, for so many
//! seconds. A hash takes 20 ms of a core, and is made on tokio's threads for blocking work. One login of ten has a wrong
//! password. Where the machine cannot hash as fast as they come, most are sent away while they wait, and some wait in vain: it
//! says how many. The server, the clients with calls and the new ones are one process, with a runtime each. It ends with an error if
//! a call fails, somebody is let in with a wrong password, or refused with the right one; a bound on time is only told, since a
//! machine may stall. Other numbers may be given: logins a second, seconds, and how many are looked at at once.
//!
//! ```text
//! $ cargo run --release --example logins 500 30
//! server: 166800 rounds of PBKDF2 for each login, 100 connections open
//! alone: 5001 calls answered, half of them within 0.9 ms, 99 of 100 within 2.2 ms
//! beside: 35010 calls answered, half of them within 1.1 ms, 99 of 100 within 11.7 ms
//! beside: 14998 logins in 30.0 s, 2388 hashes made
//! beside: 2117 let in, 199 refused, 2 told to come back, 12668 sent away, 12 timed out
//! promise: every call is answered, and who is let in depends on the password alone; measured: 0 calls failed, 0 clients failed
//! bound: 99 of 100 calls answered within 100 ms, or 5 times the 2.2 ms of before; measured: 11.7 ms
//! done in 41.3 s
//! ```

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use pbkdf2::pbkdf2_hmac;
use pnet::{Client, CloseCode, ConnectError, Refused, Retry, Server, action, actions, protocol};
use pnet_examples::calls::{Calls, Square, Squared, millis, squared};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::{
    runtime::Runtime,
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep, sleep_until, timeout},
};

/// What a client shows.
#[derive(Serialize, Deserialize)]
pub struct Login {
    password: String,
}

protocol! {
    pub Vault {
        credentials Login;
        client { Square -> Squared }
    }
}

/// What the server knows of the only password there is.
pub struct Keeper {
    rounds: u32,
    hash: [u8; 32],
    /// How many hashes were made.
    made: AtomicU32,
}

/// Somebody who knows it.
pub struct User;

#[action(authenticate)]
async fn who(login: Login, keeper: Arc<Keeper>) -> Result<User, Refused> {
    // A hash on the threads that move the packets would keep all others waiting.
    let hashed = spawn_blocking(move || {
        let hash = hash(&login.password, keeper.rounds);
        keeper.made.fetch_add(1, Relaxed);
        bool::from(hash.ct_eq(&keeper.hash))
    });
    match hashed.await {
        Ok(true) => Ok(User),
        Ok(false) => Err("wrong password".into()),
        Err(_) => Err(Refused::new("nobody can be looked at now").come_back(Duration::from_secs(1))),
    }
}

#[action("SQUARE")]
fn square(p: Square, _: &User) -> Squared {
    squared(&p)
}

actions! { pub server VaultServer(Keeper) for Vault: who, square }
actions! { pub client VaultClient for Vault: }

/// How much is to be done.
#[derive(Clone, Copy)]
struct Size {
    per_second: u32,
    seconds: u32,
    /// `None` for the server's default.
    at_once: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = Size::parse(&arguments)?;
    let keeper = Arc::new(Keeper::new());
    let (servers, callers, newcomers) = (Runtime::new()?, Runtime::new()?, Runtime::new()?);
    let server = servers.block_on(async {
        let mut builder = pnet::serve(VaultServer, Arc::clone(&keeper));
        if let Some(at_once) = size.at_once {
            builder = builder.max_authenticating(at_once);
        }
        builder.bind("127.0.0.1:0").await
    })?;
    let done = callers.block_on(async {
        let limit = LIMIT + size.time();
        timeout(limit, run(size, server, &keeper, &newcomers))
            .await
            .map_err(|_| format!("not done within {limit:?}"))?
    });
    // Hashes that nobody waits for any more are not waited for here, either.
    servers.shutdown_background();
    done
}

async fn run(size: Size, server: Server<Vault>, keeper: &Keeper, newcomers: &Runtime) -> Result<(), Box<dyn Error>> {
    let (start, address) = (Instant::now(), server.local_addr());
    let clients = try_join_all((0..CONNECTIONS).map(|_| connect(address, RIGHT))).await?;
    println!("server: {} rounds of PBKDF2 for each login, {} connections open", keeper.rounds, clients.len());

    let calls = Arc::new(Calls::default());
    let mut calling = JoinSet::new();
    for (index, client) in (0..).zip(clients) {
        let calls = Arc::clone(&calls);
        calling.spawn(async move {
            calls.make(index, CONNECTIONS, |square| client.call(square)).await;
            client
        });
    }
    sleep(ALONE).await;
    calls.go_beside();
    let before = keeper.made.load(Relaxed);
    let came = newcomers.spawn(come(size, address)).await?;
    let hashes = keeper.made.load(Relaxed) - before;
    calls.end();
    while let Some(ended) = calling.join_next().await {
        ended?.close().await;
    }

    let (alone, beside) = (calls.alone(), calls.beside());
    println!("alone: {alone}");
    println!("beside: {beside}");
    println!("beside: {} logins in {:.1} s, {hashes} hashes made", came.all, came.time.as_secs_f64());
    println!(
        "beside: {} let in, {} refused, {} told to come back, {} sent away, {} timed out",
        came.let_in, came.refused, came.put_off, came.sent_away, came.timed_out
    );
    let failed = calls.failed();
    println!(
        "promise: every call is answered, and who is let in depends on the password alone; measured: {failed} calls failed, \
         {} clients failed",
        came.failed
    );
    println!(
        "bound: 99 of 100 calls answered within 100 ms, or 5 times the {:.1} ms of before; measured: {:.1} ms",
        millis(alone.p99),
        millis(beside.p99)
    );
    if failed > 0 || came.failed > 0 {
        return Err("a promise was not kept".into());
    }
    server.shutdown(Duration::from_secs(1)).await;
    println!("done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

async fn connect(address: SocketAddr, password: &str) -> Result<Client<Vault>, ConnectError> {
    pnet::connect(VaultClient, ()).credentials(&Login { password: password.to_owned() }).to(address).await
}

/// What became of those that logged in.
#[derive(Default)]
struct Came {
    all: u32,
    let_in: u32,
    refused: u32,
    put_off: u32,
    sent_away: u32,
    timed_out: u32,
    failed: u32,
    time: Duration,
}

/// Logins, as many as are due, whatever becomes of those before.
async fn come(size: Size, address: SocketAddr) -> Came {
    let (start, mut came) = (Instant::now(), Came::default());
    let mut tasks = JoinSet::new();
    for index in 0..size.per_second * size.seconds {
        sleep_until(start + Duration::from_secs(1) * index / size.per_second).await;
        if start.elapsed() >= size.time() {
            break;
        }
        tasks.spawn(async move {
            let knows = index % 10 != 9;
            let connected = connect(address, if knows { RIGHT } else { WRONG }).await;
            match connected {
                Ok(client) => {
                    client.close().await;
                    (knows, Ok(()))
                }
                Err(error) => (knows, Err(error)),
            }
        });
        while let Some(ended) = tasks.try_join_next() {
            came.add(ended);
        }
    }
    came.time = start.elapsed();
    while let Some(ended) = tasks.join_next().await {
        came.add(ended);
    }
    came
}

impl Came {
    fn add(&mut self, ended: Result<(bool, Result<(), ConnectError>), tokio::task::JoinError>) {
        self.all += 1;
        match ended {
            Ok((true, Ok(()))) => self.let_in += 1,
            Ok((_, Err(ConnectError::Refused(closed)))) if matches!(closed.retry(), Retry::After(_)) => {
                self.put_off += 1
            }
            Ok((false, Err(ConnectError::Refused(closed)))) if closed.code() == CloseCode::Unauthorized => {
                self.refused += 1
            }
            Ok((_, Err(ConnectError::Refused(closed)))) if closed.code() == CloseCode::Overloaded => {
                self.sent_away += 1
            }
            Ok((_, Err(ConnectError::TimedOut { .. }))) => self.timed_out += 1,
            Ok((_, Err(ConnectError::Broken(_) | ConnectError::Handshake(_)))) => self.sent_away += 1,
            error => {
                // The first one tells enough.
                if self.failed == 0 {
                    println!("a login failed: {error:?}");
                }
                self.failed += 1;
            }
        }
    }
}

impl Keeper {
    /// With as many rounds as take [`HASHING`] of a core that does nothing else.
    fn new() -> Self {
        let quickest = (0..50).map(|_| {
            let start = std::time::Instant::now();
            hash(RIGHT, SOME_ROUNDS);
            start.elapsed()
        });
        let quickest = quickest.min().unwrap_or(HASHING).max(Duration::from_nanos(1));
        let rounds = SOME_ROUNDS * u32::try_from(HASHING.as_nanos() / quickest.as_nanos()).unwrap_or(1).max(1);
        Self { rounds, hash: hash(RIGHT, rounds), made: AtomicU32::new(0) }
    }
}

fn hash(password: &str, rounds: u32) -> [u8; 32] {
    let mut hash = [0; 32];
    // Each user has a salt of their own elsewhere; there is one user here.
    pbkdf2_hmac::<Sha256>(password.as_bytes(), b"the vault's salt", rounds, &mut hash);
    hash
}

impl Size {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let number = |index: usize, usual: u32| match arguments.get(index) {
            Some(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
            None => Ok(usual),
        };
        let at_once = (arguments.len() > 2).then(|| number(2, 0)).transpose()?;
        let at_once = at_once.map(usize::try_from).transpose()?;
        let size = Self { per_second: number(0, 500)?, seconds: number(1, 30)?, at_once };
        let all = size.per_second.checked_mul(size.seconds);
        if arguments.len() > 3 || all.is_none_or(|all| all == 0) {
            return Err("usage: logins [PER_SECOND [SECONDS [AT_ONCE]]], with at least one login".into());
        }
        Ok(size)
    }

    fn time(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// Beside the seconds that were asked for.
const LIMIT: Duration = Duration::from_secs(60);
/// That make calls.
const CONNECTIONS: u32 = 100;
/// How long they are alone.
const ALONE: Duration = Duration::from_secs(5);
/// What a hash costs.
const HASHING: Duration = Duration::from_millis(20);
const SOME_ROUNDS: u32 = 100;
const RIGHT: &str = "swordfish";
const WRONG: &str = "herring";
