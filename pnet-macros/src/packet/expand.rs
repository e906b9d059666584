//! `impl Packet`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    ConstParam, GenericParam, Generics, Lifetime, Type, TypeParam, ext::IdentExt, parse_quote, spanned::Spanned,
};

use super::model::Model;
use crate::types::first_lifetime;

pub(crate) fn expand(model: &Model, ask_serde: bool) -> TokenStream {
    let (ident, action) = (&model.ident, &model.action);
    let has_lifetime = model.generics.lifetimes().next().is_some();
    let of = |lifetime: TokenStream| if has_lifetime { quote!(#ident<#lifetime>) } else { quote!(#ident) };
    let (here, whole) = (of(quote!('_)), of(quote!('static)));
    let json = model.json.then(json);
    let when_full = model
        .when_full
        .as_ref()
        .map(|rule| quote!(const WHEN_FULL: ::pnet::__private::WhenFull = ::pnet::__private::WhenFull::#rule;));
    // Named and not called, inside of a function: an item of its own costs the compiler more.
    let serde = quote_spanned!(ident.span()=> ::pnet::__private::is_serde::<#whole>);
    let serde = ask_serde.then(|| quote!(let _ = #serde;));
    let implemented = implement(
        model,
        &model.generics,
        &quote!(#json #when_full),
        // check: serde
        &quote!(#serde ::pnet::__private::Coder::<Self>::write(codec, self, out)),
        &quote!(::pnet::__private::Decoder::<#here>::read(#action, codec, payload)),
    );
    quote! {
        const _: () = {
            // Types without serde fall back to this trait's functions; that they may not is said once, below.
            #[allow(unused_imports)]
            use ::pnet::__private::SerdeMissing as _;
            #implemented
        };
    }
}

/// An `impl Packet` that keeps users of a packet with mistakes free of errors.
pub(crate) fn stub(model: &Model) -> TokenStream {
    let mut generics = model.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::core::marker::Send));
        parameter.bounds.push(parse_quote!('static));
    }
    let unreachable = quote!(::core::unreachable!());
    implement(model, &generics, &json(), &unreachable, &unreachable)
}

fn json() -> TokenStream {
    quote! {
        const CODEC: ::pnet::__private::Codec = ::pnet::__private::Codec::Json;
    }
}

/// `impl Packet` with these generics, by the bodies of its functions.
fn implement(
    model: &Model,
    generics: &Generics,
    consts: &TokenStream,
    encode: &TokenStream,
    decode: &TokenStream,
) -> TokenStream {
    let ident = &model.ident;
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let (action, name) = (&model.action, ident.unraw().to_string());
    let arguments = generics.params.iter().map(|parameter| match parameter {
        GenericParam::Lifetime(_) => quote!('__de),
        GenericParam::Type(TypeParam { ident, .. }) | GenericParam::Const(ConstParam { ident, .. }) => quote!(#ident),
    });
    let owned = generics.lifetimes().next().is_none().then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics ::pnet::__private::OwnedPacket for #ident #ty_generics #where_clause {}
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics ::pnet::__private::Packet for #ident #ty_generics #where_clause {
            const ACTION: &'static str = #action;
            const TYPE: &'static str = #name;
            #consts
            type At<'__de> = #ident<#(#arguments),*>;
            fn encode(
                &self,
                codec: ::pnet::__private::Codec,
                out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), ::pnet::__private::EncodeError> {
                #encode
            }
            fn decode(
                codec: ::pnet::__private::Codec,
                payload: &[u8],
            ) -> ::core::result::Result<Self::At<'_>, ::pnet::__private::DecodeError> {
                #decode
            }
        }
        #owned
    }
}

/// `impl View` for a type that stands for packet `of`.
pub(crate) fn view(model: &Model, of: &Type, ask_serde: bool, readable: bool) -> TokenStream {
    let ident = &model.ident;
    let name = ident.unraw().to_string();
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    let with = |lifetime: &str| {
        let lifetimes = model.generics.lifetimes().map(|_| Lifetime::new(lifetime, ident.span()));
        quote_spanned!(ident.span()=> #ident<#(#lifetimes),*>)
    };
    let (here, whole, at) = (with("'_"), with("'static"), with("'__de"));
    let lendable = readable.then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics ::pnet::__private::Lendable for #ident #ty_generics #where_clause {}
        }
    });
    let serde = quote_spanned!(ident.span()=> ::pnet::__private::is_written::<#whole>);
    let serde = ask_serde.then(|| quote!(let _ = #serde;));
    let shows = quote_spanned!(of.span()=> const _: () = ::pnet::__private::shows::<#whole>(#name););
    quote! {
        const _: () = {
            // A type without serde falls back to these traits' functions. That it may not is said once: below, and where it is
            // to be read.
            #[allow(unused_imports)]
            use ::pnet::__private::{NotWritten as _, SerdeMissing as _};
            #[automatically_derived]
            impl #impl_generics ::pnet::__private::View for #ident #ty_generics #where_clause {
                type Of = #of;
                type At<'__de> = #at;
                const ENCODE: ::pnet::__private::Encode<Self> = {
                    fn encode(
                        view: &#here,
                        codec: ::pnet::__private::Codec,
                        out: &mut ::std::vec::Vec<u8>,
                    ) -> ::core::result::Result<(), ::pnet::__private::EncodeError> {
                        // check: serde-view
                        #serde
                        ::pnet::__private::ViewCoder::<#here>::write(codec, view, out)
                    }
                    encode
                };
                const DECODE: ::pnet::__private::Decode<Self> = {
                    fn decode(
                        codec: ::pnet::__private::Codec,
                        payload: &[u8],
                    ) -> ::core::result::Result<#here, ::pnet::__private::DecodeError> {
                        let action = const { ::pnet::__private::action_of::<#whole>() };
                        ::pnet::__private::Decoder::<#here>::read(action, codec, payload)
                    }
                    decode
                };
            }
            #lendable
            #shows
        };
    }
}

/// An `impl View` that keeps users of a view with mistakes free of errors.
pub(crate) fn view_stub(model: &Model, of: &Type) -> TokenStream {
    // What it shows may be the mistake.
    if first_lifetime(of).is_some() {
        return TokenStream::new();
    }
    let ident = &model.ident;
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::pnet::__private::View for #ident #ty_generics #where_clause {
            type Of = #of;
            type At<'__de> = Self;
            const ENCODE: ::pnet::__private::Encode<Self> = |_, _, _| ::core::unreachable!();
            const DECODE: ::pnet::__private::Decode<Self> = |_, _| ::core::unreachable!();
        }
    }
}
