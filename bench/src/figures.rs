//! From runs to figures: each run beside the runs of `raw` just before and after it.

use std::collections::BTreeMap;

use crate::{
    rounds::{Run, Runtime},
    stats::{Spread, spread},
};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// How much is done in a second.
    Rate,
    /// CPU time of the server for each thing.
    ServerCpu,
    /// CPU time of the client for each thing.
    ClientCpu,
}

/// Ratios to `raw`, of all rounds.
#[derive(Debug)]
pub struct Figures {
    ratios: BTreeMap<Key, BTreeMap<usize, f64>>,
    values: BTreeMap<Key, BTreeMap<usize, f64>>,
}

/// Runtime, scenario, contestant, figure.
type Key = (&'static str, &'static str, &'static str, Figure);

impl Figures {
    pub fn of(runs: &[Run]) -> Self {
        let mut figures = Self { ratios: BTreeMap::new(), values: BTreeMap::new() };
        for run in runs {
            let key = |figure| (run.runtime.name(), run.scenario.name, run.contestant, figure);
            for (figure, value) in values(run) {
                // `raw` is played many times a round: its last one stands for the round.
                figures.values.entry(key(figure)).or_default().insert(run.round, value);
            }
            let beside = runs.iter().filter(|raw| {
                raw.contestant == "raw"
                    && (raw.round, raw.runtime, raw.scenario.name) == (run.round, run.runtime, run.scenario.name)
                    && raw.place.abs_diff(run.place) == 1
            });
            let beside: Vec<_> = beside.map(values).collect();
            if run.contestant == "raw" || beside.is_empty() {
                continue;
            }
            for (at, (figure, value)) in values(run).into_iter().enumerate() {
                let raw = beside.iter().map(|raw| raw[at].1).sum::<f64>() / beside.len() as f64;
                figures.ratios.entry(key(figure)).or_default().insert(run.round, value / raw);
            }
        }
        figures
    }

    /// A contestant's ratio to `raw`.
    pub fn ratio(&self, runtime: Runtime, scenario: &str, contestant: &str, figure: Figure) -> Option<Spread> {
        spread(self.rounds(runtime, scenario, contestant, figure)?.values().copied())
    }

    /// A contestant's ratio to another one: that of their ratios to `raw`, round by round.
    pub fn between(
        &self,
        runtime: Runtime,
        scenario: &str,
        (contestant, other): (&str, &str),
        figure: Figure,
    ) -> Option<Spread> {
        let ours = self.rounds(runtime, scenario, contestant, figure)?;
        let theirs = self.rounds(runtime, scenario, other, figure)?;
        spread(ours.iter().filter_map(|(round, ratio)| Some(ratio / theirs.get(round)?)))
    }

    /// A contestant's own figure, not compared with anything.
    pub fn value(&self, runtime: Runtime, scenario: &str, contestant: &str, figure: Figure) -> Option<Spread> {
        let key = find(&self.values, runtime, scenario, contestant, figure)?;
        spread(key.values().copied())
    }

    /// What two threads are to one, round by round.
    pub fn threads(&self, scenario: &str, contestant: &str) -> Option<Spread> {
        let multi = find(&self.values, Runtime::Multi, scenario, contestant, Figure::Rate)?;
        let current = find(&self.values, Runtime::Current, scenario, contestant, Figure::Rate)?;
        spread(multi.iter().filter_map(|(round, rate)| Some(rate / current.get(round)?)))
    }

    fn rounds(
        &self,
        runtime: Runtime,
        scenario: &str,
        contestant: &str,
        figure: Figure,
    ) -> Option<&BTreeMap<usize, f64>> {
        find(&self.ratios, runtime, scenario, contestant, figure)
    }
}

fn find<'a>(
    map: &'a BTreeMap<Key, BTreeMap<usize, f64>>,
    runtime: Runtime,
    scenario: &str,
    contestant: &str,
    figure: Figure,
) -> Option<&'a BTreeMap<usize, f64>> {
    let found = |key: &Key| key.0 == runtime.name() && key.1 == scenario && key.2 == contestant && key.3 == figure;
    map.iter().find(|(key, _)| found(key)).map(|(_, rounds)| rounds)
}

fn values(run: &Run) -> [(Figure, f64); 3] {
    [(Figure::Rate, run.score()), (Figure::ServerCpu, run.server_cost()), (Figure::ClientCpu, run.client_cost())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::Outcome, scenario, server::Counted};

    fn run(round: usize, place: usize, contestant: &'static str, done: u64) -> Run {
        let outcome = Outcome { done, nanos: 1_000_000_000, ..Outcome::default() };
        let scenario = scenario::named("many").unwrap();
        let (runtime, counted) = (Runtime::Current, Counted::default());
        Run { round, runtime, scenario, contestant, place, outcome, server_nanos: 100, server_resident: 0, counted }
    }

    #[test]
    fn a_run_is_compared_with_its_neighbours() {
        let runs = [
            run(0, 0, "raw", 100),
            run(0, 1, "a", 100),
            run(0, 2, "raw", 300),
            run(0, 3, "b", 150),
            run(0, 4, "raw", 300),
        ];
        let figures = Figures::of(&runs);
        let ratio = |name| figures.ratio(Runtime::Current, "many", name, Figure::Rate).map(|spread| spread.median);
        assert_eq!((ratio("a"), ratio("b"), ratio("raw")), (Some(0.5), Some(0.5), None));
        let between = figures.between(Runtime::Current, "many", ("a", "b"), Figure::Rate);
        assert_eq!(between.map(|spread| spread.median), Some(1.0));
        assert_eq!(figures.threads("many", "a"), None);
    }
}
