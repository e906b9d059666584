//! Calls in both directions at once, typed errors, and what a caller learns when there is no answer.
//!
//! A shop asks its customer to confirm the price while the customer waits for the receipt: each side's handler calls the
//! other side on the same connection.
//!
//! ```text
//! $ cargo run --example rpc
//! customer: 2 lamps, please
//! shop:     that makes 40, all right?
//! customer: yes
//! customer: got receipt 1
//! customer: 99 lamps, please
//! customer: sold out, 8 left
//! customer: 1 piano, please
//! shop:     that makes 9000, all right?
//! customer: no
//! customer: the shop says: as you like (not-confirmed)
//! customer: 1 unicorn, please
//! customer: the shop has a problem of its own (internal)
//! customer: 0 lamps, please
//! customer: the shop says: order at least one (nothing-ordered)
//! customer: is there post?
//! customer: no answer within 50ms, so the shop does not look any more
//! customer: three orders at once
//! shop:     that makes 20, all right?
//! shop:     that makes 20, all right?
//! shop:     that makes 20, all right?
//! customer: yes to all three
//! customer: got receipts 2, 3, 4
//! customer: goodbye
//! customer: no call without a connection: connection closed by this side: normal
//! ```

use std::{
    collections::BTreeMap,
    error::Error,
    num::ParseIntError,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use pnet::{CallError, Client, Failure, Packet, Peer, action, actions, code, protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

// What both sides share.

#[derive(Packet, Serialize, Deserialize)]
pub struct Order {
    item: String,
    count: u32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Receipt {
    number: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct SoldOut {
    left: u32,
}

/// The customer asks; the shop's handler takes its time.
#[derive(Packet, Serialize, Deserialize)]
pub struct Post {}

/// The shop asks back.
#[derive(Packet, Serialize, Deserialize)]
pub struct Confirm {
    total: u32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Answer {
    yes: bool,
}

protocol! {
    pub Shopping {
        client {
            Order -> Result<Receipt, SoldOut>,
            Post -> ()
        }
        server { Confirm -> Answer }
    }
}

// The shop: a server.

pub struct Shop {
    stock: Mutex<BTreeMap<&'static str, Article>>,
    receipts: Mutex<u32>,
}

struct Article {
    left: u32,
    /// As it stands on the label, which may be hard to read.
    price: &'static str,
}

/// Returns what the protocol declares, or fails: `Failure::public` is for the caller's eyes, `?` is not.
#[action("ORDER")]
async fn order(p: Order, customer: Peer<Shopping>, shop: &Shop) -> Result<Result<Receipt, SoldOut>, Failure> {
    if p.count == 0 {
        return Err(Failure::public("nothing-ordered", "order at least one"));
    }
    let total = match shop.price(&p)? {
        Ok(total) => total,
        Err(sold_out) => return Ok(Err(sold_out)),
    };
    println!("shop:     that makes {total}, all right?");
    let Answer { yes } = customer.call(Confirm { total }).await?;
    if !yes {
        return Err(Failure::public("not-confirmed", "as you like"));
    }
    Ok(shop.take(&p))
}

#[action("POST")]
async fn post(_: Post) {
    std::future::pending().await
}

actions! { pub server ShopServer(Shop) for Shopping: order, post }

impl Shop {
    fn new() -> Self {
        let stock = [("lamp", 10, "20"), ("piano", 1, "9000"), ("unicorn", 1, "priceless")];
        Self {
            stock: Mutex::new(stock.map(|(item, left, price)| (item, Article { left, price })).into()),
            receipts: Mutex::new(0),
        }
    }

    /// What the order costs, if there is enough.
    fn price(&self, order: &Order) -> Result<Result<u32, SoldOut>, ParseIntError> {
        match lock(&self.stock).get(&*order.item) {
            Some(article) if article.left >= order.count => {
                Ok(Ok(article.price.parse::<u32>()?.saturating_mul(order.count)))
            }
            article => Ok(Err(SoldOut { left: article.map_or(0, |article| article.left) })),
        }
    }

    /// Sells, unless somebody else was faster.
    fn take(&self, order: &Order) -> Result<Receipt, SoldOut> {
        let mut stock = lock(&self.stock);
        let Some(article) = stock.get_mut(&*order.item) else { return Err(SoldOut { left: 0 }) };
        article.left = article.left.checked_sub(order.count).ok_or(SoldOut { left: article.left })?;
        let mut receipts = lock(&self.receipts);
        *receipts += 1;
        Ok(Receipt { number: *receipts })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// The customer: a client.

pub struct Customer {
    purse: u32,
    /// If set, says yes only when three questions are open at the same time.
    together: Mutex<bool>,
    three: Barrier,
}

#[action("CONFIRM")]
async fn confirm(p: Confirm, me: &Customer) -> Answer {
    let together = *lock(&me.together);
    if together {
        if me.three.wait().await.is_leader() {
            println!("customer: yes to all three");
        }
        return Answer { yes: true };
    }
    let yes = p.total <= me.purse;
    println!("customer: {}", if yes { "yes" } else { "no" });
    Answer { yes }
}

actions! { pub client CustomerClient(Customer) for Shopping: confirm }

/// Orders, and tells apart all that may come of it.
async fn buy(shop: &Client<Shopping>, count: u32, item: &str) -> Result<(), Box<dyn Error>> {
    println!("customer: {count} {item}{}, please", if count == 1 { "" } else { "s" });
    match shop.call(Order { item: item.to_owned(), count }).await {
        Ok(Receipt { number }) => println!("customer: got receipt {number}"),
        Err(CallError::Declared(SoldOut { left })) => println!("customer: sold out, {left} left"),
        Err(CallError::Failed { code, .. }) if code == code::INTERNAL => {
            println!("customer: the shop has a problem of its own ({code})");
        }
        Err(CallError::Failed { code, message }) => println!("customer: the shop says: {message} ({code})"),
        Err(error) => return Err(format!("{error}").into()),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = pnet::serve(ShopServer, Shop::new()).bind("127.0.0.1:0").await?;
    let address = server.local_addr();
    let customer = std::sync::Arc::new(Customer { purse: 100, together: Mutex::new(false), three: Barrier::new(3) });
    let shop = pnet::connect(CustomerClient, customer.clone()).to(address).await?;

    buy(&shop, 2, "lamp").await?;
    buy(&shop, 99, "lamp").await?;
    buy(&shop, 1, "piano").await?;
    buy(&shop, 1, "unicorn").await?;
    buy(&shop, 0, "lamp").await?;

    println!("customer: is there post?");
    match shop.call(Post {}).timeout(Duration::from_millis(50)).await {
        Err(CallError::TimedOut { after }) => {
            println!("customer: no answer within {after:?}, so the shop does not look any more");
        }
        other => return Err(format!("expected a timeout: {other:?}").into()),
    }

    println!("customer: three orders at once");
    *lock(&customer.together) = true;
    let lamp = || Order { item: "lamp".to_owned(), count: 1 };
    let receipts = tokio::try_join!(shop.call(lamp()), shop.call(lamp()), shop.call(lamp()));
    let (a, b, c) = receipts.map_err(|error| error.to_string())?;
    let mut numbers = [a.number, b.number, c.number].map(|number| number.to_string());
    numbers.sort();
    println!("customer: got receipts {}", numbers.join(", "));

    println!("customer: goodbye");
    shop.close().await;
    match shop.call(Post {}).await {
        Err(CallError::Disconnected { why, .. }) => println!("customer: no call without a connection: {why}"),
        other => return Err(format!("expected no connection: {other:?}").into()),
    }
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
