//! Tables: rows under a head, no wider than the terminal, and cut with words if they are too long.

use serde_json::{Value, json};

use super::{MAX_LEN, NOTE_LEN, ascii, harmless};

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<(Vec<String>, Value)>,
    /// How many rows there would be, and of what.
    of: Option<(usize, &'static str)>,
}

impl Table {
    /// A column is its title behind what tells how it stands: `<` to the left, `>` to the right, `~` to the left and made
    /// narrower where there is too little room.
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), of: None }
    }

    /// Says below the table how many of how many rows it has.
    pub(crate) fn of(mut self, total: usize, what: &'static str) -> Self {
        self.of = Some((total, what));
        self
    }

    /// Adds a row: a cell for each column, and the whole as JSON.
    pub(crate) fn push(&mut self, cells: Vec<String>, json: Value) {
        self.rows.push((cells, json));
    }

    pub(super) fn render(&self, as_json: bool, columns: u16, out: &mut String) {
        let shown = if as_json { self.render_json(out) } else { self.render_text(columns, out) };
        let total = self.of.map_or(self.rows.len(), |(total, _)| total);
        if as_json {
            if shown < total {
                out.push_str(&json!({"shown": shown, "of": total}).to_string());
                out.push('\n');
            }
        } else if let Some((total, what)) = self.of {
            out.push_str(&format!("{shown} of {total} {what}\n"));
        } else if shown < total {
            out.push_str(&format!("{shown} of {total}\n"));
        }
    }

    /// How many rows there was room for.
    fn render_json(&self, out: &mut String) -> usize {
        for (shown, (_, json)) in self.rows.iter().enumerate() {
            let line = ascii(json);
            if out.len() + line.len() + NOTE_LEN > MAX_LEN {
                return shown;
            }
            out.push_str(&line);
            out.push('\n');
        }
        self.rows.len()
    }

    fn render_text(&self, columns: u16, out: &mut String) -> usize {
        let titles = self.columns.iter().map(|column| column[1..].to_owned()).collect::<Vec<_>>();
        let cells = self.rows.iter().map(|(cells, _)| cells.iter().map(|cell| harmless(cell)).collect::<Vec<_>>());
        let lines: Vec<Vec<String>> = std::iter::once(titles).chain(cells).collect();
        let widths = self.widths(&lines, columns);
        for (index, line) in lines.iter().enumerate() {
            let text = self.line(line, &widths, columns);
            if out.len() + text.len() + NOTE_LEN > MAX_LEN {
                return index.saturating_sub(1);
            }
            out.push_str(&text);
            out.push('\n');
        }
        self.rows.len()
    }

    /// How wide each column is. What is too much is taken from those that are flexible.
    fn widths(&self, lines: &[Vec<String>], columns: u16) -> Vec<usize> {
        let widest = |index: usize| lines.iter().filter_map(|line: &Vec<String>| Some(width(line.get(index)?))).max();
        let mut widths: Vec<usize> = (0..self.columns.len()).map(|index| widest(index).unwrap_or_default()).collect();
        let total = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let mut excess = if columns == 0 { 0 } else { total.saturating_sub(usize::from(columns)) };
        for (width, column) in widths.iter_mut().zip(&self.columns) {
            if column.starts_with('~') {
                let less = excess.min(width.saturating_sub(NARROWEST));
                *width -= less;
                excess -= less;
            }
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize], columns: u16) -> String {
        let mut line = String::new();
        for ((cell, &wide), column) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let cell = shortened(cell, wide);
            let pad = " ".repeat(wide.saturating_sub(width(&cell)));
            line.extend(if column.starts_with('>') { [&*pad, &*cell] } else { [&*cell, &*pad] });
        }
        let line = line.trim_end();
        if columns == 0 { line.to_owned() } else { line.chars().take(usize::from(columns)).collect() }
    }
}

/// What is in it is harmless, so that each character is one column.
fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// The beginning and the end of what is too wide: addresses differ in both.
fn shortened(cell: &str, wide: usize) -> String {
    let len = width(cell);
    if len <= wide {
        return cell.to_owned();
    }
    let end = wide.saturating_sub(1) / 2;
    let begin = wide.saturating_sub(1 + end);
    cell.chars().take(begin).chain(['…']).chain(cell.chars().skip(len - end)).collect()
}

const GAP: &str = "  ";
const NARROWEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["<ID", "~ADDR", ">N"];

    fn table() -> Table {
        let mut table = Table::new(COLUMNS).of(3, "rows");
        table.push(vec!["a".into(), "127.0.0.1:1000".into(), "7".into()], json!({"id": "a"}));
        table.push(vec!["bcd".into(), "[::1]:2\u{1b}".into(), "1200".into()], json!({"id": "bcd"}));
        table
    }

    fn check(columns: u16, expected: &str) {
        let mut shown = String::new();
        table().render(false, columns, &mut shown);
        assert_eq!(shown, expected, "{columns}");
    }

    #[test]
    fn columns_are_lined_up() {
        check(0, "ID   ADDR               N\na    127.0.0.1:1000     7\nbcd  [::1]:2\\u{1b}   1200\n2 of 3 rows\n");
    }

    #[test]
    fn what_may_be_is_made_narrower() {
        check(20, "ID   ADDR          N\na    127.…1000     7\nbcd  [::1…{1b}  1200\n2 of 3 rows\n");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for columns in 1..40 {
            let mut shown = String::new();
            table().render(false, columns, &mut shown);
            let widest = shown.lines().take(3).map(width).max();
            assert!(widest <= Some(usize::from(columns)), "{columns}: {shown}");
        }
    }

    #[test]
    fn json_has_a_line_for_each_row() {
        let mut shown = String::new();
        table().render(true, 10, &mut shown);
        assert_eq!(shown, "{\"id\":\"a\"}\n{\"id\":\"bcd\"}\n{\"of\":3,\"shown\":2}\n");
    }

    #[test]
    fn a_table_that_is_too_long_is_cut_with_words() {
        for as_json in [false, true] {
            let mut table = Table::new(COLUMNS);
            for n in 0..40_000 {
                table.push(vec![n.to_string(), "x".repeat(40), String::new()], json!({"id": n, "x": "x".repeat(40)}));
            }
            let mut shown = String::new();
            table.render(as_json, 0, &mut shown);
            assert!(shown.len() <= MAX_LEN);
            let last = shown.lines().last().expect("a line");
            assert!(last.contains("40000"), "{last}");
        }
    }
}
