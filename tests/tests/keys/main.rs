//! Keys, certificates, and whom clients trust: what is in files, what becomes of it when it is wrong or replaced, and what
//! the errors say. Certificates and keys are made here, since those that are committed expire.
//!
//! Mostly in memory. Keys that pnet does not make itself come from `openssl`, which has to be there.

mod certificates;
mod create;
mod files;
mod foreign;
mod known_hosts;
mod reconnect;
mod reload;
mod roots;
mod settings;
mod support;
