//! Random and mutated bytes through every decoder: no panic, and nothing kept or written beyond what is bounded.
//!
//! Every input has its own seed, which a failure prints. `PNET_FUZZ_SEED` sets the first (to try one again, together
//! with `PNET_FUZZ_ITERATIONS=1`), `PNET_FUZZ_ITERATIONS` the number of inputs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pnet_protocol::frame::{decode, needed};
use pnet_protocol::limits::{Limits, REPORT_LEN};
use pnet_protocol::native::{Inbound, Outbound};

use crate::protocols::NEW;
use crate::split::{Listener, listeners};

#[test]
fn no_input_panics_or_grows() {
    let listeners = listeners();
    for seed in seeds() {
        let mut random = Random::new(seed);
        let listener = random.pick(&listeners);
        let input = if random.below(8) == 0 { noise(&mut random) } else { mutated(&mut random, listener, &listeners) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            frames(&input, &mut random);
            conversation(listener, &input, &mut random);
        }));
        if let Err(panic) = result {
            eprintln!("seed {seed}: {} hears {input:02x?}", listener.name);
            std::panic::resume_unwind(panic);
        }
    }
}

/// The seeds of the inputs.
pub(crate) fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
    };
    let (first, count) = (number("PNET_FUZZ_SEED", 1), number("PNET_FUZZ_ITERATIONS", 200_000));
    first..first.saturating_add(count)
}

/// Whatever the bytes: what decodes encodes to bytes that decode to the same, and the open state keeps its bounds.
fn frames(input: &[u8], random: &mut Random) {
    let max = *random.pick(&[0, 16, 4096, REPORT_LEN, u32::MAX]);
    let limits = *Limits::default().calls(3).packets(5).packet_bytes(100);
    let (mut inbound, mut outbound) = (Inbound::new(&limits, &NEW.client), Outbound::new(&limits));
    let mut rest = input;
    let (mut again, mut out) = (Vec::new(), Vec::new());
    while let Ok(Some((frame, used))) = decode(rest, max) {
        assert!((5..=rest.len()).contains(&used) && needed(rest) == 0);
        again.clear();
        frame.encode(&mut again);
        assert_eq!(decode(&again, max), Ok(Some((frame, again.len()))));
        // Without an end at violations, to get further into the state than a connection would.
        if let Ok(pnet_protocol::connection::Event::Credit { packets, bytes }) = inbound.handle(frame) {
            let _ = outbound.handle_credit(packets, bytes);
        }
        if random.below(2) == 0 {
            inbound.packet_finished(u32::try_from(used).unwrap_or(u32::MAX), &mut out);
        }
        assert!(inbound.open_calls() <= 3);
        rest = &rest[used..];
    }
    assert!(out.len() <= 17 * (input.len() / 5), "at most one CREDIT for each frame");
}

/// The same bytes as a side of a connection hears them, in a few pieces.
fn conversation(listener: &Listener, input: &[u8], random: &mut Random) {
    let mut end = listener.end();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, left) = rest.split_at((1 + random.below(input.len())).min(rest.len()));
        end.feed(piece);
        rest = left;
    }
    let end = end.end();
    // Answers to the handshake are bounded by the report, answers to frames by what the frames cost.
    let bound = 3 * REPORT_LEN as usize + 32 * input.len();
    assert!(end.out.capacity() <= bound, "{} bytes for an input of {}", end.out.capacity(), input.len());
    assert!(end.log.len() <= 2 + input.len() / 5);
}

/// Random bytes, most of them behind a plausible beginning.
fn noise(random: &mut Random) -> Vec<u8> {
    let mut input = match random.below(4) {
        0 => Vec::new(),
        1 => b"\xF5pnt".to_vec(),
        _ => {
            let len = random.below(64);
            let kind = *random.pick(&[1, 2, 3, 4, 5, 0x10, 0x11, 0x12, 0x15, 0x17, 0x18, 0x19, 0x22, 0x30]);
            let mut input = b"\xF5pnt".to_vec();
            input.extend(u32::try_from(len + 1).unwrap_or(0).to_le_bytes());
            input.push(kind);
            input
        }
    };
    let len = random.below(96);
    input.extend((0..len).map(|_| random.byte()));
    input
}

/// A recorded conversation with one to four things wrong.
pub(crate) fn mutated(random: &mut Random, listener: &Listener, all: &[Listener]) -> Vec<u8> {
    let mut input = listener.bytes.clone();
    for _ in 0..1 + random.below(4) {
        if input.is_empty() {
            break;
        }
        let at = random.below(input.len());
        let to = at + random.below(input.len() - at + 1).min(64);
        match random.below(8) {
            0 => input[at] ^= 1 << random.below(8),
            1 => input[at] = random.byte(),
            2 => input.truncate(at),
            3 => drop(input.drain(at..to)),
            4 => {
                let part = input[at..to].to_vec();
                input.splice(at..at, part);
            }
            5 => tamper_with_length(random, &mut input),
            6 => {
                let other = &random.pick(all).bytes;
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let len = random.below(16);
                let part: Vec<u8> = (0..len).map(|_| random.byte()).collect();
                input.splice(at..at, part);
            }
        }
    }
    input
}

/// Changes the length of one of the frames, or of a tagged field in it.
fn tamper_with_length(random: &mut Random, input: &mut [u8]) {
    let mut starts = Vec::new();
    let mut at = if input.starts_with(b"\xF5pnt") { 4 } else { 0 };
    while let Some(length) = input.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        starts.push(at);
        at = at.saturating_add(4).saturating_add(usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX));
    }
    if starts.is_empty() {
        return;
    }
    let mut at = *random.pick(&starts);
    if random.below(3) == 0 {
        // The first tagged field's length stands behind length, kind and tag.
        at += 6;
    }
    let value = *random.pick(&[0, 1, 2, 5, 0x1000, 0x1001, 0xFFFF, 0x0001_0000, 0x7FFF_FFFF, u32::MAX]);
    if let Some(field) = input.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *field = value.to_le_bytes();
    }
}

/// Random numbers that are the same everywhere (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
