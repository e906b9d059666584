//! The data of `handShake`, as it is written and as it is read (`docs/wire.md` §11.5).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::own::{if_it_fits, object_of};
use crate::limits::{Limits, MAX_LIMIT};

#[derive(Serialize)]
pub(super) struct HelloData<'a> {
    #[serde(flatten)]
    pub(super) own: Own<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credentials: Option<&'a RawValue>,
}

#[derive(Serialize)]
pub(super) struct WelcomeData<'a> {
    pub(super) status: &'a str,
    pub(super) uuid: &'a str,
    #[serde(rename = "remoteToken")]
    pub(super) remote_token: &'a str,
    #[serde(flatten)]
    pub(super) own: Option<Own<'a>>,
}

/// What only peers made for pnet say.
#[derive(Serialize)]
pub(super) struct Own<'a> {
    pub(super) pnet: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<&'a str>,
    pub(super) limits: LimitsData,
    /// In milliseconds.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) heartbeat: u32,
}

/// The limits that have a meaning in this dialect.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct LimitsData {
    #[serde(deserialize_with = "limit")]
    object: Option<u32>,
    #[serde(deserialize_with = "limit")]
    calls: Option<u32>,
    #[serde(deserialize_with = "limit")]
    streams: Option<u32>,
    #[serde(deserialize_with = "limit")]
    items: Option<u32>,
    #[serde(deserialize_with = "limit")]
    bytes: Option<u32>,
}

impl LimitsData {
    pub(super) const fn of(limits: &Limits) -> Self {
        Self {
            object: Some(limits.max_frame_len),
            calls: Some(limits.calls),
            streams: Some(limits.streams),
            items: Some(limits.stream_items),
            bytes: Some(limits.packet_bytes),
        }
    }

    pub(super) fn is_said(self) -> bool {
        [self.object, self.calls, self.streams, self.items, self.bytes].iter().any(Option::is_some)
    }

    pub(super) fn to_limits(self) -> Limits {
        let mut limits = Limits::default();
        if let Some(object) = self.object {
            limits.max_frame_len(object);
        }
        if let Some(calls) = self.calls {
            limits.calls(calls);
        }
        if let Some(streams) = self.streams {
            limits.streams(streams);
        }
        // Who says nothing of items takes them as they come.
        limits.stream_items(self.items.unwrap_or(MAX_LIMIT)).packet_bytes(self.bytes.unwrap_or(MAX_LIMIT));
        limits
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct HelloRead<'a> {
    #[serde(deserialize_with = "there")]
    pub(super) pnet: bool,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    pub(super) protocol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) credentials: Option<&'a RawValue>,
    #[serde(deserialize_with = "limits")]
    pub(super) limits: LimitsData,
    #[serde(deserialize_with = "limit")]
    pub(super) heartbeat: Option<u32>,
}

impl<'a> HelloRead<'a> {
    /// Data of any other form is that of somebody else's handshake.
    pub(super) fn of(data: &'a str) -> Self {
        object_of(Some(data))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WelcomeRead<'a> {
    status: Option<Status>,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    pub(super) uuid: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "remoteToken", deserialize_with = "if_it_fits")]
    pub(super) remote_token: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "there")]
    pub(super) pnet: bool,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    pub(super) protocol: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "limits")]
    pub(super) limits: LimitsData,
    #[serde(deserialize_with = "limit")]
    pub(super) heartbeat: Option<u32>,
}

impl<'a> WelcomeRead<'a> {
    /// A status that is left out is none of a refusal.
    pub(super) fn refuses(&self) -> bool {
        self.status.as_ref().is_some_and(|status| !status.is_success())
    }

    pub(super) fn of(data: Option<&'a str>) -> Self {
        object_of(data)
    }
}

/// Any value; only one of them lets in.
#[derive(Deserialize)]
#[serde(untagged)]
enum Status {
    Text(String),
    Other(IgnoredAny),
}

impl Status {
    fn is_success(&self) -> bool {
        matches!(self, Self::Text(text) if text == SUCCESS)
    }
}

/// A limit; what is too much for a number of ours is as much as there can be.
fn limit<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u32>, D::Error> {
    Ok(if_it_fits::<D, u64>(input)?.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)))
}

fn limits<'de, D: Deserializer<'de>>(input: D) -> Result<LimitsData, D::Error> {
    Ok(if_it_fits(input)?.unwrap_or_default())
}

/// A key is there, whatever its value.
fn there<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(input).map(|_| true)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none(heartbeat: &u32) -> bool {
    *heartbeat == 0
}

/// The status of a handshake that lets in.
pub(super) const SUCCESS: &str = "success";
