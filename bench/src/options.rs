//! The command line.

use std::{path::PathBuf, time::Duration};

use crate::{
    contestant::Result,
    contestants,
    rounds::{Plan, Runtime},
    scenario,
};

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    pub plan: Plan,
    /// Where the report is written.
    pub folder: PathBuf,
}

const HELP: &str = "\
--quick               one short round of everything, to see that it works
--rounds N            rounds; 7 unless given
--millis N            the window of each run; 250 unless given
--only A,B            these scenarios
--contestants A,B     these contestants; raw is always there
--runtime NAME        current_thread or multi_thread; both unless given
--out FOLDER          where the report is written; target/report unless given";

impl Options {
    pub fn read(args: &[String]) -> Result<Self> {
        let mut plan = Plan {
            scenarios: scenario::ALL.to_vec(),
            contestants: contestants::ALL.to_vec(),
            runtimes: vec![Runtime::Current, Runtime::Multi],
            rounds: 7,
            window: Duration::from_millis(250),
        };
        let mut folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/report"));
        let mut args = args.iter();
        while let Some(option) = args.next() {
            if option == "--quick" {
                (plan.rounds, plan.window) = (1, Duration::from_millis(100));
                continue;
            }
            let value = args.next().ok_or(HELP)?;
            match option.as_str() {
                "--rounds" => plan.rounds = value.parse()?,
                "--millis" => plan.window = Duration::from_millis(value.parse()?),
                "--only" => plan.scenarios = all(value, scenario::named)?,
                "--contestants" => plan.contestants = all(value, contestants::named)?,
                "--runtime" => plan.runtimes = all(value, Runtime::named)?,
                "--out" => folder = PathBuf::from(value),
                _ => return Err(HELP.into()),
            }
        }
        Ok(Self { plan, folder })
    }
}

fn all<T>(names: &str, named: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    names.split(',').map(|name| named(name).ok_or_else(|| format!("there is no `{name}`").into())).collect()
}
