//! A protocol as a text.

use std::{collections::HashMap, ops::Not};

use serde::{Serialize, Serializer};

use super::{super::Ty, VERSION};
use crate::{
    handshake::ShapePolicy,
    packet::{Codec, WhenFull},
    protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo},
};

/// The schema of a protocol as a JSON text of [`VERSION`](super::VERSION): compact, in a stable order, and the same for the
/// same protocol.
///
/// With [`ShapePolicy::Names`] it says which packets there are and what answers them, and nothing about how they look.
///
/// The words of the format are in `docs/schema.md`.
#[must_use]
pub fn write(info: &ProtocolInfo, shapes: ShapePolicy) -> String {
    let mut types = Types { shapes, written: Vec::new(), keys: HashMap::new(), inside: Vec::new() };
    let document = Document {
        version: VERSION,
        protocol: info.name,
        fingerprint: format!("{:016x}", info.fingerprint),
        credentials: info.credentials,
        client: types.direction(&info.client),
        server: types.direction(&info.server),
        types: types.written,
    };
    // It is made of texts, numbers and lists, none of which is refused.
    serde_json::to_string(&document).unwrap_or_default()
}

/// The word for a codec.
pub(super) const fn codec_word(codec: Codec) -> &'static str {
    match codec {
        Codec::Postcard => "postcard",
        Codec::Json => "json",
    }
}

/// The word for what becomes of a packet if the queue is full.
pub(super) const fn when_full_word(rule: WhenFull) -> &'static str {
    match rule {
        WhenFull::Wait => "wait",
        WhenFull::DropNew => "drop_new",
        WhenFull::Disconnect => "disconnect",
    }
}

#[derive(Serialize)]
struct Document {
    #[serde(rename = "pnet-schema")]
    version: u64,
    protocol: &'static str,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<&'static str>,
    client: Vec<Action>,
    server: Vec<Action>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    types: Vec<(String, Shape)>,
}

#[derive(Serialize)]
struct Action {
    #[serde(flatten)]
    part: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
    #[serde(rename = "when-full", skip_serializing_if = "Option::is_none")]
    when_full: Option<&'static str>,
}

#[derive(Serialize)]
struct Part {
    action: &'static str,
    packet: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Shape>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ack,
    Packet(Part),
    Result(Part, Part),
    #[serde(untagged)]
    Stream {
        stream: Part,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Part>,
    },
}

/// A type in the words of the format.
#[derive(Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Opaque(&'static str),
    Ref(String),
    Option(Box<Self>),
    List(Box<Self>),
    Map {
        key: Box<Self>,
        value: Box<Self>,
    },
    Tuple(Vec<Self>),
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    /// A named type in a look, and what refers to it from inside. They are not written.
    #[serde(skip)]
    Named(&'static str, Box<Self>),
    #[serde(skip)]
    Within(&'static str),
    #[serde(untagged)]
    Prim(&'static str),
    #[serde(untagged)]
    Array {
        array: Box<Self>,
        length: usize,
    },
    #[serde(untagged)]
    Marked {
        #[serde(rename = "as-serde")]
        text: &'static str,
        #[serde(rename = "type")]
        ty: Box<Self>,
    },
}

#[derive(Eq, Hash, PartialEq, Serialize)]
struct Field {
    name: &'static str,
    #[serde(rename = "type")]
    ty: Shape,
    #[serde(skip_serializing_if = "Not::not")]
    default: bool,
}

#[derive(Eq, Hash, PartialEq, Serialize)]
struct Variant {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Shape>,
}

struct Types {
    shapes: ShapePolicy,
    /// The named types, in the order in which they were met: key and body.
    written: Vec<(String, Shape)>,
    /// The keys of named types, by all that tells them from others: their names, and what they look like, with the names of
    /// the types in them and the keys of those around them.
    keys: HashMap<(&'static str, Shape), String>,
    /// The named types in which a look is being taken, or none.
    inside: Vec<&'static str>,
}

/// A named type around the place that is being written.
struct Scope<'a> {
    name: &'a str,
    key: &'a str,
    outer: Option<&'a Self>,
}

impl Types {
    fn direction(&mut self, direction: &Direction) -> Vec<Action> {
        direction.actions.iter().map(|action| self.action(action)).collect()
    }

    fn action(&mut self, info: &ActionInfo) -> Action {
        let ActionInfo { action, type_name, codec, schema, reply, when_full, .. } = *info;
        Action {
            part: self.part(&PartInfo { action, type_name, codec, schema }),
            reply: match &reply {
                ReplyInfo::None => None,
                ReplyInfo::Ack => Some(Reply::Ack),
                ReplyInfo::Packet(part) => Some(Reply::Packet(self.part(part))),
                ReplyInfo::Result(part, error) => Some(Reply::Result(self.part(part), self.part(error))),
                ReplyInfo::Stream { item, error } => {
                    Some(Reply::Stream { stream: self.part(item), error: error.as_ref().map(|error| self.part(error)) })
                }
            },
            when_full: (when_full != WhenFull::Wait).then_some(when_full_word(when_full)),
        }
    }

    fn part(&mut self, part: &PartInfo) -> Part {
        let is_shown = self.shapes == ShapePolicy::Shapes;
        Part {
            action: part.action,
            packet: part.type_name,
            codec: is_shown.then_some(codec_word(part.codec)),
            data: is_shown.then(|| self.ty(part.schema, None)),
        }
    }

    fn ty(&mut self, ty: &Ty, scope: Option<&Scope<'_>>) -> Shape {
        match *ty {
            Ty::Prim(prim) => Shape::Prim(prim.name()),
            Ty::Opaque(text) => Shape::Opaque(text),
            Ty::Ref(name) if self.inside.contains(&name) => Shape::Within(name),
            Ty::Ref(name) => match enclosing(scope, name) {
                Some(around) => Shape::Ref(around.key.to_owned()),
                // It stands in no such type, so nobody knows what it is. No derived schema has that.
                None => Shape::Opaque(name),
            },
            Ty::Option(inner) => Shape::Option(self.inner(inner, scope)),
            Ty::Seq(inner) => Shape::List(self.inner(inner, scope)),
            Ty::Array(inner, length) => Shape::Array { array: self.inner(inner, scope), length },
            Ty::Map(key, value) => Shape::Map { key: self.inner(key, scope), value: self.inner(value, scope) },
            Ty::Tuple(parts) => Shape::Tuple(parts.iter().map(|part| self.ty(part, scope)).collect()),
            Ty::Struct(fields) => Shape::Struct(
                fields
                    .iter()
                    .map(|field| Field { name: field.name, ty: self.ty(field.ty, scope), default: field.default })
                    .collect(),
            ),
            Ty::Enum(variants) => Shape::Enum(
                variants
                    .iter()
                    .map(|variant| Variant { name: variant.name, holds: variant.body.map(|body| self.ty(body, scope)) })
                    .collect(),
            ),
            Ty::Named(name, inner) if self.inside.is_empty() => Shape::Ref(self.named(name, inner, scope)),
            Ty::Named(name, inner) => Shape::Named(name, Box::new(self.look(name, inner, scope))),
            Ty::Marked(text, inner) => Shape::Marked { text, ty: self.inner(inner, scope) },
        }
    }

    fn inner(&mut self, ty: &Ty, scope: Option<&Scope<'_>>) -> Box<Shape> {
        Box::new(self.ty(ty, scope))
    }

    /// What a named type looks like, with all that is in it.
    fn look(&mut self, name: &'static str, ty: &Ty, scope: Option<&Scope<'_>>) -> Shape {
        self.inside.push(name);
        let look = self.ty(ty, scope);
        self.inside.pop();
        look
    }

    /// The key of a named type, whose body is written where it is met for the first time.
    fn named(&mut self, name: &'static str, inner: &Ty, scope: Option<&Scope<'_>>) -> String {
        let look = (name, self.look(name, inner, scope));
        if let Some(key) = self.keys.get(&look) {
            return key.clone();
        }
        let taken = |key: &str| self.written.iter().any(|(known, _)| known == key);
        let mut key = name.to_owned();
        let mut number = 2;
        while taken(&key) {
            key = format!("{name}#{number}");
            number += 1;
        }
        self.keys.insert(look, key.clone());
        let place = self.written.len();
        self.written.push((key.clone(), Shape::Opaque(name)));
        let body = self.ty(inner, Some(&Scope { name, key: &key, outer: scope }));
        if let Some(entry) = self.written.get_mut(place) {
            entry.1 = body;
        }
        key
    }
}

/// The innermost type of this name around a place.
fn enclosing<'a>(mut scope: Option<&'a Scope<'a>>, name: &str) -> Option<&'a Scope<'a>> {
    while let Some(around) = scope
        && around.name != name
    {
        scope = around.outer;
    }
    scope
}

fn as_object<S: Serializer>(types: &[(String, Shape)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(types.iter().map(|(key, body)| (key, body)))
}
