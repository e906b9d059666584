//! What is printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use crate::{
    circles::{Level, Witness},
    crates::Crate,
};

/// How many places are shown for each arrow of a circle.
const SHOWN: usize = 3;

/// The circles of these crates; empty if there is none.
pub fn circles_of(crates: &[Crate]) -> String {
    let (mut levels, mut all) = (String::new(), String::new());
    for one in crates {
        for level in &one.levels {
            let circles = level.circles();
            let path = path_of(one, level);
            let modules: usize = circles.iter().map(|circle| circle.members.len()).sum();
            if modules > 0 {
                _ = writeln!(levels, "  {path}: {modules} of {} modules", level.members.len());
            }
            for circle in circles {
                let around: Vec<_> = circle.shortest.iter().chain(circle.shortest.first()).cloned().collect();
                _ = writeln!(all, "\n{path}: {}", around.join(" -> "));
                for pair in around.windows(2) {
                    if let [from, to] = pair {
                        arrow(&mut all, level, from, to);
                    }
                }
                if circle.members.len() > circle.shortest.len() {
                    _ = writeln!(all, "  in a circle with them: {}", others(&circle.members, &circle.shortest));
                }
            }
        }
    }
    if all.is_empty() { all } else { format!("modules that use each other in a circle:\n{levels}{all}") }
}

/// The floors of every level, lowest first, and within each circle all that is used, and where.
pub fn floors_of(crates: &[Crate]) -> String {
    let mut all = String::new();
    for one in crates {
        for level in &one.levels {
            _ = writeln!(all, "\n{}", path_of(one, level));
            for (number, floor) in level.floors().iter().enumerate() {
                let groups: Vec<_> = floor.iter().map(group).collect();
                _ = writeln!(all, "  {number}: {}", groups.join(", "));
            }
            for circle in level.circles() {
                _ = writeln!(all, "  arrows of the circle {}:", group(&circle.members));
                let within =
                    |(from, to): &(String, String)| circle.members.contains(from) && circle.members.contains(to);
                for ((from, to), witnesses) in level.arrows.iter().filter(|(pair, _)| within(pair)) {
                    _ = writeln!(all, "    {from} -> {to}: {}", places(witnesses));
                }
            }
        }
    }
    all
}

fn path_of(one: &Crate, level: &Level) -> String {
    if level.path.is_empty() { one.name.clone() } else { format!("{}, {}", one.name, level.path) }
}

fn arrow(text: &mut String, level: &Level, from: &str, to: &str) {
    let witnesses = level.arrows.get(&(from.to_owned(), to.to_owned()));
    _ = writeln!(text, "  {from} -> {to}");
    for Witness { file, line, name } in witnesses.into_iter().flatten().take(SHOWN) {
        _ = writeln!(text, "    {file}:{line} uses {name}");
    }
    let more = witnesses.map_or(0, BTreeSet::len).saturating_sub(SHOWN);
    if more > 0 {
        _ = writeln!(text, "    and {more} more");
    }
}

/// Each name that is used, with its places.
fn places(witnesses: &BTreeSet<Witness>) -> String {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Witness { file, line, name } in witnesses {
        names.entry(name).or_default().push(format!("{file}:{line}"));
    }
    names.iter().map(|(name, places)| format!("{name} ({})", places.join(", "))).collect::<Vec<_>>().join("; ")
}

fn group(members: &BTreeSet<String>) -> String {
    let names = members.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if members.len() > 1 { format!("{{{names}}}") } else { names }
}

fn others(members: &BTreeSet<String>, shown: &[String]) -> String {
    members.iter().filter(|member| !shown.contains(member)).map(String::as_str).collect::<Vec<_>>().join(", ")
}
