//! What the screen shows, and what the operator has done to it. No terminal and no network: snapshots and keys go in, and the
//! view draws what is here.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use pnet::inspect::{About, Snapshot, Totals};

use super::{
    actions, connections,
    faults::{self, Faults},
    limits,
    list::{List, Listing, Moved, Row},
    rates::{Before, Traffic},
};

/// Which table is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tab {
    Connections,
    Actions,
    Limits,
    Faults,
}

impl Tab {
    pub(crate) const ALL: [(Self, &'static str); 4] =
        [(Self::Connections, "Conns"), (Self::Actions, "Actions"), (Self::Limits, "Limits"), (Self::Faults, "Faults")];
}

/// What the keys do at the moment.
#[derive(Debug)]
pub(crate) enum Mode {
    /// They move in the table.
    Table,
    /// They write the filter.
    Filter,
    /// They say yes or no.
    Ask(Question),
    /// They move in the details of one row.
    Details(Details),
    /// They move in the help, whose first line on the screen is this.
    Help(usize),
}

/// Whether a connection shall end. It is about the one it was asked for, whichever is selected by now.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// Everything about one row.
#[derive(Debug)]
pub(crate) struct Details {
    key: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    /// The row has gone: the fields are the last ones known.
    pub(crate) gone: bool,
    pub(crate) scroll: usize,
}

/// Whether the server can be seen.
#[derive(Debug)]
pub(crate) enum Link {
    /// The first sample is on its way.
    Waiting,
    Live,
    /// Not since then.
    Lost(Instant),
}

/// What is asked of the server, again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The name of the column to sort by.
    pub(crate) sort: &'static str,
    pub(crate) descending: bool,
    pub(crate) filter: String,
    /// Nothing, for the time being.
    pub(crate) paused: bool,
}

/// Everything that is on the screen.
pub(crate) struct Model {
    /// What the program is called.
    pub(crate) name: String,
    pub(crate) every: Duration,
    pub(crate) about: About,
    pub(crate) totals: Totals,
    /// How many connections there may be.
    pub(crate) most_connections: Option<u64>,
    pub(crate) traffic: Traffic,
    /// Packets a second, in and out, of the last samples.
    pub(crate) history: VecDeque<(f64, f64)>,
    pub(crate) tab: Tab,
    pub(crate) connections: List<connections::Line>,
    pub(crate) actions: List<actions::Line>,
    pub(crate) limits: List<limits::Line>,
    pub(crate) faults: List<faults::Line>,
    pub(crate) counted: Faults,
    pub(crate) mode: Mode,
    pub(crate) link: Link,
    pub(crate) paused: bool,
    /// Samples that did not come in time.
    pub(crate) lost_samples: u64,
    /// What there is to say, and since when.
    note: Option<(String, Instant)>,
    /// The screen has no room for tables: nothing can be selected, and nothing be done to it.
    pub(crate) compact: bool,
    /// The last sample that came in turn, and the one before it.
    before: Option<Before>,
    older: Option<Before>,
}

/// The most connections that are shown. The program sorts before it cuts.
pub(crate) const MOST_ROWS: usize = 1000;
/// How many samples the history holds.
pub(crate) const HISTORY: usize = 60;
/// The longest filter.
pub(crate) const LONGEST_FILTER: usize = 64;
/// How long a note is shown.
const NOTE: Duration = Duration::from_secs(8);

impl Model {
    pub(crate) fn new(name: String, every: Duration) -> Self {
        Self {
            name,
            every,
            about: About::default(),
            totals: Totals::default(),
            most_connections: None,
            traffic: Traffic::default(),
            history: VecDeque::with_capacity(HISTORY),
            tab: Tab::Connections,
            connections: List::new(),
            actions: List::new(),
            limits: List::new(),
            faults: List::new(),
            counted: Faults::default(),
            mode: Mode::Table,
            link: Link::Waiting,
            paused: false,
            lost_samples: 0,
            note: None,
            compact: false,
            before: None,
            older: None,
        }
    }

    /// Takes in what the server has sent.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot, now: Instant) {
        self.regain(now);
        self.link = Link::Live;
        if self.before.as_ref().is_some_and(|before| before.restarted(snapshot)) {
            (self.before, self.older, self.counted) = (None, None, Faults::default());
            self.history.clear();
            self.say("the server has started anew".to_owned(), now);
        }
        // A sample that was taken out of turn comes soon after another one. Rates over so little time would jump, so it is
        // compared with the one before that.
        let in_turn = self.before.as_ref().is_none_or(|before| before.is_older_than(snapshot, self.every * 3 / 4));
        let before = if in_turn { self.before.as_ref() } else { self.older.as_ref() };
        self.traffic = before.map(|before| before.totals(snapshot)).unwrap_or_default();
        if let (true, Some(received), Some(sent)) = (in_turn, self.traffic.received, self.traffic.sent) {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back((received, sent));
        }

        let lines = connections::lines(snapshot, before);
        let moved = self.connections.replace(lines);
        self.actions.replace(actions::lines(snapshot, before));
        self.limits.replace(limits::lines(snapshot));
        self.faults.replace(self.counted.look(snapshot));
        // The filter is the server's work, too, and what it cuts has not gone.
        let whole = self.connections.filter().is_empty() && snapshot.connections.len() < MOST_ROWS;
        if let Some(moved) = moved {
            self.say(moved_note(&moved, whole), now);
        }
        self.about = snapshot.about.clone();
        self.totals = snapshot.totals.clone();
        let most = snapshot.limits.iter().find(|limit| limit.name == "max_connections");
        self.most_connections = most.map(|limit| limit.allowed);
        if in_turn {
            self.older = self.before.replace(Before::new(snapshot));
        }
        self.refresh_mode(now);
    }

    /// Lets a dialog and the details go on, or end, after new rows have come.
    fn refresh_mode(&mut self, now: Instant) {
        match &mut self.mode {
            Mode::Ask(question) if self.connections.row(&question.id).is_none() => {
                let text = format!("{}: it has gone, nothing was done", question.text);
                self.mode = Mode::Table;
                self.say(text, now);
            }
            Mode::Details(details) => {
                let list: &dyn Listing = match self.tab {
                    Tab::Connections => &self.connections,
                    Tab::Actions => &self.actions,
                    Tab::Limits => &self.limits,
                    Tab::Faults => &self.faults,
                };
                match list.details(&details.key) {
                    Some(fields) => (details.fields, details.gone) = (fields, false),
                    None => details.gone = true,
                }
            }
            _ => {}
        }
    }

    /// The server cannot be seen.
    pub(crate) fn lose(&mut self, now: Instant) {
        if !matches!(self.link, Link::Lost(_)) {
            self.link = Link::Lost(now);
            if matches!(self.mode, Mode::Ask(_)) {
                self.mode = Mode::Table;
            }
        }
    }

    /// The server can be seen again.
    pub(crate) fn regain(&mut self, now: Instant) {
        if matches!(self.link, Link::Lost(_)) {
            self.link = Link::Live;
            self.say("attached again".to_owned(), now);
        }
    }

    /// Shows a note for a while. It has to be printable ASCII.
    pub(crate) fn say(&mut self, note: String, now: Instant) {
        self.note = Some((note, now));
    }

    pub(crate) fn note(&self, now: Instant) -> Option<&str> {
        let (note, since) = self.note.as_ref()?;
        (now.saturating_duration_since(*since) < NOTE).then_some(note)
    }

    /// The table that is shown.
    pub(crate) fn list(&self) -> &dyn Listing {
        match self.tab {
            Tab::Connections => &self.connections,
            Tab::Actions => &self.actions,
            Tab::Limits => &self.limits,
            Tab::Faults => &self.faults,
        }
    }

    pub(crate) fn list_mut(&mut self) -> &mut dyn Listing {
        match self.tab {
            Tab::Connections => &mut self.connections,
            Tab::Actions => &mut self.actions,
            Tab::Limits => &mut self.limits,
            Tab::Faults => &mut self.faults,
        }
    }

    /// What to ask the server for.
    pub(crate) fn wish(&self) -> Wish {
        let (sort, descending) = self.connections.sorted();
        Wish { sort, descending, filter: self.connections.filter().to_owned(), paused: self.paused }
    }

    /// Opens the details of the selected row.
    pub(crate) fn open_details(&mut self, now: Instant) {
        let list = self.list();
        let details = list.selected().and_then(|key| Some((key.to_owned(), list.details(key)?)));
        match details {
            Some((key, fields)) => self.mode = Mode::Details(Details { key, fields, gone: false, scroll: 0 }),
            None => self.say("select a row first, by the arrows".to_owned(), now),
        }
    }

    /// The connection that a key is meant for; otherwise it is said why there is none.
    pub(crate) fn target(&mut self, now: Instant) -> Option<&connections::Line> {
        let why = if self.compact {
            "make the terminal larger for that: 60x8"
        } else if matches!(self.link, Link::Lost(_)) {
            "the server is lost: nothing can be done to it now"
        } else if self.tab != Tab::Connections {
            "connections only: press 1"
        } else if self.connections.selected_row().is_none() {
            "select a connection first, by the arrows"
        } else {
            return self.connections.selected_row();
        };
        self.say(why.to_owned(), now);
        None
    }
}

fn moved_note(moved: &Moved, whole: bool) -> String {
    let gone = &moved.gone;
    let why = if whole { "has gone" } else { "has gone, or is not among those shown" };
    match &moved.now {
        Some(now) => format!("{gone} {why}; {now} is selected now"),
        None => format!("{gone} {why}; nothing is selected now"),
    }
}

/// Whether `id` can stand in a line for the console as it is.
pub(crate) fn is_plain_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Question {
    /// Whether this connection shall be disconnected?
    pub(crate) fn disconnect(line: &connections::Line) -> Self {
        let queued = match line.of.queue_packets {
            0 => String::new(),
            queued => format!(" ({queued} queued)"),
        };
        Self { id: line.key().to_owned(), text: format!("disconnect {}{queued}", line.named()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::fixtures::{connection, limit, snapshot};

    fn with(uptime_ms: u64, connections: &[(&str, u64)]) -> Snapshot {
        let mut snapshot = snapshot(uptime_ms);
        for (id, sent) in connections {
            snapshot.connections.push(connection(id, *sent, 0));
        }
        snapshot.totals.connections = connections.len() as u64;
        snapshot.totals.accepted = 10;
        snapshot
    }

    fn model() -> Model {
        Model::new("Server".to_owned(), Duration::from_secs(1))
    }

    #[test]
    fn the_selection_follows_its_connection_and_says_when_it_has_gone() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0), ("bbbb", 0), ("cccc", 0)]), now);
        model.list_mut().move_by(1);
        model.list_mut().move_by(1);
        assert_eq!(model.list().selected(), Some("bbbb"));
        // By rate it is the last one now, and then the first.
        model.apply(&with(2_000, &[("aaaa", 9), ("bbbb", 0), ("cccc", 5)]), now);
        assert_eq!(model.list().selected(), Some("bbbb"));
        model.apply(&with(3_000, &[("aaaa", 9), ("bbbb", 90), ("cccc", 5)]), now);
        assert_eq!(model.list().selected(), Some("bbbb"));
        assert_eq!(model.note(now), None);
        model.apply(&with(4_000, &[("aaaa", 9), ("cccc", 50)]), now);
        assert_eq!(model.note(now), Some("bbbb has gone; aaaa is selected now"));
        assert_eq!(model.note(now + NOTE), None);
    }

    #[test]
    fn what_the_server_cuts_has_not_certainly_gone() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0)]), now);
        model.list_mut().move_by(1);
        let ids: Vec<String> = (0..MOST_ROWS).map(|nth| format!("b{nth:05}")).collect();
        let many: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), 0)).collect();
        let cut = with(2_000, &many);
        model.apply(&cut, now);
        assert_eq!(model.note(now), Some("aaaa has gone, or is not among those shown; nothing is selected now"));
    }

    #[test]
    fn a_dialog_ends_when_its_connection_has_gone() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0), ("bbbb", 0)]), now);
        model.list_mut().move_by(1);
        let line = model.target(now).expect("one is selected");
        model.mode = Mode::Ask(Question::disconnect(line));
        model.apply(&with(2_000, &[("aaaa", 0), ("bbbb", 5)]), now);
        assert!(matches!(&model.mode, Mode::Ask(question) if question.id == "aaaa"));
        model.apply(&with(3_000, &[("bbbb", 5)]), now);
        assert!(matches!(model.mode, Mode::Table));
        assert_eq!(model.note(now), Some("disconnect aaaa 10.0.0.1:5000: it has gone, nothing was done"));
    }

    #[test]
    fn details_keep_what_was_known_of_a_row_that_has_gone() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0), ("bbbb", 0)]), now);
        model.list_mut().move_by(1);
        model.open_details(now);
        model.apply(&with(2_000, &[("bbbb", 0)]), now);
        let Mode::Details(details) = &model.mode else { panic!("they stay") };
        assert!(details.gone);
        assert_eq!(details.fields[0], ("id", "aaaa".to_owned()));
    }

    #[test]
    fn another_run_of_the_server_begins_anew() {
        let (mut model, now) = (model(), Instant::now());
        let met = |uptime, met| {
            let mut snapshot = with(uptime, &[("aaaa", 0)]);
            snapshot.limits.push(limit("max_calls", 1, None, met));
            snapshot
        };
        for second in 1..=5 {
            model.apply(&met(second * 1_000, second), now);
        }
        assert_eq!((model.history.len(), faults::by_kind(model.faults.rows())[0]), (4, 4));
        model.apply(&met(500, 1), now);
        assert_eq!(model.note(now), Some("the server has started anew"));
        assert_eq!((model.history.len(), faults::by_kind(model.faults.rows())[0]), (0, 0));
        assert_eq!(model.traffic, Traffic::default());
    }

    #[test]
    fn the_history_is_bounded() {
        let (mut model, now) = (model(), Instant::now());
        for second in 1..=200 {
            model.apply(&with(second * 1_000, &[]), now);
        }
        assert_eq!(model.history.len(), HISTORY);
    }

    #[test]
    fn a_sample_out_of_turn_does_not_make_rates_jump() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0)]), now);
        model.apply(&with(2_000, &[("aaaa", 10)]), now);
        // 10 ms later two packets more: not 200 a second.
        model.apply(&with(2_010, &[("aaaa", 12)]), now);
        let rate = |model: &Model| model.connections.rows()[0].traffic.sent;
        assert_eq!((rate(&model), model.history.len()), (Some(12.0 / 1.01), 1));
        model.apply(&with(3_000, &[("aaaa", 20)]), now);
        assert_eq!((rate(&model), model.history.len()), (Some(10.0), 2));
    }

    #[test]
    fn nothing_is_done_to_a_lost_server() {
        let (mut model, now) = (model(), Instant::now());
        model.apply(&with(1_000, &[("aaaa", 0)]), now);
        model.list_mut().move_by(1);
        model.lose(now);
        assert!(model.target(now).is_none());
        model.apply(&with(2_000, &[("aaaa", 0)]), now);
        assert!(model.target(now).is_some());
        assert_eq!(model.note(now), Some("attached again"));
    }

    #[test]
    fn an_id_is_no_line() {
        assert!(is_plain_id("7f3a0000-1111-4222-8333-444455556666"));
        for id in ["", "a b", "a\n", "a;b", "\"a\"", &"a".repeat(65)] {
            assert!(!is_plain_id(id), "{id}");
        }
    }
}
