//! What a server by hand says: the same sum to every call, whoever asks and whatever is asked. It reads no more of a packet
//! than it has to, and allocates nothing once it is warm.

use pnet::{Limits, Protocol};
use pnet_protocol::{
    dialect::Dialect,
    frame::{StreamEnd, put_credit, put_end, put_item, put_reply},
    handshake::{ServerHandshake, ServerStep},
    id::{ConnectionId, SessionToken},
    protocol::{Incoming, ServerSide},
};

use crate::adder::{Adding, Count, NOTE, STREAM_LEN, Sum};

/// One connection of such a server, without a transport.
#[derive(Debug)]
pub struct Answerer {
    dialect: Dialect,
    handshake: Option<ServerHandshake>,
    /// What is no whole frame or object yet.
    heard: Vec<u8>,
    /// The sum, encoded.
    sum: Vec<u8>,
}

impl Answerer {
    /// Not shaken hands with yet.
    ///
    /// # Panics
    ///
    /// If two numbers cannot be encoded.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let sum = Sum::of(1, 2, NOTE);
        // Nothing waits for credit, unless a batch is longer than this.
        let limits = *Limits::default().packets(4096);
        let sum = match dialect {
            Dialect::Json => serde_json::to_vec(&sum).ok(),
            _ => postcard::to_allocvec(&sum).ok(),
        };
        Self {
            dialect,
            handshake: Some(ServerHandshake::new(Adding::INFO, &limits)),
            heard: Vec::new(),
            sum: sum.expect("numbers are encoded"),
        }
    }

    /// Takes what comes and says what is due; how many calls were among it.
    pub fn hear(&mut self, bytes: &[u8], answers: &mut Vec<u8>) -> u64 {
        if self.handshake.is_none() && self.heard.is_empty() {
            let (calls, used) = self.answer(bytes, answers);
            self.heard.extend_from_slice(&bytes[used..]);
            return calls;
        }
        self.heard.extend_from_slice(bytes);
        self.welcome(answers);
        if self.handshake.is_some() {
            return 0;
        }
        let mut heard = std::mem::take(&mut self.heard);
        let (calls, used) = self.answer(&heard, answers);
        heard.drain(..used);
        self.heard = heard;
        calls
    }

    fn answer(&self, bytes: &[u8], answers: &mut Vec<u8>) -> (u64, usize) {
        match self.dialect {
            Dialect::Json => self.answer_objects(bytes, answers),
            _ => self.answer_frames(bytes, answers),
        }
    }

    fn welcome(&mut self, answers: &mut Vec<u8>) {
        let Some(handshake) = &mut self.handshake else { return };
        if self.dialect == Dialect::Json {
            let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') else { return };
            self.heard.drain(..=end);
            answers.extend_from_slice(JSON_WELCOME.as_bytes());
            self.handshake = None;
            return;
        }
        let (used, step) = handshake.handle(&self.heard, answers).expect("pnet says hello");
        self.heard.drain(..used);
        if let ServerStep::Hello(_) = step {
            let token = SessionToken::from_bytes([1; 16]);
            handshake.welcome(ConnectionId::from_bytes([2; 16]), Some(&token), 0, answers);
            self.handshake = None;
        }
    }

    /// Answers the calls among whole frames, and gives one-way packets their credit back.
    fn answer_frames(&self, bytes: &[u8], answers: &mut Vec<u8>) -> (u64, usize) {
        let (mut calls, mut packets, mut packet_bytes) = (0, 0, 0);
        let mut used = 0;
        for frame in frames(bytes) {
            match frame {
                [CALL, a, b, c, d, low, high, ..] => {
                    let id = u32::from_le_bytes([*a, *b, *c, *d]);
                    if u16::from_le_bytes([*low, *high]) == <Count as Incoming<Adding, ServerSide>>::ID {
                        (0..STREAM_LEN).for_each(|_| put_item(answers, id, &self.sum));
                        put_end(answers, id, StreamEnd::Done);
                    } else {
                        put_reply(answers, id, &self.sum);
                    }
                    calls += 1;
                }
                [PACKET, ..] => {
                    packets += 1;
                    packet_bytes += u32::try_from(frame.len()).unwrap_or(u32::MAX);
                }
                _ => {}
            }
            used += LENGTH_FIELD + frame.len();
        }
        if packets > 0 {
            put_credit(answers, 0, packets, packet_bytes);
        }
        (calls, used)
    }

    /// The same among lines, as pnet puts one behind each object and none inside.
    fn answer_objects(&self, bytes: &[u8], answers: &mut Vec<u8>) -> (u64, usize) {
        let (mut calls, mut used) = (0, 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                break;
            }
            used += line.len();
            let Some(id) = digits_behind(line, b"\"id\":") else { continue };
            calls += 1;
            if line.starts_with(br#"{"action":"COUNT""#) {
                (0..STREAM_LEN).for_each(|_| put_object(answers, "SUM", &self.sum, id));
                put_object(answers, "pnet.end", b"null", id);
            } else if !line.starts_with(br#"{"action":"pnet."#) {
                put_object(answers, "SUM", &self.sum, id);
            }
        }
        (calls, used)
    }
}

/// The whole frames at the beginning of `bytes`, without their lengths.
pub fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk()?;
        let (frame, behind) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        rest = behind;
        Some(frame)
    })
}

/// The number that follows the key in an object, as it stands there.
fn digits_behind<'a>(object: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let start = object.windows(key.len()).position(|part| part == key)? + key.len();
    let digits = object.get(start..)?;
    digits.split(|byte| !byte.is_ascii_digit()).next()
}

fn put_object(answers: &mut Vec<u8>, action: &str, data: &[u8], re: &[u8]) {
    let parts = [br#"{"action":""#, action.as_bytes(), br#"","data":"#, data, br#","re":"#, re, b"}\n"];
    parts.into_iter().for_each(|part| answers.extend_from_slice(part));
}

/// Bytes of a frame's length, which it does not count.
const LENGTH_FIELD: usize = 4;
/// Kinds of frames (`docs/wire.md` §4).
const PACKET: u8 = 0x11;
const CALL: u8 = 0x12;

/// The handshake of a JSON server that takes as many calls and streams as anybody may make (`docs/wire.md` §11.5).
const JSON_WELCOME: &str = concat!(
    r#"{"action":"handShake","data":{"status":"success","uuid":"01010101-0101-4101-8101-010101010101","#,
    r#""remoteToken":"02020202-0202-4202-8202-020202020202","pnet":1,"protocol":"Adding","#,
    r#""limits":{"object":1048576,"calls":64,"streams":64}}}"#,
    "\n"
);
