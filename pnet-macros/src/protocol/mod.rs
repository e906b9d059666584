//! `protocol!`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Errors;

mod check;
mod expand;
mod model;

pub(crate) fn protocol(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let Some(mut model) = model::Model::parse(input, &mut errors) else {
        return errors.into_tokens();
    };
    check::check(&mut model, &mut errors);
    let (errors, output) = (errors.into_tokens(), expand::expand(&model));
    quote!(#errors #output)
}
