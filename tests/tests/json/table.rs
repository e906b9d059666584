//! Reads the table. Its format is explained at its head.

use serde_json::Value;

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Settings of the side that is tested: name and value.
    pub(crate) with: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
    /// Objects that the tested side sends.
    pub(crate) comes: Vec<Wanted>,
    /// What the tested side sends first, if that is no JSON.
    pub(crate) raw: Option<Vec<u8>>,
    /// What its handlers see.
    pub(crate) saw: Vec<String>,
    /// How the calls of a client end.
    pub(crate) answers: Vec<String>,
    pub(crate) ends: String,
}

/// Which side is tested.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// What the other side does, or has the tested side do.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(u64),
    /// Until an object with this action has come.
    Await(String),
    End,
    Call(String, Value),
    Tell(String, Value),
}

/// An object that is to come.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) action: String,
    pub(crate) data: Value,
    pub(crate) id: Option<Value>,
    pub(crate) re: Option<Value>,
}

impl Row {
    /// The length of the input, if it is less than 200 bytes and nothing interrupts it.
    pub(crate) fn short_input(&self) -> Option<usize> {
        let mut len = 0;
        for step in &self.steps {
            match step {
                Step::Send(bytes) if !bytes.contains(&b'$') => len += bytes.len(),
                Step::End => {}
                _ => return None,
            }
        }
        Some(len).filter(|len| *len < 200)
    }
}

/// All rows of the table.
pub(crate) fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/json-dialect.txt");
    let text = std::fs::read_to_string(path).expect("the table is there");
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let line = line.trim_start();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "row" {
            let (name, role, ends) = (rest.to_owned(), Role::Server, String::new());
            let (with, steps, comes, saw, answers) = (vec![], vec![], vec![], vec![], vec![]);
            rows.push(Row { name, role, with, steps, comes, raw: None, saw, answers, ends });
            continue;
        }
        let row = rows.last_mut().unwrap_or_else(|| panic!("{line:?} stands before the first row"));
        match word.parse::<usize>() {
            Ok(count) => {
                let rest = rest.strip_prefix("* ").unwrap_or_else(|| panic!("{line:?}"));
                let (word, rest) = rest.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
                for number in 0..count {
                    read(row, word, &rest.replace("$N", &number.to_string()));
                }
            }
            Err(_) => read(row, word, rest),
        }
    }
    rows
}

fn read(row: &mut Row, word: &str, rest: &str) {
    match word {
        "role" if rest == "client" => row.role = Role::Client,
        "with" => {
            let (name, value) = rest.split_once(' ').unwrap_or_else(|| panic!("{}: {rest}", row.name));
            row.with.push((name.to_owned(), value.to_owned()));
        }
        // Pieces without anything between them are one piece: their boundaries do not matter.
        "send" => match row.steps.last_mut() {
            Some(Step::Send(bytes)) => bytes.extend(unescaped(rest)),
            _ => row.steps.push(Step::Send(unescaped(rest))),
        },
        "wait" => row.steps.push(Step::Wait(rest.parse().expect("milliseconds"))),
        "await" => row.steps.push(Step::Await(rest.to_owned())),
        "end" => row.steps.push(Step::End),
        "call" | "tell" => {
            let (action, data) = rest.split_once(' ').expect("an action and data");
            let (action, data) = (action.to_owned(), serde_json::from_str(data).expect("data is JSON"));
            row.steps.push(if word == "call" { Step::Call(action, data) } else { Step::Tell(action, data) });
        }
        "come" => row.comes.push(wanted(rest)),
        "raw" => row.raw = Some(unescaped(rest)),
        "saw" => row.saw.push(rest.to_owned()),
        "answer" => row.answers.push(rest.to_owned()),
        "ends" => row.ends = rest.to_owned(),
        _ => panic!("{}: {word:?} is no word of the table", row.name),
    }
}

/// `%` and two hexadecimal digits are a byte, everything else stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
        let digits = std::str::from_utf8(&digits).expect("digits");
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
    }
    bytes
}

fn wanted(text: &str) -> Wanted {
    let (action, rest) = text.split_once(' ').expect("an action and data");
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let data = values.next().expect("data").unwrap_or_else(|error| panic!("{text}: {error}"));
    let rest = rest[values.byte_offset()..].trim();
    let tie = |key: &str| rest.strip_prefix(key).map(|value| serde_json::from_str(value.trim()).expect("a value"));
    let (id, re) = (tie("id"), tie("re"));
    assert!(rest.is_empty() || id.is_some() || re.is_some(), "{text}");
    Wanted { action: action.to_owned(), data, id, re }
}
