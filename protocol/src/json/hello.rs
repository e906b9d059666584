//! How a connection in the JSON dialect begins, for both sides (`docs/wire.md` §11.5).
//!
//! A client may say `handShake` first, or anything else, or nothing: then the server speaks first, as the Python library's
//! does.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use zeroize::Zeroize as _;

use super::{
    Form, JsonFault, action,
    envelope::{Envelope, Token, is_space},
    reader::{close_of, if_it_fits, object_of, reason_of},
    scan::Scanner,
    writer::{put_action, put_json, put_stamp},
};
use crate::{
    close::CloseCode,
    connection::WelcomeText,
    handshake::{FirstByte, FirstBytes, HandshakeError, first_byte},
    id::{ConnectionId, SessionToken},
    info::ProtocolInfo,
    limits::{FIRST_OBJECT_LEN, Limits, MAX_LIMIT, TEXT_LEN},
    secret::SecretBytes,
    text::escape,
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
            greets: form == Form::Old,
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
        if let Some(byte) = unread.first().filter(|byte| **byte != b'{') {
            return Err(JsonFault::NoObject { byte: *byte }.into());
        }
        let Some(len) = self.first.scanner.scan(unread)? else {
            if input.len() >= FIRST_OBJECT_LEN {
                return Err(too_long(FIRST_OBJECT_LEN));
            }
            return Ok(None);
        };
        let greeting = Envelope::from_marks(unread.get(..len).unwrap_or_default(), self.first.scanner.marks())
            .ok()
            .filter(|object| object.action == action::HANDSHAKE);
        let Some(object) = greeting else { return Ok(Some((self.first.skipped, JsonHello::silent(Form::Plain)))) };
        if object.token != Token::None {
            return Err(HandshakeError::WrongToken);
        }
        let data = object.data.unwrap_or("null");
        let said = HelloRead::of(data);
        if let Some(there) = said.protocol
            && there != self.info.name
        {
            let (here, there) = (self.info.name.to_owned(), escape(&there, SHOWN_NAME_LEN));
            return Err(HandshakeError::ProtocolName { here, there });
        }
        let credentials = match said.credentials {
            Some(credentials) => credentials.get(),
            None if said.pnet || data == "null" => "",
            None => data,
        };
        let credentials = SecretBytes::from(credentials.as_bytes());
        let hello = JsonHello {
            form: if said.pnet { Form::Pnet } else { Form::Old },
            greets: true,
            credentials,
            limits: said.limits.to_limits(),
            heartbeat_ms: said.heartbeat.unwrap_or_default(),
        };
        Ok(Some((self.first.skipped + len, hello)))
    }
}

/// Writes the `handShake` of a server: the secret of the connection, and its public id.
pub(crate) fn put_welcome(
    out: &mut Vec<u8>,
    info: &ProtocolInfo,
    (local, heartbeat): (&Limits, u32),
    form: Form,
    (id, token): (&ConnectionId, &SessionToken),
    micros: i64,
) {
    let token = token.expose_text();
    let id = id.to_string();
    let own = (form == Form::Pnet).then_some(Own {
        pnet: 1,
        protocol: Some(info.name),
        limits: LimitsData::of(local),
        heartbeat,
    });
    let data =
        WelcomeData { status: SUCCESS, uuid: str::from_utf8(&*token).unwrap_or_default(), remote_token: &id, own };
    put_action(out, action::HANDSHAKE);
    put_json(out, &data);
    put_stamp(out, micros, format!("\"{id}\"").as_bytes());
    out.extend_from_slice(b"}\n");
}

/// A client's: takes the server's `handShake`, whoever speaks first.
///
/// A server of the old form speaks first, and is said nothing before there is something to say. So the client listens for
/// a moment; [`greet`](Self::greet) when it is over. A server that does not answer that either has no handshake:
/// [`give_up`](Self::give_up).
#[derive(Debug)]
pub struct JsonHandshake {
    /// The name of the protocol, if this side knows it.
    protocol: Option<&'static str>,
    first: First,
    greeted: bool,
}

/// What a server said when it let the client in, or that it said nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct JsonWelcome {
    /// The secret of this connection, which the client sends back.
    pub token: Option<SessionToken>,
    /// The public name of this connection, if the server gives one.
    pub connection_id: Option<ConnectionId>,
    /// What the server is known to be.
    pub form: Form,
    /// What the server takes.
    pub limits: Limits,
    /// Whether the server may not have read this side's `handShake` yet, and takes one packet at a time.
    pub unread: bool,
    /// How often each side speaks at least, in milliseconds; 0: no signs of life.
    pub heartbeat_ms: u32,
}

impl JsonHandshake {
    /// Begins; nothing is written.
    pub const fn new(info: &'static ProtocolInfo) -> Self {
        Self { protocol: Some(info.name), first: First::new(), greeted: false }
    }

    /// The same for a client that will ask the server for its protocol.
    pub const fn asking() -> Self {
        Self { protocol: None, first: First::new(), greeted: false }
    }

    /// Looks at all that the server has sent so far. `None`: there is no whole object yet. The number says how many bytes
    /// are used up: none of an object that is no `handShake`, which is left to the open connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: the server speaks something else, or does not let the client in.
    pub fn handle(&mut self, input: &[u8]) -> Result<Option<(usize, JsonWelcome)>, HandshakeError> {
        let unread = self.first.unread(input);
        match unread.first() {
            // Whitespace counts, or else it could go on for ever.
            None if input.len() > FIRST_OBJECT_LEN => return Err(too_long(FIRST_OBJECT_LEN)),
            None => return Ok(None),
            Some(b'{') => {}
            Some(byte) if first_byte(*byte) == FirstByte::Native => return Err(HandshakeError::SpeaksNative),
            Some(_) => return Err(HandshakeError::NotPnet { first: FirstBytes::of(unread) }),
        }
        let Some(len) = self.first.scanner.scan(unread)? else {
            let max = Limits::default().max_frame_len;
            if u32::try_from(input.len()).map_or(true, |len| len > max) {
                return Err(JsonFault::TooLong { max }.into());
            }
            return Ok(None);
        };
        let Ok(object) = Envelope::from_marks(unread.get(..len).unwrap_or_default(), self.first.scanner.marks()) else {
            return Ok(Some((self.first.skipped, self.give_up())));
        };
        match object.action.as_ref() {
            action::HANDSHAKE => {}
            action::CLOSE => {
                let (code, retry, reason) = close_of(object.data);
                return Err(HandshakeError::Closed { code, retry, reason: escape(&reason, TEXT_LEN) });
            }
            action::DISCONNECT => {
                let reason = escape(&reason_of(object.data), TEXT_LEN);
                return Err(HandshakeError::Closed { code: CloseCode::Refused, retry: Default::default(), reason });
            }
            _ => return Ok(Some((self.first.skipped, self.give_up()))),
        }
        let said = WelcomeRead::of(object.data);
        if said.refuses() {
            let reason = REFUSED.to_owned();
            return Err(HandshakeError::Closed { code: CloseCode::Unauthorized, retry: Default::default(), reason });
        }
        if let (Some(here), Some(there)) = (self.protocol, said.protocol.as_deref())
            && there != here
        {
            let (here, there) = (here.to_owned(), escape(there, SHOWN_NAME_LEN));
            return Err(HandshakeError::ProtocolName { here, there });
        }
        let mut welcome = JsonWelcome::from_read(said);
        welcome.unread = self.greeted && welcome.form == Form::Old;
        Ok(Some((self.first.skipped + len, welcome)))
    }

    /// The server does not speak first: writes this side's `handShake`. `credentials` are JSON text, or nothing;
    /// `heartbeat` is the wish, in milliseconds, that each side speaks so often, and 0 is none.
    pub fn greet(&mut self, credentials: &[u8], local: &Limits, heartbeat: u32, micros: i64, out: &mut Vec<u8>) {
        self.greeted = true;
        let data = HelloData {
            own: Own { pnet: 1, protocol: self.protocol, limits: LimitsData::of(local), heartbeat },
            credentials: serde_json::from_slice(credentials).ok(),
        };
        // What a buffer leaves behind when it grows is not wiped.
        out.reserve(FIRST_OBJECT_LEN);
        put_action(out, action::HANDSHAKE);
        put_json(out, &data);
        put_stamp(out, micros, b"null");
        out.extend_from_slice(b"}\n");
    }

    /// The server has no handshake.
    pub fn give_up(&self) -> JsonWelcome {
        JsonWelcome { unread: self.greeted, ..JsonWelcome::none() }
    }
}

impl JsonWelcome {
    /// What a server says that says nothing.
    fn none() -> Self {
        let limits = LimitsData::default().to_limits();
        Self { token: None, connection_id: None, form: Form::Plain, limits, unread: false, heartbeat_ms: 0 }
    }

    /// Reads the data of a server's `handShake`, as far as it can be read.
    pub fn read(data: Option<&str>) -> Self {
        Self::from_read(WelcomeRead::of(data))
    }

    fn from_read(read: WelcomeRead<'_>) -> Self {
        let form = if read.pnet { Form::Pnet } else { Form::Old };
        let mut text = read.uuid.map(Cow::into_owned).unwrap_or_default();
        let token = SessionToken::from_text(&text);
        text.zeroize();
        Self {
            token,
            // The old form's is the server's own, the same for all its connections.
            connection_id: read.remote_token.and_then(|id| ConnectionId::from_text(&id)).filter(|_| form == Form::Pnet),
            form,
            limits: read.limits.to_limits(),
            unread: false,
            heartbeat_ms: read.heartbeat.filter(|_| form == Form::Pnet).unwrap_or_default(),
        }
    }
}

/// The data of a handshake that came late.
impl WelcomeText<'_> {
    /// What it says.
    pub fn read(&self) -> JsonWelcome {
        JsonWelcome::read(self.0)
    }
}

/// The first object of the other side, in as many pieces as it comes in.
#[derive(Debug)]
struct First {
    scanner: Scanner,
    /// Whitespace before the object.
    skipped: usize,
}

impl First {
    const fn new() -> Self {
        Self { scanner: Scanner::new(), skipped: 0 }
    }

    /// All that came but for the whitespace before the object.
    fn unread<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let unread = input.get(self.skipped..).unwrap_or_default();
        if self.scanner.has_begun() {
            return unread;
        }
        let space = unread.iter().take_while(|byte| is_space(**byte)).count();
        self.skipped += space;
        unread.get(space..).unwrap_or_default()
    }
}

fn too_long(max: usize) -> HandshakeError {
    JsonFault::TooLong { max: u32::try_from(max).unwrap_or(u32::MAX) }.into()
}

/// Whether the data of a server's `handShake` says that it does not let in.
pub(super) fn refuses(data: Option<&str>) -> bool {
    WelcomeRead::of(data).refuses()
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

#[derive(Serialize)]
struct HelloData<'a> {
    #[serde(flatten)]
    own: Own<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct WelcomeData<'a> {
    status: &'a str,
    uuid: &'a str,
    #[serde(rename = "remoteToken")]
    remote_token: &'a str,
    #[serde(flatten)]
    own: Option<Own<'a>>,
}

/// What only peers made for pnet say.
#[derive(Serialize)]
struct Own<'a> {
    pnet: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    limits: LimitsData,
    /// In milliseconds.
    #[serde(skip_serializing_if = "is_none")]
    heartbeat: u32,
}

/// The limits that have a meaning in this dialect.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(default)]
struct LimitsData {
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
    const fn of(limits: &Limits) -> Self {
        Self {
            object: Some(limits.max_frame_len),
            calls: Some(limits.calls),
            streams: Some(limits.streams),
            items: Some(limits.stream_items),
            bytes: Some(limits.packet_bytes),
        }
    }

    fn is_said(self) -> bool {
        [self.object, self.calls, self.streams, self.items, self.bytes].iter().any(Option::is_some)
    }

    fn to_limits(self) -> Limits {
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
struct HelloRead<'a> {
    #[serde(deserialize_with = "there")]
    pnet: bool,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    protocol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    credentials: Option<&'a RawValue>,
    #[serde(deserialize_with = "limits")]
    limits: LimitsData,
    #[serde(deserialize_with = "limit")]
    heartbeat: Option<u32>,
}

impl<'a> HelloRead<'a> {
    /// Data of any other form is that of somebody else's handshake.
    fn of(data: &'a str) -> Self {
        object_of(Some(data))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WelcomeRead<'a> {
    status: Option<Status>,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    uuid: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "remoteToken", deserialize_with = "if_it_fits")]
    remote_token: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "there")]
    pnet: bool,
    #[serde(borrow, deserialize_with = "if_it_fits")]
    protocol: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "limits")]
    limits: LimitsData,
    #[serde(deserialize_with = "limit")]
    heartbeat: Option<u32>,
}

impl<'a> WelcomeRead<'a> {
    /// A status that is left out is none of a refusal.
    fn refuses(&self) -> bool {
        self.status.as_ref().is_some_and(|status| !status.is_success())
    }

    fn of(data: Option<&'a str>) -> Self {
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

/// What the user of a client reads then.
pub(super) const REFUSED: &str = "the server's handshake says that it failed";
const SUCCESS: &str = "success";
const SHOWN_NAME_LEN: usize = 300;
