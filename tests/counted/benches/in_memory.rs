//! What a call costs without a kernel: pnet's server and client beside a loop by hand over the same bytes.
//!
//! ```text
//! cargo bench -p pnet-counted
//! ```
//!
//! The cases are run in turn, in batches of 1 and of 16, many times over; shown are the medians, in nanoseconds a packet.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::Instant;

use pnet_counted::loops::Case;

fn main() {
    println!("| case | batches of 1 | batches of 16 | ÷ hand, of 16 |\n|---|--:|--:|--:|");
    let mut times = vec![[Vec::new(), Vec::new()]; Case::ALL.len()];
    for _ in 0..ROUNDS {
        for ((_, case), times) in Case::ALL.iter().zip(&mut times) {
            for (size, times) in [1, 16].into_iter().zip(times) {
                // What a longer play takes beyond a shorter one: the connection's beginning is in both.
                let play = |packets: u64| {
                    let start = Instant::now();
                    let packets = case.play(size, packets / u64::from(size));
                    (start.elapsed().as_secs_f64() * 1e9, packets)
                };
                let ((short, few), (long, many)) = (play(PACKETS / 8), play(PACKETS));
                times.push((long - short) / (many - few) as f64);
            }
        }
    }
    let medians: Vec<[f64; 2]> = times.into_iter().map(|times| times.map(median)).collect();
    for ((name, _), [one, sixteen]) in Case::ALL.iter().zip(&medians) {
        println!("| {name} | {one:.0} | {sixteen:.0} | {:.2} |", sixteen / medians[0][1]);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

const ROUNDS: usize = 7;
const PACKETS: u64 = 8_000;
