//! A list of handlers as it is written.

use syn::{
    Attribute, Ident, Path, Token, Type, Visibility,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token,
};

use crate::parse;

/// `pub server Name(State) for Protocol(Member): a, b, m::c`.
pub(crate) struct Model {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) is_server: bool,
    pub(crate) ident: Ident,
    pub(crate) state: Option<Type>,
    pub(crate) protocol: Path,
    pub(crate) member: Option<Type>,
    pub(crate) handlers: Punctuated<Path, Token![,]>,
}

impl Parse for Model {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let side = parse::word(input, EXPECTED)?;
        let is_server = match side.to_string().as_str() {
            "server" => true,
            "client" => false,
            word => {
                return Err(syn::Error::new(
                    side.span(),
                    format!("`server` or `client` stands here, not `{word}`: {EXPECTED}"),
                ));
            }
        };
        let ident = parse::next(input, format_args!("the service's name follows: {EXPECTED}"))?;
        let state = in_parentheses(input)?;
        parse::next::<Token![for]>(input, format_args!("`for` and the protocol follow: {EXPECTED}"))?;
        let protocol = input.call(Path::parse_mod_style)?;
        let member = in_parentheses(input)?;
        if !input.is_empty() {
            parse::next::<Token![:]>(input, format_args!("`:` and the list of handlers follow: {EXPECTED}"))?;
        }
        let mut handlers = Punctuated::new();
        while !input.is_empty() {
            handlers.push_value(handler(input)?);
            if input.is_empty() {
                break;
            }
            handlers.push_punct(parse::next(input, HANDLER)?);
        }
        Ok(Self { attrs, vis, is_server, ident, state, protocol, member, handlers })
    }
}

fn in_parentheses(input: ParseStream<'_>) -> syn::Result<Option<Type>> {
    if !input.peek(token::Paren) {
        return Ok(None);
    }
    let inner;
    parenthesized!(inner in input);
    if inner.is_empty() {
        return Ok(None);
    }
    let ty = inner.parse()?;
    if inner.is_empty() { Ok(Some(ty)) } else { Err(inner.error("one type stands here")) }
}

fn handler(input: ParseStream<'_>) -> syn::Result<Path> {
    if !(input.peek(Ident::peek_any) || input.peek(Token![::])) {
        return Err(input.error(HANDLER));
    }
    input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), HANDLER))
}

const HANDLER: &str = "handlers stand here by their paths, with commas between: `login, math::add`";

const EXPECTED: &str = "write `pub server Name(State) for Protocol(Member): login, math::add`";
