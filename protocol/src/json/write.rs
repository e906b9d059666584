//! How objects are written, in pieces.

use serde::Serialize;

use crate::{
    connection::{CallId, ReplyTo},
    id::SessionToken,
};

/// Writes the beginning of a packet, up to the end of its data.
pub fn put_head(out: &mut Vec<u8>, action: &str, data: &[u8]) {
    begin_head(out, action);
    out.extend_from_slice(data);
}

/// Writes what precedes the data.
pub fn begin_head(out: &mut Vec<u8>, action: &str) {
    out.extend_from_slice(b"{\"action\":");
    put_json(out, &action);
    out.extend_from_slice(b",\"data\":");
}

/// What a head adds to its data, in bytes. Actions hold no control characters, so an escape is two bytes long.
pub fn head_len(action: &str) -> usize {
    let escapes = action.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    br#"{"action":"","data":"#.len() + action.len() + escapes
}

/// Writes a whole object that belongs to no call.
pub(super) fn put_object(out: &mut Vec<u8>, action: &str, data: &impl Serialize, micros: i64, token: &[u8]) {
    begin_head(out, action);
    put_json(out, data);
    put_stamp(out, micros, token);
    out.extend_from_slice(END);
}

/// Writes time and token.
pub(super) fn put_stamp(out: &mut Vec<u8>, micros: i64, token: &[u8]) {
    let distance = micros.unsigned_abs();
    out.extend_from_slice(b",\"packet-created\":");
    if micros < 0 {
        out.push(b'-');
    }
    put_number(out, distance / 1_000_000);
    // The point, and behind it six digits: those of a number that has a 1 in front.
    let point = out.len();
    put_number(out, 1_000_000 + distance % 1_000_000);
    if let Some(one) = out.get_mut(point) {
        *one = b'.';
    }
    out.extend_from_slice(b",\"token\":");
    out.extend_from_slice(token);
}

/// Writes how long a caller waits, unless it is 0.
pub(super) fn put_timeout(out: &mut Vec<u8>, timeout_ms: u32) {
    if timeout_ms > 0 {
        out.extend_from_slice(b",\"timeout\":");
        put_number(out, u64::from(timeout_ms));
    }
}

/// Writes what ties an object to a call.
pub(super) fn put_tie(out: &mut Vec<u8>, (key, id): (Key, &CallId<'_>)) {
    out.extend_from_slice(match key {
        Key::Id => ID,
        Key::Re => RE,
    });
    match id {
        CallId::Number(number) => put_number(out, *number),
        CallId::Text(text) => put_json(out, text),
    }
}

pub(super) fn put_json(out: &mut Vec<u8>, data: &impl Serialize) {
    let written = serde_json::to_writer(out, data);
    debug_assert!(written.is_ok(), "texts and numbers can be written: {written:?}");
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    put_json(out, &number);
}

/// A token as it stands in an object.
pub(super) fn quoted(token: Option<&SessionToken>) -> Vec<u8> {
    match token {
        Some(token) => [b"\"", token.expose_text().as_slice(), b"\""].concat(),
        None => NO_TOKEN.to_vec(),
    }
}

/// How an object names a call.
#[derive(Clone, Copy)]
pub(super) enum Key {
    /// The call is made by it, or meant by it.
    Id,
    /// The call is answered by it.
    Re,
}

/// The field that ties an answer to its call.
pub(super) const fn re(to: &ReplyTo) -> Option<(Key, &CallId<'static>)> {
    match to {
        ReplyTo::Json { id: Some(id), .. } => Some((Key::Re, id)),
        _ => None,
    }
}

/// What stands before a number.
pub(super) const ID: &[u8] = b",\"id\":";
pub(super) const RE: &[u8] = b",\"re\":";
/// What ends an object.
pub(super) const END: &[u8] = b"}\n";
pub(super) const NO_TOKEN: &[u8] = b"null";
