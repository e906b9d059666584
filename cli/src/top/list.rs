//! A table whose rows move: which are shown, in which order, and which one is selected.
//!
//! A selection is the key of a row, not its place. So it stays with its row while the order changes, and nobody disconnects
//! another connection than the one that was meant.

use std::cmp::Ordering;

use super::text::{Align, cut, fit};

/// What a table shows in one of its rows.
pub(crate) trait Row: Sized + 'static {
    /// The columns, from left to right.
    const COLUMNS: &'static [Column<Self>];
    /// Which of them the table is sorted by at first.
    const SORTED_BY: usize;

    /// What tells this row from all others, for as long as it lives.
    fn key(&self) -> &str;
    /// How people call it.
    fn label(&self) -> String;
    /// Whether the filter, which is in lower case, lets it through.
    fn matches(&self, filter: &str) -> bool;
    /// Whether something about it needs attention. Its cells say what.
    fn alarming(&self) -> bool;
    /// Everything there is to know about it.
    fn details(&self) -> Vec<(&'static str, String)>;
}

/// One column.
pub(crate) struct Column<R: 'static> {
    /// Its head.
    title: &'static str,
    /// Its name where a server is asked to sort.
    name: &'static str,
    /// How many characters it has at least.
    width: usize,
    /// Its part of the room that is left.
    grows: usize,
    align: Align,
    /// It is shown on screens at least this wide …
    from: usize,
    /// … and narrower than this.
    until: usize,
    /// What it says, in about this many characters.
    cell: fn(&R, usize) -> String,
    /// The order of two rows, ascending.
    order: fn(&R, &R) -> Ordering,
    /// Whether the high ones come first when the column is picked.
    descends: bool,
}

impl<R> Column<R> {
    /// A column of words, in alphabetical order.
    pub(crate) const fn left(
        title: &'static str,
        name: &'static str,
        width: usize,
        cell: fn(&R, usize) -> String,
        order: fn(&R, &R) -> Ordering,
    ) -> Self {
        let (align, until) = (Align::Left, usize::MAX);
        Self { title, name, width, grows: 0, align, from: 0, until, cell, order, descends: false }
    }

    /// A column of numbers, the highest first.
    pub(crate) const fn right(
        title: &'static str,
        name: &'static str,
        width: usize,
        cell: fn(&R, usize) -> String,
        order: fn(&R, &R) -> Ordering,
    ) -> Self {
        let (align, until) = (Align::Right, usize::MAX);
        Self { title, name, width, grows: 0, align, from: 0, until, cell, order, descends: true }
    }

    /// Sets its part of the room that is left.
    pub(crate) const fn grows(mut self, weight: usize) -> Self {
        self.grows = weight;
        self
    }

    /// Shows it only on screens at least this wide.
    pub(crate) const fn from(mut self, width: usize) -> Self {
        self.from = width;
        self
    }

    /// Shows it only on screens narrower than this.
    pub(crate) const fn until(mut self, width: usize) -> Self {
        self.until = width;
        self
    }

    /// The highest come first.
    pub(crate) const fn descends(mut self) -> Self {
        self.descends = true;
        self
    }
}

/// What became of a selection whose row has gone.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Moved {
    /// The row that was selected, as people call it.
    pub(crate) gone: String,
    /// The one that is selected now.
    pub(crate) now: Option<String>,
}

/// A line of a drawn table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) selected: bool,
    pub(crate) alarming: bool,
}

/// The rows of a table, and what the operator has done to it.
pub(crate) struct List<R: Row> {
    rows: Vec<R>,
    /// Places in `rows`: what the filter lets through, sorted.
    shown: Vec<usize>,
    sorted_by: usize,
    descending: bool,
    filter: String,
    selected: Option<String>,
    /// The first line on the screen.
    top: usize,
    /// The lines on the screen, for whole pages.
    page: usize,
    /// The width it was drawn in, for the columns there are.
    width: usize,
}

/// What every table can do, whatever is in it.
pub(crate) trait Listing {
    /// Moves the selection by so many rows; the first time it selects what is at the top.
    fn move_by(&mut self, rows: isize);
    /// Moves the selection by so many pages.
    fn page_by(&mut self, pages: isize);
    /// Selects nothing.
    fn unselect(&mut self);
    /// Sorts by the next or the previous column that is shown.
    fn pick_column(&mut self, step: isize);
    fn reverse(&mut self);
    fn set_filter(&mut self, filter: &str);
    fn filter(&self) -> &str;
    /// The name of the column that it is sorted by, and whether the high ones come first.
    fn sorted(&self) -> (&'static str, bool);
    /// How many rows there are, and how many the filter lets through.
    fn counts(&self) -> (usize, usize);
    /// The key of the selected row.
    fn selected(&self) -> Option<&str>;
    /// Everything about the row with this key.
    fn details(&self, key: &str) -> Option<Vec<(&'static str, String)>>;
    /// The heads of the columns, in `width` characters.
    fn head(&self, width: usize) -> String;
    /// The lines for a screen of this size. The selected row is among them.
    fn draw(&mut self, width: usize, height: usize) -> Vec<Line>;
    /// The first lines, without a selection.
    fn peek(&self, width: usize, height: usize) -> Vec<Line>;
}

impl<R: Row> List<R> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            shown: Vec::new(),
            sorted_by: R::SORTED_BY,
            descending: R::COLUMNS[R::SORTED_BY].descends,
            filter: String::new(),
            selected: None,
            top: 0,
            page: 1,
            width: 80,
        }
    }

    /// Sorts by the column of this name. False if there is none.
    pub(crate) fn sort_by(&mut self, name: &str) -> bool {
        let Some(at) = R::COLUMNS.iter().position(|column| column.name == name) else { return false };
        self.sorted_by = at;
        self.descending = R::COLUMNS[at].descends;
        self.arrange();
        true
    }

    /// The names of the columns, each once.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&'static str> = R::COLUMNS.iter().map(|column| column.name).collect();
        names.dedup();
        names
    }

    /// Replaces all rows. A selection whose row has gone goes to the one that followed it, or else to the one before.
    pub(crate) fn replace(&mut self, rows: Vec<R>) -> Option<Moved> {
        let mut moved = None;
        if let Some(selected) = self.selected.clone()
            && !rows.iter().any(|row| row.key() == selected)
        {
            let place = self.place_of(&selected).unwrap_or(0);
            let (before, after) = self.shown.split_at(place.min(self.shown.len()));
            let neighbours = after.iter().chain(before.iter().rev()).map(|at| self.rows[*at].key());
            let now = neighbours
                .filter(|key| *key != selected)
                .find_map(|key| rows.iter().find(|row| row.key() == key && self.passes(row)));
            let gone = self.rows.iter().find(|row| row.key() == selected).map_or(selected, Row::label);
            moved = Some(Moved { gone, now: now.map(Row::label) });
            self.selected = now.map(|row| row.key().to_owned());
        }
        self.rows = rows;
        self.arrange();
        moved
    }

    /// The row with this key.
    pub(crate) fn row(&self, key: &str) -> Option<&R> {
        self.rows.iter().find(|row| row.key() == key)
    }

    /// The row that is selected.
    pub(crate) fn selected_row(&self) -> Option<&R> {
        self.row(self.selected.as_deref()?)
    }

    /// All rows, whether the filter lets them through or not.
    pub(crate) fn rows(&self) -> &[R] {
        &self.rows
    }

    fn passes(&self, row: &R) -> bool {
        self.filter.is_empty() || row.matches(&self.filter)
    }

    fn place_of(&self, key: &str) -> Option<usize> {
        self.shown.iter().position(|at| self.rows[*at].key() == key)
    }

    /// Makes `shown` anew.
    fn arrange(&mut self) {
        let mut shown: Vec<usize> = (0..self.rows.len()).filter(|at| self.passes(&self.rows[*at])).collect();
        let order = R::COLUMNS[self.sorted_by].order;
        shown.sort_by(|a, b| {
            let (a, b) = (&self.rows[*a], &self.rows[*b]);
            let by_column = if self.descending { order(b, a) } else { order(a, b) };
            by_column.then_with(|| a.key().cmp(b.key()))
        });
        self.shown = shown;
    }

    fn columns(width: usize) -> impl Iterator<Item = (usize, &'static Column<R>)> {
        R::COLUMNS.iter().enumerate().filter(move |(_, column)| (column.from..column.until).contains(&width))
    }

    /// The widths of the columns on a screen of this width, with what is left given to those that grow.
    fn layout(width: usize) -> Vec<(usize, &'static Column<R>, usize)> {
        let least: usize = Self::columns(width).map(|(_, column)| column.width + 1).sum();
        let mut left = width.saturating_sub(least);
        let mut weights: usize = Self::columns(width).map(|(_, column)| column.grows).sum();
        Self::columns(width)
            .map(|(at, column)| {
                let more = if column.grows == 0 { 0 } else { left * column.grows / weights };
                left -= more;
                weights -= column.grows;
                (at, column, column.width + more)
            })
            .collect()
    }

    fn lines<'a>(rows: impl Iterator<Item = &'a R>, width: usize, selected: Option<&str>) -> Vec<Line> {
        let columns = Self::layout(width);
        rows.map(|row| {
            let selected = selected == Some(row.key());
            let mut text = String::from(if selected { ">" } else { " " });
            for (nth, (_, column, width)) in columns.iter().enumerate() {
                if nth > 0 {
                    text.push(' ');
                }
                text.push_str(&fit(&(column.cell)(row, *width), *width, column.align));
            }
            Line { text: cut(&text, width), selected, alarming: row.alarming() }
        })
        .collect()
    }
}

impl<R: Row> Listing for List<R> {
    fn move_by(&mut self, rows: isize) {
        let Some(last) = self.shown.len().checked_sub(1) else { return };
        let place = match self.selected.as_deref().and_then(|key| self.place_of(key)) {
            Some(place) => place.saturating_add_signed(rows),
            // The first step selects what is at the top of the screen; a leap goes where it leads.
            None if rows.unsigned_abs() > last => {
                if rows > 0 {
                    last
                } else {
                    0
                }
            }
            None => self.top,
        };
        self.selected = Some(self.rows[self.shown[place.min(last)]].key().to_owned());
    }

    fn page_by(&mut self, pages: isize) {
        self.move_by(pages.saturating_mul(isize::try_from(self.page.max(1)).unwrap_or(isize::MAX)));
    }

    fn unselect(&mut self) {
        self.selected = None;
    }

    fn pick_column(&mut self, step: isize) {
        let there: Vec<usize> = Self::columns(self.width).map(|(at, _)| at).collect();
        let Some(last) = there.len().checked_sub(1) else { return };
        // A column that is not on this screen is left for its neighbour.
        let place = there.iter().position(|at| *at >= self.sorted_by).unwrap_or(last);
        self.sorted_by = there[place.saturating_add_signed(step).min(last)];
        self.descending = R::COLUMNS[self.sorted_by].descends;
        self.arrange();
    }

    fn reverse(&mut self) {
        self.descending = !self.descending;
        self.arrange();
    }

    fn set_filter(&mut self, filter: &str) {
        let selected = self.selected.clone().and_then(|key| self.place_of(&key));
        self.filter = filter.to_lowercase();
        self.arrange();
        // A row that is hidden must not stay selected: a key would act on something that nobody sees.
        if let (Some(place), Some(key)) = (selected, &self.selected)
            && self.place_of(key).is_none()
        {
            let last = self.shown.len().checked_sub(1);
            self.selected = last.map(|last| self.rows[self.shown[place.min(last)]].key().to_owned());
        }
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn sorted(&self) -> (&'static str, bool) {
        (R::COLUMNS[self.sorted_by].name, self.descending)
    }

    fn counts(&self) -> (usize, usize) {
        (self.rows.len(), self.shown.len())
    }

    fn selected(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    fn details(&self, key: &str) -> Option<Vec<(&'static str, String)>> {
        self.row(key).map(Row::details)
    }

    fn head(&self, width: usize) -> String {
        let mut text = String::from(" ");
        for (nth, (at, column, width)) in Self::layout(width).into_iter().enumerate() {
            if nth > 0 {
                text.push(' ');
            }
            let mark = match (at == self.sorted_by, self.descending) {
                (false, _) => "",
                (true, true) => "v",
                (true, false) => "^",
            };
            text.push_str(&fit(&format!("{}{mark}", column.title), width, column.align));
        }
        cut(&text, width)
    }

    fn draw(&mut self, width: usize, height: usize) -> Vec<Line> {
        (self.width, self.page) = (width, height);
        if let Some(place) = self.selected.as_deref().and_then(|key| self.place_of(key)) {
            let least = place.saturating_sub(height.saturating_sub(1));
            self.top = self.top.clamp(least, place);
        }
        self.top = self.top.min(self.shown.len().saturating_sub(height));
        let rows = self.shown.iter().skip(self.top).take(height).map(|at| &self.rows[*at]);
        Self::lines(rows, width, self.selected.as_deref())
    }

    fn peek(&self, width: usize, height: usize) -> Vec<Line> {
        Self::lines(self.shown.iter().take(height).map(|at| &self.rows[*at]), width, None)
    }
}

/// Whether all columns that are shown in `width` characters have their whole width.
#[cfg(test)]
pub(crate) fn fits<R: Row>(width: usize) -> bool {
    List::<R>::layout(width).iter().map(|(_, _, width)| width + 1).sum::<usize>() <= width
}

#[cfg(test)]
mod tests;
