//! A function of one's own that wants a part the state does not have.

use pnet::Provide;

pub struct App;

pub struct Db;

fn open(_state: &impl Provide<Db>) {}

pub fn run() {
    open(&App);
}
