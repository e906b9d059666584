//! What the two sides of a failed handshake know differently, for people to read.

use std::fmt::{self, Write};

use crate::info::Role;
use crate::limits::REPORT_LEN;
use crate::text::escape;

/// What differs between the two sides' builds of a protocol.
///
/// Its `Display` has a line per action, is bounded to [`REPORT_LEN`] bytes, and shows the other side's text escaped:
///
/// ```text
/// the protocol `Chat` is not the same on both sides:
///   MOVE: here {x: i32, y: i32}, there {x: i64, y: i32}
///   SAY: here {text: string}, unknown there
///   PAGE: unknown here
///   and 3 more
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MismatchReport {
    /// The protocol's name, the same on both sides.
    pub protocol: &'static str,
    /// What differs, as far as it was exchanged.
    pub entries: Vec<Difference>,
    /// How many actions were left out because there was no room for them.
    pub more: u32,
    /// How many actions the other side says it has that this side has not, and did not name.
    pub others: u32,
}

/// One action that is not the same on both sides.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// Which role sends the action.
    pub sender: Role,
    /// The action, as it came: escape it before it is shown.
    pub action: String,
    /// How this side has it.
    pub here: Shown,
    /// How the other side has it.
    pub there: Shown,
}

/// How one side has an action.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shown {
    /// Not at all.
    Unknown,
    /// Otherwise than the other side, which is told no more.
    Named,
    /// Like this; the other side's is escaped.
    Shape(String),
}

impl MismatchReport {
    pub(super) fn new(protocol: &'static str) -> Self {
        Self { protocol, entries: Vec::new(), more: 0, others: 0 }
    }

    /// One short line without anything of a schema, not even how much differs: what the CLOSE frame says.
    pub fn summary(&self) -> String {
        format!("the protocol `{}` is not the same on both sides", self.protocol)
    }

    /// One line about `difference`.
    fn line(&self, difference: &Difference) -> String {
        let mut line = escape(&difference.action, SHOWN_ACTION_LEN);
        let twice = |other: &&Difference| other.action == difference.action;
        if self.entries.iter().filter(twice).count() > 1 {
            line.push_str(match difference.sender {
                Role::Client => " (from the client)",
                _ => " (from the server)",
            });
        }
        // Writing to a string cannot fail.
        let _ = match (&difference.here, &difference.there) {
            (Shown::Unknown, _) => write!(line, ": unknown here"),
            (Shown::Shape(here), Shown::Shape(there)) => write!(line, ": here {here}, there {there}"),
            (Shown::Shape(here), Shown::Unknown) => write!(line, ": here {here}, unknown there"),
            (Shown::Shape(here), Shown::Named) => write!(line, ": differs, here {here}"),
            (Shown::Named, Shown::Unknown) => write!(line, ": unknown there"),
            (Shown::Named, Shown::Shape(there)) => write!(line, ": differs, there {there}"),
            (Shown::Named, Shown::Named) => write!(line, ": differs"),
        };
        line
    }
}

impl fmt::Display for MismatchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.summary() + ":";
        let mut room = SHOWN_LEN.saturating_sub(head.len() + ROOM_FOR_REST);
        f.write_str(&head)?;
        let mut shown = 0;
        for difference in &self.entries {
            let line = self.line(difference);
            let Some(left) = room.checked_sub(line.len() + 3) else {
                break;
            };
            room = left;
            write!(f, "\n  {line}")?;
            shown += 1;
        }
        let left_out = u32::try_from(self.entries.len() - shown).unwrap_or(u32::MAX).saturating_add(self.more);
        if left_out > 0 {
            write!(f, "\n  and {left_out} more")?;
        }
        if self.others > 0 {
            let plural = if self.others == 1 { "action" } else { "actions" };
            write!(f, "\n  {} more {plural} there, unknown here", self.others)?;
        }
        if shown == 0 && left_out == 0 && self.others == 0 {
            f.write_str("\n  no action named by the client differs; the server has others")?;
        }
        Ok(())
    }
}

const SHOWN_LEN: usize = REPORT_LEN as usize;
const SHOWN_ACTION_LEN: usize = 128;
const ROOM_FOR_REST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(action: &str, here: Shown, there: Shown) -> Difference {
        Difference { sender: Role::Client, action: action.to_owned(), here, there }
    }

    fn shape(text: &str) -> Shown {
        Shown::Shape(text.to_owned())
    }

    #[test]
    fn says_what_each_side_has() {
        let mut report = MismatchReport::new("Chat");
        report.entries = vec![
            difference("MOVE", shape("{x: i32}"), shape("{x: i64}")),
            difference("SAY", shape("{text: string}"), Shown::Unknown),
            difference("PAGE", Shown::Unknown, Shown::Named),
            difference("PING", shape("{}"), Shown::Named),
            Difference { sender: Role::Server, ..difference("PING", Shown::Unknown, Shown::Named) },
        ];
        report.more = 2;
        assert_eq!(
            report.to_string(),
            "the protocol `Chat` is not the same on both sides:\n  \
             MOVE: here {x: i32}, there {x: i64}\n  \
             SAY: here {text: string}, unknown there\n  \
             PAGE: unknown here\n  \
             PING (from the client): differs, here {}\n  \
             PING (from the server): unknown here\n  \
             and 2 more"
        );
    }

    #[test]
    fn is_bounded_whatever_came() {
        let mut report = MismatchReport::new("Chat");
        for _ in 0..100 {
            report.entries.push(difference(&"\u{202e}".repeat(40), shape(&"x".repeat(8192)), shape(&"y".repeat(8192))));
        }
        let text = report.to_string();
        assert!(text.len() <= SHOWN_LEN && text.ends_with("\n  and 97 more"), "{}", text.len());
        assert!(!text.contains('\u{202e}'));
    }
}
