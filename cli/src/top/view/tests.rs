//! What is drawn, as recorded in `screens/`: run the tests with `PNET_RECORD=1` after a change that is meant, and look at the
//! files.

use std::{fs, path::PathBuf, time::Duration};

use ratatui::{Terminal, backend::TestBackend, crossterm::event::KeyCode, style::Modifier};

use super::*;
use crate::top::{
    connections,
    fixtures::{action, closes, connection, limit, snapshot},
    keys::press,
    list::fits,
};

const PLAIN: Theme = Theme::new(false, false);

/// A server under load, with everything that may look strange.
fn busy(second: u64) -> pnet::inspect::Snapshot {
    let mut snapshot = snapshot(274_000_000 + second * 1_000);
    snapshot.about.addr = "0.0.0.0:25565".to_owned();
    snapshot.totals.connections = 103;
    snapshot.totals.accepted = 200;
    snapshot.totals.in_flight = 37;
    snapshot.totals.queued = 1_200;
    snapshot.totals.memory = 3_400_000;
    snapshot.totals.received.packets = 4_100 * second;
    snapshot.totals.received.bytes = 812_000 * second;
    snapshot.totals.sent.packets = 9_800 * second * (1 + second % 3);
    snapshot.totals.sent.bytes = 2_100_000 * second;
    for nth in 0..103_u64 {
        let id = format!("{:08x}-0000-4000-8000-{nth:012x}", nth * 41_000_000 + 0x0100_0000);
        let mut one = connection(&id, (nth * 7 + 3) * second, nth * 1_000 * second);
        one.addr = format!("10.0.{}.{}:{}", nth % 7, nth % 250, 50_000 + nth);
        one.received.calls = nth * second;
        one.rtt_us = (nth % 5 != 0).then_some(nth * nth * 37);
        one.idle_ms = nth * 777;
        one.age_ms = 60_000 * (nth + 1);
        match nth {
            102 => {
                one.addr = "[2001:db8::42:1]:61204".to_owned();
                (one.tls, one.key) = (true, Some("SHA256:47DEQpj8HBSa".to_owned()));
                (one.queue_packets, one.queue_bytes, one.in_flight) = (812, 190_000, 12);
            }
            101 => one.addr = "\u{1b}[2J\u{202e}evil\u{1f980}".to_owned(),
            100 => {
                (one.form, one.suspended) = ("json".to_owned(), true);
                one.person = Some("Ada \u{202e}\u{7f}L\u{f6}velace".to_owned());
            }
            _ => {}
        }
        snapshot.connections.push(one);
    }
    for (nth, name) in ["chat.say", "chat.join", "chat.leave", "file.read"].into_iter().enumerate() {
        let mut one = action(name, "in", second * 1_200 / (nth as u64 + 1), if nth == 0 { second } else { 0 });
        one.samples = if nth == 3 { 12 } else { 5_000 };
        (one.p50_us, one.p99_us) = (Some(80.0 * (nth + 1) as f64), Some(1_940.0 / (nth + 1) as f64));
        snapshot.actions.push(one);
    }
    snapshot.actions.push(action("chat.said", "out", second * 9_000, 0));
    snapshot.limits.push(limit("max_connections", 1024, Some(103), 0));
    snapshot.limits.push(limit("max_calls", 64, Some(60), second * 3));
    snapshot.closes.push(closes("timeout", "here", second / 2));
    snapshot.closes.push(closes("normal", "peer", 97));
    snapshot
}

fn model() -> Model {
    let mut model = Model::new("Server".to_owned(), Duration::from_secs(1));
    let now = Instant::now();
    for second in 1..=20 {
        model.apply(&busy(second), now);
    }
    model
}

fn type_in(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            key => KeyCode::Char(key),
        };
        press(model, code.into(), Instant::now());
    }
}

fn terminal(model: &mut Model, theme: Theme, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| draw(frame, model, theme, Instant::now())).expect("drawing in memory");
    terminal
}

fn lines(terminal: &Terminal<TestBackend>) -> Vec<String> {
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned()).collect()
}

/// Compares a screen with its record.
fn check(name: &str, model: &mut Model, width: u16, height: u16) {
    let shown = lines(&terminal(model, PLAIN, width, height)).join("\n") + "\n";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/top/view/screens/{name}.txt"));
    if std::env::var_os("PNET_RECORD").is_some() {
        fs::write(&path, &shown).expect("the record can be written");
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == recorded, "{} is recorded otherwise; drawn now:\n{shown}", path.display());
}

#[test]
fn connections_80x24() {
    let mut model = model();
    type_in(&mut model, "jjj");
    check("connections_80x24", &mut model, 80, 24);
}

#[test]
fn connections_120x40() {
    let mut model = model();
    type_in(&mut model, "jj");
    check("connections_120x40", &mut model, 120, 40);
}

#[test]
fn connections_200x60() {
    check("connections_200x60", &mut model(), 200, 60);
}

#[test]
fn least_with_tables_60x8() {
    check("connections_60x8", &mut model(), 60, 8);
}

#[test]
fn other_tables_80x24() {
    let mut model = model();
    for (key, name) in [("2", "actions_80x24"), ("3", "limits_80x24"), ("4", "faults_80x24")] {
        type_in(&mut model, key);
        check(name, &mut model, 80, 24);
    }
}

#[test]
fn small_20x5() {
    let mut model = model();
    check("small_20x5", &mut model, 20, 5);
    type_in(&mut model, "?");
    check("help_20x5", &mut model, 20, 5);
}

#[test]
fn question_80x24() {
    let mut model = model();
    type_in(&mut model, "jd");
    check("question_80x24", &mut model, 80, 24);
}

#[test]
fn details_80x24() {
    let mut model = model();
    type_in(&mut model, "/ada\nj\n");
    check("details_80x24", &mut model, 80, 24);
}

#[test]
fn help_80x24() {
    let mut model = model();
    type_in(&mut model, "?");
    check("help_80x24", &mut model, 80, 24);
}

#[test]
fn filter_80x24() {
    let mut model = model();
    type_in(&mut model, "/json");
    check("filter_80x24", &mut model, 80, 24);
}

#[test]
fn a_lost_server_is_dim_and_says_so() {
    let mut model = model();
    let ago = Instant::now().checked_sub(Duration::from_millis(4_200)).expect("the machine runs for longer");
    model.lose(ago);
    let terminal = terminal(&mut model, PLAIN, 80, 24);
    let shown = lines(&terminal);
    assert!(shown[0].contains("LOST 4s, retrying"), "{}", shown[0]);
    let buffer = terminal.backend().buffer();
    assert!(buffer[(1, 8)].modifier.contains(Modifier::DIM), "old rows are dim");
    assert!(!buffer[(0, 23)].modifier.contains(Modifier::DIM), "the keys are not");
}

#[test]
fn every_size_can_be_drawn() {
    let mut models = Vec::new();
    for keys in ["jj", "?", "jd", "j\n", "/x", "2j", "3", "4", " "] {
        let mut model = model();
        type_in(&mut model, keys);
        models.push(model);
    }
    let mut lost = model();
    lost.lose(Instant::now());
    models.push(lost);
    models.push(Model::new(String::new(), Duration::from_millis(100)));
    let mut next = (0..models.len()).cycle();
    for width in 1..=200 {
        for height in 1..=60 {
            // Each size shows one of them, small sizes all.
            let some = if width <= 22 && height <= 10 { models.len() } else { 1 };
            for at in next.by_ref().take(some) {
                terminal(&mut models[at], PLAIN, width, height);
            }
        }
    }
}

#[test]
fn no_column_is_cut_where_tables_are_shown() {
    for width in usize::from(LEAST.0)..300 {
        assert!(fits::<connections::Line>(width), "{width}");
        assert!(fits::<actions::Line>(width), "{width}");
        assert!(fits::<crate::top::limits::Line>(width), "{width}");
        assert!(fits::<faults::Line>(width), "{width}");
    }
}

#[test]
fn a_model_is_drawn_after_the_screen_has_shrunk_and_grown() {
    let mut model = model();
    type_in(&mut model, "G");
    for (width, height) in [(120, 40), (60, 8), (1, 1), (20, 5), (200, 60), (80, 24)] {
        terminal(&mut model, PLAIN, width, height);
    }
    let shown = lines(&terminal(&mut model, PLAIN, 80, 24));
    assert!(shown.iter().any(|line| line.starts_with('>')), "the selection can be seen again");
}

#[test]
fn nothing_of_a_peer_reaches_the_screen_unescaped() {
    let mut model = model();
    for (keys, width) in [("", 80), ("", 200), ("/evil\nj\n", 80)] {
        type_in(&mut model, keys);
        for line in lines(&terminal(&mut model, PLAIN, width, 60)) {
            assert!(line.chars().all(|letter| (' '..='~').contains(&letter)), "{line}");
        }
    }
    assert!(lines(&terminal(&mut model, PLAIN, 200, 60)).join("\n").contains("\\u{1b}[2J\\u{202e}evil\\u{1f980}"));
}

#[test]
fn marks_say_what_colours_say() {
    let mut model = model();
    type_in(&mut model, "j");
    let shown = lines(&terminal(&mut model, PLAIN, 80, 24));
    assert!(shown[0].contains("LIVE"));
    assert!(shown[2].contains('!'), "faults are marked: {}", shown[2]);
    assert!(shown.iter().any(|line| line.starts_with('>') && line.ends_with('!')), "so are the row and the queue");
    let colours = terminal(&mut model, PLAIN, 80, 24);
    let buffer = colours.backend().buffer();
    assert!(buffer.content().iter().all(|cell| cell.fg == ratatui::style::Color::Reset), "NO_COLOR has no colour");
}
