//! A service for something that is no protocol.

use pnet::actions;

pub struct Net;

actions! { pub server Server for Net: }
