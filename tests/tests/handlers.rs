//! What the macros make of handlers: the table of a service, and futures that hold nothing twice.

use std::borrow::Cow;

use pnet::{
    __private::{Kit, Run, Task},
    Packet, Peer, Service, StreamSender, action, actions, protocol,
};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
struct Big {
    data: [u64; 32],
}

#[derive(Packet, Serialize, Deserialize)]
struct Small {
    number: u8,
}

#[derive(Packet, Serialize, Deserialize)]
struct Last;

#[derive(Packet, Serialize, Deserialize)]
struct Feed {
    data: [u64; 32],
}

#[derive(Packet, Serialize, Deserialize)]
struct Show<'a> {
    data: [u64; 32],
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
struct Shown {
    data: [u64; 32],
    note: String,
}

#[derive(Packet, Serialize)]
#[packet(view_of = Shown)]
struct ShownView<'a> {
    data: [u64; 32],
    note: Cow<'a, str>,
}

protocol! {
    Sizes {
        client { Small -> (), Big, Last, Feed -> stream Small, Show<'_> -> Shown }
    }
}

#[action("BIG", concurrent)]
async fn big(p: Big) {
    std::future::ready(()).await;
    let _ = p.data;
}

#[action("SMALL", finish)]
async fn small(app: &u32, p: Small, _peer: Peer<Sizes>) {
    std::future::ready(()).await;
    let _ = (app, p.number);
}

#[action("LAST")]
fn last(_p: Last) {}

#[action("FEED")]
async fn feed(out: StreamSender<Small>, p: Feed) {
    let _ = (out.send(Small { number: 1 }).await, p.data);
}

#[action("SHOW")]
async fn show(p: Show<'_>) -> ShownView<'_> {
    std::future::ready(()).await;
    ShownView { data: p.data, note: p.note }
}

actions! { server Server(u32) for Sizes: small, last, feed, show, big }

#[test]
fn the_table_is_sorted_by_action() {
    let routes: Vec<_> = Server::ROUTES.iter().map(|route| (route.handler, route.concurrent, route.finish)).collect();
    assert_eq!(
        routes,
        [
            ("big", true, false),
            ("feed", false, false),
            ("last", false, false),
            ("show", false, false),
            ("small", false, true)
        ]
    );
    assert!(matches!(Server::ROUTES[0].run, Run::Later(_)));
    assert!(matches!(Server::ROUTES[2].run, Run::Now(_)));
}

#[test]
fn a_running_handler_is_stored_once() {
    fn own<A, F: Future>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }
    fn own2<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }
    fn own3<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
    fn task<M, H: Task<Server, M>>(_: H) -> usize {
        fn size<F: Future<Output = Box<Kit<Server>>>>(_: fn(Box<Kit<Server>>) -> F) -> usize {
            size_of::<F>()
        }
        size(H::run)
    }
    // The kit, what is borrowed from it, and whether the handler runs.
    let around = 6 * size_of::<usize>();
    assert!(task(big {}) <= own(big) + around, "{} for {}", task(big {}), own(big));
    assert!(task(feed {}) <= own2(feed) + around, "{} for {}", task(feed {}), own2(feed));
    assert!(task(show {}) <= own(show) + around, "{} for {}", task(show {}), own(show));
    assert!(task(small {}) <= own3(small) + around, "{} for {}", task(small {}), own3(small));
}
