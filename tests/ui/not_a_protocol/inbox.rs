//! An inbox of a packet.

use sample::Said;

pub fn run() {
    let _ = pnet::connect_inbox::<Said>();
}
