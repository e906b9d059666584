//! How JSON of a known shape may go on: names of fields and variants.

use pnet_protocol::schema::Ty;
use serde_json::Value;

use super::candidate;
use crate::console::protocol::Candidate;

/// Where the JSON ends, if all of it is there.
pub(super) fn end(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(_)) => Some(values.byte_offset()),
        _ => None,
    }
}

/// What may stand at the end of JSON that is not all there, and where it begins.
pub(super) fn complete(ty: &'static Ty, text: &str) -> (usize, Vec<Candidate>) {
    if text.trim().is_empty() {
        let opening = match Place::bare(ty) {
            Ty::Struct([]) => vec![candidate("{}", "nothing is in it")],
            Ty::Struct(_) => vec![candidate("{", &ty.to_string())],
            Ty::Seq(_) | Ty::Array(..) | Ty::Tuple(_) => vec![candidate("[", &ty.to_string())],
            _ => Vec::new(),
        };
        return (text.len(), opening);
    }
    let mut reading = Reading::new(ty);
    reading.read(text);
    reading.candidates(text)
}

/// Where in the JSON its end is.
struct Reading {
    /// The objects and lists that are open, the outermost first.
    open: Vec<Place>,
    /// What the next value is to be.
    next: Option<&'static Ty>,
    /// What is known by name, for types that hold themselves.
    named: Vec<(&'static str, &'static Ty)>,
    /// The text that is open, and where it begins.
    string: Option<usize>,
    /// Whether the next text is a key.
    key: bool,
    /// Whether a value ends here, so that `,` or a bracket comes next.
    done: bool,
}

/// An object or a list that is open.
struct Place {
    ty: Option<&'static Ty>,
    is_object: bool,
    /// The keys that are there.
    keys: Vec<String>,
    /// How many elements are there.
    index: usize,
}

impl Place {
    /// A shape without its name, and without what stands around it.
    fn bare(mut ty: &'static Ty) -> &'static Ty {
        while let Ty::Named(_, inner) | Ty::Option(inner) | Ty::Marked(_, inner) = ty {
            ty = inner;
        }
        ty
    }

    /// The shape of what stands under a key.
    fn under(&self, key: &str) -> Option<&'static Ty> {
        match Self::bare(self.ty?) {
            Ty::Struct(fields) => fields.iter().find(|field| field.name == key).map(|field| field.ty),
            Ty::Map(_, value) => Some(value),
            Ty::Enum(variants) => variants.iter().find(|variant| variant.name == key)?.body,
            _ => None,
        }
    }

    fn element(&self) -> Option<&'static Ty> {
        match Self::bare(self.ty?) {
            Ty::Seq(ty) | Ty::Array(ty, _) => Some(ty),
            Ty::Tuple(parts) => parts.get(self.index).copied(),
            _ => None,
        }
    }
}

impl Reading {
    fn new(ty: &'static Ty) -> Self {
        Self { open: Vec::new(), next: Some(ty), named: Vec::new(), string: None, key: false, done: false }
    }

    /// Finds what a reference means, and remembers names.
    fn resolve(&mut self, ty: Option<&'static Ty>) -> Option<&'static Ty> {
        let mut ty = ty?;
        loop {
            ty = match ty {
                Ty::Ref(name) => self.named.iter().rev().find(|(known, _)| known == name)?.1,
                Ty::Named(name, inner) => {
                    if !self.named.iter().any(|(known, known_ty)| known == name && std::ptr::eq(*known_ty, *inner)) {
                        self.named.push((name, inner));
                    }
                    inner
                }
                Ty::Option(inner) => inner,
                ty => return Some(ty),
            };
        }
    }

    fn read(&mut self, text: &str) {
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            if let Some(start) = self.string {
                match char {
                    '\\' => {
                        chars.next();
                    }
                    '"' => {
                        (self.string, self.done) = (None, true);
                        if let Some(place) = self.open.last_mut().filter(|_| self.key) {
                            place.keys.push(text.get(start + 1..at).unwrap_or_default().to_owned());
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match char {
                '"' => self.string = Some(at),
                '{' | '[' if self.open.len() < MAX_DEPTH => {
                    let ty = self.next.take();
                    let ty = self.resolve(ty);
                    let place = Place { ty, is_object: char == '{', keys: Vec::new(), index: 0 };
                    let element = place.element();
                    (self.key, self.done) = (place.is_object, false);
                    self.next = if place.is_object { None } else { element };
                    self.open.push(place);
                }
                '}' | ']' => {
                    self.open.pop();
                    (self.key, self.done, self.next) = (false, true, None);
                }
                ',' => {
                    self.done = false;
                    if let Some(place) = self.open.last_mut() {
                        place.index += 1;
                        self.key = place.is_object;
                        self.next = if place.is_object { None } else { place.element() };
                    }
                }
                ':' => {
                    self.key = false;
                    self.done = false;
                    self.next = self.open.last().and_then(|place| place.under(place.keys.last()?));
                }
                char if char.is_whitespace() => {}
                // A number or a word.
                _ => self.done = true,
            }
        }
    }

    fn candidates(mut self, text: &str) -> (usize, Vec<Candidate>) {
        let start = self.string.unwrap_or(text.len());
        let typed = self.string.and_then(|start| text.get(start + 1..)).unwrap_or_default();
        if self.done && self.string.is_none() {
            return (text.len(), Vec::new());
        }
        let all = if self.key {
            self.open.last().map(keys).unwrap_or_default()
        } else {
            let ty = self.next.take();
            self.resolve(ty).map(|ty| values(ty, self.string.is_some())).unwrap_or_default()
        };
        let begins = |candidate: &Candidate| candidate.text.trim_start_matches(['"', '{']).starts_with(typed);
        (start, all.into_iter().filter(begins).collect())
    }
}

/// The keys that an object may have, and has not.
fn keys(place: &Place) -> Vec<Candidate> {
    let is_new = |name: &str| !place.keys.iter().any(|key| key == name);
    match place.ty.map(Place::bare) {
        Some(Ty::Struct(fields)) => {
            let new = fields.iter().filter(|field| is_new(field.name));
            new.map(|field| {
                let may = if field.default || matches!(field.ty, Ty::Option(_)) { ", may be left out" } else { "" };
                candidate(&format!("{}: ", Value::from(field.name)), &format!("{}{may}", field.ty))
            })
            .collect()
        }
        Some(Ty::Enum(variants)) if place.keys.is_empty() => variants
            .iter()
            .filter_map(|variant| {
                let body = variant.body?;
                Some(candidate(&format!("{}: ", Value::from(variant.name)), &body.to_string()))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What a value may begin with.
fn values(ty: &'static Ty, in_string: bool) -> Vec<Candidate> {
    use pnet_protocol::schema::Prim;

    match ty {
        Ty::Enum(variants) => variants
            .iter()
            .filter_map(|variant| match variant.body {
                None => Some(candidate(&Value::from(variant.name).to_string(), "")),
                Some(_) if in_string => None,
                Some(body) => Some(candidate(&format!("{{{}: ", Value::from(variant.name)), &body.to_string())),
            })
            .collect(),
        Ty::Prim(Prim::Bool) if !in_string => vec![candidate("true", "bool"), candidate("false", "bool")],
        Ty::Struct(_) | Ty::Map(..) if !in_string => vec![candidate("{", &ty.to_string())],
        Ty::Seq(_) | Ty::Array(..) | Ty::Tuple(_) if !in_string => vec![candidate("[", &ty.to_string())],
        _ => Vec::new(),
    }
}

const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use pnet_protocol::schema::{Field, Prim, Variant};

    use super::*;

    const STR: Ty = Ty::Prim(Prim::Str);
    const NODE: Ty = Ty::Named(
        "Node",
        &Ty::Struct(&[
            Field { name: "text", ty: &STR, default: false },
            Field { name: "level", ty: &Ty::Option(&STR), default: false },
            Field { name: "loud", ty: &Ty::Prim(Prim::Bool), default: true },
            Field {
                name: "why",
                ty: &Ty::Enum(&[Variant { name: "Spam", body: None }, Variant { name: "Other", body: Some(&STR) }]),
                default: false,
            },
            Field { name: "below", ty: &Ty::Seq(&Ty::Ref("Node")), default: false },
        ]),
    );

    fn check(text: &str, at: usize, expected: &[&str]) {
        let (start, candidates) = complete(&NODE, text);
        let shown: Vec<&str> = candidates.iter().map(|candidate| &*candidate.text).collect();
        assert_eq!((start, &*shown), (at, expected), "{text}");
    }

    #[test]
    fn fields_that_are_not_there_are_offered() {
        check("", 0, &["{"]);
        check("{", 1, &["\"text\": ", "\"level\": ", "\"loud\": ", "\"why\": ", "\"below\": "]);
        check("{\"l", 1, &["\"level\": ", "\"loud\": "]);
        check(r#"{"level": "a", "l"#, 15, &["\"loud\": "]);
        check(r#"{"level": "#, 10, &[]);
        check(r#"{"level": "a" "#, 14, &[]);
    }

    #[test]
    fn values_are_offered_where_there_are_few() {
        check(r#"{"loud": "#, 9, &["true", "false"]);
        check(r#"{"why": "#, 8, &["\"Spam\"", "{\"Other\": "]);
        check(r#"{"why": "S"#, 8, &["\"Spam\""]);
        check(r#"{"why": {"#, 9, &["\"Other\": "]);
    }

    #[test]
    fn types_may_hold_themselves() {
        check(r#"{"below": [{"below": [{"te"#, 23, &["\"text\": "]);
        check(r#"{"below": [{"text": "x"}, {"lo"#, 27, &["\"loud\": "]);
    }

    #[test]
    fn broken_json_offers_nothing_and_harms_nobody() {
        for text in ["}", "]]", "{{{", ",", ":", "\"\\", "{\"\\", "nul", "{\"text\": \"ñ\\", "[\"", "{\"x\": {\""] {
            let (start, _) = complete(&NODE, text);
            assert!(start <= text.len());
        }
        check(&"[".repeat(10_000), 10_000, &[]);
    }
}
