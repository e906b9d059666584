//! `#[derive(Schema)]`, and the schema that `#[derive(Packet)]` includes.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::diagnostics::Errors;

mod check;
mod expand;
mod model;

pub(crate) use self::{
    check::{check, is_readable},
    expand::{Kind, expand, stub},
    model::Model,
};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let model = Model::new(input, &mut errors);
    check(&model, Kind::Type, &mut errors);
    if errors.is_empty() {
        expand(&model, Kind::Type)
    } else {
        let (stub, errors) = (stub(&model), errors.into_tokens());
        quote::quote!(#errors #stub)
    }
}
