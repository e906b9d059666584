//! A table of items: what is shown, and what stays selected.

use super::*;

struct Item {
    key: &'static str,
    number: u64,
}

impl Row for Item {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::<Self>::left("KEY", "key", 4, |row, _| row.key.to_owned(), |a, b| a.key.cmp(b.key)).grows(1),
        Column::<Self>::right("WIDE", "wide", 5, |row, _| row.number.to_string(), |a, b| a.number.cmp(&b.number))
            .from(30),
        Column::<Self>::right("N", "n", 3, |row, _| row.number.to_string(), |a, b| a.number.cmp(&b.number)),
    ];
    const SORTED_BY: usize = 2;

    fn key(&self) -> &str {
        self.key
    }

    fn label(&self) -> String {
        self.key.to_uppercase()
    }

    fn matches(&self, filter: &str) -> bool {
        self.key.contains(filter)
    }

    fn alarming(&self) -> bool {
        false
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

fn items(of: &[(&'static str, u64)]) -> Vec<Item> {
    of.iter().map(|(key, number)| Item { key, number: *number }).collect()
}

fn list(of: &[(&'static str, u64)]) -> List<Item> {
    let mut list = List::new();
    assert_eq!(list.replace(items(of)), None);
    list
}

fn order(list: &mut List<Item>) -> String {
    list.draw(20, 10).iter().map(|line| line.text.split_whitespace().next().unwrap_or("").to_owned() + " ").collect()
}

#[test]
fn sorts_with_ties_by_key() {
    let mut list = list(&[("c", 1), ("b", 2), ("a", 1)]);
    assert_eq!(order(&mut list), "b a c ");
    list.reverse();
    assert_eq!(order(&mut list), "a c b ");
    assert_eq!(list.sorted(), ("n", false));
}

#[test]
fn picks_among_the_columns_on_the_screen() {
    let mut list = list(&[("a", 1)]);
    list.draw(20, 10);
    list.pick_column(-1);
    assert_eq!(list.sorted(), ("key", false));
    list.pick_column(-1);
    assert_eq!(list.sorted(), ("key", false));
    list.draw(40, 10);
    list.pick_column(1);
    assert_eq!(list.sorted(), ("wide", true));
    // The column goes with the width: its neighbour is next.
    list.draw(20, 10);
    list.pick_column(0);
    assert_eq!(list.sorted(), ("n", true));
}

#[test]
fn a_selection_stays_with_its_row() {
    let mut list = list(&[("a", 3), ("b", 2), ("c", 1)]);
    list.move_by(1);
    list.move_by(1);
    assert_eq!(list.selected(), Some("b"));
    assert_eq!(list.replace(items(&[("a", 1), ("b", 2), ("c", 3)])), None);
    list.reverse();
    assert_eq!(list.selected(), Some("b"));
    assert_eq!(list.draw(20, 10).iter().filter(|line| line.selected).count(), 1);
}

#[test]
fn a_selection_goes_to_the_next_row_when_its_own_has_gone() {
    let mut list = list(&[("a", 3), ("b", 2), ("c", 1)]);
    list.move_by(1);
    list.move_by(1);
    let moved = list.replace(items(&[("a", 3), ("c", 1)]));
    assert_eq!(moved, Some(Moved { gone: "B".to_owned(), now: Some("C".to_owned()) }));
    assert_eq!(list.selected(), Some("c"));
    // The last one goes: the one before it is next.
    let moved = list.replace(items(&[("a", 3)]));
    assert_eq!(moved, Some(Moved { gone: "C".to_owned(), now: Some("A".to_owned()) }));
    let moved = list.replace(Vec::new());
    assert_eq!(moved, Some(Moved { gone: "A".to_owned(), now: None }));
    assert_eq!(list.selected(), None);
    list.move_by(1);
    assert_eq!(list.selected(), None);
}

#[test]
fn a_filter_hides_and_never_leaves_a_hidden_row_selected() {
    let mut list = list(&[("ax", 3), ("bx", 2), ("cy", 1)]);
    list.move_by(1);
    assert_eq!(list.selected(), Some("ax"));
    list.set_filter("Y");
    assert_eq!(list.selected(), Some("cy"));
    assert_eq!(list.counts(), (3, 1));
    list.set_filter("none");
    assert_eq!(list.selected(), None);
    list.set_filter("");
    assert_eq!(list.counts(), (3, 3));
}

#[test]
fn the_screen_follows_the_selection() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let rows: Vec<(&'static str, u64)> = keys.iter().map(|key| (*key, 0)).collect();
    let mut list = list(&rows);
    list.draw(20, 2);
    list.move_by(isize::MAX);
    assert_eq!(list.selected(), Some("f"));
    assert!(list.draw(20, 2)[1].selected);
    list.page_by(-1);
    assert_eq!(list.selected(), Some("d"));
    assert!(list.draw(20, 2)[0].selected);
    list.move_by(isize::MIN);
    assert_eq!(list.selected(), Some("a"));
    assert!(list.draw(20, 0).is_empty());
}

#[test]
fn lines_have_the_width_of_the_screen() {
    let mut list = list(&[("a", 3)]);
    for width in 0..100 {
        assert!(list.head(width).chars().count() <= width);
        assert!(list.draw(width, 1)[0].text.chars().count() <= width);
    }
    assert_eq!(list.head(20).len(), 20);
    assert_eq!(list.draw(20, 1)[0].text.len(), 20);
}
