//! How a server begins a connection in the JSON dialect (`docs/wire.md` §11.5).
//!
//! A client may say `handShake` first, or anything else, or nothing: then the server speaks first, as the Python library's
//! does.

use std::fmt;

use super::{
    Form, action,
    envelope::Token,
    first::{First, other_protocol, too_long},
    handshake::{HelloRead, LimitsData, Own, SUCCESS, WelcomeData},
    write::put_object,
};
use crate::{
    handshake::HandshakeError,
    id::{ConnectionId, SessionToken},
    info::ProtocolInfo,
    limits::{FIRST_OBJECT_LEN, Limits},
    secret::SecretBytes,
};

/// A server's: waits for the first whole object of a client.
#[derive(Debug)]
pub struct Greeting {
    info: &'static ProtocolInfo,
    first: First,
}

/// What the first object of a client says about it.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct JsonHello {
    /// What the client is known to be.
    pub form: Form,
    /// Whether it has said `handShake`, and so is owed one.
    pub greets: bool,
    /// What it shows to be let in, as JSON text: `credentials` in the data of its `handShake`; of a client that was not made
    /// for pnet and has none there, that data. Empty if there is nothing. Secret.
    pub credentials: SecretBytes,
    /// What it takes.
    pub limits: Limits,
    /// How often it wishes each side to speak at least, in milliseconds; 0 is no wish.
    pub heartbeat_ms: u32,
}

impl JsonHello {
    /// The hello of a client that says nothing, or begins with something else than a `handShake`.
    pub fn silent(form: Form) -> Self {
        Self {
            form,
            greets: form.is_old(),
            credentials: SecretBytes::default(),
            limits: LimitsData::default().to_limits(),
            heartbeat_ms: 0,
        }
    }
}

/// Without the credentials.
impl fmt::Debug for JsonHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonHello").field("form", &self.form).field("greets", &self.greets).finish_non_exhaustive()
    }
}

impl Greeting {
    /// Begins; nothing is written before the client has spoken.
    pub const fn new(info: &'static ProtocolInfo) -> Self {
        Self { info, first: First::new() }
    }

    /// Looks at all that the client has sent so far. `None`: its first object is not whole yet. The number says how many
    /// bytes are used up: none of an object that is no `handShake`, which is left to the open connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Json`] if this can become no object, or is longer than [`FIRST_OBJECT_LEN`], whitespace before it
    /// included; [`HandshakeError::ProtocolName`] if the client means another protocol; [`HandshakeError::WrongToken`] if
    /// its `handShake` has a token.
    pub fn handle(&mut self, input: &[u8]) -> Result<Option<(usize, JsonHello)>, HandshakeError> {
        let window = input.get(..FIRST_OBJECT_LEN).unwrap_or(input);
        let unread = self.first.unread(window);
        let Some((object, len)) = self.first.read(unread)? else {
            return if input.len() >= FIRST_OBJECT_LEN { Err(too_long(FIRST_OBJECT_LEN)) } else { Ok(None) };
        };
        let Some(object) = object.ok().filter(|object| object.action == action::HANDSHAKE) else {
            return Ok(Some((self.first.skipped, JsonHello::silent(Form::Plain))));
        };
        if object.token != Token::None {
            return Err(HandshakeError::WrongToken);
        }
        let data = object.data.unwrap_or("null");
        let said = HelloRead::of(data);
        if let Some(there) = said.protocol
            && there != self.info.name
        {
            return Err(other_protocol(self.info.name, &there));
        }
        let credentials = match said.credentials {
            Some(credentials) => credentials.get(),
            None if said.pnet || data == "null" => "",
            None => data,
        };
        let credentials = SecretBytes::from(credentials.as_bytes());
        let hello = JsonHello {
            form: Form::of_handshake(said.pnet),
            greets: true,
            credentials,
            limits: said.limits.to_limits(),
            heartbeat_ms: said.heartbeat.unwrap_or_default(),
        };
        Ok(Some((self.first.skipped + len, hello)))
    }
}

/// Writes the `handShake` of a server: the secret of the connection, and its public id.
pub(super) fn put_welcome(
    out: &mut Vec<u8>,
    info: &ProtocolInfo,
    (local, heartbeat): (&Limits, u32),
    form: Form,
    (id, token): (&ConnectionId, &SessionToken),
    micros: i64,
) {
    let token = token.expose_text();
    let id = id.to_string();
    let own =
        form.is_pnet().then_some(Own { pnet: 1, protocol: Some(info.name), limits: LimitsData::of(local), heartbeat });
    let data =
        WelcomeData { status: SUCCESS, uuid: str::from_utf8(&*token).unwrap_or_default(), remote_token: &id, own };
    put_object(out, action::HANDSHAKE, &data, micros, format!("\"{id}\"").as_bytes());
}

/// What a client says in a `handShake` that is not its first object.
pub(super) struct LateHello {
    pub(super) is_pnet: bool,
    pub(super) names_other: bool,
    pub(super) limits: Option<Limits>,
    pub(super) heartbeat_ms: u32,
}

impl LateHello {
    pub(super) fn read(data: Option<&str>, info: &ProtocolInfo) -> Self {
        let said = data.map(HelloRead::of).unwrap_or_default();
        Self {
            is_pnet: said.pnet,
            names_other: said.protocol.is_some_and(|there| there != info.name),
            limits: said.limits.is_said().then(|| said.limits.to_limits()),
            heartbeat_ms: said.heartbeat.unwrap_or_default(),
        }
    }
}
