//! Parts of a text, with their places for errors.

use std::{
    collections::HashSet,
    fmt::{self, Display, Formatter},
};

use serde_json::{Map, Value};

use super::SchemaFault;
use crate::text::escape;

/// A fault with its place.
pub(super) struct Wrong {
    pub(super) path: String,
    pub(super) fault: SchemaFault,
}

/// A place in the text.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Root,
    Key(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl At<'_> {
    pub(super) fn wrong(&self, fault: SchemaFault) -> Wrong {
        Wrong { path: self.to_string(), fault }
    }

    pub(super) fn kind(&self, wanted: &'static str) -> Wrong {
        self.wrong(SchemaFault::Kind { wanted })
    }
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => f.write_str(&escape(key, SHOWN)),
            Self::Key(of, key) => write!(f, "{of}.{}", escape(key, SHOWN)),
            Self::Index(of, index) => write!(f, "{of}[{index}]"),
        }
    }
}

pub(super) fn object<'a>(value: &'a Value, at: &At<'_>) -> Result<&'a Map<String, Value>, Wrong> {
    value.as_object().ok_or_else(|| at.kind("an object"))
}

pub(super) fn list<'a>(value: &'a Value, at: &At<'_>) -> Result<&'a [Value], Wrong> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| at.kind("a list"))
}

/// The name under a key, which has to be there.
pub(super) fn name<'a>(of: &'a Map<String, Value>, key: &str, at: &At<'_>, max: usize) -> Result<&'a str, Wrong> {
    let at = At::Key(at, key);
    let value = of.get(key).ok_or_else(|| at.wrong(SchemaFault::Missing))?;
    let name = harmless(value, &at, max)?;
    if name.is_empty() { Err(at.wrong(SchemaFault::Name { max })) } else { Ok(name) }
}

/// The name of a field or a variant, which those before it do not have.
pub(super) fn member<'a>(
    of: &'a Map<String, Value>,
    seen: &mut HashSet<&'a str>,
    at: &At<'_>,
) -> Result<&'a str, Wrong> {
    let at = At::Key(at, "name");
    let value = of.get("name").ok_or_else(|| at.wrong(SchemaFault::Missing))?;
    let name = harmless(value, &at, NAME_LEN)?;
    if seen.insert(name) { Ok(name) } else { Err(at.wrong(SchemaFault::Twice(shown(name)))) }
}

/// A text that may be shown as it is.
pub(super) fn harmless<'a>(value: &'a Value, at: &At<'_>, max: usize) -> Result<&'a str, Wrong> {
    let text = value.as_str().ok_or_else(|| at.kind("a text"))?;
    if is_harmless(text, max) { Ok(text) } else { Err(at.wrong(SchemaFault::Name { max })) }
}

/// Errors and consoles show names as they are, so there are no control characters in them, and none that turn the direction of
/// writing or cannot be seen.
pub(super) fn is_harmless(text: &str, max: usize) -> bool {
    let is_hidden = |char| matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    text.len() <= max && !text.chars().any(|char| char.is_control() || is_hidden(char))
}

/// One of several words under a key, if it is there.
pub(super) fn word<T: Copy>(
    of: &Map<String, Value>,
    key: &str,
    at: &At<'_>,
    words: &[(&str, T)],
    wanted: &'static str,
) -> Result<Option<T>, Wrong> {
    let Some(value) = of.get(key) else { return Ok(None) };
    let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
    found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| At::Key(at, key).kind(wanted))
}

/// A name as an error says it.
pub(super) fn shown(name: &str) -> String {
    escape(name, SHOWN)
}

/// Most bytes of a name.
pub(super) const NAME_LEN: usize = 256;
/// Most bytes of a name in an error.
pub(super) const SHOWN: usize = 64;
