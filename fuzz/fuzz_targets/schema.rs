//! Any text as the schema of a protocol: no panic, and no endless walk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::document;

fuzz_target!(|text: &str| {
    let _ = document::check(text);
});
