//! A listed type.
//! Two errors: the name is looked up among values, too, to tell this from a name that does not exist.

use pnet::actions;
use sample::{Add, Math};

actions! { pub server Server for Math: Add }
