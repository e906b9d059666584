//! What the engine counts for those who look into a server or client: see [`inspect`](crate::inspect).
//!
//! The engine calls it wherever something is to be counted. Without the feature `inspect` all of it is empty, and costs nothing.
//! With it, a [`Board`] has the sums of a server, or of a client over all its connections. What comes on every call is counted
//! apart: by a driver in its [`Tally`], by the sending half of a connection in its [`Sends`]. Both tell the board only when
//! another action comes, when the driver rests, and when somebody looks.

#[cfg(feature = "inspect")]
mod board;
#[cfg(feature = "inspect")]
mod histogram;
mod met;
#[cfg(not(feature = "inspect"))]
mod off;
#[cfg(feature = "inspect")]
pub(crate) mod snapshot;
#[cfg(feature = "inspect")]
mod tally;
#[cfg(feature = "inspect")]
mod trace;

pub(crate) use self::met::Met;
#[cfg(not(feature = "inspect"))]
pub(crate) use self::off::{Counts, Sends, Stopwatch, Tally, Trace, Which};
#[cfg(feature = "inspect")]
pub(crate) use self::{
    board::{Counts, Traffic},
    tally::{Load, Sends, Stopwatch, Tally, Which},
    trace::Trace,
};
