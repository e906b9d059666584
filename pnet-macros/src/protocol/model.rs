//! A protocol as it is written. What cannot be read is reported and left out, so that the rest still is a protocol.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, GenericArgument, Ident, PathArguments, Token, Type, Visibility, braced,
    ext::IdentExt,
    parse::{ParseStream, Parser, discouraged::Speculative},
    token,
};

use crate::{
    diagnostics::Errors,
    parse,
    types::{bare, first_lifetime, last_segment},
};

/// The protocol.
pub(crate) struct Model {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// What clients show to be let in.
    pub(crate) credentials: Option<Type>,
    pub(crate) client: Vec<Entry>,
    pub(crate) server: Vec<Entry>,
}

/// A packet in a list, with what answers it.
pub(crate) struct Entry {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) ty: Type,
    pub(crate) reply: Reply,
}

/// What stands after `->`.
pub(crate) enum Reply {
    None,
    Ack,
    Packet(Type),
    Result(Type, Type),
    /// Of packets, and of what may end it.
    Stream(Type, Option<Type>),
    /// Something that has been reported.
    Broken,
}

impl Model {
    pub(crate) fn parse(input: TokenStream, errors: &mut Errors) -> Option<Self> {
        let parser = |input: ParseStream<'_>| -> syn::Result<Self> {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis = input.parse()?;
            let ident = parse::next(input, format_args!("the protocol's name stands here: {WHOLE}"))?;
            if !input.peek(token::Brace) {
                return Err(input.error(format!("the protocol's lists follow its name: {WHOLE}")));
            }
            let body;
            braced!(body in input);
            if !input.is_empty() {
                return Err(
                    input.error("nothing follows the protocol: write another one into a `protocol!` of its own")
                );
            }
            let mut model = Self { attrs, vis, ident, credentials: None, client: Vec::new(), server: Vec::new() };
            let mut seen = HashSet::new();
            while !body.is_empty() {
                section(&body, &mut model, &mut seen, errors)?;
            }
            Ok(model)
        };
        match parser.parse2(input) {
            Ok(model) => Some(model),
            Err(error) => {
                errors.push(error);
                None
            }
        }
    }
}

fn section(
    body: ParseStream<'_>,
    model: &mut Model,
    seen: &mut HashSet<String>,
    errors: &mut Errors,
) -> syn::Result<()> {
    let word = parse::word(body, EXPECTED)?;
    let list = match word.to_string().as_str() {
        "client" => &mut model.client,
        "server" => &mut model.server,
        "credentials" => return credentials(body, &word, model, seen, errors),
        name => {
            // check: not-yet
            if matches!(name, "phase" | "all") {
                errors.at(
                    word.span(),
                    format!("`{name}` is not available yet: a protocol has one `client` and one `server` list"),
                );
            } else {
                errors.at(word.span(), format!("unknown word `{name}`: {EXPECTED}"));
            }
            skip_section(body)?;
            return Ok(());
        }
    };
    if !body.peek(token::Brace) {
        return Err(syn::Error::new(
            word.span(),
            format!("a list follows: write `{word} {{ Packet, Packet -> Reply }}`"),
        ));
    }
    // check: list-twice
    if !seen.insert(word.to_string()) {
        errors.at(word.span(), format!("there are two `{word}` lists: write all packets into one"));
    }
    let entries;
    braced!(entries in body);
    while !entries.is_empty() {
        match entry(&entries, errors) {
            Ok(entry) => list.push(entry),
            Err(error) => {
                errors.push(error);
                skip_to_comma(&entries)?;
            }
        }
        if !entries.is_empty() && entries.parse::<Option<Token![,]>>()?.is_none() {
            errors.push(entries.error("a comma stands between two packets: `A, B -> Reply`"));
            skip_to_comma(&entries)?;
            entries.parse::<Option<Token![,]>>()?;
        }
    }
    body.parse::<Option<Token![,]>>()?;
    Ok(())
}

/// `credentials Login;`
fn credentials(
    body: ParseStream<'_>,
    word: &Ident,
    model: &mut Model,
    seen: &mut HashSet<String>,
    errors: &mut Errors,
) -> syn::Result<()> {
    // check: credentials-of-nothing
    if body.is_empty() || body.peek(Token![;]) || body.peek(token::Brace) {
        return Err(syn::Error::new(word.span(), CREDENTIALS));
    }
    let ty = bare(&ty(body, CREDENTIALS)?).clone();
    // check: credentials-end
    if body.parse::<Option<Token![;]>>()?.is_none() {
        return Err(syn::Error::new_spanned(ty, "a semicolon ends it: `credentials Login;`"));
    }
    // check: credentials-twice
    if !seen.insert(word.to_string()) {
        errors.at(word.span(), "a protocol has one kind of credentials: put what may be shown into one enum");
        return Ok(());
    }
    // check: credentials-lifetime
    if let Some(lifetime) = first_lifetime(&ty) {
        errors.at(lifetime, "credentials own what they hold, since they are looked at while the client waits: use a type without a lifetime");
        return Ok(());
    }
    model.credentials = Some(ty);
    Ok(())
}

fn entry(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Entry> {
    let mut docs = input.call(Attribute::parse_outer)?;
    docs.retain(|attr| {
        let is_doc = attr.path().is_ident("doc");
        if !is_doc {
            errors.on(attr, "only doc comments stand at the packets of a protocol");
        }
        is_doc
    });
    let ty = packet(input)?;
    let mut reply = Reply::None;
    if input.parse::<Option<Token![->]>>()?.is_some() {
        let attempt = input.fork();
        reply = match self::reply(&attempt, errors) {
            Ok(reply) => {
                input.advance_to(&attempt);
                reply
            }
            // Its handlers and callers are not to be blamed as well.
            Err(error) => {
                errors.push(error);
                skip_to_comma(input)?;
                Reply::Broken
            }
        };
    }
    // check: arrow
    if input.peek(Token![=>]) {
        let arrow: Token![=>] = input.parse()?;
        errors.on(arrow, "`=>` is not available yet: phases come with a later version");
        input.parse::<Type>()?;
    }
    Ok(Entry { docs, ty, reply })
}

fn packet(input: ParseStream<'_>) -> syn::Result<Type> {
    let ty = bare(&ty(input, PACKET)?).clone();
    match &ty {
        Type::Path(_) => Ok(ty),
        _ => Err(syn::Error::new_spanned(ty, PACKET)),
    }
}

fn reply(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Reply> {
    // check: stream-capital
    if input.peek(Ident) && input.peek2(Ident) && input.fork().parse::<Ident>()? == "Stream" {
        return Err(input.error("this word is written small: `-> stream Tick`"));
    }
    if is_stream(input)? {
        let word: Ident = input.parse()?;
        // check: stream
        if input.is_empty() || input.peek(Token![,]) || input.peek(Token![=>]) || input.peek(Token![<]) {
            return Err(syn::Error::new(word.span(), STREAM));
        }
        // check: stream-twice
        if is_stream(input)? {
            return Err(input.error("`stream` stands there already: `-> stream Tick`"));
        }
        let ty = bare(&ty(input, STREAM)?).clone();
        let reply = match packets(&ty) {
            Reply::Packet(item) => Reply::Stream(item, None),
            Reply::Result(item, error) => Reply::Stream(item, Some(error)),
            other => other,
        };
        // check: stream-of-nothing
        if matches!(reply, Reply::Broken) {
            errors.on(ty, STREAM);
        }
        return Ok(reply);
    }
    let ty = bare(&ty(input, ANSWER)?).clone();
    let reply = match &ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Reply::Ack,
        ty => packets(ty),
    };
    if matches!(reply, Reply::Broken) {
        errors.on(ty, ANSWER);
    }
    Ok(reply)
}

/// Whether the word stands here. A packet of that name is written with a path, `self::stream`.
fn is_stream(input: ParseStream<'_>) -> syn::Result<bool> {
    Ok(input.peek(Ident) && input.fork().call(Ident::parse_any)? == "stream" && !input.peek2(Token![::]))
}

/// A packet, or a `Result` of two.
fn packets(ty: &Type) -> Reply {
    let Some(segment) = last_segment(ty) else { return Reply::Broken };
    if segment.ident != "Result" {
        return Reply::Packet(ty.clone());
    }
    if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
        let parts: Vec<_> = arguments.args.iter().collect();
        if let [GenericArgument::Type(reply), GenericArgument::Type(error)] = parts[..] {
            return Reply::Result(reply.clone(), error.clone());
        }
    }
    Reply::Broken
}

/// A type; where none stands, `expected` says what belongs there.
fn ty(input: ParseStream<'_>, expected: &str) -> syn::Result<Type> {
    input.parse().map_err(|error: syn::Error| syn::Error::new(error.span(), expected))
}

/// Past the next list in braces.
fn skip_section(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        let is_list = input.peek(token::Brace);
        input.parse::<TokenTree>()?;
        if is_list {
            break;
        }
    }
    Ok(())
}

/// Past the rest of an entry; a comma between angle brackets is part of it.
fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    let mut depth = 0_usize;
    while !input.is_empty() && (depth > 0 || !input.peek(Token![,])) {
        if input.parse::<Option<Token![->]>>()?.is_some() || input.parse::<Option<Token![=>]>>()?.is_some() {
            continue;
        }
        if let TokenTree::Punct(punct) = input.parse()? {
            match punct.as_char() {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    Ok(())
}

const PACKET: &str = "a packet stands here by its type's name: `Say<'_>`, `third::Move`";

const ANSWER: &str = "an answer is a packet, `()`, a result of two packets, or a stream: `-> Sum`, `-> ()`, `-> Result<Welcome, Denied>`, `-> stream Tick`";

const STREAM: &str =
    "`stream` is followed by the packet it is made of: `-> stream Tick`, `-> stream Result<Tick, Denied>`";

const CREDENTIALS: &str =
    "`credentials` is followed by the type of what clients show to be let in: `credentials Login;`";

const WHOLE: &str = "`pub Chat { client { Say, Add -> Sum } server { Said } }`";

const EXPECTED: &str = "a protocol is made of `client { … }` and `server { … }`, each a list of packets: `Say, Add -> Sum`; before them may stand `credentials Login;`";
