//! Any frames in the open state: its bounds hold, also past the violations that would end a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pnet_protocol::{
    connection::{Event, Packet, Usual},
    native::{Inbound, Outbound},
};
use pnet_protocol::frame::decode;
use pnet_protocol::limits::Limits;
use pnet_protocol::protocol::Direction;

fuzz_target!(|input: &[u8]| {
    let mut limits = Limits::default();
    limits.calls(3).packets(5).packet_bytes(100);
    let (mut inbound, mut outbound) = (Inbound::new(&limits, &Direction { actions: &[] }), Outbound::new(&limits));
    let (mut rest, mut out) = (input, Vec::new());
    while let Ok(Some((frame, used))) = decode(rest, limits.max_frame_len) {
        match inbound.handle(frame) {
            Ok(Event::Usual(Usual::Packet(Packet { frame_len, .. }))) => inbound.packet_finished(frame_len, &mut out),
            Ok(Event::Cancel { id }) => inbound.call_finished(id),
            Ok(Event::Credit { packets, bytes }) => drop(outbound.handle_credit(packets, bytes)),
            _ => {}
        }
        assert!(inbound.open_calls() <= 3 && inbound.open_packets() <= 5);
        rest = &rest[used..];
    }
    assert!(out.len() <= 17 * input.len());
});
