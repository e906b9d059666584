//! Both dialects beside each other: the same conversation in either, peers of the old form, crowds, and what stays secret.
//! Mostly in memory, with the clock paused.

mod again;
mod at_run_time;
mod old_peers;
mod regressions;
mod same_conversation;
mod secrets;
mod silence;
mod support;
mod suspended;
mod variety;
mod views;
