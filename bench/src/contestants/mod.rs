//! Who plays.

mod fast_json;
mod framed_json;
mod jsonrpsee;
mod pnet;
mod raw;
mod raw_mux;
mod tarpc;
mod tonic;

use std::{net::SocketAddr, pin::Pin, time::Duration};

use tokio::net::TcpListener;

use crate::{
    client::{Outcome, play},
    contestant::{Contestant, Meter, Result},
    scenario::{Kind, Scenario},
};

/// A contestant without its types.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    plays: &'static [Kind],
    /// Whether it is another library.
    pub is_peer: bool,
    pub serve: fn(TcpListener, &'static Meter) -> Boxed<()>,
    pub play: fn(Scenario, SocketAddr, Duration) -> Boxed<Outcome>,
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

impl Entry {
    const fn of<C: Contestant>() -> Self {
        Self {
            name: C::NAME,
            plays: C::PLAYS,
            is_peer: false,
            serve: |listener, meter| Box::pin(C::serve(listener, meter)),
            play: |scenario, addr, window| Box::pin(play::<C>(scenario, addr, window)),
        }
    }

    const fn peer<C: Contestant>() -> Self {
        Self { is_peer: true, ..Self::of::<C>() }
    }

    /// Whether it plays the scenario: it can, and something is to be learnt from it.
    pub fn plays(&self, scenario: &Scenario) -> bool {
        self.plays.contains(&scenario.kind) && !(self.is_peer && scenario.without_peers())
    }
}

/// All of them. `raw` is what the others are compared with.
pub const ALL: &[Entry] = &[
    Entry::of::<raw::Raw>(),
    Entry::of::<raw_mux::RawMux>(),
    Entry::of::<pnet::Native>(),
    Entry::of::<pnet::Later>(),
    Entry::of::<pnet::Json>(),
    Entry::of::<pnet::Secured>(),
    Entry::of::<fast_json::FastJson>(),
    Entry::of::<framed_json::FramedJson>(),
    Entry::peer::<tarpc::Bincode>(),
    Entry::peer::<tarpc::Json>(),
    Entry::peer::<tonic::Tonic>(),
    Entry::peer::<tonic::Secured>(),
    Entry::peer::<jsonrpsee::JsonRpsee>(),
];

/// The contestant of this name.
pub fn named(name: &str) -> Option<Entry> {
    ALL.iter().find(|entry| entry.name == name).copied()
}
