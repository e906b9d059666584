//! The service: constants that the compiler works out, and checks.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::model::Model;
use crate::types::text;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model { attrs, vis, ident, protocol, .. } = model;
    let name = ident.to_string();
    let (side, word) =
        if model.is_server { (format_ident!("ServerSide"), "server") } else { (format_ident!("ClientSide"), "client") };
    // Spanned where the types are, since a type that is more private than the service is reported under all of the item.
    let part = |name: &str, ty: Option<&syn::Type>| {
        let name = Ident::new(name, Span::call_site());
        ty.map_or_else(|| quote!(type #name = ();), |ty| quote_spanned!(ty.span()=> type #name = #ty;))
    };
    let (state, member) = (part("State", model.state.as_ref()), part("Member", model.member.as_ref()));
    let protocol_is = quote_spanned!(protocol.span()=> type Protocol = #protocol;);
    let docs = (!attrs.iter().any(|attr| attr.path().is_ident("doc"))).then(|| {
        let doc = format!("Handlers of a {word} for [`{}`].", text(protocol));
        quote!(#[doc = #doc])
    });
    let entries: Vec<_> = (0..model.handlers.len()).map(|index| format_ident!("__PNET_ENTRY_{index}")).collect();
    let names: Vec<_> = model.handlers.iter().map(text).collect();
    let consts = model.handlers.iter().zip(&entries).enumerate().map(|(index, (path, entry))| {
        let span = path.segments.last().map_or_else(|| path.span(), |segment| segment.ident.span());
        let value = quote_spanned!(span=> ::pnet::__private::entry::<__pnet_handler, #ident, _>());
        let import = quote_spanned!(span=> __pnet_handler);
        // The handler's type can be named in here only, and may be more private than the service.
        let listed = quote_spanned!(span=> <__pnet_handler as ::pnet::__private::Listed>::User);
        let imports = quote! {
            // A function without `#[action]` brings no type of its name; then the glob's stands behind it.
            #[allow(unused_imports)]
            use ::pnet::__private::fallback::*;
            #[allow(unused_imports)]
            use #path as #import;
        };
        quote! {
            const #entry: ::pnet::__private::EntryOf<#ident> = {
                #imports
                // A name that does not exist has been reported; this keeps it from being taken for such a function.
                let _ = #import;
                #value
            };
            const _: () = {
                #imports
                #[automatically_derived]
                impl ::pnet::__private::Knows<#listed, #index> for #ident {}
            };
        }
    });
    let checks = model.handlers.iter().zip(&entries).zip(&names).enumerate().map(|(index, ((path, entry), name_))| {
        let span = path.segments.last().map_or_else(|| path.span(), |segment| segment.ident.span());
        let is_handler = quote_spanned!(span=> ::pnet::__private::is_handler::<#ident>(&#entry, #name_));
        let once = (index > 0).then(|| {
            quote_spanned! {span=>
                const _: () = ::pnet::__private::bound_once::<#ident>(#name, __PNET_ENTRIES, __PNET_NAMES, #index);
            }
        });
        let sender = quote_spanned!(span=> ::pnet::__private::takes_sender::<#ident>(&#entry, #name_));
        quote!(const _: () = #is_handler; const _: () = #sender; #once)
    });
    let authenticates =
        quote_spanned!(protocol.span()=> ::pnet::__private::authenticates::<#ident>(#name, __PNET_ENTRIES));
    let complete = quote_spanned!(ident.span()=> ::pnet::__private::complete::<#ident>(#name, __PNET_ENTRIES));
    let member_is_made = model.member.as_ref().map(|member| {
        let text = text(member);
        quote_spanned! {member.span()=>
            const _: () = ::pnet::__private::member_is_made::<#ident>(#name, #text, __PNET_ENTRIES);
        }
    });
    quote! {
        #docs
        #(#attrs)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #ident;
        const _: () = {
            #(#consts)*
            const __PNET_ENTRIES: &[::pnet::__private::EntryOf<#ident>] = &[#(#entries),*];
            const __PNET_NAMES: &[&str] = &[#(#names),*];
            #(#checks)*
            const _: () = #complete;
            const _: () = #authenticates;
            #member_is_made
            #[automatically_derived]
            impl ::pnet::__private::Service for #ident {
                #protocol_is
                type Side = ::pnet::__private::#side;
                #state
                #member
                const ROUTES: &'static [::pnet::__private::Route<Self>] =
                    &::pnet::__private::routes::<Self, { ::pnet::__private::count::<#ident>() }>(
                        __PNET_ENTRIES,
                        __PNET_NAMES,
                    );
                const AUTHENTICATE: ::core::option::Option<::pnet::__private::Authenticate<Self>> =
                    ::pnet::__private::authenticate(__PNET_ENTRIES);
                const CONNECT: ::core::option::Option<::pnet::__private::Connect<Self>> =
                    ::pnet::__private::connect(__PNET_ENTRIES);
                const DISCONNECT: ::core::option::Option<::pnet::__private::Disconnect<Self>> =
                    ::pnet::__private::disconnect(__PNET_ENTRIES);
            }
        };
    }
}
