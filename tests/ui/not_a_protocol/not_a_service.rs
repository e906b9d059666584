//! Serving something that is no service.
//! Two errors: `serve` and its arguments need the service's types.

pub struct Net;

pub fn run() {
    let _ = pnet::serve(Net, ());
}
