//! What a word may have been meant to be.

/// The words of `among` that `word` may have been meant to be: at most three, the nearest first. Upper and lower case are
/// the same.
pub(crate) fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = fold(word);
    let allowed = (wanted.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = among
        .into_iter()
        .filter_map(|name| {
            let known = fold(name);
            let begins = !wanted.is_empty() && known.starts_with(&wanted);
            let distance = if begins { 0 } else { distance(&wanted, &known) };
            (distance <= allowed).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// The first characters of a word, in lower case.
fn fold(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).take(MAX_LEN).collect()
}

/// How many characters have to be put in, taken out, replaced, or exchanged with their neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let (mut before, mut last) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>());
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && y == a[i - 1] {
                let swapped: &Vec<usize> = &before;
                best = best.min(swapped[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Names are shorter; what is longer is no typing mistake.
const MAX_LEN: usize = 64;
const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: [&str; 6] = ["list", "ping", "pingall", "send", "stats", "suspend"];

    fn check(word: &str, expected: &[&str]) {
        assert_eq!(nearest(word, COMMANDS), expected, "{word}");
    }

    #[test]
    fn a_slip_of_the_finger_is_seen_through() {
        check("lst", &["list"]);
        check("psing", &["ping"]);
        check("SEND", &["send"]);
        check("sned", &["send"]);
        check("susped", &["suspend"]);
    }

    #[test]
    fn a_beginning_is_enough() {
        check("pi", &["ping", "pingall"]);
        check("s", &["send", "stats", "suspend"]);
    }

    #[test]
    fn what_is_far_from_all_is_nothing() {
        check("trigger", &[]);
        check("", &[]);
        check(&"s".repeat(100_000), &[]);
    }
}
