//! How a line may go on: commands, ids, actions, options, and fields inside JSON.

mod data;

use pnet_protocol::{
    protocol::{ActionInfo, ReplyInfo},
    text::cut,
};

use super::{
    attach::SORT_KEYS,
    commands::{self, COMMANDS, Kind, Spec, Way},
    ids,
    lines::MAX_LINE,
    output::{harmless, is_harmless},
    protocol::{Candidate, Completion},
    session::Session,
    words::{Word, Words, quoted},
};

/// How the line may go on at `at`, in bytes. What stands behind that is not looked at.
pub(super) fn complete(session: &Session, line: &str, at: usize) -> Completion {
    if line.len() > MAX_LINE {
        return Completion::default();
    }
    // Between characters, wherever the cursor is said to be.
    let line = cut(line, at);
    let (start, mut candidates) = candidates(session, line);
    candidates.retain(|candidate| candidate.text.chars().all(is_harmless));
    let left_out = candidates.len().saturating_sub(SHOWN);
    candidates.truncate(SHOWN);
    for candidate in &mut candidates {
        candidate.note = cut(&harmless(&candidate.note), NOTE_LEN).to_owned();
    }
    Completion { start: start as u64, candidates, left_out: left_out as u64 }
}

/// What may stand at the end of the line, and where it begins.
fn candidates(session: &Session, line: &str) -> (usize, Vec<Candidate>) {
    let mut before = Vec::new();
    for word in Words::new(line) {
        // The last word is the one that is typed, unless something ends it.
        let is_typed = word.open || word.end == line.len();
        let Some((spec, index)) = next_param(session, &before) else {
            if is_typed && before.is_empty() {
                return (word.start, names(session, &word.text));
            }
            before.push(word);
            continue;
        };
        let param = spec.params.get(index);
        if param.is_some_and(|param| param.kind == Kind::Data) && !word.text.starts_with("--") {
            return in_data(session, spec, &before, line, word.start);
        }
        if is_typed {
            let typed = word.text.clone();
            return (word.start, values(session, spec, index, &before, &typed));
        }
        before.push(word);
    }
    let start = line.len();
    match next_param(session, &before) {
        None if before.iter().all(is_option) => (start, names(session, "")),
        None => (start, Vec::new()),
        Some((spec, index)) if spec.params.get(index).is_some_and(|param| param.kind == Kind::Data) => {
            in_data(session, spec, &before, line, start)
        }
        Some((spec, index)) => (start, values(session, spec, index, &before, "")),
    }
}

/// The command of these words, and which of its parameters comes next.
fn next_param(session: &Session, before: &[Word]) -> Option<(&'static Spec, usize)> {
    let mut words = before.iter().skip_while(|word| is_option(word));
    let spec = commands::find(&words.next()?.text)?;
    let mut index = 0;
    while let Some(word) = words.next() {
        if let Some(name) = word.text.strip_prefix("--") {
            if spec.options.iter().any(|option| option.name == name) {
                words.next();
            }
            continue;
        }
        if is_left_out(session, spec, index, &word.text) {
            index += 1;
        }
        index += 1;
    }
    Some((spec, index))
}

/// Whether parameter `index` is an id that a client's operator has left out in front of this word.
fn is_left_out(session: &Session, spec: &Spec, index: usize, word: &str) -> bool {
    let is_id = spec.params.get(index).is_some_and(|param| param.kind == Kind::Connection);
    is_id && session.is_client() && !ids::is_own(word, &session.shared().inspector.conns())
}

fn is_option(word: &Word) -> bool {
    word.text.starts_with("--")
}

fn names(session: &Session, typed: &str) -> Vec<Candidate> {
    let built_in = COMMANDS.iter().flat_map(|spec| spec.names().map(|name| candidate(name, spec.brief)));
    let own = session.shared().own.iter().map(|command| candidate(command.name(), command.help_text()));
    beginning(built_in.chain(own), typed)
}

fn values(session: &Session, spec: &Spec, index: usize, before: &[Word], typed: &str) -> Vec<Candidate> {
    let after_option = before.last().and_then(|word| word.text.strip_prefix("--"));
    if let Some(option) = spec.options.iter().find(|option| Some(option.name) == after_option) {
        let keys: &[&str] = if option.name == "sort" { SORT_KEYS } else { &[] };
        return beginning(keys.iter().map(|key| candidate(key, "")), typed);
    }
    if typed.starts_with("--") {
        let own = spec.options.iter().map(|option| candidate(&format!("--{}", option.name), option.value));
        let yes = spec.asks.then(|| candidate("--yes", "without a question"));
        return beginning(own.chain(yes).chain([candidate("--json", "a line of JSON for each thing")]), typed);
    }
    let Some(param) = spec.params.get(index) else { return Vec::new() };
    let mut all = of_kind(session, param.kind, typed);
    if param.kind == Kind::Connection
        && session.is_client()
        && let Some(next) = spec.params.get(index + 1)
    {
        all.extend(of_kind(session, next.kind, typed));
    }
    all
}

fn of_kind(session: &Session, kind: Kind, typed: &str) -> Vec<Candidate> {
    match kind {
        Kind::Connection => connections(session, typed),
        Kind::Action(way) => beginning(
            actions(session, way).map(|info| candidate(&quoted(info.action), &info.shape().to_string())),
            typed,
        ),
        Kind::Command => names(session, typed),
        Kind::Level => {
            let levels = ["error", "warn", "info", "debug", "trace", "off"];
            beginning(levels.into_iter().map(|level| candidate(level, "")), typed)
        }
        Kind::Data | Kind::Text | Kind::Seconds => Vec::new(),
    }
}

fn connections(session: &Session, typed: &str) -> Vec<Candidate> {
    let conns = session.shared().inspector.conns();
    let len = ids::short_len(&conns).max(typed.len());
    let all = conns
        .iter()
        .map(|conn| candidate(&ids::short(&conn.id.to_string(), len), &format!("{}, {}", conn.dialect, conn.addr)));
    beginning(all, typed)
}

/// The actions with which something may be done.
pub(super) fn actions(session: &Session, way: Way) -> impl Iterator<Item = &'static ActionInfo> {
    let (info, role) = (session.shared().inspector.info(), session.shared().inspector.role());
    let (outgoing, incoming) = (info.sent_by(role).actions, info.received_by(role).actions);
    let (first, second): (&'static [ActionInfo], &'static [ActionInfo]) = match way {
        Way::Send | Way::Call => (outgoing, &[]),
        Way::Trigger => (incoming, &[]),
        Way::Look => (incoming, outgoing),
    };
    first.iter().chain(second).filter(move |info| match way {
        Way::Send => matches!(info.reply, ReplyInfo::None),
        Way::Call => !matches!(info.reply, ReplyInfo::None),
        Way::Trigger | Way::Look => true,
    })
}

/// Inside JSON that begins at `start`, or behind it.
fn in_data(
    session: &Session,
    spec: &'static Spec,
    before: &[Word],
    line: &str,
    start: usize,
) -> (usize, Vec<Candidate>) {
    let text = line.get(start..).unwrap_or_default();
    let way = spec.params.iter().find_map(|param| match param.kind {
        Kind::Action(way) => Some(way),
        _ => None,
    });
    // It is the last word but options.
    let name = before.iter().rev().find(|word| !is_option(word)).map(|word| &*word.text);
    let info = way.and_then(|way| actions(session, way).find(|info| Some(info.action) == name));
    match data::end(text) {
        None => {
            let Some(info) = info else { return (line.len(), Vec::new()) };
            let (at, candidates) = data::complete(info.schema, text);
            (start + at, candidates)
        }
        Some(end) if spec.has_as => behind(session, line, start + end),
        Some(_) => (line.len(), Vec::new()),
    }
}

/// Behind the JSON: `as ID`.
fn behind(session: &Session, line: &str, start: usize) -> (usize, Vec<Candidate>) {
    let words: Vec<Word> = Words::new(line.get(start..).unwrap_or_default()).collect();
    let ends = line.ends_with(char::is_whitespace);
    match &*words {
        [] if ends => (line.len(), vec![candidate("as", "whose packet it is")]),
        [word] if !ends => {
            (start + word.start, beginning([candidate("as", "whose packet it is")].into_iter(), &word.text))
        }
        [word] if word.text == "as" => (line.len(), connections(session, "")),
        [word, id] if word.text == "as" && !ends => (start + id.start, connections(session, &id.text)),
        _ => (line.len(), Vec::new()),
    }
}

fn beginning(all: impl Iterator<Item = Candidate>, typed: &str) -> Vec<Candidate> {
    all.filter(|candidate| candidate.text.starts_with(typed) || candidate.text.trim_matches('"').starts_with(typed))
        .collect()
}

fn candidate(text: &str, note: &str) -> Candidate {
    Candidate { text: text.to_owned(), note: note.to_owned() }
}

/// How many candidates are shown.
const SHOWN: usize = 200;
const NOTE_LEN: usize = 120;
