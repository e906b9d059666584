//! A table with a bound, which forgets what was used least recently.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// At most `max` values by their keys.
pub(super) struct Recent<K, V> {
    values: HashMap<K, (u64, V)>,
    /// The keys by when they were used.
    order: BTreeMap<u64, K>,
    /// When the last one was used: a count, not a time.
    used: u64,
    max: usize,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(max: usize) -> Self {
        Self { values: HashMap::new(), order: BTreeMap::new(), used: 0, max }
    }

    /// What is known of a key, which is not used by that.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    /// What is known of a key, which is used now and made if there is none; and the value that had to go for it.
    pub(super) fn entry(&mut self, key: &K, make: impl FnOnce() -> V) -> (&mut V, Option<V>) {
        self.used += 1;
        let now = self.used;
        let gone = if self.values.contains_key(key) { None } else { self.make_room() };
        let (used, value) = self.values.entry(key.clone()).or_insert_with(|| (now, make()));
        self.order.remove(used);
        self.order.insert(now, key.clone());
        *used = now;
        (value, gone)
    }

    fn make_room(&mut self) -> Option<V> {
        if self.values.len() < self.max {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.values.remove(&oldest).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let mut table = Recent::new(3);
        for key in ["a", "b", "c", "a"] {
            let (value, gone) = table.entry(&key, || 0);
            *value += 1;
            assert_eq!(gone, None);
        }
        assert_eq!(table.get(&"a"), Some(&2));
        // Being looked at is no use.
        assert_eq!(table.get(&"b"), Some(&1));
        assert_eq!(table.entry(&"d", || 7).1, Some(1));
        assert_eq!((table.get(&"b"), table.get(&"d")), (None, Some(&7)));
        assert_eq!(table.entry(&"b", || 8).1, Some(1));
        assert_eq!((table.get(&"c"), table.get(&"a")), (None, Some(&2)));
        for n in 0..1000_u32 {
            table.entry(&["a", "b", "c", "d", "e"][n as usize % 5], || n);
            assert_eq!((table.values.len(), table.order.len()), (3, 3));
        }
    }
}
