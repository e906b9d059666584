//! `#[derive(Packet)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::{
    diagnostics::Errors,
    schema::{self, Kind},
};

mod check;
mod expand;
mod model;

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut shape = schema::Model::new(input, &mut errors);
    let packet = model::Model::new(input, &mut errors);
    let kind = if packet.view_of.is_some() { Kind::View } else { Kind::Packet };
    schema::check(&shape, kind, &mut errors);
    check::check(&packet, &mut errors);
    let is_sound = errors.is_empty();
    let ask_serde = !shape.has_unknown_words();
    let packet = match &packet.view_of {
        None if is_sound => expand::expand(&packet, ask_serde),
        None => expand::stub(&packet),
        Some(of) => {
            let readable = schema::is_readable(&shape);
            shape.own_references();
            if is_sound { expand::view(&packet, of, ask_serde, readable) } else { expand::view_stub(&packet, of) }
        }
    };
    let schema = if is_sound { schema::expand(&shape, kind) } else { schema::stub(&shape) };
    let errors = errors.into_tokens();
    quote!(#errors #schema #packet)
}
