//! What came of a load, and whether it can be believed.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    chart,
    record::Counts,
    run::Done,
    schedule::Plan,
    times::{QUANTILES, Times, nanos},
};
use crate::{
    arguments::Load,
    duration::short,
    output::{Output, Style},
    text,
};

/// What came of a load.
#[derive(Debug)]
pub(super) struct Report {
    action: String,
    address: String,
    connections: usize,
    rate: f64,
    length: Duration,
    /// Calls a second that were answered while they were asked for.
    achieved: f64,
    counts: Counts,
    response: Times,
    service: Times,
    lag: Times,
    late: Times,
    connect: Times,
    local: bool,
    /// Why it cannot be believed.
    reasons: Vec<String>,
}

impl Report {
    pub(super) fn new(arguments: &Load, plan: Plan, done: Done, connect: Times, local: bool) -> Self {
        let Done { record, late, interrupted } = done;
        // The answers of the time that was asked for, later by as much as an answer takes: a server that falls behind has
        // ever more calls open, and most of their answers come later than that.
        let usual = Duration::from_nanos(record.response.value_at_quantile(0.5));
        let answers = record.timeline.until(plan.length() + usual);
        let achieved = answers as f64 / plan.slots() as f64 * plan.rate();
        let mut report = Self {
            action: arguments.action.clone(),
            address: arguments.target.address.clone(),
            connections: arguments.connections.get(),
            rate: plan.rate(),
            length: plan.length(),
            achieved,
            counts: record.counts,
            response: record.response,
            service: record.service,
            lag: record.lag,
            late,
            connect,
            local,
            reasons: Vec::new(),
        };
        report.judge(interrupted, arguments.max_in_flight);
        report
    }

    fn judge(&mut self, interrupted: bool, max_in_flight: usize) {
        let mut reasons = Vec::new();
        if interrupted {
            reasons.push("it was ended before its time".to_owned());
        }
        let (late, response) = (self.late.value_at_quantile(0.99), self.response.value_at_quantile(0.99));
        let generator = late > nanos(ALWAYS_LATE) && late > response / 10;
        if generator {
            let late = short(Duration::from_nanos(late));
            reasons.push(format!(
                "the generator itself was late by {late} (p99): this machine has too little time for it"
            ));
        }
        if self.counts.not_sent > 0 {
            let not_sent = self.counts.not_sent;
            reasons.push(format!("{not_sent} calls were not made, since {max_in_flight} were open (--max-in-flight)"));
        }
        if self.achieved < 0.99 * self.rate && !interrupted {
            let whose = if generator { "" } else { ": the server, or the way there, is slower than that" };
            let (achieved, rate) = (per_second(self.achieved), per_second(self.rate));
            reasons.push(format!("rate not sustained: {achieved} of {rate} answered in time{whose}"));
        }
        if self.counts.ok == 0 {
            reasons.push("no call was answered as it should be".to_owned());
        }
        self.reasons = reasons;
    }

    /// Whether the rate was sustained, so that the times mean what they say.
    pub(super) const fn is_valid(&self) -> bool {
        self.reasons.is_empty()
    }

    /// One object with everything. Times are in microseconds.
    pub(super) fn to_json(&self) -> Value {
        let counts = &self.counts;
        json!({
            "event": "load",
            "valid": self.is_valid(),
            "reasons": self.reasons,
            "action": self.action,
            "address": self.address,
            "connections": self.connections,
            "for_s": self.length.as_secs_f64(),
            "rate": {"asked": self.rate, "achieved": (self.achieved * 1000.0).round() / 1000.0},
            "calls": {
                "sent": counts.sent,
                "ok": counts.ok,
                "failed": counts.failed(),
                "unanswered": counts.unanswered,
                "not_sent": counts.not_sent,
            },
            "errors": counts.errors,
            "response_us": in_micros(&self.response),
            "service_us": in_micros(&self.service),
            "lag_us": in_micros(&self.lag),
            "generator_late_us": in_micros(&self.late),
            "connect_us": in_micros(&self.connect),
            "uncertain": QUANTILES.iter().filter(|(_, part)| is_uncertain(&self.response, *part)).map(|(name, _)| *name).collect::<Vec<_>>(),
            "same_machine": self.local,
        })
    }

    /// The same for people, with a histogram.
    pub(super) fn to_text(&self, output: &Output) -> String {
        let counts = &self.counts;
        let mut lines = vec![
            format!(
                "{} at {}, {} for {}, {}",
                output.paint(Style::Bold, &text::escape(&self.action)),
                text::escape(&self.address),
                per_second(self.rate),
                short(self.length),
                counted(self.connections),
            ),
            format!(
                "calls     {} sent, {} ok, {} failed, {} unanswered, {} not sent",
                counts.sent,
                counts.ok,
                counts.failed(),
                counts.unanswered,
                counts.not_sent
            ),
            format!("rate      {} asked, {} achieved", per_second(self.rate), per_second(self.achieved)),
        ];
        lines.extend(
            counts
                .errors
                .iter()
                .map(|(kind, count)| output.paint(Style::Red, &format!("error     {}: {count}", text::escape(kind)))),
        );
        lines.push(String::new());
        let head: String = QUANTILES.iter().map(|(name, _)| format!("{name:>11}")).collect();
        lines.push(output.paint(Style::Dim, &format!("{:10}{head}{:>11}", "", "max")));
        for (name, times) in
            [("response", &self.response), ("service", &self.service), ("lag", &self.lag), ("connect", &self.connect)]
        {
            lines.push(row(name, times));
        }
        lines.push(String::new());
        lines.extend(chart::bars(&self.response));
        lines.push(String::new());
        if QUANTILES.iter().any(|(_, part)| is_uncertain(&self.response, *part)) {
            lines.push(format!("~ fewer than {FEW} calls took longer: a longer run would say more"));
        }
        lines.push(format!(
            "generator late by {} (p99)",
            short(Duration::from_nanos(self.late.value_at_quantile(0.99)))
        ));
        if self.local {
            lines.push("generator and server share this machine".to_owned());
        }
        lines.push(if self.is_valid() {
            output.paint(Style::Green, "valid: the rate was sustained")
        } else {
            output.paint(Style::Red, &format!("not valid: {}", text::escape(&self.reasons.join("; "))))
        });
        lines.join("\n")
    }

    /// A picture of the response times, which stands for itself.
    pub(super) fn to_svg(&self) -> String {
        let title = format!("{} at {}: response times", text::escape(&self.action), text::escape(&self.address));
        let about = format!(
            "{:.0}/s asked, {:.0}/s achieved, for {} on {}, {} ok of {}{}",
            self.rate,
            self.achieved,
            short(self.length),
            counted(self.connections),
            self.counts.ok,
            self.counts.sent,
            if self.is_valid() { "" } else { "; not valid" },
        );
        chart::svg(&self.response, &title, &about, self.is_valid())
    }
}

/// So many connections, in words.
fn counted(connections: usize) -> String {
    if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") }
}

fn row(name: &str, times: &Times) -> String {
    let shown: String = QUANTILES
        .iter()
        .map(|(_, part)| {
            let mark = if is_uncertain(times, *part) { "~" } else { "" };
            format!("{:>11}", format!("{mark}{}", short(Duration::from_nanos(times.value_at_quantile(*part)))))
        })
        .collect();
    format!("{name:10}{shown}{:>11}", short(Duration::from_nanos(times.max())))
}

fn in_micros(times: &Times) -> Value {
    let micros = |nanos: u64| json!(nanos as f64 / 1e3);
    let mut all = Map::new();
    for (name, part) in QUANTILES {
        all.insert(name.to_owned(), micros(times.value_at_quantile(part)));
    }
    all.insert("max".to_owned(), micros(times.max()));
    Value::Object(all)
}

/// Whether so few calls took longer that another run may say something else.
fn is_uncertain(times: &Times, part: f64) -> bool {
    (times.len() as f64) * (1.0 - part) < FEW
}

fn per_second(rate: f64) -> String {
    if rate >= 100.0 { format!("{rate:.0}/s") } else { format!("{rate:.2}/s") }
}

const FEW: f64 = 10.0;

/// A thread is always late by about so much.
const ALWAYS_LATE: Duration = Duration::from_micros(150);
