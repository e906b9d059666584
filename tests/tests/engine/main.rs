//! The run time: order, cancellation, back-pressure, faults, and how connections begin and end. Mostly in memory, with
//! the clock paused: nothing sleeps, and what takes 30 s here takes no time.

mod answers;
mod begin_and_end;
mod budget;
mod calls;
mod cancellation;
mod deadlines;
mod down;
mod drain;
mod edges;
mod faults;
mod hub;
mod inbox_and_hub;
mod life;
mod misbehaviour;
mod net;
mod order;
mod pressure;
mod reconnect;
mod regressions;
mod slow;
mod streams;
mod stress;
mod support;
mod tcp;
