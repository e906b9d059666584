//! How a client begins a connection in the JSON dialect (`docs/wire.md` §11.5).

use std::borrow::Cow;

use zeroize::Zeroize as _;

use super::{
    Form, JsonFault, action,
    first::{First, other_protocol, too_long},
    handshake::{HelloData, LimitsData, Own, WelcomeRead},
    own::closed,
    write::{NO_TOKEN, put_object},
};
use crate::{
    close::{CloseCode, Retry},
    connection::WelcomeText,
    handshake::{FirstByte, FirstBytes, HandshakeError, first_byte},
    id::{ConnectionId, SessionToken},
    info::ProtocolInfo,
    limits::{FIRST_OBJECT_LEN, Limits},
};

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
        let Some((object, len)) = self.first.read(unread)? else {
            let max = Limits::default().max_frame_len;
            if u32::try_from(input.len()).map_or(true, |len| len > max) {
                return Err(JsonFault::TooLong { max }.into());
            }
            return Ok(None);
        };
        let Ok(object) = object else { return Ok(Some((self.first.skipped, self.give_up()))) };
        if let Some(error) = closed(&object.action, object.data, CloseCode::Refused) {
            return Err(error);
        }
        if object.action != action::HANDSHAKE {
            return Ok(Some((self.first.skipped, self.give_up())));
        }
        let said = WelcomeRead::of(object.data);
        if said.refuses() {
            let (code, reason) = (CloseCode::Unauthorized, REFUSED.to_owned());
            return Err(HandshakeError::Closed { code, retry: Retry::Unspecified, reason });
        }
        if let (Some(here), Some(there)) = (self.protocol, said.protocol.as_deref())
            && there != here
        {
            return Err(other_protocol(here, there));
        }
        let mut welcome = JsonWelcome::from_read(said);
        welcome.unread = self.greeted && welcome.form.is_old();
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
        put_object(out, action::HANDSHAKE, &data, micros, NO_TOKEN);
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
        let form = Form::of_handshake(read.pnet);
        let mut text = read.uuid.map(Cow::into_owned).unwrap_or_default();
        let token = SessionToken::from_text(&text);
        text.zeroize();
        Self {
            token,
            // The old form's is the server's own, the same for all its connections.
            connection_id: read.remote_token.and_then(|id| ConnectionId::from_text(&id)).filter(|_| form.is_pnet()),
            form,
            limits: read.limits.to_limits(),
            unread: false,
            heartbeat_ms: read.heartbeat.filter(|_| form.is_pnet()).unwrap_or_default(),
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

/// Whether the data of a server's `handShake` says that it does not let in.
pub(super) fn refuses(data: Option<&str>) -> bool {
    WelcomeRead::of(data).refuses()
}

/// What the user of a client reads then.
pub(super) const REFUSED: &str = "the server's handshake says that it failed";
