//! The type that stands for a handler, and its entry in any service that it fits.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Ident, Lifetime, Type, spanned::Spanned};

use super::model::{Arg, Kind, Model, RETURNED, is_kept};
use crate::types::{is_named, with_lifetime};

pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let marker = marker(model);
    let body = match &model.kind {
        Kind::Action { name, concurrent, finish } => {
            let parts = Parts::of(model);
            let packet = packet(model, name);
            let entry = action(model, &parts, *concurrent, *finish);
            quote!(#packet #entry)
        }
        Kind::Authenticate | Kind::Connect | Kind::Disconnect => hook(model),
        Kind::Broken => TokenStream::new(),
    };
    let (listed, cfgs) = (listed(model), &model.cfgs);
    quote! {
        #marker
        #(#cfgs)*
        const _: () = { #listed #body };
    }
}

/// The type, with an entry that no service reports again.
pub(crate) fn stub(model: &Model<'_>) -> TokenStream {
    let (marker, listed, ident, cfgs) = (marker(model), listed(model), model.ident, &model.cfgs);
    quote! {
        #marker
        #(#cfgs)*
        #listed
        #(#cfgs)*
        #[automatically_derived]
        impl<__S: ::pnet::__private::Service> ::pnet::__private::Entry<__S, ()> for #ident {
            const ENTRY: ::pnet::__private::EntryOf<__S> = ::pnet::__private::EntryOf::Broken;
        }
    }
}

/// The function itself; a generic one is replaced, since `actions!` could not say which of its instances is meant.
pub(crate) fn without_parameters(model: &Model<'_>) -> TokenStream {
    let (function, cfgs, vis, ident) = (model.function, &model.cfgs, model.vis, model.ident);
    if !model.is_generic() {
        return quote!(#function);
    }
    quote! {
        #(#cfgs)*
        #[allow(dead_code)]
        #vis fn #ident() {}
    }
}

/// Functions live among the values, so a type may have the same name; paths and imports then carry both.
fn marker(model: &Model<'_>) -> TokenStream {
    let (cfgs, vis, ident) = (&model.cfgs, model.vis, model.ident);
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(missing_debug_implementations, non_camel_case_types, clippy::empty_structs_with_brackets)]
        #vis struct #ident {}
    }
}

/// Whom it makes known to the other handlers of a service.
fn listed(model: &Model<'_>) -> TokenStream {
    let ident = model.ident;
    // What returns something else than a `Result` has been reported, and not those that take it.
    let user = model.user().or(model.output.as_ref());
    let user = match user.filter(|_| matches!(model.kind, Kind::Authenticate)) {
        Some(user) => user.to_token_stream(),
        None => quote!(::pnet::__private::Nobody),
    };
    quote! {
        #[automatically_derived]
        impl ::pnet::__private::Listed for #ident {
            type User = #user;
        }
    }
}

/// Which argument is the packet, worked out from the types, and the checks about it.
fn packet(model: &Model<'_>, name: &syn::LitStr) -> TokenStream {
    let handler = model.ident.to_string();
    let types: Vec<_> = model.values().collect();
    let probes = types.iter().map(|ty| quote_spanned!(ty.span()=> <::pnet::__private::Probe<#ty>>::PACKET));
    let suspect = types.iter().find(|ty| !is_handle(ty)).map_or_else(|| model.ident.span(), Spanned::span);
    let has_packet = quote_spanned!(suspect=> ::pnet::__private::has_packet(#handler, __PNET_PACKETS));
    let one_packet = types.iter().enumerate().skip(1).map(|(index, ty)| {
        quote_spanned! {ty.span()=>
            const _: () = ::pnet::__private::one_packet(#handler, __PNET_PACKETS, #index);
        }
    });
    let action_is = quote_spanned!(name.span()=> ::pnet::__private::action_is(#name, __PNET_PACKETS));
    quote! {
        #[allow(unused_imports)]
        use ::pnet::__private::{MaybePacket as _, NotSender as _};
        const __PNET_PACKETS: &[::core::option::Option<(&str, &str)>] = &[#(#probes),*];
        const __PNET_PICK: usize = ::pnet::__private::pick(__PNET_PACKETS);
        const _: () = #has_packet;
        #(#one_packet)*
        const _: () = #action_is;
    }
}

/// Types that are certainly not meant to be the packet.
fn is_handle(ty: &Type) -> bool {
    is_named(ty, &["Arc", "Client", "Hub", "Meta", "Peer", "StreamSender"])
}

/// The pieces that depend on the arguments.
#[derive(Default)]
struct Parts {
    /// `__W0, __W1`: where the lent arguments come from.
    markers: Vec<Ident>,
    bounds: Vec<TokenStream>,
    /// Statements that borrow the lent arguments. They come first, while there is nothing to be dropped if one panics.
    lends: Vec<TokenStream>,
    /// Expressions for the arguments taken by value, each a `Result`.
    takes: Vec<TokenStream>,
    /// Names they are bound to.
    names: Vec<Ident>,
    /// The arguments of the call.
    args: Vec<TokenStream>,
    /// The arguments that may be the packet, as what they are if they are.
    packets: Vec<TokenStream>,
}

impl Parts {
    fn of(model: &Model<'_>) -> Self {
        let has_packet = matches!(model.kind, Kind::Action { .. });
        let mut parts = Self::default();
        let (output, here) = match &model.borrowed {
            Some(borrowed) if has_packet => {
                (borrowed.to_token_stream(), with_lifetime(borrowed, "'_").into_token_stream())
            }
            _ => (output(model), output(model)),
        };
        let sender = model.senders().next().map_or_else(|| quote!(()), ToTokens::to_token_stream);
        for arg in &model.args {
            match arg {
                Arg::Lent { ty, reference } => {
                    let via = format_ident!("__W{}", parts.markers.len());
                    let span = reference.span();
                    let (lend, parameters, why) = match &model.kind {
                        Kind::Authenticate => (quote!(LendFirst), quote!(__S, __S::State, #via), quote!()),
                        Kind::Connect => (quote!(LendEarly), quote!(__S, __S::State, #via), quote!()),
                        Kind::Disconnect => {
                            (quote!(LendLate), quote!(__S, __S::State, __S::Member, #via), quote!(, &__why))
                        }
                        _ => (quote!(Lend), quote!(__S, __S::State, __S::Member, #via), quote!()),
                    };
                    parts.bounds.push(quote_spanned!(span=> #ty: ::pnet::__private::#lend<#parameters>));
                    parts.bounds.push(quote!(#via: 'static));
                    let name = format_ident!("__l{}", parts.markers.len());
                    parts.lends.push(quote! {
                        let #name = <#ty as ::pnet::__private::#lend<#parameters>>::lend(&__cx #why);
                    });
                    parts.args.push(quote!(#name));
                    parts.markers.push(via);
                }
                Arg::Sender { ty } => {
                    let name = format_ident!("__a{}", parts.takes.len());
                    parts.takes.push(quote! {
                        ::core::result::Result::Ok::<_, ::pnet::__private::Failure>(
                            <::pnet::__private::Sender<#ty>>::of::<__S>(&__cx),
                        )
                    });
                    parts.args.push(quote!(#name));
                    parts.names.push(name);
                }
                Arg::Value { ty } => {
                    let index = parts.packets.len();
                    let name = format_ident!("__a{}", parts.takes.len());
                    if has_packet {
                        let mode = quote!({ ::pnet::__private::mode(__PNET_PACKETS, #index) });
                        let any = model.borrowed.as_ref().map(|_| for_any());
                        let arg = |output| quote!(::pnet::__private::Arg<__S, #output, #sender, #mode>);
                        let bound = arg(&output);
                        parts.bounds.push(quote_spanned!(ty.span()=> #ty: #any #bound));
                        let bound = arg(&here);
                        parts.takes.push(quote!(<#ty as #bound>::take(&__cx, __frame)));
                        parts.packets.push(quote!(<#ty as #bound>));
                    } else if matches!(model.kind, Kind::Authenticate) {
                        let (bound, make) = if is_kept(ty) {
                            (quote!(ExtractFirst<__S>), quote!(extract_first::<__S, #ty>))
                        } else {
                            let protocol = quote!(<__S as ::pnet::__private::Service>::Protocol);
                            (quote!(CredentialsOf<#protocol>), quote!(credentials::<__S, #ty>))
                        };
                        parts.bounds.push(quote_spanned!(ty.span()=> #ty: ::pnet::__private::#bound));
                        parts.takes.push(quote!(::pnet::__private::#make(&__cx)));
                    } else {
                        parts.bounds.push(quote_spanned!(ty.span()=> #ty: ::pnet::__private::Extract<__S>));
                        parts.takes.push(quote!(::pnet::__private::extract::<__S, #ty>(&__cx)));
                    }
                    parts.args.push(quote!(#name));
                    parts.names.push(name);
                }
            }
        }
        parts
    }

    /// Makes the arguments, then `then` with them; else `Err` of the failure.
    fn run(&self, then: &TokenStream) -> TokenStream {
        let Self { lends, takes, names, .. } = self;
        let made = takes.iter().zip(names).rev().fold(then.clone(), |then, (take, name)| {
            quote! {
                match #take {
                    ::core::result::Result::Ok(#name) => #then,
                    ::core::result::Result::Err(__failure) => ::core::result::Result::Err(__failure),
                }
            }
        });
        quote!(#(#lends)* #made)
    }

    /// As [`run`](Self::run), for `then` that waits, with `error` if an argument cannot be made. The arguments are locals that
    /// are moved as a whole: parts of a `Result` would be kept while the handler runs.
    fn run_later(&self, then: &TokenStream, error: &TokenStream) -> TokenStream {
        let Self { lends, takes, names, .. } = self;
        quote! {
            '__pnet: {
                #(#lends)*
                #(let #names = match #takes {
                    ::core::result::Result::Ok(__argument) => __argument,
                    ::core::result::Result::Err(__failure) => break '__pnet ::core::result::Result::Err(__failure),
                };)*
                ::core::result::Result::Ok::<_, #error>(#then)
            }
        }
    }

    /// `impl` of a handler's trait, in any service that has what the arguments are made of.
    fn implement(&self, name: &TokenStream, ident: &Ident, bounds: &TokenStream, items: &TokenStream) -> TokenStream {
        let Self { markers, bounds: of_arguments, .. } = self;
        quote! {
            #[automatically_derived]
            impl<__S, #(#markers),*> ::pnet::__private::#name<__S, (#(#markers,)*)> for #ident
            where
                __S: ::pnet::__private::Service,
                #bounds
                #(#of_arguments,)*
            {
                #items
            }
        }
    }
}

/// For whatever lifetime the handler's answer borrows.
fn for_any() -> TokenStream {
    let returned = Lifetime::new(RETURNED, Span::call_site());
    quote!(for<#returned>)
}

fn output(model: &Model<'_>) -> TokenStream {
    let span = model.ident.span();
    model.output.as_ref().map_or_else(|| quote_spanned!(span=> ()), |ty| quote!(#ty))
}

/// Where errors about the running handler belong. The name may come out of a `macro_rules!`, whose locals are its own, so
/// what the output calls its locals is not to be looked up there.
fn place(ident: &Ident) -> Span {
    ident.span().resolved_at(Span::call_site())
}

fn call(model: &Model<'_>, parts: &Parts) -> TokenStream {
    let (ident, args) = (model.ident, &parts.args);
    let wait = model.is_async.then(|| quote_spanned!(place(ident)=> .await));
    quote!(#ident(#(#args),*) #wait)
}

fn action(model: &Model<'_>, parts: &Parts, concurrent: bool, finish: bool) -> TokenStream {
    let ident = model.ident;
    let sender = model.senders().next().is_some();
    let Parts { markers, packets, .. } = parts;
    let call = call(model, parts);
    let index = 0..packets.len();
    let id = quote!(match __PNET_PICK { #(#index => #packets::ID,)* _ => 0 });
    let (index, last) = (0..packets.len().saturating_sub(1), packets.last());
    let packets = packets.iter().take(packets.len().saturating_sub(1));
    let answer = quote!(match __PNET_PICK { #(#index => #packets::ANSWER,)* _ => #last::ANSWER });
    let how = if model.is_async {
        quote!(::pnet::__private::Run::Later(::pnet::__private::slot::<__S, Self, (#(#markers,)*)>))
    } else {
        quote!(::pnet::__private::Run::Now(<Self as ::pnet::__private::Entry<__S, (#(#markers,)*)>>::now))
    };
    let now = (!model.is_async).then(|| {
        let run = parts.run(&quote!((#answer)(#call, __codec, __out)));
        quote! {
            fn now(
                __cx: &::pnet::__private::Cx<__S>,
                __frame: &[u8],
                __out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<::pnet::__private::Verdict, ::pnet::__private::Failure> {
                let __codec = ::pnet::__private::codec_override(__cx);
                #run
            }
        }
    });
    let task = model.is_async.then(|| {
        let future = quote_spanned!(place(ident)=>
            impl ::core::future::Future<Output = ::std::boxed::Box<::pnet::__private::Kit<__S>>> + ::core::marker::Send + 'static
        );
        let run = parts.run_later(&call, &failure());
        let body = quote_spanned!(place(ident)=> async move {
            let mut __kit = __kit;
            let (__cx, __frame, __out) = ::pnet::__private::Kit::parts(&mut __kit);
            let __returned = #run;
            let __outcome = ::pnet::__private::finish(__cx, __returned, #answer, __out);
            ::pnet::__private::Kit::end(__kit, __outcome)
        });
        let run = quote! {
            fn run(__kit: ::std::boxed::Box<::pnet::__private::Kit<__S>>) -> #future {
                #body
            }
        };
        parts.implement(&quote!(Task), ident, &TokenStream::new(), &run)
    });
    let entry = quote! {
        const ENTRY: ::pnet::__private::EntryOf<__S> = if __PNET_PICK == ::pnet::__private::NONE {
            ::pnet::__private::EntryOf::Broken
        } else {
            ::pnet::__private::EntryOf::Action {
                id: #id,
                run: #how,
                concurrent: #concurrent,
                finish: #finish,
                sender: #sender,
            }
        };
        #now
    };
    let entry = parts.implement(&quote!(Entry), ident, &TokenStream::new(), &entry);
    quote!(#task #entry)
}

/// Why an argument could not be made, of all handlers but one.
fn failure() -> TokenStream {
    quote!(::pnet::__private::Failure)
}

/// The entry of a handler that runs on a connection's way in or out.
fn hook(model: &Model<'_>) -> TokenStream {
    let (ident, output) = (model.ident, output(model));
    let span = output.span();
    let cx = quote!(__cx: ::pnet::__private::Cx<__S>);
    let (entry, takes, error, returns, made) = match model.kind {
        Kind::Authenticate => {
            let user = model.user();
            (
                quote!(Authenticate),
                quote!(__cx: ::pnet::__private::FirstCx<__S>),
                quote!(::pnet::__private::Refused),
                quote_spanned!(span=> #output: ::pnet::__private::IntoUser<__S, #user>),
                quote_spanned!(place(ident)=> user::<__S, #user, #output>),
            )
        }
        Kind::Connect => (
            quote!(Connect),
            cx,
            failure(),
            quote_spanned!(span=> #output: ::pnet::__private::IntoMember<__S::Member>),
            quote_spanned!(place(ident)=> member::<__S::Member, #output>),
        ),
        _ => (
            quote!(Disconnect),
            quote!(#cx, __why: ::std::sync::Arc<::pnet::__private::Closed>),
            failure(),
            quote_spanned!(span=> #output: ::pnet::__private::IntoEnd<__S>),
            quote_spanned!(place(ident)=> end::<__S, #output>),
        ),
    };
    let side = matches!(model.kind, Kind::Authenticate)
        .then(|| quote!(<__S as ::pnet::__private::Service>::Side: ::pnet::__private::Authenticates,));
    let parts = Parts::of(model);
    let run = parts.run_later(&call(model, &parts), &error);
    let body = quote_spanned! {place(ident)=>
        ::std::boxed::Box::pin(async move {
            let __returned = #run;
            ::pnet::__private::#made(__returned)
        })
    };
    let items = quote! {
        const ENTRY: ::pnet::__private::EntryOf<__S> = ::pnet::__private::EntryOf::#entry(|#takes| #body);
    };
    parts.implement(&quote!(Entry), ident, &quote!(#side #returns,), &items)
}
