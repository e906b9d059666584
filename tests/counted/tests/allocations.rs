//! How often the heap is asked for memory, once all is warm: by a server or a client alone, as the other side is nothing but
//! prepared bytes.
//!
//! Each loop is played twice, short and long: what the longer one asks for beyond the shorter is the packets' own.

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
    let ((few, at_least), (many, at_most)) = (count(SHORT), count(LONG));
    at_most.saturating_sub(at_least) as f64 / (many - few) as f64
}

/// One test, as the allocator counts for all threads.
#[test]
fn calls_allocate_nothing() {
    let mut over = Vec::new();
    let mut check = |name: &str, bound: f64| {
        for size in [1, 16, 64] {
            let each = each(name, size);
            println!("{name}, {size} at once: {each:.4} allocations a packet, {bound} at most");
            if each > bound + STRAY {
                over.push(format!("{name}, {size} at once: {each:.4} instead of {bound}"));
            }
        }
    };
    for name in ["hand", "server", "server-async", "server-waits", "server-one-way"] {
        check(name, 0.0);
    }
    for name in ["json-server", "json-server-async", "json-server-waits", "json-server-one-way"] {
        check(name, 0.0);
    }
    // The text that the packet owns.
    check("server-owned", 1.0);
    check("json-server-owned", 1.0);
    check("server-stream", 1.0);
    check("json-server-stream", 1.0);
    for name in ["client", "client-one-way", "json-client", "json-client-one-way"] {
        check(name, 0.0);
    }
    check("client-stream", 1.0);
    check("json-client-stream", 1.0);
    check("broadcast", 1.0);
    check("json-broadcast", 1.0);
    assert!(over.is_empty(), "{over:#?}");
}

const SHORT: u64 = 40;
const LONG: u64 = 240;
/// What grows a few times in a long run.
const STRAY: f64 = 0.01;
