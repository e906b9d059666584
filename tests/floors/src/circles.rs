//! Who uses whom on each level, and where that goes in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use crate::{tree::Tree, uses::Use};

/// The modules of one parent, each counted with all that is below it.
#[derive(Debug)]
pub struct Level {
    /// The parent, as it is named in the crate's root, whose own is empty.
    pub path: String,
    /// The modules of the level.
    pub members: BTreeSet<String>,
    /// Who uses whom, and where.
    pub arrows: BTreeMap<(String, String), BTreeSet<Witness>>,
}

/// A place where a name of another module is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// Relative to the directory of the crate's root.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is used, as it is named in the crate's root.
    pub name: String,
}

/// Modules of one level of which each uses each other, directly or not.
#[derive(Debug)]
pub struct Circle {
    /// All of them.
    pub members: BTreeSet<String>,
    /// One of the shortest ways around; the first is not repeated at the end.
    pub shortest: Vec<String>,
}

impl Level {
    /// The groups of modules that use each other, by name.
    pub fn circles(&self) -> Vec<Circle> {
        let reached: HashMap<_, _> = self.members.iter().map(|member| (member, self.reached(member))).collect();
        let mut circles = Vec::new();
        let mut placed = HashSet::new();
        for member in &self.members {
            if !placed.contains(member) && reached[member].contains(member) {
                let members: BTreeSet<_> = reached[member]
                    .iter()
                    .filter(|&&other| reached[other].contains(member))
                    .copied()
                    .cloned()
                    .collect();
                placed.extend(members.clone());
                circles.push(Circle { shortest: self.shortest(&members), members });
            }
        }
        circles
    }

    /// The modules by floor, lowest first: each uses only those on floors below its own, but for those of its group, which
    /// use each other.
    pub fn floors(&self) -> Vec<Vec<BTreeSet<String>>> {
        let mut groups: Vec<_> = self.circles().into_iter().map(|circle| circle.members).collect();
        for member in &self.members {
            if !groups.iter().any(|group| group.contains(member)) {
                groups.push(BTreeSet::from([member.clone()]));
            }
        }
        groups.sort();
        let mut floors: Vec<Vec<BTreeSet<String>>> = Vec::new();
        let mut placed = BTreeSet::new();
        while !groups.is_empty() {
            let stands = |group: &BTreeSet<String>| {
                let used = group.iter().flat_map(|member| self.used_by(member));
                used.filter(|used| !group.contains(*used)).all(|used| placed.contains(used))
            };
            let (floor, above): (Vec<_>, Vec<_>) = groups.into_iter().partition(stands);
            if floor.is_empty() {
                break;
            }
            placed.extend(floor.iter().flatten().cloned());
            floors.push(floor);
            groups = above;
        }
        floors
    }

    fn used_by<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a String> {
        self.arrows.keys().filter(move |(from, _)| from == member).map(|(_, to)| to)
    }

    /// All that `member` uses, directly or not.
    fn reached<'a>(&'a self, member: &'a str) -> BTreeSet<&'a String> {
        let mut reached = BTreeSet::new();
        let mut left = vec![member];
        while let Some(next) = left.pop() {
            for used in self.used_by(next) {
                if reached.insert(used) {
                    left.push(used);
                }
            }
        }
        reached
    }

    /// The first of the shortest circles among these.
    fn shortest(&self, members: &BTreeSet<String>) -> Vec<String> {
        let circles = members.iter().filter_map(|member| self.way_back(member, members));
        circles.min_by_key(Vec::len).unwrap_or_default()
    }

    /// The shortest way from `start` back to it.
    fn way_back(&self, start: &str, members: &BTreeSet<String>) -> Option<Vec<String>> {
        let mut before: HashMap<&str, &str> = HashMap::new();
        let mut left = VecDeque::from([start]);
        while let Some(next) = left.pop_front() {
            for used in self.used_by(next).filter(|used| members.contains(*used)) {
                if used == start {
                    let mut way = vec![next.to_owned()];
                    let mut at = next;
                    while let Some(&earlier) = before.get(at) {
                        way.push(earlier.to_owned());
                        at = earlier;
                    }
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(used.as_str()) {
                    before.insert(used, next);
                    left.push_back(used);
                }
            }
        }
        None
    }
}

/// The levels of a crate that have two modules or more.
pub(crate) fn levels_of(tree: &Tree, uses: &[Use]) -> Vec<Level> {
    let mut levels: BTreeMap<usize, Level> = BTreeMap::new();
    for id in tree.ids() {
        let children = &tree.module(id).children;
        if children.len() > 1 {
            let members = children.iter().map(|&child| tree.module(child).name.clone()).collect();
            levels.insert(id, Level { path: tree.path_of(id), members, arrows: BTreeMap::new() });
        }
    }
    for one in uses {
        let (by, of) = (tree.way_to(one.by), tree.way_to(one.of));
        let same = by.iter().zip(&of).take_while(|(by, of)| by == of).count();
        let (Some(&by), Some(&of), Some(level)) = (by.get(same), of.get(same), levels.get_mut(&by[same - 1])) else {
            continue;
        };
        let arrow = (tree.module(by).name.clone(), tree.module(of).name.clone());
        let witness = Witness { file: one.file.clone(), line: one.line, name: one.name.clone() };
        level.arrows.entry(arrow).or_default().insert(witness);
    }
    let mut levels: Vec<_> = levels.into_values().collect();
    levels.sort_by(|one, other| one.path.cmp(&other.path));
    levels
}
