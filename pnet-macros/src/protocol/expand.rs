//! The traits of a protocol, its tables, and the enums of what each side may receive.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::{
    check::variant,
    model::{Entry, Model, Reply},
};
use crate::types::{first_lifetime, text, with_lifetime};

/// One direction, in the words of the output.
struct Side<'a> {
    entries: &'a [Entry],
    word: &'static str,
    other: &'static str,
    sends: Ident,
    arrives: Ident,
    info: Ident,
    number: Ident,
    receiver: Ident,
    inbox: Ident,
    list: Ident,
    sorted: Ident,
}

impl<'a> Side<'a> {
    /// What the side `word` sends; it is called `Word` in types.
    fn new(protocol: &Ident, entries: &'a [Entry], [word, title]: [&'static str; 2], other: [&'static str; 2]) -> Self {
        let capitals = word.to_uppercase();
        Self {
            entries,
            word,
            other: other[0],
            sends: format_ident!("{title}Sends"),
            arrives: format_ident!("From{title}"),
            info: format_ident!("from_{word}"),
            number: format_ident!("{word}_id"),
            receiver: format_ident!("{}Side", other[1]),
            inbox: format_ident!("{protocol}From{title}"),
            list: format_ident!("__PNET_{capitals}_LIST"),
            sorted: format_ident!("__PNET_{capitals}"),
        }
    }
}

pub(crate) fn expand(model: &Model) -> TokenStream {
    let (attrs, vis, ident) = (&model.attrs, &model.vis, &model.ident);
    let name = ident.to_string();
    let (client, server) = (["client", "Client"], ["server", "Server"]);
    let sides = [Side::new(ident, &model.client, client, server), Side::new(ident, &model.server, server, client)];
    let docs = (!attrs.iter().any(|attr| attr.path().is_ident("doc"))).then(|| {
        let doc = format!("The protocol `{name}`.");
        quote!(#[doc = #doc])
    });
    let inboxes = sides.iter().map(|side| inbox(model, side));
    let traits = sides.iter().map(|side| traits(ident, side));
    let [client, server] = sides.each_ref().map(|side| &side.sorted);
    let Credentials { ty: credentials, of: credentials_of, info } = credentials(model);
    quote! {
        #docs
        #(#attrs)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #ident;
        #(#inboxes)*
        const _: () = {
            #(#traits)*
            #[automatically_derived]
            impl ::pnet::__private::Protocol for #ident {
                const INFO: &'static ::pnet::__private::ProtocolInfo = &::pnet::__private::ProtocolInfo::new(
                    #name,
                    ::pnet::__private::Direction { actions: #client },
                    ::pnet::__private::Direction { actions: #server },
                )
                #info;
                #credentials
                type Start = Self;
            }
            #credentials_of
            #[automatically_derived]
            impl ::pnet::__private::Phase for #ident {
                type Protocol = Self;
                const NAME: &'static str = #name;
            }
        };
    }
}

/// What a protocol says of its credentials, in the words of the output.
struct Credentials {
    ty: TokenStream,
    of: TokenStream,
    info: TokenStream,
}

fn credentials(model: &Model) -> Credentials {
    let protocol = &model.ident;
    let Some(credentials) = &model.credentials else {
        let ty = quote!(
            type Credentials = ::pnet::__private::NoCredentials;
        );
        return Credentials { ty, of: TokenStream::new(), info: TokenStream::new() };
    };
    let name = text(credentials);
    // Spanned where the type is, which may be more private than the protocol, or unknown to serde.
    let ty = quote_spanned!(credentials.span()=> type Credentials = #credentials;);
    let of = quote! {
        #[automatically_derived]
        impl ::pnet::__private::CredentialsOf<#protocol> for #credentials {
            fn as_declared(&self) -> &Self {
                self
            }
            fn from_declared(credentials: Self) -> Self {
                credentials
            }
        }
    };
    Credentials { ty, of, info: quote!(.with_credentials(#name)) }
}

fn traits(protocol: &Ident, side: &Side<'_>) -> TokenStream {
    let Side { entries, word, sends, arrives, info, list, sorted, .. } = side;
    let name = protocol.to_string();
    let count = entries.len();
    let actions = entries.iter().map(|entry| {
        let ty = with_lifetime(&entry.ty, "'static");
        quote_spanned!(ty.span()=> ::pnet::__private::#info::<#protocol, #ty>())
    });
    let impls = entries.iter().enumerate().map(|(index, entry)| {
        let ty = with_lifetime(&entry.ty, "'__p");
        let lifetime = first_lifetime(&entry.ty).map(|_| quote!(<'__p>));
        let (kind, reply) = match &entry.reply {
            Reply::None => (quote!(::pnet::__private::Silent), quote!(::pnet::__private::NoReply)),
            Reply::Broken => (quote!(::pnet::__private::Unknown), quote!(::pnet::__private::Unknown)),
            reply @ Reply::Stream(item, error) => {
                let streamed = streamed(item, error.as_ref());
                (quote!(::pnet::__private::Streams<#streamed>), reply_type(reply))
            }
            reply => {
                let reply = reply_type(reply);
                (quote!(::pnet::__private::With<#reply>), reply)
            }
        };
        // An answer that is more private than the protocol is reported under all of these items.
        let span = Span::call_site().located_at(match &entry.reply {
            Reply::Packet(ty) | Reply::Result(_, ty) | Reply::Stream(ty, None) | Reply::Stream(_, Some(ty)) => {
                ty.span()
            }
            Reply::None | Reply::Ack | Reply::Broken => entry.ty.span(),
        });
        let (reply, kind) = (quote_spanned!(span=> type Reply = #reply;), quote_spanned!(span=> type Kind = #kind;));
        quote! {
            #[automatically_derived]
            impl #lifetime ::pnet::__private::#arrives<#protocol> for #ty {
                const ID: u16 = ::pnet::__private::id(#sorted, #list[#index].action);
                #reply
            }
            #[automatically_derived]
            impl #lifetime ::pnet::__private::#sends<#protocol> for #ty {
                const ID: u16 = ::pnet::__private::id(#sorted, #list[#index].action);
                #kind
            }
        }
    });
    let distinct = entries.iter().enumerate().skip(1).map(|(index, entry)| {
        quote_spanned!(entry.ty.span()=> const _: () = ::pnet::__private::distinct(#name, #word, #list, #sorted, #index);)
    });
    let differs = entries.iter().enumerate().filter_map(|(index, entry)| match &entry.reply {
        Reply::Result(_, error) | Reply::Stream(_, Some(error)) => {
            Some(quote_spanned!(error.span()=> const _: () = ::pnet::__private::reply_differs(#name, &#list[#index]);))
        }
        _ => None,
    });
    quote! {
        #(#impls)*
        const #list: &[::pnet::__private::ActionInfo; #count] = &[#(#actions),*];
        const #sorted: &[::pnet::__private::ActionInfo] = &::pnet::__private::sorted(*#list);
        #(#distinct)*
        #(#differs)*
    }
}

fn reply_type(reply: &Reply) -> TokenStream {
    match reply {
        Reply::None => quote!(::pnet::__private::NoReply),
        Reply::Ack => quote!(()),
        Reply::Packet(ty) => ty.to_token_stream(),
        Reply::Result(reply, error) => {
            quote_spanned!(reply.span()=> ::core::result::Result<#reply, #error>)
        }
        Reply::Stream(item, error) => {
            let streamed = streamed(item, error.as_ref());
            quote_spanned!(item.span()=> ::pnet::__private::StreamOf<#streamed>)
        }
        Reply::Broken => quote!(::pnet::__private::Unknown),
    }
}

/// What a stream is made of.
fn streamed(item: &syn::Type, error: Option<&syn::Type>) -> TokenStream {
    match error {
        Some(error) => quote_spanned!(item.span()=> ::core::result::Result<#item, #error>),
        None => item.to_token_stream(),
    }
}

/// The enum of what one side may receive, and how it is read.
fn inbox(model: &Model, side: &Side<'_>) -> TokenStream {
    let (vis, protocol) = (&model.vis, &model.ident);
    let Side { entries, word, other, inbox, receiver, .. } = side;
    let borrows = entries.iter().any(|entry| first_lifetime(&entry.ty).is_some());
    let (generics, anonymous, at) =
        if borrows { (quote!(<'de>), quote!(<'_>), quote!(<'__de>)) } else { <_>::default() };
    let doc = format!("What a {other} may receive in [`{protocol}`]: what {word}s send.");
    let (mut variants, mut names, mut arms) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries.iter() {
        let Some(ident) = variant(&entry.ty) else { continue };
        let (docs, name) = (&entry.docs, ident.to_string());
        let docs = if docs.is_empty() {
            let doc = format!("`{}`", text(&entry.ty));
            quote!(#[doc = #doc])
        } else {
            quote!(#(#docs)*)
        };
        let (responder, respond) = match &entry.reply {
            Reply::None => <_>::default(),
            reply => {
                let responder = reply_type(reply);
                let responder = quote!(::pnet::__private::Responder::<#responder>);
                (quote!(, #responder), quote!(, #responder::new(__asked)))
            }
        };
        let (number, ty, borrowed) =
            (&side.number, with_lifetime(&entry.ty, "'static"), with_lifetime(&entry.ty, "'de"));
        variants.push(quote!(#docs #ident(#borrowed #responder)));
        names.push(quote!(Self::#ident(..) => #name));
        arms.push(quote! {
            if __id == ::pnet::__private::#number::<#protocol, #ty>() {
                return ::core::result::Result::Ok(#inbox::#ident(
                    ::pnet::__private::Received::<#ty>::read(__codec, __payload)?
                    #respond
                ));
            }
        });
    }
    let debug = if entries.is_empty() {
        quote!(match *self {})
    } else {
        quote! {
            let name = match self { #(#names),* };
            ::core::write!(f, "{name}(..)")
        }
    };
    let f = if entries.is_empty() { format_ident!("_") } else { format_ident!("f") };
    quote! {
        #[doc = #doc]
        #[allow(dead_code, clippy::exhaustive_enums, clippy::large_enum_variant)]
        #vis enum #inbox #generics { #(#variants),* }
        const _: () = {
            // What is no packet falls back to these; that it may not is said at the packet.
            #[allow(unused_imports)]
            use ::pnet::__private::{NotAnswered as _, NotReceived as _};
            #[automatically_derived]
            impl ::core::fmt::Debug for #inbox #anonymous {
                fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #debug
                }
            }
            #[automatically_derived]
            impl ::pnet::__private::Receive<::pnet::__private::#receiver> for #protocol {
                type Packet<'__de> = #inbox #at;
                #[allow(unused_variables)]
                fn decode<'__de>(
                    __id: u16,
                    __codec: ::core::option::Option<::pnet::__private::Codec>,
                    __payload: &'__de [u8],
                    __asked: ::pnet::__private::Asked,
                ) -> ::core::result::Result<Self::Packet<'__de>, ::pnet::__private::DecodeError> {
                    #(#arms)*
                    ::core::result::Result::Err(::pnet::__private::DecodeError::UnknownAction { id: __id })
                }
            }
        };
    }
}
