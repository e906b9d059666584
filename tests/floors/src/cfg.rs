//! Which code only tests have.

use syn::{Attribute, Expr, Meta, Token, punctuated::Punctuated};

/// Whether what carries these attributes is compiled for tests only.
pub(crate) fn test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute.parse_args::<Meta>().is_ok_and(|condition| without_tests(&condition) == Some(false));
        }
        path.segments.last().is_some_and(|last| last.ident == "test" || last.ident == "bench")
    })
}

/// The attributes of an expression, for the kinds that a `cfg` stands on as a statement.
pub(crate) fn of_expression(expression: &Expr) -> &[Attribute] {
    match expression {
        Expr::Assign(e) => &e.attrs,
        Expr::Async(e) => &e.attrs,
        Expr::Await(e) => &e.attrs,
        Expr::Binary(e) => &e.attrs,
        Expr::Block(e) => &e.attrs,
        Expr::Call(e) => &e.attrs,
        Expr::ForLoop(e) => &e.attrs,
        Expr::If(e) => &e.attrs,
        Expr::Let(e) => &e.attrs,
        Expr::Loop(e) => &e.attrs,
        Expr::Macro(e) => &e.attrs,
        Expr::Match(e) => &e.attrs,
        Expr::MethodCall(e) => &e.attrs,
        Expr::Return(e) => &e.attrs,
        Expr::Struct(e) => &e.attrs,
        Expr::Try(e) => &e.attrs,
        Expr::While(e) => &e.attrs,
        _ => &[],
    }
}

/// A condition where no tests are compiled; `None` if it depends on something else.
fn without_tests(condition: &Meta) -> Option<bool> {
    match condition {
        Meta::Path(path) if path.is_ident("test") => Some(false),
        Meta::List(list) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let inner: Vec<_> = list.parse_args_with(parse).ok()?.iter().map(without_tests).collect();
            if list.path.is_ident("not") {
                inner.first().copied().flatten().map(|holds| !holds)
            } else if list.path.is_ident("all") {
                decided(&inner, false)
            } else if list.path.is_ident("any") {
                decided(&inner, true)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// `all` is decided by one that does not hold, `any` by one that does.
fn decided(inner: &[Option<bool>], by: bool) -> Option<bool> {
    if inner.contains(&Some(by)) {
        Some(by)
    } else if inner.contains(&None) {
        None
    } else {
        Some(!by)
    }
}
