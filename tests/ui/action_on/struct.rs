//! `#[action]` on something else.

use pnet::action;

#[action("ADD")]
pub struct Add;
