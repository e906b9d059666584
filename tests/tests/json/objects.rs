//! What the tested side has sent: read as objects, and compared with what was to come.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
};

use super::table::Wanted;

/// All that comes, as it comes.
#[derive(Clone, Debug)]
pub(crate) struct Received(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: Mutex<Vec<u8>>,
    /// How many bytes, and whether the stream has ended.
    changed: watch::Sender<(usize, bool)>,
}

impl Received {
    /// Reads until the end, in a task of its own.
    pub(crate) fn read(mut io: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let inner = Arc::new(Inner { bytes: Mutex::default(), changed: watch::Sender::new((0, false)) });
        let this = Self(Arc::clone(&inner));
        tokio::spawn(async move {
            let mut piece = vec![0; 65_536];
            while let Ok(read @ 1..) = io.read(&mut piece).await {
                let mut bytes = inner.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&piece[..read]);
                inner.changed.send_replace((bytes.len(), false));
            }
            inner.changed.send_modify(|(_, ended)| *ended = true);
        });
        this
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.changed.borrow().1
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The whole objects so far.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let bytes = self.bytes();
        bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Waits until an object with this action has come.
    pub(crate) async fn has(&self, action: &str) -> Result<(), String> {
        let mut changed = self.0.changed.subscribe();
        let there =
            |(_, ended): &(usize, bool)| *ended || self.objects().iter().any(|object| object["action"] == action);
        let waited = tokio::time::timeout(std::time::Duration::from_secs(20), changed.wait_for(there)).await;
        if waited.is_ok() { Ok(()) } else { Err(format!("  no {action} has come\n")) }
    }

    /// Puts in what can be known only now: `$TOKEN` and `$PUBLIC` are those of the last `handShake`, `$CALL` the last
    /// `id`.
    pub(crate) fn fill(&self, bytes: &[u8]) -> Vec<u8> {
        // Texts with a `$` in them are short, and UTF-8.
        let Some(mut text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains('$')).map(str::to_owned)
        else {
            return bytes.to_vec();
        };
        for object in self.objects() {
            if object["action"] == "handShake" {
                let token = object["data"]["uuid"].as_str().unwrap_or_default();
                text = text.replace("$TOKEN", token).replace("$UPPER", &token.to_uppercase());
                text = text.replace("$PUBLIC", object["data"]["remoteToken"].as_str().unwrap_or_default());
            }
        }
        if let Some(id) = self.objects().iter().rev().find_map(|object| object.get("id")) {
            text = text.replace("$CALL", &id.to_string());
        }
        text.into_bytes()
    }

    /// Compares all that came. `opened`: whether the objects belong to a connection.
    pub(crate) fn check(&self, wanted: &[Wanted], from_server: bool, opened: bool) -> Result<(), String> {
        let bytes = self.bytes();
        let mut token: Option<Value> = None;
        let mut secret = Value::Null;
        let mut index = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let shown = String::from_utf8_lossy(&line[..line.len().min(300)]);
            let fault = |what: &str| Err(format!("  object {index}: {what}: {shown}\n"));
            let Ok(object) = serde_json::from_slice::<Value>(line) else { return fault("is no JSON object") };
            if !line.ends_with(b"\n") {
                return fault("is not followed by a line feed");
            }
            if !in_order(&object, line) {
                return fault("has other keys than it should");
            }
            if object["data"]["uuid"].is_string() && object["action"] == "handShake" {
                secret = object["data"]["uuid"].clone();
            }
            if from_server {
                let known = token.get_or_insert_with(|| object["token"].clone());
                let is_uuid = object["token"].as_str().is_some_and(|text| uuid::Uuid::parse_str(text).is_ok());
                let fits = is_uuid || (!opened && object["token"].is_null());
                if !fits || *known != object["token"] || (opened && object["token"] == secret) {
                    return fault("its token");
                }
            }
            let Some(wanted) = wanted.get(index) else { return fault("should not have come") };
            let same = object["action"] == *wanted.action
                && matches(&wanted.data, &object["data"])
                && ties(wanted.id.as_ref(), object.get("id"))
                && ties(wanted.re.as_ref(), object.get("re"));
            if !same {
                return fault(&format!("should be {wanted:?}"));
            }
            index += 1;
        }
        match wanted.get(index) {
            None => Ok(()),
            Some(wanted) => Err(format!("  object {index} has not come: {wanted:?}\n")),
        }
    }
}

/// The keys in their order, and a time that is a number.
fn in_order(object: &Value, line: &[u8]) -> bool {
    let Some(fields) = object.as_object() else { return false };
    let tie = usize::from(fields.contains_key("id") || fields.contains_key("re"));
    let text = String::from_utf8_lossy(line);
    let found = |key: &str| text.rfind(key).unwrap_or(usize::MAX);
    // How long its caller waits stands in a call.
    let timeout = usize::from(fields.get("timeout").is_some_and(|ms| ms.is_u64() && fields.contains_key("id")));
    fields.len() == 4 + tie + timeout
        && text.starts_with("{\"action\":")
        && object.get("data").is_some()
        && object["packet-created"].as_f64().is_some_and(|time| time.is_finite() && time > 1.0e9)
        && found(",\"packet-created\":") < found(",\"token\":")
        && found(",\"token\":") < text.len()
}

/// `"*"` stands for any text or number.
fn matches(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::String(any), _) if any == "*" => there.is_string() || there.is_number(),
        (Value::Object(wanted), Value::Object(there)) => {
            wanted.len() == there.len()
                && wanted.iter().all(|(key, value)| there.get(key).is_some_and(|there| matches(value, there)))
        }
        _ => wanted == there,
    }
}

fn ties(wanted: Option<&Value>, there: Option<&Value>) -> bool {
    match (wanted, there) {
        (Some(wanted), Some(there)) => matches(wanted, there),
        (None, None) => true,
        _ => false,
    }
}
