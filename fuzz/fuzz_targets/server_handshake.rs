//! Any bytes as a client's half of the handshake, split once; everybody is let in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::handshake::{ServerHandshake, ServerStep, ShapePolicy};
use pnet_protocol::id::{ConnectionId, SessionToken};
use pnet_protocol::limits::{Limits, REPORT_LEN};

#[path = "../../tests/tests/wire/protocols.rs"]
#[allow(dead_code, reason = "the tests use the others")]
mod protocols;

fuzz_target!(|input: &[u8]| {
    let (at, input) = input.split_first().unwrap_or((&0, input));
    let mut out = Vec::new();
    let mut server = ServerHandshake::new(&protocols::NEW, &Limits::default());
    let split = usize::from(*at).min(input.len());
    let mut used = 0;
    for end in [split, input.len(), input.len()] {
        match server.handle(&input[used..end], &mut out) {
            Ok((more, step)) => {
                used += more;
                let ServerStep::Hello(hello) = step else { continue };
                if hello.matches {
                    let (id, token) = (ConnectionId::from_bytes([1; 16]), SessionToken::from_bytes([2; 16]));
                    server.welcome(id, &token, 0, &mut out);
                    break;
                }
                server.differ(ShapePolicy::Shapes, &mut out);
            }
            Err(error) => {
                assert!(error.to_string().len() <= REPORT_LEN as usize);
                break;
            }
        }
    }
    assert!(out.len() <= 3 * REPORT_LEN as usize);
});
