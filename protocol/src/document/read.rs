//! A text as a protocol.

use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};

use super::{
    MAX_KEPT, MAX_LEN, SchemaError, SchemaFault, UNTOLD, VERSION,
    arena::{Arena, Id, Leaked, Node, leak},
    place::{At, NAME_LEN, SHOWN, Wrong, harmless, is_harmless, list, member, name, object, shown, word},
    write::{codec_word, when_full_word},
};
use crate::{
    info::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo, Role, action_hash, fingerprint, is_reserved},
    limits::{ACTION_LEN, TEXT_LEN},
    packet::{Codec, WhenFull},
    schema::Prim,
    text::escape,
};

/// Makes a protocol of a text of [`VERSION`](super::VERSION), such as [`write`](super::write()) gives.
///
/// The same text gives the same protocol each time. What comes of it stays in memory until the process ends, so a process
/// reads at most [`MAX_KEPT`] different texts, of [`MAX_LEN`] bytes each, and fewer if they are large.
///
/// Keys that are not known are skipped, since later versions may say more. Where the shape of a packet is left out, it is
/// [opaque](crate::schema::Ty::Opaque). Actions may stand in any order. The hashes of actions are those of their shapes, as for the protocol
/// that was written; the fingerprint is what the text says, also if that is not what its shapes give: later versions may
/// put more into it. If it is missing, it is what the shapes give.
///
/// # Errors
///
/// [`SchemaError`], which says what is wrong and where. Nothing stays in memory then.
pub fn read(text: &str) -> Result<&'static ProtocolInfo, SchemaError> {
    if let Some(info) = kept().infos.get(text) {
        return Ok(info);
    }
    let document = parse(text)?;
    let found = find(&document).map_err(|Wrong { path, fault }| SchemaError::Part { path, fault })?;
    let mut kept = kept();
    if let Some(info) = kept.infos.get(text) {
        return Ok(info);
    }
    let (len, nodes) = (kept.len.saturating_add(text.len()), kept.nodes.saturating_add(found.arena.len()));
    if kept.infos.len() >= MAX_KEPT || len > MAX_KEPT_LEN || nodes > MAX_KEPT_NODES {
        return Err(SchemaError::Full);
    }
    let info: &ProtocolInfo = Box::leak(Box::new(found.keep()));
    kept.infos.insert(text.into(), info);
    (kept.len, kept.nodes) = (len, nodes);
    Ok(info)
}

/// Sees whether [`read`] could make a protocol of a text. Nothing stays in memory.
///
/// # Errors
///
/// As [`read`], but for [`SchemaError::Full`].
pub fn check(text: &str) -> Result<(), SchemaError> {
    let document = parse(text)?;
    find(&document).map(drop).map_err(|Wrong { path, fault }| SchemaError::Part { path, fault })
}

/// What was read in this process.
#[derive(Default)]
struct Kept {
    infos: HashMap<Box<str>, &'static ProtocolInfo>,
    /// Bytes of all texts.
    len: usize,
    /// Types of all texts.
    nodes: usize,
}

fn kept() -> MutexGuard<'static, Kept> {
    static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same without counting what stays in memory.
#[cfg(test)]
pub(super) fn unkept(text: &str) -> Result<ProtocolInfo, SchemaError> {
    let document = parse(text)?;
    let found = find(&document).map_err(|Wrong { path, fault }| SchemaError::Part { path, fault })?;
    Ok(found.keep())
}

fn parse(text: &str) -> Result<Value, SchemaError> {
    if text.len() > MAX_LEN {
        return Err(SchemaError::TooLong { len: text.len() });
    }
    let document: Value = serde_json::from_str(text)
        .map_err(|error| SchemaError::NotJson { line: error.line(), column: error.column() })?;
    match document.get("pnet-schema") {
        Some(Value::Number(number)) if number.as_u64() == Some(VERSION) => Ok(document),
        Some(other) => Err(SchemaError::Format { found: escape(&other.to_string(), SHOWN) }),
        None => Err(SchemaError::Format { found: "missing".to_owned() }),
    }
}

/// All that a text says, found good.
struct Found<'a> {
    name: &'a str,
    fingerprint: Option<u64>,
    credentials: Option<&'a str>,
    client: Vec<Action<'a>>,
    server: Vec<Action<'a>>,
    arena: Arena<'a>,
}

struct Action<'a> {
    part: Part<'a>,
    reply: Reply<'a>,
    when_full: WhenFull,
}

struct Part<'a> {
    action: &'a str,
    type_name: &'a str,
    codec: Codec,
    ty: Id,
}

enum Reply<'a> {
    None,
    Ack,
    Packet(Part<'a>),
    Result(Part<'a>, Part<'a>),
    Stream { item: Part<'a>, error: Option<Part<'a>> },
}

impl Found<'_> {
    fn keep(self) -> ProtocolInfo {
        let types = self.arena.leak();
        let direction = |role, actions: Vec<Action<'_>>| {
            let mut actions: Vec<ActionInfo> = actions.into_iter().map(|action| action.keep(role, &types)).collect();
            actions.sort_unstable_by_key(|info| info.action);
            Direction { actions: actions.leak() }
        };
        let (client, server) = (direction(Role::Client, self.client), direction(Role::Server, self.server));
        let fingerprint = self.fingerprint.unwrap_or_else(|| fingerprint(&client, &server));
        let credentials = self.credentials.map(leak);
        ProtocolInfo { name: leak(self.name), client, server, fingerprint, credentials }
    }
}

impl Action<'_> {
    fn keep(self, role: Role, types: &Leaked) -> ActionInfo {
        let PartInfo { action, type_name, codec, schema } = self.part.keep(types);
        let reply = match self.reply {
            Reply::None => ReplyInfo::None,
            Reply::Ack => ReplyInfo::Ack,
            Reply::Packet(part) => ReplyInfo::Packet(part.keep(types)),
            Reply::Result(part, error) => ReplyInfo::Result(part.keep(types), error.keep(types)),
            Reply::Stream { item, error } => {
                ReplyInfo::Stream { item: item.keep(types), error: error.map(|error| error.keep(types)) }
            }
        };
        let hash = action_hash(role, action, codec, schema, &reply);
        ActionInfo { action, type_name, codec, schema, reply, when_full: self.when_full, hash }
    }
}

impl Part<'_> {
    fn keep(&self, types: &Leaked) -> PartInfo {
        let (action, type_name) = (leak(self.action), leak(self.type_name));
        PartInfo { action, type_name, codec: self.codec, schema: types.get(self.ty) }
    }
}

fn find(document: &Value) -> Result<Found<'_>, Wrong> {
    let at = At::Root;
    let root = object(document, &at)?;
    let table_at = At::Key(&at, "types");
    let table = match root.get("types") {
        None => None,
        Some(table) => Some(object(table, &table_at)?),
    };
    let mut types =
        Types { table, at: &table_at, arena: Arena::default(), known: HashMap::new(), parts: 0, untold: None };
    let protocol = name(root, "protocol", &at, NAME_LEN)?;
    let credentials = match root.get("credentials") {
        None | Some(Value::Null) => None,
        Some(_) => Some(name(root, "credentials", &at, NAME_LEN)?),
    };
    let fingerprint = match root.get("fingerprint") {
        None => None,
        Some(value) => {
            let text = value.as_str().filter(|text| text.len() == 16 && !text.starts_with('+'));
            let number = text.and_then(|text| u64::from_str_radix(text, 16).ok());
            Some(number.ok_or_else(|| At::Key(&at, "fingerprint").kind("a text of 16 hexadecimal digits"))?)
        }
    };
    let client = types.direction(root, "client", &at)?;
    let server = types.direction(root, "server", &at)?;
    Ok(Found { name: protocol, fingerprint, credentials, client, server, arena: types.arena })
}

/// A named type that is being read, with those around it.
struct Scope<'a, 's> {
    key: &'a str,
    name: &'a str,
    /// How many named types stand around it.
    depth: usize,
    /// How many types stand around it.
    level: usize,
    outer: Option<&'s Self>,
}

/// The types of a text, as far as they are read. What no packet refers to is not looked at.
struct Types<'a, 'p> {
    table: Option<&'a Map<String, Value>>,
    at: &'p At<'p>,
    arena: Arena<'a>,
    /// Named types that refer to nothing around them.
    known: HashMap<&'a str, Id>,
    /// How many parts the packets have together, written out.
    parts: usize,
    /// The shape of packets of which nothing is told.
    untold: Option<Id>,
}

/// A type, and the outermost named type around it to which it refers, by its depth.
type Read = (Id, usize);

/// It refers to nothing around it.
const CLOSED: usize = usize::MAX;

/// Where a type stands: in the text, and in how many types.
type Place<'p> = (&'p At<'p>, usize);

impl<'a> Types<'a, '_> {
    fn direction(&mut self, root: &'a Map<String, Value>, side: &str, at: &At<'_>) -> Result<Vec<Action<'a>>, Wrong> {
        let at = At::Key(at, side);
        let Some(value) = root.get(side) else { return Ok(Vec::new()) };
        let mut seen = HashSet::new();
        let mut actions = Vec::new();
        for (i, value) in list(value, &at)?.iter().enumerate() {
            let at = At::Index(&at, i);
            let action = self.action(value, &at)?;
            if !seen.insert(action.part.action) {
                return Err(At::Key(&at, "action").wrong(SchemaFault::Twice(shown(action.part.action))));
            }
            actions.push(action);
        }
        if actions.len() > usize::from(u16::MAX) + 1 {
            return Err(at.kind("a list of at most 65536 actions"));
        }
        Ok(actions)
    }

    fn action(&mut self, value: &'a Value, at: &At<'_>) -> Result<Action<'a>, Wrong> {
        let action = object(value, at)?;
        let part = self.part(value, at)?;
        let reply_at = At::Key(at, "reply");
        let reply = match action.get("reply") {
            None => Reply::None,
            Some(reply) => self.reply(reply, &reply_at)?,
        };
        if let Reply::Result(part, error) | Reply::Stream { item: part, error: Some(error) } = &reply
            && part.action == error.action
        {
            return Err(reply_at.wrong(SchemaFault::Twice(shown(part.action))));
        }
        let rules = [WhenFull::Wait, WhenFull::DropNew, WhenFull::Disconnect].map(|rule| (when_full_word(rule), rule));
        let wanted = "\"wait\", \"drop_new\" or \"disconnect\"";
        let when_full = word(action, "when-full", at, &rules, wanted)?.unwrap_or_default();
        Ok(Action { part, reply, when_full })
    }

    fn reply(&mut self, value: &'a Value, at: &At<'_>) -> Result<Reply<'a>, Wrong> {
        let wanted = "\"ack\", or an object with `packet`, `result` or `stream`";
        let reply = match value {
            Value::Null => return Ok(Reply::None),
            Value::String(word) if word == "ack" => return Ok(Reply::Ack),
            Value::Object(reply) => reply,
            _ => return Err(at.kind(wanted)),
        };
        if let Some(part) = reply.get("packet") {
            return Ok(Reply::Packet(self.part(part, &At::Key(at, "packet"))?));
        }
        if let Some(parts) = reply.get("result") {
            let at = At::Key(at, "result");
            let Some([part, error]) = parts.as_array().map(Vec::as_slice) else {
                return Err(at.kind("a list of two packets"));
            };
            return Ok(Reply::Result(self.part(part, &At::Index(&at, 0))?, self.part(error, &At::Index(&at, 1))?));
        }
        let Some(item) = reply.get("stream") else { return Err(at.kind(wanted)) };
        let item = self.part(item, &At::Key(at, "stream"))?;
        let error = match reply.get("error") {
            None | Some(Value::Null) => None,
            Some(error) => Some(self.part(error, &At::Key(at, "error"))?),
        };
        Ok(Reply::Stream { item, error })
    }

    fn part(&mut self, value: &'a Value, at: &At<'_>) -> Result<Part<'a>, Wrong> {
        let part = object(value, at)?;
        let action = name(part, "action", at, ACTION_LEN)?;
        if is_reserved(action) {
            return Err(At::Key(at, "action").wrong(SchemaFault::Reserved(shown(action))));
        }
        let type_name = name(part, "packet", at, NAME_LEN)?;
        let codecs = [Codec::Postcard, Codec::Json].map(|codec| (codec_word(codec), codec));
        let codec = word(part, "codec", at, &codecs, "\"postcard\" or \"json\"")?.unwrap_or(Codec::Json);
        let at = At::Key(at, "data");
        let ty = match part.get("data") {
            None => match self.untold {
                Some(untold) => untold,
                None => *self.untold.insert(self.arena.add(Node::Opaque(UNTOLD))),
            },
            Some(data) => self.ty(data, None, (&at, 0))?.0,
        };
        self.parts = self.parts.saturating_add(self.arena.size(ty).parts);
        if self.parts > MAX_PARTS {
            return Err(at.wrong(SchemaFault::TooLarge { max: MAX_PARTS }));
        }
        Ok(Part { action, type_name, codec, ty })
    }

    fn ty(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        if level >= MAX_LEVELS {
            return Err(at.wrong(SchemaFault::TooDeep { max: MAX_LEVELS }));
        }
        if self.arena.len() >= MAX_NODES {
            return Err(at.wrong(SchemaFault::TooLarge { max: MAX_NODES }));
        }
        let ty = match value {
            Value::String(word) => {
                let prim = Prim::ALL.iter().find(|prim| prim.name() == word);
                let prim = prim.ok_or_else(|| at.wrong(SchemaFault::UnknownType(shown(word))))?;
                return Ok((self.arena.add(Node::Prim(*prim)), CLOSED));
            }
            Value::Object(ty) => ty,
            _ => return Err(at.kind("a type")),
        };
        let mut kinds = KINDS.into_iter().filter_map(|kind| Some((kind, ty.get(kind)?)));
        let Some((kind, value)) = kinds.next() else {
            let word = ty.keys().next().map_or("", String::as_str);
            return Err(at.wrong(SchemaFault::UnknownType(shown(word))));
        };
        if let Some((other, _)) = kinds.next() {
            return Err(at.wrong(SchemaFault::TwoKinds(kind, other)));
        }
        let inside = (&At::Key(at, kind), level + 1);
        match kind {
            "option" => self.around(value, scope, inside, Node::Option),
            "list" => self.around(value, scope, inside, Node::Seq),
            "array" => {
                let len = ty.get("length").and_then(Value::as_u64).and_then(|len| u32::try_from(len).ok());
                let len = len.ok_or_else(|| At::Key(at, "length").kind("the number of elements"))?;
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.around(value, scope, inside, |id| Node::Array(id, len))
            }
            "as-serde" => {
                let text = harmless(value, inside.0, TEXT_LEN)?;
                let at = At::Key(at, "type");
                let inner = ty.get("type").ok_or_else(|| at.wrong(SchemaFault::Missing))?;
                self.around(inner, scope, (&at, level + 1), |id| Node::Marked(text, id))
            }
            "opaque" => {
                let text = harmless(value, inside.0, TEXT_LEN)?;
                Ok((self.arena.add(Node::Opaque(text)), CLOSED))
            }
            "map" => self.map(value, scope, inside),
            "tuple" => self.tuple(value, scope, inside),
            "struct" => self.fields(value, scope, inside),
            "enum" => self.variants(value, scope, inside),
            _ => self.reference(value, scope, (inside.0, level)),
        }
    }

    fn around(
        &mut self,
        value: &'a Value,
        scope: Option<&Scope<'a, '_>>,
        place: Place<'_>,
        node: impl FnOnce(Id) -> Node<'a>,
    ) -> Result<Read, Wrong> {
        let (id, outermost) = self.ty(value, scope, place)?;
        Ok((self.arena.add(node(id)), outermost))
    }

    fn map(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        let map = object(value, at)?;
        let mut part = |name: &'static str| {
            let at = At::Key(at, name);
            let value = map.get(name).ok_or_else(|| at.wrong(SchemaFault::Missing))?;
            self.ty(value, scope, (&at, level))
        };
        let ((key, outermost), (value, other)) = (part("key")?, part("value")?);
        Ok((self.arena.add(Node::Map(key, value)), outermost.min(other)))
    }

    fn tuple(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        let (mut parts, mut outermost) = (Vec::new(), CLOSED);
        for (i, part) in list(value, at)?.iter().enumerate() {
            let (id, other) = self.ty(part, scope, (&At::Index(at, i), level))?;
            parts.push(id);
            outermost = outermost.min(other);
        }
        Ok((self.arena.add(Node::Tuple(parts)), outermost))
    }

    fn fields(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        let (mut fields, mut outermost, mut seen) = (Vec::new(), CLOSED, HashSet::new());
        for (i, field) in list(value, at)?.iter().enumerate() {
            let at = At::Index(at, i);
            let field = object(field, &at)?;
            let name = member(field, &mut seen, &at)?;
            let type_at = At::Key(&at, "type");
            let ty = field.get("type").ok_or_else(|| type_at.wrong(SchemaFault::Missing))?;
            let (id, other) = self.ty(ty, scope, (&type_at, level))?;
            let default = match field.get("default") {
                None => false,
                Some(value) => value.as_bool().ok_or_else(|| At::Key(&at, "default").kind("true or false"))?,
            };
            fields.push((name, id, default));
            outermost = outermost.min(other);
        }
        Ok((self.arena.add(Node::Struct(fields)), outermost))
    }

    fn variants(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        let (mut variants, mut outermost, mut seen) = (Vec::new(), CLOSED, HashSet::new());
        for (i, variant) in list(value, at)?.iter().enumerate() {
            let at = At::Index(at, i);
            let variant = object(variant, &at)?;
            let name = member(variant, &mut seen, &at)?;
            let body = match variant.get("holds") {
                None => None,
                Some(holds) => {
                    let (id, other) = self.ty(holds, scope, (&At::Key(&at, "holds"), level))?;
                    outermost = outermost.min(other);
                    Some(id)
                }
            };
            variants.push((name, body));
        }
        Ok((self.arena.add(Node::Enum(variants)), outermost))
    }

    /// A named type: one in which this stands, or one that is read here.
    fn reference(&mut self, value: &'a Value, scope: Option<&Scope<'a, '_>>, place: Place<'_>) -> Result<Read, Wrong> {
        let (at, level) = place;
        let key = value.as_str().ok_or_else(|| at.kind("the name of a type"))?;
        let name = name_of(key);
        let (mut around, mut hidden) = (scope, false);
        while let Some(open) = around {
            if open.key == key {
                if hidden {
                    return Err(at.wrong(SchemaFault::Hidden(shown(key))));
                }
                let names = scope.map_or(0, |scope| scope.depth + 1 - open.depth);
                if level - open.level == names {
                    return Err(at.wrong(SchemaFault::Endless(shown(key))));
                }
                return Ok((self.arena.add(Node::Ref(open.name)), open.depth));
            }
            hidden = hidden || open.name == name;
            around = open.outer;
        }
        if let Some(id) = self.known.get(key) {
            return match level + self.arena.size(*id).levels {
                0..=MAX_LEVELS => Ok((*id, CLOSED)),
                _ => Err(at.wrong(SchemaFault::TooDeep { max: MAX_LEVELS })),
            };
        }
        let Some((key, body)) = self.table.and_then(|table| table.get_key_value(key)) else {
            return Err(at.wrong(SchemaFault::UnknownRef(shown(key))));
        };
        let at = At::Key(self.at, key);
        if name.is_empty() || !is_harmless(name, NAME_LEN) {
            return Err(at.wrong(SchemaFault::Name { max: NAME_LEN }));
        }
        let depth = scope.map_or(0, |scope| scope.depth + 1);
        let open = Scope { key, name, depth, level, outer: scope };
        let (inner, outermost) = self.ty(body, Some(&open), (&at, level + 1))?;
        let id = self.arena.add(Node::Named(name, inner));
        if outermost < depth {
            return Ok((id, outermost));
        }
        self.known.insert(key, id);
        Ok((id, CLOSED))
    }
}

/// What `type#2` is called: a number tells types of one name apart.
fn name_of(key: &str) -> &str {
    match key.rsplit_once('#') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => key,
    }
}

/// The keys that say what kind of type an object describes.
const KINDS: [&str; 10] = ["option", "list", "array", "map", "tuple", "struct", "enum", "ref", "opaque", "as-serde"];
/// Most types that may stand in each other: what walks over a type calls itself so often.
const MAX_LEVELS: usize = 256;
/// Most types that a text may have.
const MAX_NODES: usize = 128 * 1024;
/// Most parts that all packets may have together, with named types counted wherever they are used: what walks over them looks
/// at each.
const MAX_PARTS: usize = 1024 * 1024;
/// Most bytes of all texts together.
const MAX_KEPT_LEN: usize = 16 * 1024 * 1024;
/// Most types of all texts together, each of which takes some 50 bytes.
const MAX_KEPT_NODES: usize = 1024 * 1024;
