//! A handle of something that is no protocol.

pub struct Net;

pub fn run(_net: &pnet::Client<Net>) {}
