//! What may be typed in a session: commands, actions, and the fields of their data, from the server's schema.

use std::sync::{PoisonError, RwLock};

use pnet::dynamic::{Client, Direction, FieldInfo, Kind};

use super::command::{COMMANDS, split};
use crate::editor::{self, Candidate};

/// What may be typed. It changes with the server's schema.
#[derive(Debug, Default)]
pub(super) struct Words {
    actions: RwLock<Vec<Known>>,
}

/// An action that can be sent.
#[derive(Clone, Debug)]
struct Known {
    action: String,
    kind: Kind,
    shape: String,
    fields: Vec<FieldInfo>,
}

impl Words {
    /// Takes over what the server understands.
    pub(super) fn learn(&self, client: &Client) {
        let known = client.actions(Direction::ToServer).map(|action| Known {
            action: action.action().to_owned(),
            kind: action.kind(),
            shape: if action.is_described() { action.shape() } else { String::new() },
            fields: action.fields(),
        });
        *self.actions.write().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }

    /// The names of the actions.
    pub(super) fn actions(&self) -> Vec<String> {
        self.known().into_iter().map(|known| known.action).collect()
    }

    fn known(&self) -> Vec<Known> {
        self.actions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where somebody is in a line.
#[derive(Debug, PartialEq)]
enum Place<'a> {
    /// In the first word.
    Command(&'a str),
    /// In the action, behind a command.
    Action(&'a str, &'a str),
    /// Behind the action, in its data.
    Data(&'a str, &'a str),
}

impl<'a> Place<'a> {
    fn of(line: &'a str, known: &[Known]) -> Self {
        let line = line.trim_start();
        let Some((first, rest)) = line.split_once(char::is_whitespace) else { return Self::Command(line) };
        if known.iter().any(|known| known.action == first) {
            return Self::Data(first, rest);
        }
        let rest = rest.trim_start();
        match rest.split_once(char::is_whitespace) {
            None => Self::Action(first, rest),
            Some((action, data)) => Self::Data(action, data),
        }
    }
}

impl editor::Words for Words {
    fn complete(&self, line: &str, at: usize) -> (usize, Vec<Candidate>) {
        let Some(line) = line.get(..at) else { return (at, Vec::new()) };
        let known = self.known();
        match Place::of(line, &known) {
            Place::Command(word) => {
                let commands = COMMANDS.iter().map(|(name, _, help)| candidate(format!("{name} "), (*help).to_owned()));
                let actions = known.iter().map(|known| candidate(format!("{} ", known.action), known.shape.clone()));
                (at - word.len(), beginning(word, commands.chain(actions)))
            }
            Place::Action(command, word) => {
                let kind = match command {
                    "call" => Some(Kind::Call),
                    "send" => Some(Kind::OneWay),
                    "stream" => Some(Kind::Stream),
                    "schema" => None,
                    _ => return (at, Vec::new()),
                };
                let fitting = known.iter().filter(|known| kind.is_none_or(|kind| known.kind == kind));
                let actions = fitting.map(|known| candidate(format!("{} ", known.action), known.shape.clone()));
                (at - word.len(), beginning(word, actions))
            }
            Place::Data(action, data) => {
                let Some(known) = known.iter().find(|known| known.action == action) else { return (at, Vec::new()) };
                let Some((word, given)) = field_at(data) else { return (at, Vec::new()) };
                let open = known.fields.iter().filter(|field| !given.iter().any(|given| given == field.name));
                let fields = open.map(|field| {
                    let note = if field.required { field.ty.clone() } else { format!("{}, may be left out", field.ty) };
                    candidate(format!("\"{}\": ", field.name), note)
                });
                let start = at - word.len();
                let begun = fields.filter(|field| field.text[1..].starts_with(word.trim_start_matches('"')));
                (start, begun.collect())
            }
        }
    }

    fn hint(&self, line: &str) -> Option<String> {
        let known = self.known();
        let Place::Data(action, data) = Place::of(line, &known) else { return None };
        let known = known.into_iter().find(|known| known.action == action)?;
        (data.trim().is_empty() && !known.shape.is_empty()).then_some(known.shape)
    }

    /// Commands, and actions that the server has: nothing of what was sent.
    fn kept(&self, line: &str) -> Option<String> {
        let (word, rest) = split(line);
        let actions = self.actions();
        let is_action = |word: &str| actions.iter().any(|action| action == word);
        if is_action(word) {
            return Some(word.to_owned());
        }
        COMMANDS.iter().find(|(name, ..)| *name == word)?;
        let (action, _) = split(rest);
        Some(if is_action(action) { format!("{word} {action}") } else { word.to_owned() })
    }
}

const fn candidate(text: String, note: String) -> Candidate {
    Candidate { text, note }
}

fn beginning(word: &str, all: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
    all.filter(|candidate| candidate.text.starts_with(word)).collect()
}

/// The begun name of a field at the end of the data, and the fields before it; `None` where no name of the packet's own fields
/// may stand. A name begins with a quote or nothing.
fn field_at(data: &str) -> Option<(&str, Vec<String>)> {
    let (mut depth, mut given) = (0_u32, Vec::new());
    // Where the text that is open begins, and whether a name may stand here.
    let (mut open, mut name_due) = (None, false);
    let (mut bare, mut object) = (data.len(), false);
    let mut escaped = false;
    for (at, char) in data.char_indices() {
        if let Some(start) = open {
            match char {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    if depth == 1 && name_due {
                        given.push(data.get(start + 1..at)?.to_owned());
                        name_due = false;
                    }
                    open = None;
                }
                _ => {}
            }
            continue;
        }
        match char {
            '"' => open = Some(at),
            '{' | '[' => {
                depth += 1;
                if depth == 1 {
                    object = char == '{';
                }
                name_due = depth == 1 && object;
                bare = at + 1;
            }
            '}' | ']' => {
                depth = depth.checked_sub(1)?;
                name_due = false;
            }
            ',' => {
                name_due = depth == 1 && object;
                bare = at + 1;
            }
            _ => {}
        }
    }
    if depth != 1 || !name_due {
        return None;
    }
    let word = match open {
        Some(start) => data.get(start..)?,
        None => data.get(bare..)?.trim_start(),
    };
    Some((word, given))
}

#[cfg(test)]
mod tests {
    use super::{editor::Words as _, *};

    fn words() -> Words {
        // `FieldInfo` can only be had from a schema.
        let known = |action: &str, kind, shape: &str| Known {
            action: action.to_owned(),
            kind,
            shape: shape.to_owned(),
            fields: Vec::new(),
        };
        let all = vec![known("ADD", Kind::Call, "{a: i64, b: i64}"), known("SAY", Kind::OneWay, "{text: str}")];
        Words { actions: RwLock::new(all) }
    }

    fn texts(line: &str) -> (usize, Vec<String>) {
        let (start, candidates) = words().complete(line, line.len());
        (start, candidates.into_iter().map(|candidate| candidate.text).collect())
    }

    #[test]
    fn commands_and_actions_are_completed() {
        assert_eq!(texts("ca"), (0, vec!["call ".to_owned()]));
        assert_eq!(texts("A"), (0, vec!["ADD ".to_owned()]));
        assert_eq!(texts("").1.len(), COMMANDS.len() + 2);
        assert_eq!(texts("call "), (5, vec!["ADD ".to_owned()]));
        assert_eq!(texts("send S"), (5, vec!["SAY ".to_owned()]));
        assert_eq!(texts("schema "), (7, vec!["ADD ".to_owned(), "SAY ".to_owned()]));
        assert_eq!(texts("frob "), (5, vec![]));
        assert_eq!(words().complete("größe", 3), (3, vec![]));
    }

    #[test]
    fn fields_stand_where_names_may() {
        for (data, word, given) in [
            ("{", "", vec![]),
            ("{\"a", "\"a", vec![]),
            ("{ a", "a", vec![]),
            ("{\"a\": 1, ", "", vec!["a"]),
            ("{\"a\": [1, {\"x\": 2}], \"b", "\"b", vec!["a"]),
            ("{\"a\": \"}{,\\\"\", ", "", vec!["a"]),
        ] {
            let given = given.into_iter().map(str::to_owned).collect();
            assert_eq!(field_at(data), Some((word, given)), "{data}");
        }
        for data in ["", "1", "{\"a\"", "{\"a\": ", "{\"a\": {", "{\"a\": [", "{}", "}", "[", "[1, "] {
            assert_eq!(field_at(data), None, "{data}");
        }
    }

    #[test]
    fn nothing_of_the_data_is_kept() {
        let kept = |line: &str| words().kept(line);
        assert_eq!(kept("call ADD {\"a\": 1}").as_deref(), Some("call ADD"));
        assert_eq!(kept("ADD {\"a\": 1}").as_deref(), Some("ADD"));
        assert_eq!(kept("call secret {\"a\": 1}").as_deref(), Some("call"));
        assert_eq!(kept("schema SAY").as_deref(), Some("schema SAY"));
        assert_eq!(kept("secret"), None);
        assert_eq!(kept("{\"password\": 1}"), None);
    }

    #[test]
    fn the_shape_is_shown_behind_the_action() {
        assert_eq!(words().hint("call ADD ").as_deref(), Some("{a: i64, b: i64}"));
        assert_eq!(words().hint("call ADD {"), None);
        assert_eq!(words().hint("call "), None);
    }
}
