//! What a protocol says about one action.

use pnet_protocol::{
    document,
    dynamic::FieldInfo,
    protocol::{ActionInfo, ReplyInfo},
    schema::Ty,
};

/// Who sends an action.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// The client.
    ToServer,
    /// The server.
    ToClient,
}

/// How an action is answered.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// Not at all.
    OneWay,
    /// Once.
    Call,
    /// With a stream.
    Stream,
}

/// A packet as one side of the protocol sends it.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    info: &'static ActionInfo,
}

impl Action {
    pub(crate) const fn new(info: &'static ActionInfo) -> Self {
        Self { info }
    }

    /// The name that routes it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.info.action
    }

    /// The name of the packet's type.
    #[must_use]
    pub const fn packet(&self) -> &'static str {
        self.info.type_name
    }

    /// How it is answered.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.info.reply {
            ReplyInfo::None => Kind::OneWay,
            ReplyInfo::Stream { .. } => Kind::Stream,
            _ => Kind::Call,
        }
    }

    /// Its shape and that of its answer as text: `{x: i32} -> {ok: bool}`. A packet that goes as JSON in native frames, too, has
    /// `json` behind it. Where shapes are not told, the names of the packets stand for them: `Step -> Stepped`.
    #[must_use]
    pub fn shape(&self) -> String {
        if self.is_described() {
            return self.info.shape().to_string();
        }
        let name = self.info.type_name;
        match &self.info.reply {
            ReplyInfo::None => name.to_owned(),
            ReplyInfo::Packet(part) => format!("{name} -> {}", part.type_name),
            ReplyInfo::Result(part, error) => format!("{name} -> {} or {}", part.type_name, error.type_name),
            ReplyInfo::Stream { item, error: None } => format!("{name} -> stream {}", item.type_name),
            ReplyInfo::Stream { item, error: Some(error) } => {
                format!("{name} -> stream {} or {}", item.type_name, error.type_name)
            }
            _ => format!("{name} -> ()"),
        }
    }

    /// Whether the server has told the shape. If not, its data is not checked before it is sent.
    #[must_use]
    pub fn is_described(&self) -> bool {
        !matches!(self.info.schema, Ty::Opaque(document::UNTOLD))
    }

    /// The fields of its data, in their order; none if it is no struct.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldInfo> {
        FieldInfo::of_type(self.info.schema)
    }
}
