//! Histograms of times, in characters and as SVG: both with a scale on which each step is as many times longer.

use std::{fmt::Write, time::Duration};

use super::times::{QUANTILES, Times, nanos};
use crate::duration::short;

/// The histogram in lines: a bar for each step from the shortest time to the longest.
pub(super) fn bars(times: &Times) -> Vec<String> {
    let steps = steps(times, BARS);
    let most = steps.iter().map(|step| step.count).max().unwrap_or(0).max(1);
    steps
        .iter()
        .map(|step| {
            let len = (step.count as f64 / most as f64 * BAR_LEN as f64).ceil() as usize;
            format!("{:>9} {:BAR_LEN$} {}", short(step.until), "#".repeat(len), step.count)
        })
        .collect()
}

/// How many times are longer than those of the step before, and not longer than this.
#[derive(Debug, PartialEq)]
struct Step {
    until: Duration,
    count: u64,
}

/// Divides the times into steps of one, two and five.
fn steps(times: &Times, most: usize) -> Vec<Step> {
    if times.is_empty() {
        return Vec::new();
    }
    let first = times.min().max(1);
    let mut until = 100_u64;
    let mut factors = [2.0, 2.5, 2.0].into_iter().cycle();
    let mut next = |until: u64| (until as f64 * factors.next().unwrap_or(2.0)).round() as u64;
    while until < first {
        until = next(until);
    }
    let mut found = Vec::new();
    loop {
        let last = found.len() + 1 == most || until >= times.max();
        let until_now = if last { until.max(times.max()) } else { until };
        found.push(Step { until: Duration::from_nanos(until_now), count: 0 });
        if last {
            break;
        }
        until = next(until);
    }
    let mut step = 0;
    for value in times.iter_recorded() {
        // They come in order. What is counted as one may be a little longer than the longest.
        while step + 1 < found.len() && nanos(found[step].until) < times.lowest_equivalent(value.value_iterated_to()) {
            step += 1;
        }
        found[step].count += value.count_since_last_iteration();
    }
    found
}

/// A picture of the times with their percentiles, under two lines of text; the second is red if the times are not `valid`.
pub(super) fn svg(times: &Times, title: &str, about: &str, valid: bool) -> String {
    let low = (times.min().max(100) as f64).log10();
    let high = (times.max().max(1000) as f64).log10().max(low + 0.3);
    let x = |nanos: f64| LEFT + (nanos.max(1.0).log10() - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let counts = columns(times, low, high);
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let floor = HEIGHT - BOTTOM;

    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"17\" fill=\"#222222\">{}</text>\n\
         <text x=\"{LEFT}\" y=\"46\" fill=\"{}\">{}</text>\n",
        xml(title),
        if valid { "#555555" } else { "#b00020" },
        xml(about),
    );
    let width = (WIDTH - LEFT - RIGHT) / COLUMNS as f64;
    for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // The root, so that a single call can be seen beside a million.
        let height = ((*count as f64 / most).sqrt() * (floor - TOP)).max(1.0);
        let left = LEFT + column as f64 * width;
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#4472b0\"><title>{count}</title></rect>",
            floor - height,
            width - 0.5,
        );
    }
    let _ = writeln!(
        out,
        "<line x1=\"{LEFT}\" y1=\"{floor}\" x2=\"{}\" y2=\"{floor}\" stroke=\"#222222\"/>",
        WIDTH - RIGHT
    );
    for power in (low.ceil() as i32)..=(high.floor() as i32) {
        let nanos = 10_f64.powi(power);
        let label = short(Duration::from_nanos(nanos as u64)).replace(".00", "").replace(".0", "");
        let _ = writeln!(
            out,
            "<line x1=\"{0:.1}\" y1=\"{floor}\" x2=\"{0:.1}\" y2=\"{1}\" stroke=\"#222222\"/>\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\" fill=\"#222222\">{label}</text>",
            x(nanos),
            floor + 5.0,
            floor + 20.0,
        );
    }
    let percentiles = QUANTILES.iter().map(|(name, part)| (*name, times.value_at_quantile(*part)));
    for (row, (name, nanos)) in percentiles.chain([("max", times.max())]).enumerate() {
        let (at, label) = (x(nanos as f64), short(Duration::from_nanos(nanos)));
        let y = TOP + 14.0 + row as f64 * 16.0;
        let (anchor, beside) = if at > WIDTH - RIGHT - 130.0 { ("end", -5.0) } else { ("start", 5.0) };
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{floor}\" stroke=\"#b05a00\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{:.1}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"#b05a00\">{name} {label}</text>",
            at + beside,
        );
    }
    out.push_str("</svg>\n");
    out
}

/// How many times fall into each column of a scale between two powers of ten.
fn columns(times: &Times, low: f64, high: f64) -> Vec<u64> {
    let mut counts = vec![0; COLUMNS];
    for value in times.iter_recorded() {
        let at = ((value.value_iterated_to().max(1) as f64).log10() - low) / (high - low) * COLUMNS as f64;
        let column = (at.max(0.0) as usize).min(COLUMNS - 1);
        if let Some(count) = counts.get_mut(column) {
            *count += value.count_since_last_iteration();
        }
    }
    counts
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Most lines of a histogram.
const BARS: usize = 24;

const BAR_LEN: usize = 50;

const COLUMNS: usize = 160;

const WIDTH: f64 = 900.0;

const HEIGHT: f64 = 420.0;

const LEFT: f64 = 30.0;

const RIGHT: f64 = 30.0;

const TOP: f64 = 64.0;

const BOTTOM: f64 = 36.0;

#[cfg(test)]
mod tests {
    use super::{super::times::times, *};

    #[test]
    fn every_time_is_in_one_step() {
        let mut all = times();
        for micros in [3, 70, 90, 150, 400, 2_000_000] {
            all.saturating_record(nanos(Duration::from_micros(micros)));
        }
        let steps = steps(&all, 24);
        assert_eq!(steps.iter().map(|step| step.count).sum::<u64>(), 6);
        assert_eq!(steps[0], Step { until: Duration::from_micros(5), count: 1 });
        assert!(steps.windows(2).all(|pair| pair[0].until < pair[1].until));
        // Cut short, the last takes the rest.
        let cut = super::steps(&all, 3);
        assert_eq!((cut.len(), cut.iter().map(|step| step.count).sum::<u64>()), (3, 6));
        assert_eq!(columns(&all, 3.0, 10.0).iter().sum::<u64>(), 6);
        assert!(super::steps(&times(), 24).is_empty());
    }

    #[test]
    fn bars_are_as_long_as_they_are_many() {
        let mut all = times();
        all.record_n(1000, 100).expect("in bounds");
        all.record_n(3000, 50).expect("in bounds");
        let lines = bars(&all);
        let len = |line: &str| line.matches('#').count();
        assert_eq!((len(&lines[0]), len(lines.last().expect("two"))), (BAR_LEN, BAR_LEN / 2));
    }
}
