//! What `#[derive(Packet)]` knows beside the schema.

use quote::ToTokens;
use syn::{
    Attribute, Data, DeriveInput, Fields, Generics, Ident, LitStr, Meta, Token, Type,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{diagnostics::Errors, names::shouty_snake, parse};

/// A packet.
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) action: LitStr,
    /// Whether the user chose the action.
    pub(crate) is_named: bool,
    /// `#[packet(when_full = "…")]`: the variant of `WhenFull`.
    pub(crate) when_full: Option<Ident>,
    /// `#[packet(json)]`.
    pub(crate) json: bool,
    /// `#[packet(view_of = …)]`: the packet that this type stands for in answers.
    pub(crate) view_of: Option<Type>,
}

impl Model {
    pub(crate) fn new(input: &DeriveInput, errors: &mut Errors) -> Self {
        let ident = input.ident.clone();
        let mut action = None;
        let (mut json, mut when_full, mut view_of) = (None, None, None);
        // check: packet-inside
        if let Some(attr) = inside(input).into_iter().find(|attr| attr.path().is_ident("packet")) {
            errors.on(
                attr,
                "`#[packet(…)]` stands on the whole type; a field or variant is renamed by `#[serde(rename = \"…\")]`",
            );
        }
        for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("packet")) {
            if !matches!(attr.meta, Meta::List(_)) {
                errors.on(attr, EXPECTED);
                continue;
            }
            match attr.parse_args_with(Punctuated::<Word, Token![,]>::parse_terminated) {
                Ok(words) if words.is_empty() => errors.on(attr, EXPECTED),
                Ok(words) => {
                    for word in words {
                        match word {
                            Word::Action(name) => set(&mut action, name, "a packet has one action", errors),
                            Word::Json(word) => json = Some(word),
                            // check: two-views
                            Word::ViewOf(packet) => set(&mut view_of, *packet, "a view shows one packet", errors),
                            // check: two-rules
                            Word::WhenFull(rule) => {
                                set(&mut when_full, rule, "a packet has one rule for a full queue", errors);
                            }
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if view_of.is_some() {
            // check: view-words
            if let Some(name) = &action {
                errors.on(name, "a view has the action of the packet it shows: take the name out");
            }
            if let Some(word) = &json {
                errors.on(word, "a view is written as the packet it shows: take `json` out, or put it there");
            }
            if let Some(rule) = &when_full {
                errors.on(rule, "a view is only an answer, which is never dropped: take `when_full` out");
            }
        }
        let when_full = when_full.map(|rule| {
            let variant = match rule.value().as_str() {
                "wait" => "Wait",
                "drop_new" => "DropNew",
                "disconnect" => "Disconnect",
                _ => {
                    // check: unknown-rule
                    errors.on(&rule, RULES);
                    "Wait"
                }
            };
            Ident::new(variant, rule.span())
        });
        let is_named = action.is_some();
        let action = action.unwrap_or_else(|| LitStr::new(&shouty_snake(&ident.unraw().to_string()), ident.span()));
        Self { ident, generics: input.generics.clone(), action, is_named, when_full, json: json.is_some(), view_of }
    }
}

/// Keeps what is said once.
fn set<T: ToTokens>(kept: &mut Option<T>, said: T, twice: &str, errors: &mut Errors) {
    if kept.is_some() {
        errors.on(said, twice);
    } else {
        *kept = Some(said);
    }
}

/// The attributes of fields and variants.
fn inside(input: &DeriveInput) -> Vec<&Attribute> {
    fn attrs(fields: &Fields) -> Vec<&Attribute> {
        fields.iter().flat_map(|field| &field.attrs).collect()
    }
    match &input.data {
        Data::Struct(data) => attrs(&data.fields),
        Data::Enum(data) => {
            data.variants.iter().flat_map(|variant| variant.attrs.iter().chain(attrs(&variant.fields))).collect()
        }
        Data::Union(_) => Vec::new(),
    }
}

enum Word {
    Action(LitStr),
    Json(Ident),
    WhenFull(LitStr),
    ViewOf(Box<Type>),
}

impl Parse for Word {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Action);
        }
        let word = parse::word(input, EXPECTED)?;
        if word == "json" {
            return Ok(Self::Json(word));
        }
        if word != "when_full" && word != "view_of" {
            return Err(syn::Error::new(word.span(), format!("unknown word `{word}`: {EXPECTED}")));
        }
        input.parse::<Token![=]>()?;
        if word == "when_full" { input.parse().map(Self::WhenFull) } else { input.parse().map(Self::ViewOf) }
    }
}

const EXPECTED: &str = "write `#[packet(\"ACTION\")]`, `#[packet(json)]`, `#[packet(when_full = \"…\")]`, or several of these words; or \
     `#[packet(view_of = Packet)]`";
const RULES: &str = "what becomes of a packet if the queue is full is \"wait\", \"drop_new\" or \"disconnect\"";

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::Model;
    use crate::diagnostics::Errors;

    #[test]
    fn reads_the_rule_for_a_full_queue() {
        let check = |input: syn::DeriveInput, rule: Option<&str>, json: bool, ok: bool| {
            let mut errors = Errors::default();
            let model = Model::new(&input, &mut errors);
            let found = model.when_full.map(|variant| variant.to_string());
            assert_eq!((found.as_deref(), model.json, errors.is_empty()), (rule, json, ok));
        };
        check(
            parse_quote!(
                struct Move;
            ),
            None,
            false,
            true,
        );
        check(
            parse_quote!(
                #[packet(when_full = "wait")]
                struct Move;
            ),
            Some("Wait"),
            false,
            true,
        );
        check(
            parse_quote!(
                #[packet("GO", when_full = "drop_new")]
                struct Move;
            ),
            Some("DropNew"),
            false,
            true,
        );
        check(
            parse_quote!(
                #[packet(json, when_full = "disconnect")]
                struct Move;
            ),
            Some("Disconnect"),
            true,
            true,
        );
        check(
            parse_quote!(
                #[packet(when_full = "drop_new", json)]
                struct Move;
            ),
            Some("DropNew"),
            true,
            true,
        );
        // The first one of two counts, and a word that is none is the usual one; both are errors.
        let two = parse_quote!(
            #[packet(when_full = "drop_new")]
            #[packet(when_full = "wait")]
            struct Move;
        );
        check(two, Some("DropNew"), false, false);
        check(
            parse_quote!(
                #[packet(when_full = "drop_old")]
                struct Move;
            ),
            Some("Wait"),
            false,
            false,
        );
        check(
            parse_quote!(
                #[packet(when_full)]
                struct Move;
            ),
            None,
            false,
            false,
        );
        check(
            parse_quote!(
                #[packet(when_full = 3)]
                struct Move;
            ),
            None,
            false,
            false,
        );
    }

    #[test]
    fn reads_action_and_codec() {
        let check = |input: syn::DeriveInput, action: &str, json: bool, ok: bool| {
            let mut errors = Errors::default();
            let model = Model::new(&input, &mut errors);
            assert_eq!((model.action.value().as_str(), model.json, errors.is_empty()), (action, json, ok));
        };
        check(
            parse_quote!(
                struct PlayerMove;
            ),
            "PLAYER_MOVE",
            false,
            true,
        );
        check(
            parse_quote!(
                #[packet("go")]
                struct PlayerMove;
            ),
            "go",
            false,
            true,
        );
        check(
            parse_quote!(
                #[packet("go", json)]
                struct PlayerMove;
            ),
            "go",
            true,
            true,
        );
        check(
            parse_quote!(
                #[packet(json)]
                struct r#Move;
            ),
            "MOVE",
            true,
            true,
        );
        check(
            parse_quote!(
                #[packet(jsn)]
                struct Move;
            ),
            "MOVE",
            false,
            false,
        );
        check(
            parse_quote!(
                #[packet()]
                struct Move;
            ),
            "MOVE",
            false,
            false,
        );
        check(
            parse_quote!(
                #[packet("a", "b")]
                struct Move;
            ),
            "a",
            false,
            false,
        );
    }
}
