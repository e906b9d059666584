//! `actions!`.

mod expand;
mod model;

pub(crate) use self::{expand::expand, model::Model};
