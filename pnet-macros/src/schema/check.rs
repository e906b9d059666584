//! Fields that one of the codecs could not carry.

use quote::ToTokens;
use syn::{GenericArgument, Lifetime, PathArguments, Type, TypeReference, visit::Visit};

use super::{
    expand::Kind,
    model::{Body, Field, Model},
};
use crate::{
    diagnostics::Errors,
    types::{bare, last_segment},
};

pub(crate) fn check(model: &Model, kind: Kind, errors: &mut Errors) {
    // check: union
    if let Body::Union(token) = &model.body {
        errors.on(token, "a union cannot be a packet or in one: nobody can tell which field is meant; write an enum");
    }
    // What is never read may refer to anything.
    if !matches!(kind, Kind::View) {
        check_fields(model, errors);
    }
}

/// Whether a type can be read from what arrives, as far as its fields tell.
pub(crate) fn is_readable(model: &Model) -> bool {
    let mut errors = Errors::default();
    check_fields(model, &mut errors);
    errors.is_empty()
}

fn check_fields(model: &Model, errors: &mut Errors) {
    for field in model.fields() {
        if !field.serde.skip && !field.opaque {
            check_field(field, errors);
        }
    }
}

fn check_field(field: &Field, errors: &mut Errors) {
    if has_references(&field.ty, errors) || field.serde.borrow {
        return;
    }
    let ty = bare(&field.ty);
    // check: cow-without-borrow
    if let Some((name, own)) = borrows(ty) {
        errors.on(
            &field.ty,
            format!("a `{name}` field needs `#[serde(borrow)]`, else nothing is borrowed; or make it {own}"),
        );
    // check: lifetime-without-borrow
    } else if field.serde.opaque.is_empty()
        && let Some(lifetime) = borrowed_inside(ty)
    {
        errors.on(
            lifetime,
            "a field that borrows needs `#[serde(borrow)]`; without it, serde could not read the type from the frame",
        );
    }
}

/// `Cow<'a, …>` and `Bytes<'a>` as the type of a field, with a lifetime that is not `'static`; and what owns as much.
fn borrows(ty: &Type) -> Option<(&'static str, &'static str)> {
    let segment = last_segment(ty)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let is_borrowed = arguments.args.iter().any(|argument| match argument {
        GenericArgument::Lifetime(lifetime) => lifetime.ident != "static",
        _ => false,
    });
    match segment.ident.to_string().as_str() {
        "Cow" if is_borrowed => Some(("Cow", "`String` or another owned type")),
        "Bytes" if is_borrowed => Some(("Bytes", "`pnet::ByteBuf`")),
        _ => None,
    }
}

/// The first lifetime in a type, outside of `Cow`, which serde reads into an owned value where it is not asked to borrow.
fn borrowed_inside(ty: &Type) -> Option<Lifetime> {
    struct Find(Option<Lifetime>);

    impl<'ast> Visit<'ast> for Find {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert_with(|| lifetime.clone());
            }
        }

        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            if segment.ident != "Cow" && segment.ident != "PhantomData" {
                syn::visit::visit_path_segment(self, segment);
            }
        }

        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }

    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

/// Reports references, and `Cow<[u8]>`, anywhere in a type; whether there are any.
fn has_references(ty: &Type, errors: &mut Errors) -> bool {
    struct Find<'a> {
        errors: &'a mut Errors,
        found: bool,
    }

    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.found = true;
            let message = match &*reference.elem {
                // check: str-field
                Type::Path(path) if path.path.is_ident("str") => {
                    "a packet cannot hold `&str`: JSON text with escapes has no borrowed form; write `Cow<'a, str>` with \
                     `#[serde(borrow)]`, or `String`"
                }
                // check: bytes-field
                Type::Slice(slice) if is_byte(&slice.elem) => {
                    "a packet cannot hold `&[u8]`, which JSON does not read back; write `pnet::Bytes<'a>` with \
                     `#[serde(borrow)]`, or `pnet::ByteBuf`"
                }
                _ => {
                    "a packet cannot hold a reference: whoever receives it has nothing to refer to; write the type itself"
                }
            };
            self.errors.on(reference, message);
        }

        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            // check: cow-bytes
            if segment.ident == "Cow"
                && let PathArguments::AngleBracketed(arguments) = &segment.arguments
                && arguments.args.iter().any(is_bytes)
            {
                self.found = true;
                self.errors.on(
                    segment,
                    "a packet cannot hold `Cow<[u8]>`, which JSON does not read back; write `pnet::Bytes<'a>` with \
                     `#[serde(borrow)]`, or `pnet::ByteBuf`",
                );
                return;
            }
            syn::visit::visit_path_segment(self, segment);
        }

        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }

    let mut find = Find { errors, found: false };
    find.visit_type(ty);
    find.found
}

fn is_bytes(argument: &GenericArgument) -> bool {
    matches!(argument, GenericArgument::Type(Type::Slice(slice)) if is_byte(&slice.elem))
}

fn is_byte(ty: &Type) -> bool {
    ty.to_token_stream().to_string() == "u8"
}
