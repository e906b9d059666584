//! The order of play: `raw` stands before and after every other run, so that each is compared with how fast the machine
//! was just then.

use std::time::Duration;

use crate::{
    client::Outcome,
    contestant::Result,
    contestants::{self, Entry},
    keys::Folder,
    process::{self, Process},
    scenario::{Play, Scenario},
    server::Counted,
};

/// How tokio runs both processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// One thread each, on a core of its own.
    Current,
    /// Two workers each, wherever the system puts them.
    Multi,
}

impl Runtime {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current_thread",
            Self::Multi => "multi_thread",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Current, Self::Multi].into_iter().find(|runtime| runtime.name() == name)
    }
}

/// What is played.
#[derive(Debug)]
pub struct Plan {
    pub scenarios: Vec<Scenario>,
    pub contestants: Vec<Entry>,
    pub runtimes: Vec<Runtime>,
    pub rounds: usize,
    pub window: Duration,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    pub round: usize,
    pub runtime: Runtime,
    pub scenario: Scenario,
    pub contestant: &'static str,
    /// Its place among the runs of its round, scenario and runtime; `raw` has the even ones.
    pub place: usize,
    pub outcome: Outcome,
    /// CPU time of the server in the window.
    pub server_nanos: u64,
    /// Resident bytes of the server for each idle connection.
    pub server_resident: u64,
    /// Of the server in the window, as far as it counts itself.
    pub counted: Counted,
}

impl Run {
    /// The figure that is compared: how much was done in a second. Of idle connections and latencies, the reciprocal of
    /// what each costs, so that more is always better.
    pub fn score(&self) -> f64 {
        match self.scenario.play {
            Play::Idle { .. } => 1.0 / self.server_resident as f64,
            Play::Open { .. } => 1.0 / self.outcome.p99 as f64,
            _ => self.outcome.done as f64 * 1e9 / self.outcome.nanos as f64,
        }
    }

    /// CPU time of the server for each thing done, in nanoseconds.
    pub fn server_cost(&self) -> f64 {
        self.server_nanos as f64 / self.outcome.done as f64
    }

    /// The same of the client.
    pub fn client_cost(&self) -> f64 {
        self.outcome.cpu_nanos as f64 / self.outcome.done as f64
    }
}

/// Plays everything: the runs, and what is to be told of those that failed. `keys` is there for contestants with TLS.
pub fn play(plan: &Plan, keys: &Folder) -> (Vec<Run>, Vec<String>) {
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        for scenario in &plan.scenarios {
            // Memory is the same each time.
            if round > 0 && matches!(scenario.play, Play::Idle { .. }) {
                continue;
            }
            for runtime in &plan.runtimes {
                eprintln!("round {} of {}: {} on {}", round + 1, plan.rounds, scenario.name, runtime.name());
                for (place, entry) in order(plan, scenario, *runtime).into_iter().enumerate() {
                    match run(*scenario, entry, *runtime, plan.window, keys) {
                        Ok(run) => runs.push(Run { round, place, ..run }),
                        Err(error) => {
                            let failure =
                                format!("{} failed in {} on {}: {error}", entry.name, scenario.name, runtime.name());
                            eprintln!("{failure}");
                            failures.push(failure);
                        }
                    }
                }
            }
        }
    }
    (runs, failures)
}

/// `raw`, somebody, `raw`, somebody else, … `raw`.
fn order(plan: &Plan, scenario: &Scenario, runtime: Runtime) -> Vec<Entry> {
    let raw = contestants::ALL[0];
    let mut order = vec![raw];
    for entry in plan.contestants.iter().filter(|entry| entry.name != raw.name && entry.plays(scenario)) {
        if runtime == Runtime::Current || plays_multi(scenario, entry) {
            order.extend([*entry, raw]);
        }
    }
    if order.len() == 1 { Vec::new() } else { order }
}

/// Two threads are tried where much is going on at once.
fn plays_multi(scenario: &Scenario, entry: &Entry) -> bool {
    matches!(scenario.play, Play::Calls { in_flight: 16.., connections }
        if connections > 1 || !entry.is_peer)
}

fn run(scenario: Scenario, entry: Entry, runtime: Runtime, window: Duration, keys: &Folder) -> Result<Run> {
    let core = |core: usize| match runtime {
        Runtime::Current => if scenario.one_core { "0" } else { ["0", "1"][core] }.to_owned(),
        Runtime::Multi => "any".to_owned(),
    };
    let args = |role: &str, core: String| {
        [role, entry.name, runtime.name(), &core].into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut server = Process::start(&args("server", core(0)), keys)?;
    let addr = server.line()?;
    let mut args = args("client", core(1));
    args.extend([scenario.name.to_owned(), addr, window.as_millis().to_string()]);
    let mut client = Process::start(&args, keys)?;
    wait_for(&mut client, "begin")?;
    let (cpu, memory) = (process::cpu_nanos(&server.pid())?, process::resident(&server.pid())?);
    let counted: Counted = serde_json::from_str(&server.ask("counted")?)?;
    wait_for(&mut client, "end")?;
    let server_nanos = process::cpu_nanos(&server.pid())?.saturating_sub(cpu);
    let after: Counted = serde_json::from_str(&server.ask("counted")?)?;
    let server_resident = match scenario.play {
        Play::Idle { connections } => {
            process::resident(&server.pid())?.saturating_sub(memory) / u64::try_from(connections)?
        }
        _ => 0,
    };
    let outcome = serde_json::from_str(&client.line()?)?;
    let counted =
        Counted { calls: after.calls - counted.calls, system_calls: after.system_calls - counted.system_calls };
    let contestant = entry.name;
    Ok(Run { round: 0, runtime, scenario, contestant, place: 0, outcome, server_nanos, server_resident, counted })
}

fn wait_for(process: &mut Process, word: &str) -> Result<()> {
    let line = process.line()?;
    if line == word { Ok(()) } else { Err(line.into()) }
}
