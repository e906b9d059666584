//! Tables in Markdown.

use std::fmt::Write as _;

use crate::{
    claims::{judge, raw_system_calls},
    contestants,
    figures::{Figure, Figures},
    rounds::{Run, Runtime},
    scenario::{self, Play, Scenario},
    stats::{Spread, spread},
};

/// All tables, one after the other.
pub fn tables(runs: &[Run], figures: &Figures) -> String {
    let mut text = String::new();
    claims(&mut text, figures);
    for runtime in [Runtime::Current, Runtime::Multi] {
        ratios(&mut text, figures, runtime, Figure::Rate, "Rate ÷ raw's (more is better)");
        ratios(
            &mut text,
            figures,
            runtime,
            Figure::ServerCpu,
            "Server CPU ÷ raw's, for each thing done (less is better)",
        );
    }
    own(&mut text, runs, figures);
    if let Some(calls) = raw_system_calls(runs) {
        // Writing to memory does not fail.
        let _ = writeln!(text, "\nraw's server makes {calls:.3} system calls a call at 64 in flight.");
    }
    text
}

fn claims(text: &mut String, figures: &Figures) {
    let judged = judge(figures);
    if judged.is_empty() {
        return;
    }
    text.push_str("| | to be | measured | quartiles | |\n|---|--:|--:|--:|---|\n");
    for claim in judged {
        let Spread { low, median, high } = claim.measured;
        let verdict = match claim.reached {
            Some(true) => "reached",
            Some(false) => "**not reached**",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {} | {} | **{}** | {} – {} | {verdict} |",
            claim.what,
            claim.bound,
            number(median),
            number(low),
            number(high)
        );
    }
}

fn ratios(text: &mut String, figures: &Figures, runtime: Runtime, figure: Figure, title: &str) {
    let scenarios: Vec<Scenario> = scenario::ALL
        .into_iter()
        .filter(|scenario| figure == Figure::Rate || !matches!(scenario.play, Play::Idle { .. }))
        .filter(|scenario| {
            contestants::ALL.iter().any(|entry| figures.ratio(runtime, scenario.name, entry.name, figure).is_some())
        })
        .collect();
    if scenarios.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}, on `{}`; medians, with quartiles below:\n", runtime.name());
    text.push_str("| |");
    scenarios.iter().for_each(|scenario| {
        let _ = write!(text, " {} |", scenario.name);
    });
    text.push_str("\n|---|");
    scenarios.iter().for_each(|_| text.push_str("--:|"));
    text.push('\n');
    for entry in contestants::ALL {
        let cells: Vec<_> =
            scenarios.iter().map(|scenario| figures.ratio(runtime, scenario.name, entry.name, figure)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(text, "| {} |", entry.name);
        for cell in cells {
            match cell {
                Some(Spread { low, median, high }) => {
                    let _ = write!(text, " **{}**<br>{}–{} |", number(median), number(low), number(high));
                }
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
}

/// Figures that are no ratios: how fast this machine was, latencies, memory.
fn own(text: &mut String, runs: &[Run], figures: &Figures) {
    text.push_str(
        "\nWhat `raw` did on this machine, to know what the ratios are ratios of:\n\n| | | median |\n|---|---|--:|\n",
    );
    for scenario in scenario::ALL {
        let Some(rate) = figures.value(Runtime::Current, scenario.name, "raw", Figure::Rate) else { continue };
        if !matches!(scenario.play, Play::Idle { .. } | Play::Open { .. }) {
            let (name, about) = (scenario.name, scenario.about);
            let _ = writeln!(text, "| {name} | {about} | {} {}/s |", thousands(rate.median), scenario.unit);
        }
    }
    let of = |name: &str, scenario: &str, value: fn(&Run) -> u64| {
        let runs = runs
            .iter()
            .filter(|run| run.contestant == name && run.scenario.name == scenario && run.runtime == Runtime::Current);
        spread(runs.map(|run| value(run) as f64)).map(|spread| spread.median)
    };
    text.push_str(
        "\nMemory of an idle connection (resident, 10,000 connections), and latency in µs: of single calls on one core, and at \
         20,000 calls a second:\n\n| | server B | client B | seq1core p50 | p99 | open p50 | p99 | p99.9 |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for entry in contestants::ALL {
        let cells = [
            of(entry.name, "idle", |run| run.server_resident),
            of(entry.name, "idle", |run| run.outcome.resident),
            of(entry.name, "seq1core", |run| run.outcome.p50).map(|nanos| nanos / 1000.0),
            of(entry.name, "seq1core", |run| run.outcome.p99).map(|nanos| nanos / 1000.0),
            of(entry.name, "open", |run| run.outcome.p50).map(|nanos| nanos / 1000.0),
            of(entry.name, "open", |run| run.outcome.p99).map(|nanos| nanos / 1000.0),
            of(entry.name, "open", |run| run.outcome.p999).map(|nanos| nanos / 1000.0),
        ];
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells.iter().map(|cell| cell.map_or_else(String::new, thousands)).collect();
            let _ = writeln!(text, "| {} | {} |", entry.name, cells.join(" | "));
        }
    }
}

/// A ratio, with as many digits as mean something.
pub fn number(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.1}")
    } else if ratio >= 0.095 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.3}")
    }
}

/// A whole number with commas.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!((number(12.34), number(0.954), number(0.0123)), ("12.3".into(), "0.95".into(), "0.012".into()));
        assert_eq!((thousands(1_234_567.8), thousands(12.0)), ("1,234,568".into(), "12".into()));
    }
}
