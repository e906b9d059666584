//! What is shown: tables, a chart, and every run for those who want to reckon themselves.

mod chart;
mod csv;
mod table;

use std::{fs, path::Path};

use crate::{contestant::Result, figures::Figures, rounds::Run};

/// Writes `report.md`, `runs.csv` and `chart.svg` into a folder; the tables are given back, too.
pub fn write(folder: &Path, runs: &[Run], head: &str) -> Result<String> {
    let figures = Figures::of(runs);
    let tables = format!("{head}\n{}", table::tables(runs, &figures));
    fs::create_dir_all(folder)?;
    fs::write(folder.join("report.md"), &tables)?;
    fs::write(folder.join("runs.csv"), csv::csv(runs))?;
    fs::write(folder.join("chart.svg"), chart::chart(&figures))?;
    Ok(tables)
}
