//! Functions that cannot be handlers.

use syn::{FnArg, GenericParam, Safety, Type, spanned::Spanned};

use super::model::{Arg, Kind, Model, impl_trait, is_kept, is_sender};
use crate::{diagnostics::Errors, types::bare};

pub(crate) fn check(model: &Model<'_>, errors: &mut Errors) {
    let signature = &model.function.sig;
    // check: method
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        errors.on(
            receiver,
            "a handler is a free function: write it outside of the `impl`, and take the state as `&State`",
        );
        return;
    }
    for parameter in &signature.generics.params {
        // check: generic-function
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            errors.on(
                parameter,
                "a handler is not generic: write the types it is for; `actions!` says which service it belongs to",
            );
        }
    }
    let unsafety = if let Safety::Unsafe(token) = signature.safety { Some(token.span) } else { None };
    for (token, what) in [
        (signature.constness.map(|token| token.span), "const"),
        (unsafety, "unsafe"),
        (signature.abi.as_ref().map(|abi| abi.extern_token.span), "extern"),
    ] {
        if let Some(span) = token {
            errors.at(span, format!("a handler is an ordinary `fn` or `async fn`: take out `{what}`"));
        }
    }
    if !errors.is_empty() {
        return;
    }
    let mut found = false;
    for arg in &signature.inputs {
        let FnArg::Typed(arg) = arg else { continue };
        if let Some(ty) = impl_trait(&arg.ty) {
            found = true;
            errors.on(ty, "a handler is not generic: write the type of the argument instead of `impl`");
        }
    }
    // check: return-impl-trait
    if let Some(ty) = model.output.as_ref().and_then(impl_trait) {
        errors.on(
            ty,
            "a handler returns a type that is written out, as its protocol declares it: replace `impl` by the packet",
        );
    }
    if found {
        return;
    }
    // check: no-arguments
    if matches!(model.kind, Kind::Action { .. }) && model.values().next().is_none() {
        errors.at(
            model.ident.span(),
            format!("handler `{}` takes no packet: one argument must be the packet it handles, by value", model.ident),
        );
        return;
    }
    if matches!(model.kind, Kind::Authenticate) {
        authenticate(model, errors);
    }
    for arg in &signature.inputs {
        let FnArg::Typed(arg) = arg else { continue };
        // check: conditional-argument
        if let Some(attr) = arg.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.on(attr, "an argument of a handler is always there: put `#[cfg(…)]` on the function, and write another for the other case");
        }
        if let Type::Reference(reference) = bare(&arg.ty)
            && let Some(lifetime) = &reference.lifetime
        {
            // check: static-reference
            if lifetime.ident == "static" {
                errors.on(lifetime, "a handler borrows while it runs: write `&State`, or take `Arc<State>` to keep it");
            }
        }
    }
    senders(model, errors);
    for arg in &model.args {
        if let Arg::Lent { reference, .. } = arg {
            // check: mutable-reference
            if let Some(token) = &reference.mutability {
                errors.at(
                    token.span(),
                    "handlers share the state: take `&State`, and put what changes into a `Mutex` or an atomic",
                );
            }
        }
    }
}

/// What a handler that authenticates takes and returns.
fn authenticate(model: &Model<'_>, errors: &mut Errors) {
    let mut credentials = model.values().filter(|ty| !is_kept(ty));
    // check: no-credentials-argument
    if credentials.next().is_none() {
        errors.at(
            model.ident.span(),
            format!(
                "handler `{}` takes no credentials: one argument must be what `credentials …;` in the protocol says, by value",
                model.ident
            ),
        );
    }
    // check: two-credentials-arguments
    if let Some(second) = credentials.next() {
        errors.on(
            second,
            "beside the credentials a handler that authenticates takes `&Arrival`, `&State` or a part of it, `Arc<State>` and `Hub<Protocol>`",
        );
    }
    // check: authenticate-returns
    if model.user().is_none() {
        const RETURNS: &str = "a handler that authenticates returns `Result<User, Refused>`, written out: who the client is, or why it is refused";
        match &model.output {
            Some(output) => errors.on(output, RETURNS),
            None => errors.at(model.ident.span(), RETURNS),
        }
    }
}

/// The producer's end of a stream, where there can be none.
fn senders(model: &Model<'_>, errors: &mut Errors) {
    for arg in &model.args {
        // check: borrowed-sender
        if let Arg::Lent { ty, reference } = arg
            && is_sender(ty)
        {
            errors.on(reference, "a handler owns its end of the stream: take the `StreamSender` by value");
        }
    }
    let mut senders = model.senders();
    let Some(first) = senders.next() else { return };
    // check: sender-of-no-packet
    if !matches!(model.kind, Kind::Action { .. }) {
        errors.on(first, "only the handler of a packet that is answered with a stream has a `StreamSender`");
        return;
    }
    // check: two-senders
    if let Some(second) = senders.next() {
        errors.on(second, "a handler produces one stream: take one `StreamSender`");
        return;
    }
    // check: sync-sender
    if !model.is_async {
        errors.at(
            model.function.sig.fn_token.span,
            "a handler of a stream is an `async fn`, which may wait: write `async fn`",
        );
    }
}
