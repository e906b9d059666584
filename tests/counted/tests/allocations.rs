//! How often the heap is asked for memory, once all is warm: by a server or a client alone, as the other side is nothing but
//! prepared bytes.
//!
//! Each loop is played twice, short and long: what the longer one asks for beyond the shorter is the packets' own.

#![expect(clippy::print_stdout, reason = "the figures are worth a look")]

use std::alloc::System;

use pnet_counted::loops::Case;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations and reallocations for each packet.
fn each(name: &str, size: u32) -> f64 {
    let case = Case::named(name).expect("there is such a case");
    let count = |batches| {
        let region = Region::new(ALLOCATOR);
        let packets = case.play(size, batches);
        let change = region.change();
        (packets, change.allocations + change.reallocations)
    };
    let ((few, at_least), (many, at_most)) = (count(SHORT), count(SHORT + (PACKETS / u64::from(size)).max(MORE)));
    at_most.saturating_sub(at_least) as f64 / (many - few) as f64
}

/// One test, as the allocator counts for all threads.
#[test]
fn calls_allocate_nothing() {
    let mut over = Vec::new();
    let mut check = |name: &str, sizes: &[u32], bound: fn(u32) -> f64| {
        for &size in sizes {
            let (each, bound) = (each(name, size), bound(size));
            println!("{name}, {size} at once: {each:.4} allocations a packet, {bound} at most");
            if each > bound + STRAY {
                over.push(format!("{name}, {size} at once: {each:.4} instead of {bound}"));
            }
        }
    };
    for name in ["hand", "server", "server-async", "server-waits", "server-one-way", "client", "client-one-way"] {
        check(name, &[1, 16, 64], |_| 0.0);
    }
    for name in ["server", "server-async", "server-waits", "server-one-way", "client", "client-one-way"] {
        check(&format!("json-{name}"), &[1, 16, 64], |_| 0.0);
    }
    // The text that the packet owns.
    check("server-owned", &[1, 16, 64], |_| 1.0);
    check("json-server-owned", &[1, 16, 64], |_| 1.0);
    // The list of those who get it, once for all.
    check("broadcast", &[1, 16, 64], |connections| 1.0 / f64::from(connections));
    check("json-broadcast", &[1, 16, 64], |connections| 1.0 / f64::from(connections));
    // Of a hundred items; a buffer grows for them.
    check("server-stream", &[1, 16], |_| 8.0);
    check("json-server-stream", &[1, 16], |_| 11.0);
    // One for each item, and what the stream itself needs.
    check("client-stream", &[1, 16], |_| 108.0);
    check("json-client-stream", &[1, 16], |_| 108.0);
    assert!(over.is_empty(), "{over:#?}");
}

const SHORT: u64 = 40;
/// The longer one has so many batches more, and at least so many packets.
const MORE: u64 = 200;
const PACKETS: u64 = 3200;
/// What grows a few times in a long run.
const STRAY: f64 = 0.01;
