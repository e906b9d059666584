//! One token after the other, with words for what belongs where another one stands.

use std::fmt::Display;

use syn::{
    Ident,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// What is one token; where another one stands, `expected` says what belongs there.
pub(crate) fn next<T: Parse>(input: ParseStream<'_>, expected: impl Display) -> syn::Result<T> {
    input.parse().map_err(|_| input.error(expected))
}

/// A word, whether Rust has another use for it or not.
pub(crate) fn word(input: ParseStream<'_>, expected: impl Display) -> syn::Result<Ident> {
    input.call(Ident::parse_any).map_err(|_| input.error(expected))
}
