//! Every run, one to a line.

use std::fmt::Write as _;

use crate::rounds::Run;

pub fn csv(runs: &[Run]) -> String {
    let mut csv = String::from(
        "round,runtime,scenario,place,contestant,done,seconds,per_second,server_cpu_ns,client_cpu_ns,p50_ns,p99_ns,\
         p999_ns,server_bytes,client_bytes,raw_calls,raw_system_calls\n",
    );
    for run in runs {
        let outcome = &run.outcome;
        let seconds = outcome.nanos as f64 / 1e9;
        // Writing to memory does not fail.
        let _ = writeln!(
            csv,
            "{},{},{},{},{},{},{seconds:.6},{:.1},{},{},{},{},{},{},{},{},{}",
            run.round,
            run.runtime.name(),
            run.scenario.name,
            run.place,
            run.contestant,
            outcome.done,
            outcome.done as f64 / seconds,
            run.server_nanos,
            outcome.cpu_nanos,
            outcome.p50,
            outcome.p99,
            outcome.p999,
            run.server_resident,
            outcome.resident,
            run.counted.calls,
            run.counted.system_calls,
        );
    }
    csv
}
