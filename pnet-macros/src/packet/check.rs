//! Rules about actions and parameters of packets.

use syn::{ConstParam, GenericParam, TypeParam};

use super::model::Model;
use crate::{diagnostics::Errors, types::first_lifetime};

pub(crate) fn check(model: &Model, errors: &mut Errors) {
    match &model.view_of {
        None => {
            action(model, errors);
            // check: two-lifetimes
            for parameter in model.generics.lifetimes().skip(1) {
                let message = "a packet borrows from the one frame it came in: use one lifetime for all fields";
                errors.on(&parameter.lifetime, message);
            }
        }
        // check: view-of-lifetime
        Some(packet) => {
            if let Some(lifetime) = first_lifetime(packet) {
                errors.at(
                    lifetime,
                    "what a view shows is an answer, which cannot borrow: name a packet without a lifetime",
                );
            }
        }
    }
    for parameter in &model.generics.params {
        // check: generic-packet
        if let GenericParam::Type(TypeParam { ident, .. }) | GenericParam::Const(ConstParam { ident, .. }) = parameter {
            errors.on(
                ident,
                format!("a packet is not generic, since one action has one shape: replace `{ident}` by what it stands for, in a packet of its own for each"),
            );
        }
    }
}

fn action(model: &Model, errors: &mut Errors) {
    let action = model.action.value();
    let at = model.action.span();
    // check: action-empty
    if action.is_empty() {
        errors.at(
            at,
            "an action has a name: write 1 to 64 bytes, or leave `#[packet(…)]` out to get one from the type's name",
        );
    }
    // check: action-long
    if action.len() > MAX_ACTION {
        let len = action.len();
        errors.at(
            at,
            format!("an action has at most 64 bytes, and this one {len}: write a shorter name in `#[packet(\"…\")]`"),
        );
    }
    // check: action-control
    if action.contains(char::is_control) {
        errors.at(at, "an action holds no control characters: write a name that can be printed on one line");
    }
    // check: action-reserved
    if model.is_named && (RESERVED.contains(&action.as_str()) || action.starts_with("pnet.")) {
        errors.at(at, format!("the action \"{action}\" is reserved for pnet itself: write another name"));
    }
}

const MAX_ACTION: usize = 64;
const RESERVED: [&str; 2] = ["handShake", "disconnect"];
