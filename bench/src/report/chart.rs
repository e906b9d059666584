//! A chart in SVG: for each scenario the contestants' rates beside `raw`'s, on a logarithmic scale.

use std::fmt::Write as _;

use super::table::number;
use crate::{
    contestants,
    figures::{Figure, Figures},
    rounds::Runtime,
    scenario,
};

/// The chart; it follows the reader's preference for light or dark.
pub fn chart(figures: &Figures) -> String {
    let mut panels = String::new();
    let (mut column, mut bottoms) = (0, [TOP; COLUMNS]);
    for scenario in scenario::ALL {
        let mut bars: Vec<_> = contestants::ALL
            .iter()
            .filter_map(|entry| {
                let ratio = figures.ratio(Runtime::Current, scenario.name, entry.name, Figure::Rate)?;
                Some((entry.name, ratio.median))
            })
            .collect();
        if bars.is_empty() {
            continue;
        }
        bars.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (left, mut y) = (column as f64 * WIDTH, bottoms[column]);
        // Writing to memory does not fail.
        let _ = writeln!(
            panels,
            r#"<text class="title" x="{left}" y="{y}">{}</text><text class="about" x="{left}" y="{}">{}</text>"#,
            scenario.name,
            y + 15.0,
            scenario.about
        );
        y += 26.0;
        let (zero, one) = (left + LABELS, left + LABELS + place(1.0));
        let height = bars.len() as f64 * LINE;
        let _ = writeln!(panels, r#"<line class="one" x1="{one}" x2="{one}" y1="{}" y2="{}"/>"#, y - 4.0, y + height);
        for (name, ratio) in bars {
            let class = if name.starts_with("pnet") { "ours" } else { "theirs" };
            let length = place(ratio);
            let _ = writeln!(
                panels,
                r#"<text class="name" x="{}" y="{}">{name}</text><rect class="{class}" x="{zero}" y="{y}" width="{length:.1}" height="{}"/><text class="value" x="{:.1}" y="{}">{}</text>"#,
                zero - 6.0,
                y + 10.0,
                LINE - 4.0,
                zero + length + 4.0,
                y + 10.0,
                number(ratio)
            );
            y += LINE;
        }
        bottoms[column] = y + 34.0;
        column = (column + 1) % COLUMNS;
    }
    let (width, height) = (COLUMNS as f64 * WIDTH, bottoms.into_iter().fold(TOP, f64::max));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {} {height}" font-family="system-ui, sans-serif" font-size="11">
<style>
text {{ fill: #24292f; }} .title {{ font-weight: 600; font-size: 13px; }} .about {{ fill: #57606a; }}
.name {{ text-anchor: end; }} .ours {{ fill: #0969da; }} .theirs {{ fill: #8c959f; }} .one {{ stroke: #cf222e; stroke-dasharray: 3 2; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }} .about {{ fill: #8b949e; }} .ours {{ fill: #58a6ff; }} .theirs {{ fill: #6e7681; }} .one {{ stroke: #ff7b72; }}
}}
</style>
<text class="about" x="0" y="14">rate ÷ raw's (the red line), logarithmic; longer is better</text>
{panels}</svg>
"#,
        width + 12.0
    )
}

/// How long a ratio's bar is.
fn place(ratio: f64) -> f64 {
    let (least, most) = (LEAST.log10(), MOST.log10());
    let part = (ratio.log10() - least) / (most - least);
    part.clamp(0.0, 1.0) * BARS
}

const COLUMNS: usize = 2;
const WIDTH: f64 = 430.0;
const LABELS: f64 = 96.0;
const BARS: f64 = 270.0;
const LINE: f64 = 16.0;
const TOP: f64 = 40.0;
/// The ends of the scale.
const LEAST: f64 = 0.005;
const MOST: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_the_ratio_and_stay_on_the_scale() {
        assert!(place(0.1) < place(1.0) && place(1.0) < place(10.0));
        assert_eq!((place(0.0001), place(1000.0)), (0.0, BARS));
    }
}
