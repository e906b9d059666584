//! What the keys do.

use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{LONGEST_FILTER, Link, Mode, Model, Question, Tab, is_plain_id};

/// What cannot be done on the screen alone.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Act {
    Quit,
    /// ctrl-c: a key like any other, as the terminal is in raw mode.
    Interrupt,
    /// The console runs this line.
    Run(String),
}

/// The keys, by what they do: for the help.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("q", "quit"),
    ("1-4, Tab", "which table: connections, actions, limits, faults"),
    ("< > or h l", "sort by the column left or right of this one"),
    ("r", "reverse the order"),
    ("/", "filter; Enter keeps it, Esc drops it"),
    ("arrows, j k", "select a row; it stays selected while rows move"),
    ("PgUp PgDn g G", "a page, the first row, the last row"),
    ("Esc", "select nothing"),
    ("Enter", "everything about the selected row"),
    ("space", "pause and go on"),
    ("s", "suspend the connection's delivery, or resume it"),
    ("d", "disconnect the connection; asks first"),
    ("?", "this help"),
    ("", ""),
    ("S: !", "the queue is more than half full; failing now; nearly used up"),
    ("S: S", "delivery is suspended"),
    ("FORM", "nat: native, json, old: the Python library's; +t: over TLS"),
    ("FLY", "calls of the other side that are being handled"),
    ("p99", "the slowest action; one call in 64 is measured; ~ rests on few"),
    ("faults", "of the last minute, or since the watch began"),
];

/// Takes in a key.
pub(crate) fn press(model: &mut Model, key: KeyEvent, now: Instant) -> Option<Act> {
    // Some terminals report the release of a key, too.
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'C')).then_some(Act::Interrupt);
    }
    // Esc and a letter in quick succession look like this: whatever was meant, it was not the letter alone.
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::META | KeyModifiers::SUPER) {
        return None;
    }
    match &mut model.mode {
        Mode::Table => return in_table(model, key.code, now),
        Mode::Filter => in_filter(model, key.code),
        Mode::Ask(_) => return in_question(model, key.code, now),
        Mode::Details(details) => match scroll(details.scroll, key.code) {
            Some(to) => details.scroll = to,
            None => model.mode = Mode::Table,
        },
        Mode::Help(at) => match scroll(*at, key.code) {
            Some(to) => *at = to,
            None => model.mode = Mode::Table,
        },
    }
    None
}

/// Takes in text that was pasted: for a filter only. As keys, it could disconnect somebody.
pub(crate) fn paste(model: &mut Model, text: &str) {
    if matches!(model.mode, Mode::Filter) {
        for letter in text.chars().take(LONGEST_FILTER) {
            in_filter(model, KeyCode::Char(letter));
        }
    }
}

fn in_table(model: &mut Model, key: KeyCode, now: Instant) -> Option<Act> {
    match key {
        KeyCode::Char('q') => return Some(Act::Quit),
        KeyCode::Char('?') => model.mode = Mode::Help(0),
        KeyCode::Char(' ') => model.paused = !model.paused,
        KeyCode::Char(number @ '1'..='4') => {
            let at = number.to_digit(10).map_or(0, |number| number as usize - 1);
            model.tab = Tab::ALL[at].0;
        }
        KeyCode::Tab => turn(model, 1),
        KeyCode::BackTab => turn(model, Tab::ALL.len() - 1),
        // Without tables nobody sees what these would do.
        _ if model.compact => {}
        KeyCode::Char('/') => model.mode = Mode::Filter,
        KeyCode::Char('<' | 'h') | KeyCode::Left => model.list_mut().pick_column(-1),
        KeyCode::Char('>' | 'l') | KeyCode::Right => model.list_mut().pick_column(1),
        KeyCode::Char('r') => model.list_mut().reverse(),
        KeyCode::Char('j') | KeyCode::Down => model.list_mut().move_by(1),
        KeyCode::Char('k') | KeyCode::Up => model.list_mut().move_by(-1),
        KeyCode::PageDown => model.list_mut().page_by(1),
        KeyCode::PageUp => model.list_mut().page_by(-1),
        KeyCode::Char('g') | KeyCode::Home => model.list_mut().move_by(isize::MIN),
        KeyCode::Char('G') | KeyCode::End => model.list_mut().move_by(isize::MAX),
        KeyCode::Esc => model.list_mut().unselect(),
        KeyCode::Enter => model.open_details(now),
        KeyCode::Char('d') => {
            if let Some(line) = model.target(now) {
                let question = Question::disconnect(line);
                model.mode = Mode::Ask(question);
            }
        }
        KeyCode::Char('s') => {
            let line = model.target(now)?;
            let verb = if line.of.suspended { "resume" } else { "suspend" };
            let id = line.of.id.clone();
            return order(model, verb, &id, now);
        }
        _ => {}
    }
    None
}

fn turn(model: &mut Model, by: usize) {
    let at = Tab::ALL.iter().position(|(tab, _)| *tab == model.tab).unwrap_or(0);
    model.tab = Tab::ALL[(at + by) % Tab::ALL.len()].0;
}

fn in_filter(model: &mut Model, key: KeyCode) {
    let mut filter = model.list().filter().to_owned();
    match key {
        KeyCode::Enter => {
            model.mode = Mode::Table;
            return;
        }
        KeyCode::Esc => {
            filter.clear();
            model.mode = Mode::Table;
        }
        KeyCode::Backspace => {
            filter.pop();
        }
        KeyCode::Char(letter) if !letter.is_control() && filter.chars().count() < LONGEST_FILTER => filter.push(letter),
        _ => return,
    }
    model.list_mut().set_filter(&filter);
}

fn in_question(model: &mut Model, key: KeyCode, now: Instant) -> Option<Act> {
    let Mode::Ask(question) = &model.mode else { return None };
    match key {
        KeyCode::Char('y' | 'Y') => {
            let id = question.id.clone();
            model.mode = Mode::Table;
            return order(model, "disconnect", &id, now);
        }
        KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc | KeyCode::Enter => {
            model.mode = Mode::Table;
            model.say("nothing was done".to_owned(), now);
        }
        // A key that was meant for the table is no answer.
        _ => {}
    }
    None
}

/// The line that does something to a connection.
fn order(model: &mut Model, verb: &str, id: &str, now: Instant) -> Option<Act> {
    if matches!(model.link, Link::Lost(_)) {
        return None;
    }
    if !is_plain_id(id) {
        model.say("the server has given this connection an id that cannot be typed".to_owned(), now);
        return None;
    }
    Some(Act::Run(format!("{verb} {id}")))
}

/// Where a key leads in a text; `None` if it closes it. The view keeps it within the text.
fn scroll(at: usize, key: KeyCode) -> Option<usize> {
    match key {
        KeyCode::Char('j') | KeyCode::Down => Some(at.saturating_add(1)),
        KeyCode::Char('k') | KeyCode::Up => Some(at.saturating_sub(1)),
        KeyCode::PageDown => Some(at.saturating_add(10)),
        KeyCode::PageUp => Some(at.saturating_sub(10)),
        KeyCode::Char('q' | '?' | ' ') | KeyCode::Esc | KeyCode::Enter => None,
        _ => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::top::fixtures::{action, connection, snapshot};

    const ID: &str = "81c0aaaa-0000-4000-8000-000000000001";

    fn model() -> Model {
        let mut model = Model::new("Server".to_owned(), Duration::from_secs(1));
        let mut snapshot = snapshot(1_000);
        snapshot.connections.extend([connection(ID, 5, 0), connection("7f3a", 0, 0)]);
        snapshot.connections[0].queue_packets = 812;
        snapshot.totals.connections = 2;
        snapshot.actions.push(action("chat.say", "in", 1, 0));
        model.apply(&snapshot, Instant::now());
        model
    }

    fn type_in(model: &mut Model, keys: &str) -> Option<Act> {
        let mut last = None;
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\t' => KeyCode::Tab,
                key => KeyCode::Char(key),
            };
            last = press(model, code.into(), Instant::now());
        }
        last
    }

    #[test]
    fn quits_by_q_and_by_ctrl_c() {
        assert_eq!(type_in(&mut model(), "q"), Some(Act::Quit));
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for before in ["", "/", "?", "jjd"] {
            let mut model = model();
            type_in(&mut model, before);
            assert_eq!(press(&mut model, ctrl_c, Instant::now()), Some(Act::Interrupt), "{before}");
        }
    }

    #[test]
    fn a_released_key_does_nothing() {
        let release = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(press(&mut model(), release, Instant::now()), None);
    }

    #[test]
    fn a_letter_with_alt_is_no_answer() {
        let mut model = model();
        type_in(&mut model, "jd");
        assert_eq!(press(&mut model, KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT), Instant::now()), None);
        assert!(matches!(model.mode, Mode::Ask(_)));
    }

    #[test]
    fn disconnects_after_a_yes_only() {
        let mut model = model();
        assert_eq!(type_in(&mut model, "jj"), None);
        assert_eq!(model.list().selected(), Some(ID));
        assert_eq!(type_in(&mut model, "d"), None);
        let Mode::Ask(question) = &model.mode else { panic!("it asks") };
        assert_eq!(question.text, "disconnect 81c0 10.0.0.1:5000 (812 queued)");
        assert_eq!(type_in(&mut model, "jx"), None);
        assert_eq!(type_in(&mut model, "n"), None);
        assert_eq!(type_in(&mut model, "y"), None);
        assert_eq!(type_in(&mut model, "dy"), Some(Act::Run(format!("disconnect {ID}"))));
    }

    #[test]
    fn nothing_is_done_without_a_selection() {
        let mut model = model();
        assert_eq!(type_in(&mut model, "s"), None);
        assert_eq!(type_in(&mut model, "dy"), None);
        assert_eq!(model.note(Instant::now()), Some("select a connection first, by the arrows"));
        assert_eq!(type_in(&mut model, "jj2dy"), None);
        assert_eq!(model.note(Instant::now()), Some("connections only: press 1"));
    }

    #[test]
    fn suspends_and_resumes() {
        let mut model = model();
        assert_eq!(type_in(&mut model, "jjs"), Some(Act::Run(format!("suspend {ID}"))));
        let mut snapshot = snapshot(2_000);
        snapshot.connections.push(connection(ID, 5, 0));
        snapshot.connections[0].suspended = true;
        model.apply(&snapshot, Instant::now());
        assert_eq!(type_in(&mut model, "s"), Some(Act::Run(format!("resume {ID}"))));
    }

    #[test]
    fn a_strange_id_is_not_typed() {
        let mut model = model();
        let mut snapshot = snapshot(2_000);
        snapshot.connections.push(connection("a; stop", 5, 0));
        model.apply(&snapshot, Instant::now());
        assert_eq!(type_in(&mut model, "js"), None);
        assert_eq!(type_in(&mut model, "dy"), None);
    }

    #[test]
    fn filters_each_table_by_itself() {
        let mut model = model();
        type_in(&mut model, "/7fq\n");
        assert_eq!(model.list().filter(), "7fq");
        assert_eq!(model.wish().filter, "7fq");
        type_in(&mut model, "2");
        assert_eq!(model.list().filter(), "");
        type_in(&mut model, "1/\x1b");
        assert_eq!(model.list().filter(), "");
        let long = "x".repeat(1000);
        type_in(&mut model, "/");
        paste(&mut model, &long);
        assert_eq!(model.list().filter().len(), LONGEST_FILTER);
    }

    #[test]
    fn a_paste_is_no_command() {
        let mut model = model();
        type_in(&mut model, "jj");
        paste(&mut model, "dyq");
        assert!(matches!(model.mode, Mode::Table));
    }

    #[test]
    fn turns_through_the_tables() {
        let mut model = model();
        type_in(&mut model, "\t\t\t");
        assert_eq!(model.tab, Tab::Faults);
        type_in(&mut model, "\t");
        assert_eq!(model.tab, Tab::Connections);
        press(&mut model, KeyCode::BackTab.into(), Instant::now());
        assert_eq!(model.tab, Tab::Faults);
    }

    #[test]
    fn without_room_for_tables_nothing_is_selected_or_done() {
        let mut model = model();
        type_in(&mut model, "jj");
        model.compact = true;
        assert_eq!(type_in(&mut model, "dysj/\n"), None);
        assert!(matches!(model.mode, Mode::Table));
        assert_eq!(type_in(&mut model, "q"), Some(Act::Quit));
    }

    #[test]
    fn the_order_is_asked_of_the_server() {
        let mut model = model();
        assert_eq!((model.wish().sort, model.wish().descending), ("out_rate", true));
        type_in(&mut model, "hr");
        assert_eq!((model.wish().sort, model.wish().descending), ("in_rate", false));
        type_in(&mut model, " ");
        assert!(model.wish().paused);
    }
}
