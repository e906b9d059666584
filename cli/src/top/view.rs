//! Draws a model. Whatever the size is, only what lies within the screen is written to.

use std::time::Instant;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line as TextLine, Span},
};

use super::{
    actions,
    faults::{self, Kind},
    keys::HELP,
    list::{Line, Listing},
    model::{Link, Mode, Model, Tab},
    text::{Align, count, cut, fit, flow, line_of, millis, plain, rate_or_dash, span, wrap},
    theme::Theme,
};

/// Below this there are no tables.
const LEAST: (u16, u16) = (60, 8);
/// From here on other tables are shown below that of the connections.
const LARGE: (u16, u16) = (100, 36);
/// The most rows of those tables.
const ACTIONS_BELOW: u16 = 9;
const FAULTS_BELOW: u16 = 4;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &mut Model, theme: Theme, now: Instant) {
    let area = frame.area();
    model.compact = area.width < LEAST.0 || area.height < LEAST.1;
    let mut screen = Screen { frame, area, theme, dim: matches!(model.link, Link::Lost(_)) };
    if model.compact {
        compact(&mut screen, model, now);
    } else {
        full(&mut screen, model, now);
    }
    match &mut model.mode {
        Mode::Help(at) => {
            let lines: Vec<String> = HELP.iter().map(|(key, what)| format!("{key:<13} {what}")).collect();
            screen.text("keys", &lines, at);
        }
        Mode::Details(details) => {
            let fields = details.fields.iter();
            let lines: Vec<String> = fields.map(|(name, value)| format!("{name:<11} {value}")).collect();
            let title = if details.gone { "details: it has GONE, these are the last ones known" } else { "details" };
            screen.text(title, &lines, &mut details.scroll);
        }
        _ => {}
    }
}

fn full(screen: &mut Screen<'_, '_>, model: &mut Model, now: Instant) {
    let (width, height) = (usize::from(screen.area.width), screen.area.height);
    screen.head(model, now);
    screen.put(1, rates_line(model, width), Style::new());
    screen.put(2, faults_line(model, width), Style::new());
    let large = screen.area.width >= LARGE.0 && height >= LARGE.1;
    let mut top = 3;
    if large {
        screen.put(3, history_line(model, width, screen.theme), Style::new());
        top = 4;
    }
    screen.tabs(top, model, width);
    // The last line is for the keys, the one before for notes and questions.
    let room = height - top - 4;
    // A protocol without so many actions leaves the room to the connections.
    let actions = u16::try_from(model.actions.rows().len()).unwrap_or(u16::MAX).min(ACTIONS_BELOW);
    let below = if large && model.tab == Tab::Connections { actions + FAULTS_BELOW + 2 } else { 0 };
    let (head, lines) = {
        let list = model.list_mut();
        let lines = list.draw(width, usize::from(room - below));
        (list.head(width), lines)
    };
    screen.table(top + 1, &head, &lines);
    if below > 0 {
        let at = top + 2 + room - below;
        screen.table(at, &model.actions.head(width), &model.actions.peek(width, usize::from(actions)));
        let lines = model.faults.peek(width, usize::from(FAULTS_BELOW));
        screen.table(at + 1 + actions, &model.faults.head(width), &lines);
    }
    let (said, style) = bottom_line(model, width, screen.theme, now);
    screen.put_bright(height - 2, said, style);
    screen.put_bright(height - 1, keys_line(model, width), screen.theme.title());
}

/// The head and the keys, for screens that have no room for more.
fn compact(screen: &mut Screen<'_, '_>, model: &Model, now: Instant) {
    let (width, height) = (usize::from(screen.area.width), usize::from(screen.area.height));
    if height == 0 {
        return;
    }
    let faults: u64 = faults::by_kind(model.faults.rows()).iter().fold(0, |sum, count| sum.saturating_add(*count));
    let pieces = [
        cut(&plain(&model.name, 40), width),
        state(model, now),
        format!("{} conns", count(model.totals.connections)),
        format!("in {}/s", rate_or_dash(model.traffic.received)),
        format!("out {}/s", rate_or_dash(model.traffic.sent)),
        if faults > 0 { format!("! {} faults/min", count(faults)) } else { String::new() },
        p99(model),
        format!("up {}", span(model.about.uptime_ms)),
        format!("queued {}", count(model.totals.queued)),
    ];
    let question = match &model.mode {
        Mode::Ask(question) => Some(format!("{}? y/N", question.text)),
        _ => model.note(now).map(str::to_owned),
    };
    let keys = if height > 1 { 1 } else { 0 };
    let said: Vec<String> =
        question.map(|said| flow(width, (height - keys).saturating_sub(1), said.split(' '))).unwrap_or_default();
    let room = height - keys - said.len();
    let mut row = 0;
    for line in flow(width, room, pieces.iter().map(String::as_str)) {
        screen.put(row, line, Style::new());
        row += 1;
    }
    for line in said {
        screen.put_bright(row, line, screen.theme.urgent());
        row += 1;
    }
    if keys > 0 {
        let line = line_of(width, &[(0, "q quit".to_owned()), (1, "? help".to_owned()), (2, "space pause".to_owned())]);
        screen.put_bright(screen.area.height - 1, line, screen.theme.title());
    }
}

/// A frame, and what all that is drawn into it has in common.
struct Screen<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    theme: Theme,
    /// What is shown is old.
    dim: bool,
}

impl Screen<'_, '_> {
    /// A line of the screen; nothing if it has no such line.
    fn put(&mut self, row: u16, text: String, style: Style) {
        let style = if self.dim { self.theme.dim(style) } else { style };
        self.put_bright(row, text, style);
    }

    /// The same, even if the server is lost.
    fn put_bright(&mut self, row: u16, text: String, style: Style) {
        self.spans(row, vec![Span::styled(text, style)]);
    }

    fn spans(&mut self, row: u16, spans: Vec<Span<'_>>) {
        if row < self.area.height {
            let line = Rect { y: self.area.y + row, height: 1, ..self.area };
            self.frame.render_widget(TextLine::from(spans), line);
        }
    }

    /// The first line: what is watched, and whether it is there.
    fn head(&mut self, model: &Model, now: Instant) {
        let width = usize::from(self.area.width);
        let (line, state) = (head_line(model, width, now), state(model, now));
        // Whether it is there has a style of its own, wherever it stands.
        let (before, after) = line.split_once(&state).unwrap_or((line.as_str(), ""));
        let style = match (&model.link, model.paused) {
            (Link::Lost(_), _) | (_, true) => self.theme.urgent(),
            (Link::Live | Link::Waiting, false) => self.theme.good(),
        };
        let plain = if self.dim { self.theme.dim(Style::new()) } else { self.theme.bold() };
        let state = if line.len() == before.len() { String::new() } else { state };
        let spans = vec![
            Span::styled(before.to_owned(), plain),
            Span::styled(state, style),
            Span::styled(after.to_owned(), plain),
        ];
        self.spans(0, spans);
    }

    /// The line with the names of the tables, and what is said about the one that is shown.
    fn tabs(&mut self, row: u16, model: &Model, width: usize) {
        let mut text = String::new();
        let mut spans = Vec::new();
        for (nth, (tab, name)) in Tab::ALL.iter().enumerate() {
            let shown = *tab == model.tab;
            let name = if shown { format!("[{} {name}]", nth + 1) } else { format!(" {} {name} ", nth + 1) };
            text.push_str(&name);
            let style = if shown { self.theme.selected(self.theme.title()) } else { Style::new() };
            spans.push(Span::styled(name, if self.dim { self.theme.dim(style) } else { style }));
        }
        let list = model.list();
        let (there, shown) = list.counts();
        let all = match model.tab {
            Tab::Connections => model.totals.connections.max(there as u64),
            _ => there as u64,
        };
        let (sort, descending) = list.sorted();
        let filter = match list.filter() {
            "" => "filter: -".to_owned(),
            filter => format!("filter: {}", plain(filter, 20)),
        };
        let pieces = [
            (1, filter),
            (2, format!("sort: {sort} {}", if descending { "v" } else { "^" })),
            (0, format!("{shown} of {all} shown")),
        ];
        let room = width.saturating_sub(text.len() + 2);
        spans.push(Span::raw(fit(&line_of(room, &pieces), room + 2, Align::Right)));
        self.spans(row, spans);
    }

    /// A table with its head.
    fn table(&mut self, row: u16, head: &str, lines: &[Line]) {
        self.put(row, head.to_owned(), self.theme.title());
        for (row, line) in (row + 1..).zip(lines) {
            let style = if line.alarming { self.theme.alarming() } else { Style::new() };
            let style = if line.selected { self.theme.selected(style) } else { style };
            self.put(row, line.text.clone(), style);
        }
    }

    /// A text in front of everything. The place in it is kept within the text.
    fn text(&mut self, title: &str, lines: &[String], scroll: &mut usize) {
        let (width, height) = (usize::from(self.area.width), self.area.height);
        let lines: Vec<String> = lines.iter().flat_map(|line| wrap(line, width)).collect();
        for row in 0..height {
            self.put_bright(row, " ".repeat(width), Style::reset());
        }
        let first = if height < LEAST.1 { 1 } else { 2 };
        let room = height.saturating_sub(first + 1);
        *scroll = (*scroll).min(lines.len().saturating_sub(usize::from(room.max(1))));
        self.put_bright(0, fit(title, width, Align::Left), self.theme.selected(self.theme.bold()));
        for (row, line) in (first..first + room).zip(lines.into_iter().skip(*scroll)) {
            self.put_bright(row, line, Style::new());
        }
        if height > 1 {
            let pieces = [(0, "Esc back".to_owned()), (1, "arrows more".to_owned())];
            self.put_bright(height - 1, line_of(width, &pieces), self.theme.title());
        }
    }
}

/// Whether the server is there, in words.
fn state(model: &Model, now: Instant) -> String {
    match model.link {
        Link::Lost(since) => format!("LOST {}s, retrying", now.saturating_duration_since(since).as_secs()),
        Link::Waiting => "WAITING".to_owned(),
        Link::Live if model.paused => "PAUSED".to_owned(),
        Link::Live if model.about.draining => "DRAINING".to_owned(),
        Link::Live => "LIVE".to_owned(),
    }
}

fn p99(model: &Model) -> String {
    actions::slowest(model.actions.rows()).map_or_else(|| "p99 -".to_owned(), |us| format!("p99 {}ms", millis(us)))
}

/// What is watched.
pub(crate) fn head_line(model: &Model, width: usize, now: Instant) -> String {
    let about = &model.about;
    let most = model.most_connections.map(|most| format!(" (limit {most})")).unwrap_or_default();
    let every = if model.every.subsec_millis() == 0 {
        format!("every {}s", model.every.as_secs())
    } else {
        format!("every {}ms", model.every.as_millis())
    };
    let pieces = [
        (7, "pnet top".to_owned()),
        (1, format!("{} {}", plain(&model.name, 24), plain(&about.version, 12))),
        (3, format!("up {}", span(about.uptime_ms))),
        (2, format!("{} conns{most}", model.totals.connections)),
        (6, every),
        (0, state(model, now)),
        (4, super::text::clock(about.at_ms)),
        (8, plain(&about.addr, 50)),
    ];
    line_of(width, &pieces)
}

/// What goes on in all.
pub(crate) fn rates_line(model: &Model, width: usize) -> String {
    let (totals, traffic) = (&model.totals, &model.traffic);
    let pieces = [
        (0, format!("in {}/s {}B/s", rate_or_dash(traffic.received), rate_or_dash(traffic.bytes_received))),
        (1, format!("out {}/s {}B/s", rate_or_dash(traffic.sent), rate_or_dash(traffic.bytes_sent))),
        (2, format!("in flight {}", count(totals.in_flight))),
        (3, format!("queued {}", count(totals.queued))),
        (4, p99(model)),
        (5, format!("memory {}B", count(totals.memory))),
    ];
    line_of(width, &pieces)
}

/// What goes wrong.
pub(crate) fn faults_line(model: &Model, width: usize) -> String {
    let counts = faults::by_kind(model.faults.rows());
    let gathered = model.counted.gathered();
    let since = if gathered >= 60_000 { "faults/min:".to_owned() } else { format!("faults in {}:", span(gathered)) };
    let mut pieces = vec![(0, since)];
    for ((_, word), count) in Kind::ALL.iter().zip(counts) {
        // What is not zero has a mark, and stays where there is no room for all.
        let piece = if count > 0 { (1, format!("{word} {}!", self::count(count))) } else { (2, format!("{word} 0")) };
        pieces.push(piece);
    }
    pieces.push((3, format!("lost samples {}", count(model.lost_samples))));
    line_of(width, &pieces)
}

/// A bar for each of the last samples: packets a second, both ways.
fn history_line(model: &Model, width: usize, theme: Theme) -> String {
    let levels: &[char] = if theme.blocks {
        &[' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}']
    } else {
        &[' ', '.', ':', '-', '=', '+', '*', '#', '@']
    };
    let bars = |pick: fn(&(f64, f64)) -> f64, most: usize| {
        let values: Vec<f64> = model.history.iter().map(pick).collect();
        let highest = values.iter().copied().fold(0.0, f64::max);
        let shown = values.iter().skip(values.len().saturating_sub(most));
        let bars: String = shown.map(|value| levels[level(*value, highest, levels.len() - 1)]).collect();
        (bars, highest)
    };
    let most = (width.saturating_sub(36) / 2).min(super::model::HISTORY);
    let ((received, highest_in), (sent, highest_out)) = (bars(|both| both.0, most), bars(|both| both.1, most));
    let rate = |highest: f64| super::text::rate(highest);
    format!("in {received:>most$} max {:<5}  out {sent:>most$} max {:<5}", rate(highest_in), rate(highest_out),)
}

/// How high a bar is. What is not zero can be seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between zero and `most`")]
#[expect(clippy::cast_precision_loss, reason = "there are eight levels")]
fn level(value: f64, highest: f64, most: usize) -> usize {
    if value <= 0.0 || highest <= 0.0 {
        return 0;
    }
    ((value / highest * most as f64).ceil() as usize).clamp(1, most)
}

/// The question, the filter or the note.
fn bottom_line(model: &Model, width: usize, theme: Theme, now: Instant) -> (String, Style) {
    match &model.mode {
        Mode::Ask(question) => {
            // The answer keeps its place, however long the address is.
            let question = cut(&question.text, width.saturating_sub(7));
            (format!("{question}?  y/N"), theme.urgent())
        }
        Mode::Filter => {
            let filter = plain(model.list().filter(), width.saturating_sub(40).max(10));
            (cut(&format!("/{filter}_   Enter keeps it, Esc drops it"), width), theme.bold())
        }
        _ => (model.note(now).map(|note| cut(note, width)).unwrap_or_default(), theme.bold()),
    }
}

fn keys_line(model: &Model, width: usize) -> String {
    let pieces: &[(u8, &str)] = match model.mode {
        Mode::Ask(_) => &[(0, "y disconnect"), (1, "n do not")],
        Mode::Filter => &[(0, "Enter keep"), (1, "Esc drop")],
        _ => &[
            (0, "q quit"),
            (1, "? help"),
            (6, "1-4 table"),
            (4, "</> sort"),
            (8, "r reverse"),
            (5, "/ filter"),
            (7, "space pause"),
            (3, "s susp"),
            (2, "d disc"),
            (9, "Enter details"),
        ],
    };
    let pieces: Vec<(u8, String)> = pieces.iter().map(|(weight, text)| (*weight, (*text).to_owned())).collect();
    // One space would do, but two are easier to read where there is room.
    let line = line_of(width, &pieces);
    let all = pieces.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ");
    if all.len() <= width && line.len() < all.len() { all } else { line }
}

#[cfg(test)]
mod tests;
