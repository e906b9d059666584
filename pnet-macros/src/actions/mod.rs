//! `actions!`.

use proc_macro2::TokenStream;

mod expand;
mod model;

pub(crate) fn actions(input: TokenStream) -> TokenStream {
    match syn::parse2::<model::Model>(input) {
        Ok(model) => expand::expand(&model),
        Err(error) => error.into_compile_error(),
    }
}
