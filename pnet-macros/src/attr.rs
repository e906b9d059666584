//! serde's attributes, as far as they change what is on the wire.
//!
//! Those known to keep bytes and schema in step are listed by name. All others make the type one that only a self-describing
//! format carries: serde may grow attributes, and a wrong guess would be a wrong byte.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, LitStr, Token, meta::ParseNestedMeta, parenthesized, token};

use crate::{names::Rename, types::text};

/// What serde's attributes say about a type, a variant or a field.
#[derive(Default)]
pub(crate) struct Serde {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<Rename>,
    pub(crate) rename_all_fields: Option<Rename>,
    pub(crate) skip: bool,
    pub(crate) default: bool,
    pub(crate) borrow: bool,
    pub(crate) transparent: bool,
    /// Attributes that change the form, while the parts are still what their types say.
    pub(crate) marks: Vec<String>,
    /// Attributes after which the types say nothing.
    pub(crate) opaque: Vec<String>,
    /// Whether there are words that serde did not know when this was written: it may report them, and make no code.
    pub(crate) unknown: bool,
}

impl Serde {
    /// Mistakes in the attributes are left to serde, which reports them.
    pub(crate) fn parse(attrs: &[Attribute]) -> Self {
        let mut serde = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
            let _ = attr.parse_nested_meta(|meta| serde.word(&meta));
        }
        serde
    }

    fn word(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let word = text(&meta.path);
        let value = Value::parse(meta)?;
        let written = format!("{word}{}", value.written);
        match word.as_str() {
            "rename" => match value.one() {
                Some(name) => self.rename = Some(name),
                None => self.marks.push(written),
            },
            "rename_all" | "rename_all_fields" => match value.one().as_deref().and_then(Rename::parse) {
                Some(rule) if word == "rename_all" => self.rename_all = Some(rule),
                Some(rule) => self.rename_all_fields = Some(rule),
                None => self.marks.push(written),
            },
            "skip" => self.skip = true,
            "default" => self.default = true,
            "borrow" => self.borrow = true,
            "transparent" => self.transparent = true,
            // Further names to read by, bounds, paths and words: none of them changes what is written.
            "alias" | "bound" | "crate" | "deny_unknown_fields" | "expecting" => {}
            // The parts are there, under other names, in another place, or not always.
            "tag"
            | "content"
            | "untagged"
            | "flatten"
            | "other"
            | "skip_serializing"
            | "skip_deserializing"
            | "skip_serializing_if" => self.marks.push(written),
            "with" | "serialize_with" | "deserialize_with" | "from" | "try_from" | "into" | "remote" | "getter"
            | "variant_identifier" | "field_identifier" => self.opaque.push(written),
            _ => {
                self.unknown = true;
                self.opaque.push(written);
            }
        }
        Ok(())
    }
}

/// What stands after a word: nothing, `= …`, or `(…)`.
struct Value {
    written: String,
    literal: Option<String>,
    /// `(serialize = "a", deserialize = "b")`.
    both: Option<(String, String)>,
}

impl Value {
    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let mut value = Self { written: String::new(), literal: None, both: None };
        if meta.input.peek(Token![=]) {
            let tokens = meta.value()?;
            if tokens.peek(LitStr) {
                let literal: LitStr = tokens.parse()?;
                value.written = format!(" = {}", literal.to_token_stream());
                value.literal = Some(literal.value());
            } else {
                value.written = format!(" = {}", text(&tokens.parse::<syn::Expr>()?));
            }
        } else if meta.input.peek(token::Paren) {
            let inner;
            parenthesized!(inner in meta.input);
            let tokens: TokenStream = inner.parse()?;
            value.written = format!("({})", text(&tokens));
            value.both = both(tokens);
        }
        Ok(value)
    }

    /// The one text for writing and reading, if there is one.
    fn one(&self) -> Option<String> {
        match (&self.literal, &self.both) {
            (Some(literal), _) => Some(literal.clone()),
            (None, Some((serialize, deserialize))) if serialize == deserialize => Some(serialize.clone()),
            _ => None,
        }
    }
}

fn both(tokens: TokenStream) -> Option<(String, String)> {
    let (mut serialize, mut deserialize) = (None, None);
    let parser = syn::meta::parser(|meta| {
        let value = meta.value()?.parse::<LitStr>()?.value();
        if meta.path.is_ident("serialize") {
            serialize = Some(value);
        } else {
            deserialize = Some(value);
        }
        Ok(())
    });
    syn::parse::Parser::parse2(parser, tokens).ok()?;
    Some((serialize?, deserialize?))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::Serde;

    #[test]
    fn known_words_keep_the_binary_form() {
        let serde = Serde::parse(&[parse_quote!(#[serde(
            rename = "x",
            rename_all = "camelCase",
            alias = "y",
            default = "f",
            borrow,
            bound = "",
            crate = "s",
            deny_unknown_fields,
            skip
        )])]);
        assert_eq!(serde.rename.as_deref(), Some("x"));
        assert!(serde.rename_all.is_some() && serde.default && serde.borrow && serde.skip);
        assert!(serde.marks.is_empty() && serde.opaque.is_empty());
    }

    #[test]
    fn names_that_differ_between_writing_and_reading_are_marked() {
        let serde = Serde::parse(&[parse_quote!(#[serde(rename(serialize = "a", deserialize = "b"))])]);
        assert_eq!(serde.marks, [r#"rename(serialize = "a", deserialize = "b")"#]);
        let serde = Serde::parse(&[parse_quote!(#[serde(rename(serialize = "a", deserialize = "a"))])]);
        assert_eq!(serde.rename.as_deref(), Some("a"));
    }

    #[test]
    fn unknown_words_make_the_type_opaque() {
        let serde = Serde::parse(&[parse_quote!(#[serde(flatten, with = "m", invented)])]);
        assert_eq!(serde.marks, ["flatten"]);
        assert_eq!(serde.opaque, [r#"with = "m""#, "invented"]);
        assert!(serde.unknown);
    }
}
