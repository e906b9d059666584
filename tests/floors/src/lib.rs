//! Which modules of a crate use which, and whether siblings do so in a circle.
//!
//! The modules of one parent, a *level*, stand on floors: each uses those on the floors below it and never one that uses
//! it, directly or by way of others. A module counts with all that is below it. The test `tree` holds this for every crate
//! of the repository; where two siblings use each other it prints the circle.
//!
//! ```text
//! cargo test -p pnet-floors
//! PNET_FLOORS=print cargo test -p pnet-floors --test tree    # the floors of every level, lowest first
//! ```
//!
//! # What is a use
//!
//! A path in the code of a module: in a `use`, an expression, a type, a pattern, a bound, and in what a macro is called
//! with. Paths in attributes, doc comments and visibilities are not, nor what `quote!` makes, nor code that only tests
//! have: a test may look anywhere. Types are not inferred, so a method called on a value is none.
//!
//! A name is followed through every re-export to the module that defines it: this one is used, and so is each module that
//! the path names. A variant, an associated item or a method belongs to the type whose name is written.
//!
//! Where one of two modules is below the other, neither is a sibling of the other, and a use counts for nothing.

pub use self::{
    circles::{Circle, Level, Witness},
    crates::{Crate, repository},
    report::{circles_of, floors_of},
};

mod cfg;
mod circles;
mod crates;
mod names;
mod report;
mod tree;
mod uses;
