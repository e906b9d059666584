//! The macros of `pnet`; use them through it. What they accept and refuse is described at their re-exports there.
//!
//! Each macro is a pipeline: tokens become a `model` (our structs, spans kept), `check` looks for mistakes across its
//! parts, `expand` writes the output without further decisions. All mistakes of one use are reported together, each at the smallest
//! guilty token, and even then enough is emitted to keep the rest of the program free of second-hand errors.
//! What can only be known from types is left to the compiler: bounds with messages of their own, and constants that
//! refuse to be evaluated.

use proc_macro::TokenStream;

mod action;
mod actions;
mod attr;
mod diagnostics;
mod lifetimes;
mod names;
mod packet;
mod protocol;
mod schema;

/// Makes a type a packet. See `pnet::Packet`.
#[proc_macro_derive(Packet, attributes(packet, schema))]
pub fn derive_packet(input: TokenStream) -> TokenStream {
    packet::derive(input.into()).into()
}

/// Describes a type that packets hold. See `pnet::Schema`.
#[proc_macro_derive(Schema, attributes(schema))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    schema::derive(input.into()).into()
}

/// Declares a protocol: who sends what, and what answers it.
#[proc_macro]
pub fn protocol(input: TokenStream) -> TokenStream {
    protocol::protocol(input.into()).into()
}

/// Makes a free function the handler of an action.
#[proc_macro_attribute]
pub fn action(attribute: TokenStream, item: TokenStream) -> TokenStream {
    action::action(attribute.into(), item.into()).into()
}

/// Puts handlers together to a service.
#[proc_macro]
pub fn actions(input: TokenStream) -> TokenStream {
    actions::actions(input.into()).into()
}
