//! A type as its schema describes it.

use syn::{
    Attribute, Data, DeriveInput, Fields, Generics, Ident, Token, Type,
    ext::IdentExt,
    parse_quote_spanned,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use crate::{attr::Serde, diagnostics::Errors};

/// The type.
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) serde: Serde,
    pub(crate) body: Body,
}

/// What the type is.
pub(crate) enum Body {
    Struct(Shape),
    Enum(Vec<Variant>),
    Union(Token![union]),
}

/// Fields, of a struct or a variant.
pub(crate) enum Shape {
    Unit,
    Tuple(Vec<Field>),
    Named(Vec<Field>),
}

/// A variant.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) serde: Serde,
    pub(crate) shape: Shape,
}

/// A field.
pub(crate) struct Field {
    /// As the user wrote it: the name, or the number.
    pub(crate) written: String,
    /// On the wire.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) serde: Serde,
    /// `#[schema(opaque)]`.
    pub(crate) opaque: bool,
}

impl Model {
    pub(crate) fn new(input: &DeriveInput, errors: &mut Errors) -> Self {
        schema_words(&input.attrs, errors, false);
        let serde = Serde::parse(&input.attrs);
        let body = match &input.data {
            Data::Struct(data) => Body::Struct(Shape::new(&data.fields, |name| rename(serde.rename_all, name), errors)),
            Data::Enum(data) => {
                let variants = data.variants.iter().map(|variant| {
                    schema_words(&variant.attrs, errors, false);
                    let own = Serde::parse(&variant.attrs);
                    let written = variant.ident.unraw().to_string();
                    let rule = own.rename_all.or(serde.rename_all_fields);
                    Variant {
                        name: own.rename.clone().unwrap_or_else(|| {
                            serde.rename_all.map_or_else(|| written.clone(), |rule| rule.variant(&written))
                        }),
                        shape: Shape::new(&variant.fields, |name| rename(rule, name), errors),
                        serde: own,
                    }
                });
                Body::Enum(variants.collect())
            }
            Data::Union(data) => Body::Union(data.union_token),
        };
        Self { ident: input.ident.clone(), generics: input.generics.clone(), serde, body }
    }

    /// Every field, those of variants too; a variant that serde skips has none.
    pub(crate) fn fields(&self) -> Vec<&Field> {
        match &self.body {
            Body::Struct(shape) => shape.fields().iter().collect(),
            Body::Enum(variants) => variants
                .iter()
                .filter(|variant| !variant.serde.skip)
                .flat_map(|variant| variant.shape.fields())
                .collect(),
            Body::Union(_) => Vec::new(),
        }
    }
}

impl Model {
    /// Describes references as boxes: serde writes both as what they hold, and references have no schema, since no packet
    /// can be read into one.
    pub(crate) fn own_references(&mut self) {
        struct Own;

        impl VisitMut for Own {
            fn visit_type_mut(&mut self, ty: &mut Type) {
                visit_mut::visit_type_mut(self, ty);
                if let Type::Reference(reference) = ty {
                    let (span, inner) = (reference.span(), &reference.elem);
                    *ty = parse_quote_spanned!(span=> ::std::boxed::Box<#inner>);
                }
            }

            fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
        }

        let own = |shape: &mut Shape| match shape {
            Shape::Unit => {}
            Shape::Tuple(fields) | Shape::Named(fields) => {
                fields.iter_mut().for_each(|field| Own.visit_type_mut(&mut field.ty));
            }
        };
        match &mut self.body {
            Body::Struct(shape) => own(shape),
            Body::Enum(variants) => variants.iter_mut().for_each(|variant| own(&mut variant.shape)),
            Body::Union(_) => {}
        }
    }

    /// Whether serde itself may have something to say about its attributes.
    pub(crate) fn has_unknown_words(&self) -> bool {
        self.serde.unknown
            || self.fields().iter().any(|field| field.serde.unknown)
            || matches!(&self.body, Body::Enum(variants) if variants.iter().any(|variant| variant.serde.unknown))
    }
}

impl Shape {
    fn new(fields: &Fields, rename: impl Fn(&str) -> String, errors: &mut Errors) -> Self {
        let list = fields.iter().enumerate().map(|(index, field)| {
            let opaque = schema_words(&field.attrs, errors, true);
            let serde = Serde::parse(&field.attrs);
            let written = field.ident.as_ref().map_or_else(|| index.to_string(), |ident| ident.unraw().to_string());
            let name = serde.rename.clone().unwrap_or_else(|| rename(&written));
            Field { written, name, ty: field.ty.clone(), serde, opaque }
        });
        match fields {
            Fields::Unit => Self::Unit,
            Fields::Unnamed(_) => Self::Tuple(list.collect()),
            Fields::Named(_) => Self::Named(list.collect()),
        }
    }

    pub(crate) fn fields(&self) -> &[Field] {
        match self {
            Self::Unit => &[],
            Self::Tuple(fields) | Self::Named(fields) => fields,
        }
    }
}

fn rename(rule: Option<crate::names::Rename>, name: &str) -> String {
    rule.map_or_else(|| name.to_owned(), |rule| rule.field(name))
}

/// Whether `#[schema(opaque)]` is there; anything else in `#[schema(…)]` is a mistake.
fn schema_words(attrs: &[Attribute], errors: &mut Errors, on_field: bool) -> bool {
    let mut opaque = false;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("schema")) {
        if !matches!(attr.meta, syn::Meta::List(_)) {
            errors.on(attr, "write `#[schema(opaque)]`, on a field whose type has no schema");
            continue;
        }
        let parsed = attr.parse_nested_meta(|meta| {
            if on_field && meta.path.is_ident("opaque") {
                opaque = true;
                Ok(())
            } else {
                Err(meta.error("unknown word: write `#[schema(opaque)]` on a field whose type has no schema"))
            }
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
    opaque
}
