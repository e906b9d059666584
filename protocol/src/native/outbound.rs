//! What this side may still send: credit for one-way packets, frame length, open calls.

use crate::{
    connection::{Credit, SendRefused, Violation},
    frame::{CALL_OVERHEAD, FrameTooLong, Mark, PACKET_OVERHEAD, REPLY_OVERHEAD, put_packet},
    limits::Limits,
};

/// The sender's view of the other side's limits.
#[derive(Clone, Debug)]
pub struct Outbound {
    max_frame_len: u32,
    max_calls: u32,
    calls: u32,
    packets: Credit,
    max_streams: u32,
    /// Of each stream that the other side opens here.
    items: Credit,
}

impl Outbound {
    /// What may be sent to a side that told `peer` in the handshake.
    pub const fn new(peer: &Limits) -> Self {
        Self {
            max_frame_len: peer.max_frame_len,
            max_calls: peer.calls,
            calls: 0,
            packets: Credit::new(peer.packets, peer.packet_bytes),
            max_streams: peer.streams,
            items: Credit::new(peer.stream_items, peer.packet_bytes),
        }
    }

    /// Writes a one-way packet and spends its credit.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; nothing is written or spent then.
    pub fn packet(&mut self, action: u16, payload: &[u8], out: &mut Vec<u8>) -> Result<(), SendRefused> {
        let length = self.spend(payload.len().saturating_add(PACKET_OVERHEAD))?;
        debug_assert!(length > 0, "a packet has a kind at least");
        put_packet(out, action, payload);
        Ok(())
    }

    /// Appends a whole PACKET frame that [`put_packet`] wrote once for many, and spends its credit.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; nothing is written or spent then.
    #[inline]
    pub fn packet_encoded(&mut self, frame: &[u8], out: &mut Vec<u8>) -> Result<(), SendRefused> {
        self.spend(frame.len().saturating_sub(LENGTH_FIELD))?;
        out.extend_from_slice(frame);
        Ok(())
    }

    /// Finishes a one-way packet begun with [`begin_packet`](crate::frame::begin_packet), and spends its credit.
    ///
    /// # Errors
    ///
    /// [`SendRefused`]; `out` is then as it was before the packet was begun, and nothing is spent.
    pub fn finish_packet(&mut self, mark: Mark, out: &mut Vec<u8>) -> Result<(), SendRefused> {
        if let Err(refused) = self.spend(mark.len(out)) {
            mark.abandon(out);
            return Err(refused);
        }
        mark.finish(out, self.max_frame_len)?;
        Ok(())
    }

    /// Finishes a frame that needs no credit (a call, an answer). [`Mark::finish`] with the other side's limit.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`]; `out` is then as it was before the frame was begun.
    pub fn finish(&self, mark: Mark, out: &mut Vec<u8>) -> Result<(), SendRefused> {
        mark.finish(out, self.max_frame_len)?;
        Ok(())
    }

    /// Takes the credit of a CREDIT frame with id 0.
    ///
    /// # Errors
    ///
    /// [`Violation::CreditOverflow`] if the sum is above 2³¹.
    pub fn handle_credit(&mut self, packets: u32, bytes: u32) -> Result<(), Violation> {
        self.packets.add(packets, bytes)
    }

    /// Counts a call that was sent.
    pub fn call_started(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// Counts a call that the other side has answered. A cancelled call is open until its answer comes, too.
    pub fn call_ended(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    /// Whether a one-way packet may go now, if it is not too long.
    pub const fn can_send_packet(&self) -> bool {
        self.packets.is_left()
    }

    /// How many streams this side may have open at the other.
    pub const fn max_streams(&self) -> u32 {
        self.max_streams
    }

    /// The first credit for the items of a stream that the other side opens here.
    pub const fn stream_credit(&self) -> Credit {
        self.items
    }

    /// Whether a call may go now without being answered `busy`.
    pub const fn can_call(&self) -> bool {
        self.calls < self.max_calls
    }

    /// Compares a whole frame, its length field included, with the longest that the other side takes.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`].
    pub fn check_frame(&self, frame_len: usize) -> Result<(), SendRefused> {
        self.length(frame_len.saturating_sub(LENGTH_FIELD))?;
        Ok(())
    }

    /// Compares a payload with the longest frame the other side takes, as part of a CALL, the kind that adds most.
    ///
    /// # Errors
    ///
    /// [`SendRefused::TooLong`].
    #[inline]
    pub fn check_len(&self, payload_len: usize) -> Result<(), SendRefused> {
        self.length(payload_len.saturating_add(CALL_OVERHEAD))?;
        Ok(())
    }

    /// The longest frame the other side takes, as the length field counts.
    pub const fn max_frame_len(&self) -> u32 {
        self.max_frame_len
    }

    /// The longest frame of an answer, which is compared like any other payload: as part of a CALL.
    pub const fn max_answer_len(&self) -> u32 {
        self.max_frame_len.saturating_sub(MORE_THAN_AN_ANSWER)
    }

    #[inline]
    fn spend(&mut self, len: usize) -> Result<u32, SendRefused> {
        let length = self.length(len)?;
        if self.packets.spend(length) { Ok(length) } else { Err(SendRefused::NoCredit) }
    }

    #[inline]
    fn length(&self, len: usize) -> Result<u32, SendRefused> {
        match u32::try_from(len) {
            Ok(length) if length <= self.max_frame_len => Ok(length),
            _ => Err(SendRefused::TooLong { len, max: self.max_frame_len }),
        }
    }
}

impl From<FrameTooLong> for SendRefused {
    fn from(FrameTooLong { len, max }: FrameTooLong) -> Self {
        Self::TooLong { len, max }
    }
}

const LENGTH_FIELD: usize = 4;
/// What a CALL adds to its payload beyond what an answer adds.
const MORE_THAN_AN_ANSWER: u32 = 6;
const _: () = assert!(CALL_OVERHEAD == REPLY_OVERHEAD + MORE_THAN_AN_ANSWER as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::begin_packet;

    fn outbound(packets: u32, bytes: u32) -> Outbound {
        Outbound::new(Limits::default().packets(packets).packet_bytes(bytes).max_frame_len(5000).calls(2))
    }

    #[test]
    fn packets_stop_without_credit() {
        let mut out = Vec::new();
        let mut outbound = outbound(2, 1000);
        assert_eq!(outbound.packet(1, b"a", &mut out), Ok(()));
        assert_eq!(outbound.packet(1, b"b", &mut out), Ok(()));
        let written = out.len();
        assert_eq!(outbound.packet(1, b"c", &mut out), Err(SendRefused::NoCredit));
        assert_eq!(out.len(), written);
        outbound.handle_credit(1, 4).unwrap();
        assert_eq!(outbound.packet(1, b"c", &mut out), Ok(()));
    }

    #[test]
    fn a_packet_above_the_limit_spends_nothing() {
        let mut out = vec![1];
        let mut outbound = outbound(1, 10);
        assert_eq!(outbound.packet(1, &[0; 4998], &mut out), Err(SendRefused::TooLong { len: 5001, max: 5000 }));
        let mark = begin_packet(&mut out, 1);
        out.extend([0; 4998]);
        assert_eq!(outbound.finish_packet(mark, &mut out), Err(SendRefused::TooLong { len: 5001, max: 5000 }));
        assert_eq!(out, [1]);
        assert!(outbound.can_send_packet());
        assert_eq!(outbound.check_len(4989), Ok(()));
        assert_eq!(outbound.check_len(4990), Err(SendRefused::TooLong { len: 5001, max: 5000 }));
    }

    #[test]
    fn the_three_ways_to_send_write_and_cost_the_same() {
        let mut frame = Vec::new();
        put_packet(&mut frame, 7, b"payload");
        let (mut whole, mut encoded, mut begun) = (outbound(3, 100), outbound(3, 100), outbound(3, 100));
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        whole.packet(7, b"payload", &mut a).unwrap();
        encoded.packet_encoded(&frame, &mut b).unwrap();
        let mark = begin_packet(&mut c, 7);
        c.extend_from_slice(b"payload");
        begun.finish_packet(mark, &mut c).unwrap();
        assert_eq!((&a, &b), (&frame, &frame));
        assert_eq!(c, frame);
        let left = Credit::new(2, 90);
        assert_eq!(whole.packets, left);
        assert_eq!(encoded.packets, left);
        assert_eq!(begun.packets, left);
    }

    #[test]
    fn calls_are_counted() {
        let mut outbound = outbound(1, 1);
        outbound.call_started();
        assert!(outbound.can_call());
        outbound.call_started();
        assert!(!outbound.can_call());
        outbound.call_ended();
        assert!(outbound.can_call());
    }
}
