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
    if let Some(of) = &packet.view_of {
        let readable = schema::is_readable(&shape);
        shape.own_references();
        let (schema, view) = if errors.is_empty() {
            let view = expand::view(&packet, of, !shape.has_unknown_words(), readable);
            (schema::expand(&shape, kind), view)
        } else {
            (schema::stub(&shape), expand::view_stub(&packet, of))
        };
        let errors = errors.into_tokens();
        return quote!(#errors #schema #view);
    }
    if errors.is_empty() {
        let (schema, packet) = (schema::expand(&shape, kind), expand::expand(&packet, !shape.has_unknown_words()));
        quote!(#schema #packet)
    } else {
        let (schema, packet, errors) = (schema::stub(&shape), expand::stub(&packet), errors.into_tokens());
        quote!(#errors #schema #packet)
    }
}
