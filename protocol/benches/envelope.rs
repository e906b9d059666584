//! What it costs to read a small packet out of its JSON envelope, beside the usual ways to do it.
//!
//! ```text
//! cargo bench -p pnetwork-protocol --bench envelope
//! ```
//!
//! The envelope has its four fields in each of the 24 orders, one after the other, as each peer keeps to one. `data alone`
//! reads the data typed, without an envelope: what no reader can go below. The four ways are run in turn, many times over.
//! Shown are, in nanoseconds a packet, the median over all orders, the slowest order's median, and what the two add to
//! `data alone`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{borrow::Cow, hint::black_box, time::Instant};

use pnet_protocol::json::Envelope;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

#[derive(Deserialize)]
struct Add<'a> {
    a: i64,
    b: i64,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(rename = "packet-created")]
    created: f64,
    token: Option<&'a str>,
}

fn data_alone(input: &Input) -> i64 {
    sum(serde_json::from_str(DATA).expect("it is one"), input.created)
}

fn envelope(input: &Input) -> i64 {
    let envelope = Envelope::read(&input.object).expect("it is one");
    black_box(&envelope.token);
    let created = envelope.created.unwrap_or_default();
    black_box(envelope.action.len());
    sum(serde_json::from_str(envelope.data.unwrap_or_default()).expect("it is one"), created)
}

fn raw_value(input: &Input) -> i64 {
    let raw: Raw<'_> = serde_json::from_slice(&input.object).expect("it is one");
    black_box((raw.token, raw.created, raw.action.len()));
    sum(serde_json::from_str(raw.data.get()).expect("it is one"), input.created)
}

fn value(input: &Input) -> i64 {
    let value: Value = serde_json::from_slice(&input.object).expect("it is one");
    black_box((&value["token"], value["packet-created"].as_f64(), value["action"].as_str().map(str::len)));
    sum(Add::deserialize(&value["data"]).expect("it is one"), input.created)
}

fn sum(add: Add<'_>, created: i64) -> i64 {
    black_box(add.note.len());
    black_box(created);
    add.a + add.b
}

type Way = fn(&Input) -> i64;

struct Input {
    object: Vec<u8>,
    created: i64,
}

/// The object with its fields in the `n`th order.
fn object(n: usize) -> Input {
    let mut fields = vec![
        "\"action\":\"ADD\"".to_owned(),
        format!("\"data\":{DATA}"),
        "\"packet-created\":1700000000.123456".to_owned(),
        "\"token\":\"2f1c9a52-7b1e-4c63-9d1f-3b0a5f0c7e11\"".to_owned(),
    ];
    let mut order = Vec::new();
    let mut n = n;
    while !fields.is_empty() {
        order.push(fields.remove(n % fields.len()));
        n /= fields.len() + 1;
    }
    Input { object: format!("{{{}}}", order.join(",")).into_bytes(), created: 1 }
}

fn main() {
    let inputs: Vec<Input> = (0..24).map(object).collect();
    let ways: [(&str, Way); 4] =
        [("data alone", data_alone), ("Envelope", envelope), ("RawValue", raw_value), ("Value", value)];
    // For each way, for each order, the rounds.
    let mut nanos = vec![vec![Vec::new(); inputs.len()]; ways.len()];
    for round in 0..ROUNDS {
        for (order, input) in inputs.iter().enumerate() {
            for (way, nanos) in ways.iter().zip(&mut nanos) {
                let started = Instant::now();
                for _ in 0..REPEATS {
                    assert_eq!(way.1(black_box(input)), 42);
                }
                // The first rounds warm up.
                if round >= ROUNDS / 10 {
                    nanos[order].push(started.elapsed().as_nanos() as f64 / f64::from(REPEATS));
                }
            }
        }
    }
    println!("{:<12} {:>8} {:>12} {:>8} {:>12}", "", "median", "over data", "slowest", "over data");
    let mut floor = (0.0, 0.0);
    for ((name, _), orders) in ways.iter().zip(&mut nanos) {
        let mut medians: Vec<f64> = orders.iter_mut().map(|rounds| median(rounds)).collect();
        let (median, slowest) = (median(&mut medians), medians.iter().copied().fold(0.0, f64::max));
        if *name == "data alone" {
            floor = (median, slowest);
        }
        println!("{name:<12} {median:>8.0} {:>12.0} {slowest:>8.0} {:>12.0}", median - floor.0, slowest - floor.1);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const DATA: &str = r#"{"a":40,"b":2,"note":"a note of thirty-two characters."}"#;
const ROUNDS: usize = 200;
const REPEATS: u32 = 1000;
