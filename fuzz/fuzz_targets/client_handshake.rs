//! Any bytes as a server's half of the handshake, split once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::handshake::{ClientHandshake, ShapePolicy};
use pnet_protocol::limits::{Limits, REPORT_LEN};

#[path = "../../tests/tests/wire/protocols.rs"]
#[allow(dead_code, reason = "the tests use the others")]
mod protocols;

fuzz_target!(|input: &[u8]| {
    let (at, input) = input.split_first().unwrap_or((&0, input));
    let mut out = Vec::new();
    let mut client = ClientHandshake::new(&protocols::OLD, b"", &Limits::default(), ShapePolicy::Shapes, &mut out);
    let split = usize::from(*at).min(input.len());
    let mut used = 0;
    for end in [split, input.len()] {
        match client.handle(&input[used..end], &mut out) {
            Ok((more, None)) => used += more,
            Ok((_, Some(_))) => break,
            Err(error) => {
                assert!(error.to_string().len() <= REPORT_LEN as usize);
                break;
            }
        }
    }
    assert!(out.len() <= 3 * REPORT_LEN as usize);
});
