//! What calls cost, counted: one small protocol, peers that are nothing but prepared bytes, and loops over them.
//!
//! Nothing here looks at a clock. The tests count instructions, allocations, system calls and bytes; the benchmark
//! `in_memory` times the same loops.

pub mod adder;
pub mod answerer;
pub mod hand;
pub mod loops;
pub mod script;
