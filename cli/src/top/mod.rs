//! `pnet top`: a running program on the whole screen.

use crate::{
    arguments::Top,
    exit::{Exit, Failure},
    output::Output,
};

/// Shows the program until the user quits, or prints snapshots.
pub(crate) fn run(arguments: &Top, output: &Output) -> Result<Exit, Failure> {
    let _ = (arguments, output);
    Err(Failure::usage("`top` is not built yet"))
}
