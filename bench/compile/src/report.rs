//! What was measured, as a table and as CSV.

use std::{fmt::Write as _, time::Duration};

use crate::{
    generate::Kind,
    measure::{Mode, Profile, Took},
};

/// All runs of one crate in one mode.
pub struct Timed {
    pub kind: Kind,
    pub size: usize,
    pub mode: Mode,
    pub runs: Vec<Took>,
}

/// The lines of one crate.
pub struct Counted {
    pub kind: Kind,
    pub size: usize,
    pub profile: Profile,
    pub lines: usize,
}

impl Timed {
    fn median(&self, of: impl Fn(&Took) -> Duration) -> f64 {
        let mut times: Vec<_> = self.runs.iter().map(|took| of(took).as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        if times.len().is_multiple_of(2) { f64::midpoint(times[middle - 1], times[middle]) } else { times[middle] }
    }

    fn user(&self) -> f64 {
        self.median(|took| took.user)
    }

    fn wall(&self) -> f64 {
        self.median(|took| took.wall)
    }
}

/// What a mode's ratio is to: the limit of the goals stands for size 100.
const fn base(mode: Mode) -> (Kind, f64) {
    match mode {
        Mode::Check => (Kind::Serde, 1.4),
        Mode::Release => (Kind::Codecs, 2.5),
    }
}

/// Markdown: user seconds and wall seconds, medians, then ratios and lines.
pub fn markdown(sizes: &[usize], timed: &[Timed], counted: &[Counted]) -> String {
    let find = |mode, kind, size| timed.iter().find(|timed| (timed.mode, timed.kind, timed.size) == (mode, kind, size));
    let mut text = String::new();
    for mode in Mode::ALL {
        let (base, limit) = base(mode);
        let columns: Vec<_> = sizes.iter().map(|size| format!("{size} packets")).collect();
        let _ = writeln!(text, "| {}: user s (wall s) | {} |", mode.name(), columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(sizes.len()));
        for kind in Kind::ALL {
            let cells = sizes.iter().map(|&size| {
                find(mode, kind, size)
                    .map_or_else(String::new, |timed| format!("{:.2} ({:.2})", timed.user(), timed.wall()))
            });
            let _ = writeln!(text, "| {} | {} |", kind.name(), cells.collect::<Vec<_>>().join(" | "));
        }
        let ratios = sizes.iter().map(|&size| {
            let (this, base) = (find(mode, Kind::Protocol, size), find(mode, base, size));
            this.zip(base).map_or_else(String::new, |(this, base)| {
                format!("{:.2} ({:.2})", this.user() / base.user(), this.wall() / base.wall())
            })
        });
        let _ = writeln!(
            text,
            "| protocol ÷ {} (goal for 100: {limit}) | {} |\n",
            base.name(),
            ratios.collect::<Vec<_>>().join(" | ")
        );
    }
    if !counted.is_empty() {
        let columns: Vec<_> = sizes.iter().map(|size| format!("{size} packets")).collect();
        let _ = writeln!(text, "| LLVM lines | profile | {} |", columns.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(sizes.len()));
        for kind in Kind::ALL {
            for profile in [Profile::Dev, Profile::Release] {
                let cells = sizes.iter().map(|&size| {
                    counted
                        .iter()
                        .find(|counted| (counted.kind, counted.size, counted.profile) == (kind, size, profile))
                        .map_or_else(String::new, |counted| counted.lines.to_string())
                });
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    kind.name(),
                    profile.name(),
                    cells.collect::<Vec<_>>().join(" | ")
                );
            }
        }
    }
    text
}

/// One line for each run, and for each count.
pub fn csv(timed: &[Timed], counted: &[Counted]) -> String {
    let mut text = String::from("what,crate,packets,round,user_s,wall_s,lines\n");
    for Timed { kind, size, mode, runs } in timed {
        for (round, took) in runs.iter().enumerate() {
            let (user, wall) = (took.user.as_secs_f64(), took.wall.as_secs_f64());
            let _ = writeln!(text, "{},{},{size},{round},{user:.3},{wall:.3},", mode.name(), kind.name());
        }
    }
    for Counted { kind, size, profile, lines } in counted {
        let _ = writeln!(text, "lines-{},{},{size},,,,{lines}", profile.name(), kind.name());
    }
    text
}
