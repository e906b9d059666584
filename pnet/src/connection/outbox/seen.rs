//! What somebody sees who looks into a connection.

use std::time::Duration;

use pnet_protocol::json::Form;

use super::{Outbox, Sent};
use crate::counts::Load;

/// The sending half of a connection at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) suspended: bool,
    pub(crate) sent: Sent,
    pub(crate) rtt: Option<Duration>,
    pub(crate) load: Load,
    /// Packets and calls that wait.
    pub(crate) packets: usize,
    /// Bytes that wait.
    pub(crate) bytes: usize,
    /// Calls that wait for their answers.
    pub(crate) awaited: usize,
    /// What a JSON peer is known to be.
    pub(crate) form: Option<Form>,
}

impl Outbox {
    pub(crate) fn seen(&mut self) -> Seen {
        Seen {
            suspended: self.suspended,
            sent: self.told(),
            rtt: self.pings.rtt(),
            load: self.sends.load(),
            packets: self.queue.len(),
            bytes: self.buf.len() + self.queue.bytes() + self.sends.load().unwritten,
            awaited: self.calls.table.awaited(),
            form: self.writer.form(),
        }
    }

    /// What was sent; those who count by actions are told, too.
    pub(crate) fn told(&mut self) -> Sent {
        self.sends.flush();
        self.sent
    }
}
