//! Plays one loop of calls without a kernel, for a profiler to look at: `in-memory CASE SIZE BATCHES`.

use std::process::ExitCode;

use pnet_counted::loops::Case;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let case = args.next().as_deref().and_then(Case::named);
    let size = args.next().and_then(|size| size.parse().ok());
    let batches = args.next().and_then(|batches| batches.parse().ok());
    let (Some(case), Some(size), Some(batches)) = (case, size, batches) else {
        let names: Vec<_> = Case::ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("in-memory CASE SIZE BATCHES, where CASE is one of: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    case.play(size, batches);
    ExitCode::SUCCESS
}
