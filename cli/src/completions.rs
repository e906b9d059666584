//! `pnet completions`: what a shell needs to complete the tool's words.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::{
    exit::{Exit, Failure},
    output::Output,
};

pub(crate) fn run(shell: Shell, mut command: Command, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut command, "pnet", &mut script);
    output.write(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}
