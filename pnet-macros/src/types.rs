//! Types as the user wrote them: their names, their lifetimes, and other lifetimes for them; and types as text.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Lifetime, PathSegment, Type, TypeReference,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

/// `ty` with every lifetime replaced by `name`; references without one get it. Bound lifetimes (`for<'a>`) are kept.
pub(crate) fn with_lifetime(ty: &Type, name: &str) -> Type {
    replaced(ty, name, false).0
}

/// As [`with_lifetime`], but for a `'static` that is written; `None` if there is no other lifetime.
pub(crate) fn borrowing(ty: &Type, name: &str) -> Option<Type> {
    let (ty, found) = replaced(ty, name, true);
    found.then_some(ty)
}

/// The type with its lifetimes replaced, and whether any was.
fn replaced(ty: &Type, name: &str, keep_static: bool) -> (Type, bool) {
    struct Replace<'a> {
        name: &'a str,
        keep_static: bool,
        found: bool,
    }

    impl VisitMut for Replace<'_> {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if !(self.keep_static && lifetime.ident == "static") {
                *lifetime = Lifetime::new(self.name, lifetime.span());
                self.found = true;
            }
        }

        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            let span = reference.and_token.span;
            reference.lifetime.get_or_insert_with(|| Lifetime::new("'_", span));
            visit_mut::visit_type_reference_mut(self, reference);
        }

        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}

        fn visit_type_trait_object_mut(&mut self, _: &mut syn::TypeTraitObject) {}
    }

    let (mut ty, mut replace) = (ty.clone(), Replace { name, keep_static, found: false });
    replace.visit_type_mut(&mut ty);
    (ty, replace.found)
}

/// The first lifetime written in a type, if any.
pub(crate) fn first_lifetime(ty: &Type) -> Option<Span> {
    struct Find(Option<Span>);

    impl<'ast> Visit<'ast> for Find {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0.get_or_insert_with(|| lifetime.span());
        }

        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            if reference.lifetime.is_none() {
                self.0.get_or_insert(reference.and_token.span);
            }
            visit::visit_type_reference(self, reference);
        }
    }

    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

/// The type without what encloses it: parentheses, and the invisible group around a `$ty` of `macro_rules!`.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(inner) => bare(&inner.elem),
        ty => ty,
    }
}

/// The last part of a type that is a path, by whose name types are told from each other.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last()
}

/// Whether a type has one of these names.
pub(crate) fn is_named(ty: &Type, names: &[&str]) -> bool {
    last_segment(ty).is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// Tokens as a person writes them: `Cow<'_, str>`, not `Cow < '_ , str >`.
pub(crate) fn text(tokens: &impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = String::new();
    let mut chars = spaced.chars().peekable();
    while let Some(c) = chars.next() {
        if c != ' ' {
            text.push(c);
            continue;
        }
        let before = text.chars().next_back().unwrap_or(' ');
        let after = chars.peek().copied().unwrap_or(' ');
        let joins_words = |c: char| c.is_alphanumeric() || c == '_';
        let is_needed = matches!(before, ',' | ';' | '=' | '+')
            || matches!(after, '=' | '+')
            || (joins_words(before) && (joins_words(after) || after == '\'' || after == '&'))
            || (before == '>' && joins_words(after));
        if is_needed && !matches!(after, ',' | ';' | ' ') {
            text.push(' ');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::text;

    #[test]
    fn writes_types_as_people_do() {
        assert_eq!(text(&quote!(Cow<'_, str>)), "Cow<'_, str>");
        assert_eq!(text(&quote!(&'a mut Vec<u8>)), "&'a mut Vec<u8>");
        assert_eq!(
            text(&quote!(std::collections::HashMap<String, Vec<u8>>)),
            "std::collections::HashMap<String, Vec<u8>>"
        );
        assert_eq!(text(&quote!([u8; 4])), "[u8; 4]");
        assert_eq!(text(&quote!((A, B))), "(A, B)");
        assert_eq!(text(&quote!(tag = "t")), "tag = \"t\"");
    }
}
