//! The schema as a constant.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    GenericArgument, Generics, Ident, PathArguments, Type, parse_quote, parse_quote_spanned,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use super::model::{Body, Field, Model, Shape, Variant};
use crate::types::{is_named, text, with_lifetime};

/// How errors about a field name the type that has it.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Packet,
    Type,
    /// A view, whose fields are those of its packet, which have been checked.
    View,
}

/// `impl Schema`, and the checks of its fields.
pub(crate) fn expand(model: &Model, kind: Kind) -> TokenStream {
    let ident = &model.ident;
    let name = text(ident);
    let ty = tree(model);
    let generics = with_bounds(&model.generics);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let is_generic = generics.type_params().next().is_some() || generics.const_params().next().is_some();
    let owner = match kind {
        Kind::Packet => format!("packet `{name}`"),
        Kind::Type | Kind::View => format!("`{name}`"),
    };
    let is_to_check = |field: &&Field| !matches!(kind, Kind::View) && is_described(field) && !is_carried(&field.ty);
    let checks = model.fields().into_iter().filter(is_to_check).map(|field| {
        let (written, ty) = (&field.written, own_type(&field.ty, ident, !is_generic));
        quote_spanned! {field.ty.span()=>
            ::pnet::__private::field(#owner, #written, <#ty as ::pnet::__private::Schema>::SCHEMA);
        }
    });
    // A generic type's fields are known only where its schema is used.
    let (inside, outside) = if is_generic {
        (quote!(#(#checks)*), TokenStream::new())
    } else {
        let checks = checks.map(|check| quote!(const _: () = { #check };));
        (TokenStream::new(), quote!(#(#checks)*))
    };
    let stand_in = model.fields().into_iter().any(|field| names(&field.ty, ident)).then(|| {
        quote! {
            #[allow(dead_code)]
            struct __PnetSelf;
            impl ::pnet::__private::Schema for __PnetSelf {
                const SCHEMA: &'static ::pnet::__private::Ty = &::pnet::__private::Ty::Ref(#name);
            }
        }
    });
    quote! {
        const _: () = {
            #stand_in
            #[automatically_derived]
            impl #impl_generics ::pnet::__private::Schema for #ident #ty_generics #where_clause {
                const SCHEMA: &'static ::pnet::__private::Ty = {
                    #inside
                    &::pnet::__private::Ty::Named(#name, #ty)
                };
            }
            #outside
        };
    }
}

/// An `impl Schema` that keeps users of a type with mistakes free of errors.
pub(crate) fn stub(model: &Model) -> TokenStream {
    let ident = &model.ident;
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics ::pnet::__private::Schema for #ident #ty_generics #where_clause {
            const SCHEMA: &'static ::pnet::__private::Ty = &::pnet::__private::Ty::Opaque("");
        }
    }
}

fn with_bounds(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::pnet::__private::Schema));
    }
    generics
}

fn tree(model: &Model) -> TokenStream {
    if !model.serde.opaque.is_empty() {
        return opaque(&model.ident.to_string(), &model.serde.opaque);
    }
    let mut marks = model.serde.marks.clone();
    let ty = match &model.body {
        Body::Union(_) => opaque("", &[]),
        Body::Struct(shape) => {
            let transparent = model.serde.transparent.then(|| {
                let mut parts = shape.fields().iter().filter(|field| !field.serde.skip);
                (parts.next(), parts.next())
            });
            match transparent {
                Some((Some(field), None)) => field_type(field, &model.ident),
                // Which of several fields is meant is serde's secret.
                Some(_) => opaque(&model.ident.to_string(), &["transparent".to_owned()]),
                None => self::shape(shape, &model.ident, model.serde.default, &mut marks),
            }
        }
        Body::Enum(variants) => {
            let variants: Vec<_> =
                variants.iter().filter_map(|variant| self::variant(variant, &model.ident, &mut marks)).collect();
            quote!(&::pnet::__private::Ty::Enum(&[#(#variants),*]))
        }
    };
    marked(&marks, ty)
}

fn variant(variant: &Variant, owner: &Ident, marks: &mut Vec<String>) -> Option<TokenStream> {
    let name = &variant.name;
    if variant.serde.skip {
        // serde counts the variants of the type when it writes, and those it knows when it reads.
        marks.push(format!("skip {name}"));
        return None;
    }
    let mut own = variant.serde.marks.clone();
    let body = if variant.serde.opaque.is_empty() {
        match &variant.shape {
            Shape::Unit => None,
            shape => Some(self::shape(shape, owner, false, &mut own)),
        }
    } else {
        Some(opaque(name, &variant.serde.opaque))
    };
    let body = body.or_else(|| (!own.is_empty()).then(unit)).map(|body| marked(&own, body));
    let body = body.map_or_else(|| quote!(None), |body| quote!(Some(#body)));
    Some(quote!(::pnet::__private::Variant { name: #name, body: ::core::option::Option::#body }))
}

fn shape(shape: &Shape, owner: &Ident, default: bool, marks: &mut Vec<String>) -> TokenStream {
    match shape {
        Shape::Unit => unit(),
        Shape::Tuple(fields) => {
            if fields.iter().any(|field| field.serde.skip) {
                marks.push("skip".to_owned());
            }
            match &fields[..] {
                [field] => field_type(field, owner),
                fields => {
                    let parts = fields.iter().filter(|field| !field.serde.skip).map(|field| field_type(field, owner));
                    quote!(&::pnet::__private::Ty::Tuple(&[#(#parts),*]))
                }
            }
        }
        Shape::Named(fields) => {
            let fields = fields.iter().filter(|field| !field.serde.skip).map(|field| {
                let (name, ty) = (&field.name, field_type(field, owner));
                let default = default || field.serde.default;
                quote!(::pnet::__private::Field { name: #name, ty: #ty, default: #default })
            });
            quote!(&::pnet::__private::Ty::Struct(&[#(#fields),*]))
        }
    }
}

fn is_described(field: &Field) -> bool {
    !field.opaque && !field.serde.skip && field.serde.opaque.is_empty()
}

fn field_type(field: &Field, owner: &Ident) -> TokenStream {
    if !is_described(field) {
        return marked(&field.serde.marks, opaque(&text(&field.ty), &field.serde.opaque));
    }
    let ty = own_type(&field.ty, owner, false);
    let ty = quote_spanned!(field.ty.span()=> <#ty as ::pnet::__private::Schema>::SCHEMA);
    marked(&field.serde.marks, ty)
}

fn unit() -> TokenStream {
    quote!(&::pnet::__private::Ty::Prim(::pnet::__private::Prim::Unit))
}

/// What the types say nothing of, with the words for serde that make it so.
fn opaque(what: &str, words: &[String]) -> TokenStream {
    let text = if words.is_empty() { what.to_owned() } else { format!("{what} #[serde({})]", words.join(", ")) };
    quote!(&::pnet::__private::Ty::Opaque(#text))
}

fn marked(marks: &[String], ty: TokenStream) -> TokenStream {
    if marks.is_empty() {
        return ty;
    }
    let text = marks.join(", ");
    quote!(&::pnet::__private::Ty::Marked(#text, #ty))
}

/// Whether JSON carries the type for certain, so that no check need be compiled: most fields are such. It goes by the
/// names, as the checks are against mistakes and not against malice.
fn is_carried(ty: &Type) -> bool {
    const PLAIN: [&str; 16] = [
        "bool", "char", "String", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "f32",
        "f64",
    ];
    let Type::Path(path) = ty else { return false };
    let (None, Some(name)) = (&path.qself, path.path.segments.last()) else { return false };
    if path.path.segments.len() != 1 || path.path.leading_colon.is_some() {
        return false;
    }
    match &name.arguments {
        PathArguments::None => PLAIN.iter().any(|plain| name.ident == plain),
        PathArguments::AngleBracketed(arguments) if arguments.args.len() == 1 => {
            let Some(GenericArgument::Type(inner)) = arguments.args.first() else { return false };
            // An option in an option is one of the mistakes.
            let is_option = name.ident == "Option";
            (is_option || name.ident == "Vec") && is_carried(inner) && !(is_option && is_named(inner, &["Option"]))
        }
        _ => false,
    }
}

/// Whether the name of the type that has the field stands in the field's.
fn names(ty: &Type, owner: &Ident) -> bool {
    fn found(tokens: TokenStream, owner: &Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == *owner || ident == "Self",
            TokenTree::Group(group) => found(group.stream(), owner),
            TokenTree::Punct(_) | TokenTree::Literal(_) => false,
        })
    }
    found(ty.to_token_stream(), owner)
}

/// The type of a field, with the type that has it replaced by a stand-in: a constant must not need itself.
fn own_type(ty: &Type, owner: &Ident, is_static: bool) -> TokenStream {
    struct Replace<'a>(&'a Ident);

    impl VisitMut for Replace<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Path(path) = ty
                && path.qself.is_none()
                && path.path.segments.len() == 1
                && path.path.leading_colon.is_none()
                && (path.path.segments[0].ident == *self.0 || path.path.segments[0].ident == "Self")
            {
                let span = path.span();
                *ty = parse_quote_spanned!(span=> __PnetSelf);
            } else {
                visit_mut::visit_type_mut(self, ty);
            }
        }
    }

    let mut ty = if is_static { with_lifetime(ty, "'static") } else { ty.clone() };
    Replace(owner).visit_type_mut(&mut ty);
    ty.into_token_stream()
}
