//! Rules across the entries of a protocol.

use std::collections::{HashMap, HashSet};

use syn::Type;

use super::model::{Entry, Model, Reply};
use crate::{
    diagnostics::Errors,
    types::{first_lifetime, last_segment, text},
};

/// Reports mistakes; takes out what would be reported again by the compiler.
pub(crate) fn check(model: &mut Model, errors: &mut Errors) {
    let name = model.ident.to_string();
    list(&mut model.client, &format!("{name}FromClient"), errors);
    list(&mut model.server, &format!("{name}FromServer"), errors);
}

fn list(entries: &mut Vec<Entry>, inbox: &str, errors: &mut Errors) {
    let mut types = HashSet::new();
    let mut variants = HashMap::new();
    entries.retain_mut(|entry| {
        let written = text(&entry.ty);
        // check: listed-twice
        if !types.insert(written.clone()) {
            errors.on(&entry.ty, format!("`{written}` is listed twice: take it out here"));
            return false;
        }
        let Some(variant) = variant(&entry.ty) else { return true };
        // check: same-variant
        if let Some(other) = variants.insert(variant.to_string(), written.clone()) {
            errors.on(
                &entry.ty,
                format!(
                    "`{written}` and `{other}` would both be the variant `{variant}` of `{inbox}`: give one another name, `use … as Other{variant};` or `type Other{variant} = …;`"
                ),
            );
            return false;
        }
        reply(&mut entry.reply, errors);
        true
    });
}

fn reply(reply: &mut Reply, errors: &mut Errors) {
    let parts: Vec<&Type> = match reply {
        Reply::Packet(ty) | Reply::Stream(ty, None) => vec![ty],
        Reply::Result(reply, error) | Reply::Stream(reply, Some(error)) => vec![reply, error],
        Reply::None | Reply::Ack | Reply::Broken => return,
    };
    let mut is_broken = false;
    for ty in parts {
        // check: reply-lifetime
        if let Some(lifetime) = first_lifetime(ty) {
            let message =
                "an answer outlives the frame it came in, so it cannot borrow: use a packet without a lifetime";
            errors.at(lifetime, message);
            is_broken = true;
        }
    }
    if is_broken {
        *reply = Reply::Broken;
    }
}

/// The name of a packet's variant in the generated enum.
pub(crate) fn variant(ty: &Type) -> Option<&syn::Ident> {
    last_segment(ty).map(|segment| &segment.ident)
}
