//! Which connection is meant: by any unique prefix of its id.

use std::sync::Arc;

use super::fault::Fault;
use crate::connection::Conn;

/// The connection that a word stands for: an id, or as much of its beginning as no other has; `latest` for the one that was
/// let in last.
pub(super) fn find(word: &str, conns: &[Arc<Conn>]) -> Result<Arc<Conn>, Fault> {
    let wanted = word.to_ascii_lowercase();
    if wanted == LATEST {
        let last = conns.last().map(Arc::clone);
        return last.ok_or_else(|| Fault::refused("there are no connections"));
    }
    let meant = conns.iter().filter(|conn| !wanted.is_empty() && conn.id.to_string().starts_with(&wanted));
    let meant: Vec<&Arc<Conn>> = meant.collect();
    match &*meant {
        [conn] => Ok(Arc::clone(conn)),
        [] if conns.is_empty() => Err(Fault::refused(format!("no connection \"{word}\": there are none"))),
        [] => {
            let all: Vec<&Arc<Conn>> = conns.iter().collect();
            let verb = if conns.len() == 1 { "is" } else { "are" };
            Err(Fault::refused(format!("no connection \"{word}\"; there {verb} {}", candidates(&all, conns))))
        }
        several => Err(Fault::refused(format!("id \"{word}\" is ambiguous: {}", candidates(several, conns)))),
    }
}

/// Whether a word on a client's console, which has one connection, stands for that.
pub(super) fn is_own(word: &str, conns: &[Arc<Conn>]) -> bool {
    let wanted = word.to_ascii_lowercase();
    wanted == LATEST || !wanted.is_empty() && conns.iter().any(|conn| conn.id.to_string().starts_with(&wanted))
}

fn candidates(meant: &[&Arc<Conn>], conns: &[Arc<Conn>]) -> String {
    let len = short_len(conns);
    let shown = meant.iter().take(SHOWN).map(|conn| {
        let id = short(&conn.id.to_string(), len);
        format!("{id} ({}, {})", conn.dialect, conn.addr)
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match meant.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// How much of an id has to be shown so that none of them looks like another.
pub(super) fn short_len(conns: &[Arc<Conn>]) -> usize {
    let mut ids: Vec<String> = conns.iter().map(|conn| conn.id.to_string()).collect();
    ids.sort_unstable();
    short_len_of(&ids)
}

/// The same of ids that are sorted.
pub(super) fn short_len_of(ids: &[String]) -> usize {
    let common = ids.windows(2).map(|pair| match pair {
        [a, b] => a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    });
    common.max().map_or(SHORTEST, |common| (common + 1).max(SHORTEST))
}

pub(super) fn short(id: &str, len: usize) -> String {
    id.chars().take(len).collect()
}

/// The connection that was let in last.
pub(super) const LATEST: &str = "latest";
const SHORTEST: usize = 8;
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_long_as_they_have_to_be() {
        let check = |ids: &[&str], expected| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            assert_eq!(short_len_of(&ids), expected);
        };
        check(&[], SHORTEST);
        check(&["11111111-aaaa"], SHORTEST);
        check(&["11111111-aaaa", "21111111-aaaa"], SHORTEST);
        check(&["11111111-aaaa", "11111111-aaab"], 13);
    }
}
