//! Snapshots as text, where there is no screen: what it would show, in lines as wide as they need.

use std::time::Instant;

use super::{
    list::Listing,
    model::Model,
    view::{faults_line, head_line, rates_line},
};

/// Wide enough for every column.
const WIDTH: usize = 160;

/// The head, and the connections.
pub(crate) fn page(model: &Model) -> String {
    let mut lines = vec![head_line(model, WIDTH, Instant::now()), rates_line(model, WIDTH), faults_line(model, WIDTH)];
    for list in [&model.connections as &dyn Listing, &model.actions, &model.limits, &model.faults] {
        lines.push(String::new());
        lines.push(list.head(WIDTH));
        lines.extend(list.peek(WIDTH, usize::MAX).into_iter().map(|line| line.text));
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::top::fixtures::{connection, snapshot};

    #[test]
    fn a_page_has_every_table_and_no_control_character() {
        let mut model = Model::new("Server".to_owned(), Duration::from_secs(1));
        let mut snapshot = snapshot(1_000);
        snapshot.connections.push(connection("aaaa", 1, 1));
        snapshot.connections[0].addr = "\x1b[2Jevil".to_owned();
        model.apply(&snapshot, Instant::now());
        let page = page(&model);
        for head in [" ID ", " ACTION ", " LIMIT ", " KIND "] {
            assert!(page.lines().any(|line| line.starts_with(head)), "{head}");
        }
        assert!(page.contains("\\u{1b}[2Jevil"));
        assert!(page.chars().all(|letter| letter == '\n' || (' '..='~').contains(&letter)));
    }
}
