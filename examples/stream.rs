//! One feed, read by a fast and a slow reader on the same connection: the slow one stops its own producer and nothing else.
//!
//! ```text
//! $ cargo run --example stream
//! slow: entry 1
//! fast: entries 1 to 1000, while the slow one waits
//! server: has sent the slow one 64 entries, and waits for it
//! fast: the feed has 1000 entries, says a call
//! slow: entries 2 to 100, and that is enough
//! server: no longer sends the slow one anything
//! fast: nothing from 5000 on: the feed ends at 1000
//! follower: entry 1001, as it is written
//! server: shuts down
//! follower: no more entries (going-away): this side is shutting down
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use pnet::{CallError, Client, Failure, Packet, SendError, StreamSender, Streaming, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Everything from one entry on: what there is, and what is written later.
#[derive(Packet, Serialize, Deserialize)]
pub struct Follow {
    from: usize,
}

/// From one entry on what there is, and no more.
#[derive(Packet, Serialize, Deserialize)]
pub struct Read {
    from: usize,
    reader: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Entry {
    number: usize,
    text: String,
}

/// There is nothing from there on.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Beyond {
    last: usize,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Count {}

#[derive(Packet, Serialize, Deserialize)]
pub struct Entries {
    count: usize,
}

protocol! {
    pub Journal {
        client { Read -> stream Result<Entry, Beyond>, Follow -> stream Entry, Count -> Entries }
    }
}

pub struct Feed {
    entries: watch::Sender<Vec<String>>,
    /// How many entries the slow reader's handler has sent; `None` when it has stopped.
    sent: watch::Sender<Option<usize>>,
}

impl Feed {
    fn entry(&self, number: usize) -> Option<Entry> {
        let text = self.entries.borrow().get(number.checked_sub(1)?)?.clone();
        Some(Entry { number, text })
    }
}

#[action("READ")]
async fn read(p: Read, feed: &Feed, out: StreamSender<Entry>) -> Result<Result<(), Beyond>, SendError> {
    let last = feed.entries.borrow().len();
    if p.from > last {
        return Ok(Err(Beyond { last }));
    }
    let watched = (p.reader == "slow").then(|| Watched(feed));
    for number in p.from..=last {
        let Some(entry) = feed.entry(number) else { break };
        out.send(entry).await?;
        if watched.is_some() {
            feed.sent.send_replace(Some(number));
        }
    }
    Ok(Ok(()))
}

/// Says when a handler has stopped, however that came.
struct Watched<'a>(&'a Feed);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.sent.send_replace(None);
    }
}

#[action("FOLLOW")]
async fn follow(p: Follow, feed: &Feed, out: StreamSender<Entry>) -> Result<(), Failure> {
    let mut entries = feed.entries.subscribe();
    let mut number = p.from;
    loop {
        while let Some(entry) = feed.entry(number) {
            out.send(entry).await?;
            number += 1;
        }
        tokio::select! {
            changed = entries.changed() => changed?,
            // Without this, it would be cut off when the grace of the shutdown is over.
            why = out.closed() => return Err(Failure::public("going-away", why.to_string())),
        }
    }
}

#[action("COUNT")]
fn count(_: Count, feed: &Feed) -> Entries {
    Entries { count: feed.entries.borrow().len() }
}

actions! { pub server JournalServer(Feed) for Journal: read, follow, count }
actions! { pub client Reader for Journal: }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let entries = (1..=1000).map(|number| format!("line {number}")).collect();
    let feed = Arc::new(Feed { entries: watch::Sender::new(entries), sent: watch::Sender::new(None) });
    let server = pnet::serve(JournalServer, Arc::clone(&feed)).bind("127.0.0.1:0").await?;
    let client: Client<Journal> = pnet::connect(Reader, ()).to(server.local_addr()).await?;

    let mut slow = client.stream(Read { from: 1, reader: "slow".into() });
    println!("slow: entry {}", next(&mut slow).await?);

    let mut fast = client.stream(Read { from: 1, reader: "fast".into() });
    for number in 1..=1000 {
        assert_eq!(next(&mut fast).await?, number);
    }
    assert!(fast.next().await.is_none(), "that was all");
    println!("fast: entries 1 to 1000, while the slow one waits");

    // So many may be on their way; more credit comes with the 32nd that is read.
    let mut sent = feed.sent.subscribe();
    let ahead = sent.wait_for(|sent| sent.is_some_and(|sent| sent >= 64)).await?.unwrap_or_default();
    println!("server: has sent the slow one {ahead} entries, and waits for it");
    let Entries { count } = client.call(Count {}).await?;
    println!("fast: the feed has {count} entries, says a call");

    for number in 2..=100 {
        assert_eq!(next(&mut slow).await?, number);
    }
    println!("slow: entries 2 to 100, and that is enough");
    drop(slow);
    sent.wait_for(Option::is_none).await?;
    println!("server: no longer sends the slow one anything");

    match client.stream(Read { from: 5000, reader: "fast".into() }).next().await {
        Some(Err(CallError::Declared(Beyond { last }))) => {
            println!("fast: nothing from 5000 on: the feed ends at {last}");
        }
        _ => return Err("the stream should have ended with its declared error".into()),
    }

    let mut follower = client.stream(Follow { from: 1001 });
    let (number, ()) = tokio::join!(follower.next(), async {
        feed.entries.send_modify(|entries| entries.push("line 1001".to_owned()));
    });
    let number = number.ok_or("the feed goes on")??.number;
    println!("follower: entry {number}, as it is written");
    println!("server: shuts down");
    let (end, shutdown) = tokio::join!(follower.next(), server.shutdown(Duration::from_secs(10)));
    match end {
        Some(Err(CallError::Failed { code, message })) => println!("follower: no more entries ({code}): {message}"),
        _ => return Err("the stream should have ended with the server".into()),
    }
    assert_eq!(shutdown.cut_off, 0, "the handler has listened");
    Ok(())
}

async fn next(stream: &mut Streaming<Result<Entry, Beyond>>) -> Result<usize, Box<dyn Error>> {
    let entry = stream.next().await.ok_or("the stream has ended too early")??;
    assert_eq!(entry.text, format!("line {}", entry.number));
    Ok(entry.number)
}
