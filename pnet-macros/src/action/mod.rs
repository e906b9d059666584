//! `#[action]`.

use crate::diagnostics::Errors;
use proc_macro2::TokenStream;
use quote::quote;

mod check;
mod expand;
mod model;

pub(crate) fn action(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut function: model::Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let message = "`#[action]` stands on a free function";
            let error = syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let kind = model::Kind::parse(attribute, &mut errors);
    function.attrs.retain(|attr| {
        let is_again = attr.path().segments.last().is_some_and(|segment| segment.ident == "action");
        // check: action-twice
        if is_again {
            errors.on(attr, "a function handles one action: take this out, and write a function of its own for each");
        }
        !is_again
    });
    let model = model::Model::new(&function, kind);
    check::check(&model, &mut errors);
    if errors.is_empty() {
        let output = expand::expand(&model);
        return quote!(#function #output);
    }
    let errors = errors.into_tokens();
    // Inside an `impl` no other items can stand beside the method.
    if model.is_method() {
        return quote!(#function #errors);
    }
    let (function, stub) = (expand::without_parameters(&model), expand::stub(&model));
    quote!(#function #errors #stub)
}
