//! Any bytes: frames that decode encode to bytes that decode to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::frame::{decode, needed};

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    while let Ok(Some((frame, used))) = decode(rest, u32::MAX) {
        assert_eq!(needed(rest), 0);
        let mut again = Vec::new();
        frame.encode(&mut again);
        assert_eq!(decode(&again, u32::MAX), Ok(Some((frame, again.len()))));
        rest = &rest[used..];
    }
});
