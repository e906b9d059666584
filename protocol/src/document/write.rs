//! A protocol as a text.

use std::collections::HashMap;

use serde_json::Value;

use super::VERSION;
use crate::{
    info::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo, ShapePolicy},
    packet::{Codec, WhenFull},
    schema::Ty,
};

/// The schema of a protocol as a JSON text of [`VERSION`](super::VERSION): compact, in a stable order, and the same for the
/// same protocol.
///
/// With [`ShapePolicy::Names`] it says which packets there are and what answers them, and nothing about how they look.
///
/// The words of the format are in `docs/schema.md`.
#[must_use]
pub fn write(info: &ProtocolInfo, shapes: ShapePolicy) -> String {
    let mut writer = Writer { shapes, types: Vec::new(), keys: HashMap::new() };
    let mut out = format!(
        r#"{{"pnet-schema":{VERSION},"protocol":{},"fingerprint":"{:016x}""#,
        quoted(info.name),
        info.fingerprint
    );
    if let Some(credentials) = info.credentials {
        out.push_str(r#","credentials":"#);
        out.push_str(&quoted(credentials));
    }
    for (side, direction) in [("client", &info.client), ("server", &info.server)] {
        out.push_str(&format!(r#","{side}":["#));
        writer.direction(direction, &mut out);
        out.push(']');
    }
    if !writer.types.is_empty() {
        out.push_str(r#","types":{"#);
        list(&mut out, &writer.types, |out, (key, body)| {
            out.push_str(&quoted(key));
            out.push(':');
            out.push_str(body);
        });
        out.push('}');
    }
    out.push('}');
    out
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

struct Writer {
    shapes: ShapePolicy,
    /// The named types, in the order in which they were met: key and body.
    types: Vec<(String, String)>,
    /// The keys of named types, by what they look like.
    keys: HashMap<String, String>,
}

/// A named type around the place that is being written.
struct Scope<'a> {
    name: &'a str,
    key: &'a str,
    outer: Option<&'a Self>,
}

impl Writer {
    fn direction(&mut self, direction: &Direction, out: &mut String) {
        list(out, direction.actions, |out, action| self.action(action, out));
    }

    fn action(&mut self, info: &ActionInfo, out: &mut String) {
        let ActionInfo { action, type_name, codec, schema, reply, when_full, .. } = *info;
        out.push('{');
        self.part(&PartInfo { action, type_name, codec, schema }, out);
        match &reply {
            ReplyInfo::None => {}
            ReplyInfo::Ack => out.push_str(r#","reply":"ack""#),
            ReplyInfo::Packet(part) => {
                out.push_str(r#","reply":{"packet":{"#);
                self.part(part, out);
                out.push_str("}}");
            }
            ReplyInfo::Result(part, error) => {
                out.push_str(r#","reply":{"result":[{"#);
                self.part(part, out);
                out.push_str("},{");
                self.part(error, out);
                out.push_str("}]}");
            }
            ReplyInfo::Stream { item, error } => {
                out.push_str(r#","reply":{"stream":{"#);
                self.part(item, out);
                if let Some(error) = error {
                    out.push_str(r#"},"error":{"#);
                    self.part(error, out);
                }
                out.push_str("}}");
            }
        }
        if when_full != WhenFull::Wait {
            out.push_str(&format!(r#","when-full":"{}""#, when_full_word(when_full)));
        }
        out.push('}');
    }

    /// The fields of a packet.
    fn part(&mut self, part: &PartInfo, out: &mut String) {
        out.push_str(&format!(r#""action":{},"packet":{}"#, quoted(part.action), quoted(part.type_name)));
        if self.shapes == ShapePolicy::Shapes {
            out.push_str(&format!(r#","codec":"{}","data":"#, codec_word(part.codec)));
            self.ty(part.schema, None, out);
        }
    }

    fn ty(&mut self, ty: &Ty, scope: Option<&Scope<'_>>, out: &mut String) {
        match ty {
            Ty::Prim(prim) => out.push_str(&quoted(prim.name())),
            Ty::Opaque(text) => out.push_str(&format!(r#"{{"opaque":{}}}"#, quoted(text))),
            Ty::Ref(name) => match enclosing(scope, name) {
                Some(around) => out.push_str(&format!(r#"{{"ref":{}}}"#, quoted(around.key))),
                // It stands in no such type, so nobody knows what it is. No derived schema has that.
                None => out.push_str(&format!(r#"{{"opaque":{}}}"#, quoted(name))),
            },
            Ty::Option(inner) => self.within("option", inner, scope, out),
            Ty::Seq(inner) => self.within("list", inner, scope, out),
            Ty::Array(inner, len) => {
                self.within("array", inner, scope, out);
                out.pop();
                out.push_str(&format!(r#","length":{len}}}"#));
            }
            Ty::Map(key, value) => {
                out.push_str(r#"{"map":{"key":"#);
                self.ty(key, scope, out);
                out.push_str(r#","value":"#);
                self.ty(value, scope, out);
                out.push_str("}}");
            }
            Ty::Tuple(parts) => {
                out.push_str(r#"{"tuple":["#);
                list(out, parts, |out, part| self.ty(part, scope, out));
                out.push_str("]}");
            }
            Ty::Struct(fields) => {
                out.push_str(r#"{"struct":["#);
                list(out, fields, |out, field| {
                    out.push_str(&format!(r#"{{"name":{},"type":"#, quoted(field.name)));
                    self.ty(field.ty, scope, out);
                    out.push_str(if field.default { r#","default":true}"# } else { "}" });
                });
                out.push_str("]}");
            }
            Ty::Enum(variants) => {
                out.push_str(r#"{"enum":["#);
                list(out, variants, |out, variant| {
                    out.push_str(&format!(r#"{{"name":{}"#, quoted(variant.name)));
                    if let Some(body) = variant.body {
                        out.push_str(r#","holds":"#);
                        self.ty(body, scope, out);
                    }
                    out.push('}');
                });
                out.push_str("]}");
            }
            Ty::Named(name, inner) => {
                let key = self.named(name, inner, scope);
                out.push_str(&format!(r#"{{"ref":{}}}"#, quoted(&key)));
            }
            Ty::Marked(text, inner) => {
                out.push_str(&format!(r#"{{"as-serde":{},"type":"#, quoted(text)));
                self.ty(inner, scope, out);
                out.push('}');
            }
        }
    }

    fn within(&mut self, kind: &str, inner: &Ty, scope: Option<&Scope<'_>>, out: &mut String) {
        out.push_str(&format!(r#"{{"{kind}":"#));
        self.ty(inner, scope, out);
        out.push('}');
    }

    /// The key of a named type, whose body is written where it is met for the first time.
    fn named(&mut self, name: &str, inner: &Ty, scope: Option<&Scope<'_>>) -> String {
        // All that tells it from others, those around it included to which it refers.
        let mut look = format!("{name:?} {inner:?} ");
        outer_keys(inner, scope, &mut vec![name], &mut look);
        if let Some(key) = self.keys.get(&look) {
            return key.clone();
        }
        let taken = |key: &str| self.types.iter().any(|(known, _)| known == key);
        let mut key = name.to_owned();
        let mut number = 2;
        while taken(&key) {
            key = format!("{name}#{number}");
            number += 1;
        }
        self.keys.insert(look, key.clone());
        let place = self.types.len();
        self.types.push((key.clone(), String::new()));
        let mut body = String::new();
        self.ty(inner, Some(&Scope { name, key: &key, outer: scope }), &mut body);
        if let Some(entry) = self.types.get_mut(place) {
            entry.1 = body;
        }
        key
    }
}

/// The keys of the types around a type to which it refers, in order.
fn outer_keys<'a>(ty: &'a Ty, scope: Option<&Scope<'_>>, inside: &mut Vec<&'a str>, keys: &mut String) {
    match ty {
        Ty::Ref(name) if !inside.contains(name) => {
            keys.extend(enclosing(scope, name).map(|around| quoted(around.key)));
        }
        Ty::Prim(_) | Ty::Opaque(_) | Ty::Ref(_) => {}
        Ty::Option(inner) | Ty::Seq(inner) | Ty::Array(inner, _) | Ty::Marked(_, inner) => {
            outer_keys(inner, scope, inside, keys);
        }
        Ty::Map(key, value) => [key, value].into_iter().for_each(|part| outer_keys(part, scope, inside, keys)),
        Ty::Tuple(parts) => parts.iter().for_each(|part| outer_keys(part, scope, inside, keys)),
        Ty::Struct(fields) => fields.iter().for_each(|field| outer_keys(field.ty, scope, inside, keys)),
        Ty::Enum(variants) => {
            variants.iter().filter_map(|variant| variant.body).for_each(|body| outer_keys(body, scope, inside, keys));
        }
        Ty::Named(name, inner) => {
            inside.push(name);
            outer_keys(inner, scope, inside, keys);
            inside.pop();
        }
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

/// Writes elements with commas between them.
fn list<T>(out: &mut String, elements: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, element);
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
