//! The dialect's own packets: what their data says, and how it is written (`docs/wire.md` §11.4).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use super::{
    action,
    number::MAX_NUMBER,
    write::{NO_TOKEN, put_object},
};
use crate::{
    close::{Close, CloseCode, Retry},
    failure::code,
    handshake::HandshakeError,
    limits::{CODE_LEN, TEXT_LEN},
    text::{cut, escape},
};

/// Writes a `pnet.close` to a peer with which no connection was opened; `micros` is the time, since the Unix epoch.
pub fn put_close(out: &mut Vec<u8>, close: Close<'_>, micros: i64) {
    put_object(out, action::CLOSE, &CloseData::new(&close), micros, NO_TOKEN);
}

#[derive(Serialize)]
pub(super) struct CloseData<'a> {
    code: String,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryData>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RetryData {
    After(u32),
    Never(&'static str),
}

impl<'a> CloseData<'a> {
    pub(super) fn new(close: &Close<'a>) -> Self {
        let retry = match close.retry {
            Retry::Unspecified => None,
            Retry::After(ms) => Some(RetryData::After(ms)),
            Retry::Never => Some(RetryData::Never(NEVER)),
        };
        Self { code: close.code.to_string(), reason: cut(close.reason, TEXT_LEN), retry }
    }
}

#[derive(Serialize)]
pub(super) struct FailureData<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

#[derive(Serialize)]
pub(super) struct CreditData {
    pub(super) items: u32,
    pub(super) bytes: u32,
}

#[derive(Serialize)]
pub(super) struct DisconnectData<'a> {
    pub(super) reason: &'a str,
}

/// The end of a handshake that is no connection: a `pnet.close`, or a `disconnect`, which has no code and means `code`.
pub(super) fn closed(name: &str, data: Option<&str>, code: CloseCode) -> Option<HandshakeError> {
    let (code, retry, reason) = match name {
        action::CLOSE => close_of(data),
        action::DISCONNECT => (code, Retry::Unspecified, close_of(data).2),
        _ => return None,
    };
    Some(HandshakeError::Closed { code, retry, reason: escape(&reason, TEXT_LEN) })
}

/// What the data of a `pnet.close` says, as far as it says it. That of a `disconnect` has a reason only.
pub(super) fn close_of(data: Option<&str>) -> (CloseCode, Retry, Cow<'_, str>) {
    let read: CloseRead<'_> = object_of(data);
    let code = match read.code {
        Some(CodeRead::Word(word)) => CloseCode::from_word(&word),
        Some(CodeRead::Number(number)) => Some(CloseCode::from_u16(number)),
        Some(CodeRead::Other(_)) | None => None,
    };
    let retry = match read.retry {
        Some(RetryRead::After(ms)) => Retry::After(ms),
        Some(RetryRead::Word(word)) if word == NEVER => Retry::Never,
        Some(RetryRead::Word(_) | RetryRead::Other(_)) | None => Retry::Unspecified,
    };
    let reason = match read.reason {
        Some(Cow::Borrowed(reason)) => Cow::Borrowed(cut(reason, TEXT_LEN)),
        Some(Cow::Owned(reason)) => Cow::Owned(cut(&reason, TEXT_LEN).to_owned()),
        None => Cow::Borrowed(""),
    };
    (code.unwrap_or(CloseCode::Normal), retry, reason)
}

/// What a `pnet.credit` says: items and bytes.
pub(super) fn credit_of(data: Option<&str>) -> (u32, u32) {
    let read: CreditRead = object_of(data);
    (read.items.unwrap_or(0), read.bytes.unwrap_or(0))
}

/// What a `pnet.failure` says, as far as it says it: code and message.
pub(super) fn failure_of(data: Option<&str>) -> (String, String) {
    let read: FailureRead<'_> = object_of(data);
    let code = read.code.filter(|code| (1..=CODE_LEN).contains(&code.len()));
    let code = code.map_or_else(|| code::INTERNAL.to_owned(), Cow::into_owned);
    (code, cut(&read.message.unwrap_or_default(), TEXT_LEN).to_owned())
}

/// The number of a ping, if it has one; `None` if it has something else.
pub(super) fn nonce_of(data: Option<&str>) -> Option<Option<u64>> {
    let nonce = serde_json::from_str::<Option<u64>>(data.unwrap_or("null")).ok()?;
    Some(nonce).filter(|nonce| nonce.is_none_or(|nonce| nonce <= MAX_NUMBER))
}

/// What the data of a packet of the dialect's own says. Anything but an object says nothing, also a list that has the
/// right values in the right order.
pub(super) fn object_of<'a, T: Default + Deserialize<'a>>(data: Option<&'a str>) -> T {
    let object = data.filter(|data| data.starts_with('{'));
    object.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
}

/// What is of another kind than it should be is taken for absent, and takes nothing else with it.
pub(super) fn if_it_fits<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read<T> {
        Fits(T),
        Other(IgnoredAny),
    }

    Ok(match Read::deserialize(input)? {
        Read::Fits(value) => Some(value),
        Read::Other(_) => None,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CloseRead<'a> {
    code: Option<CodeRead>,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    reason: Option<Cow<'a, str>>,
    retry: Option<RetryRead>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CodeRead {
    Number(u16),
    Word(String),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RetryRead {
    After(u32),
    Word(String),
    Other(IgnoredAny),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreditRead {
    #[serde(deserialize_with = "if_it_fits")]
    items: Option<u32>,
    #[serde(deserialize_with = "if_it_fits")]
    bytes: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FailureRead<'a> {
    #[serde(borrow, deserialize_with = "if_it_fits")]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    message: Option<Cow<'a, str>>,
}

/// `retry` of a close after which coming back is of no use.
const NEVER: &str = "never";
