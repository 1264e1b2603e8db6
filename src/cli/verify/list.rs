//! The entries that a client holds, as runs of ids.

use super::names::Place;
use std::collections::BTreeMap;

/// What a client holds of a room, since its list was last replaced.
#[derive(Default)]
pub struct List {
    /// In the order of their ids.
    runs: Vec<Run>,
    /// Ids of which the client was shown something else than the first client that was shown it; see `Seen`.
    variants: BTreeMap<u64, u32>,
}

/// Ids that follow each other. An empty one, with `last` before `first`, is a position without an entry.
struct Run {
    first: u64,
    last: u64,
    /// Where the client got the first.
    place: Place,
    how: How,
}

/// How a client got an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// When it was new.
    Live,
    /// In a welcome that began a list.
    Anew,
    /// In a welcome that continued the list.
    Resumed,
}

/// How an entry fits in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Behind all others.
    Last,
    /// It was there before.
    Again,
    /// In front of others.
    Late,
}

/// Ids that a list may lack.
pub struct Break {
    /// The last one in front of them.
    pub before: u64,
    /// The first one behind them.
    pub behind: u64,
    /// Where the client got the one behind them, and how.
    pub place: Place,
    pub how: How,
}

impl List {
    /// A list that goes on behind this id.
    pub fn behind(id: u64, place: Place) -> List {
        let mut list = List::default();
        list.claim(id, How::Anew, place);
        list
    }

    /// Whether the client has nothing, and no position either.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The id of the last entry, or of the position of a list without entries.
    pub fn last(&self) -> Option<u64> {
        self.runs.last().map(|run| run.last)
    }

    /// Adds an entry; `variant` is its number in `Seen`.
    pub fn add(&mut self, id: u64, variant: u32, how: How, place: Place) -> Fit {
        let behind = self.runs.partition_point(|run| run.first <= id);
        let is_last = behind == self.runs.len();
        let single = Run { first: id, last: id, place, how };
        match behind.checked_sub(1).map(|index| &mut self.runs[index]) {
            Some(run) if run.last >= id => return Fit::Again,
            Some(run) if is_last && run.last + 1 == id => run.last = id,
            _ => self.runs.insert(behind, single),
        }
        if variant > 0 {
            self.variants.insert(id, variant);
        }
        if is_last { Fit::Last } else { Fit::Late }
    }

    /// The client was told that its list ends with this id.
    pub fn claim(&mut self, id: u64, how: How, place: Place) {
        if self.last().is_none_or(|last| last < id) {
            self.runs.push(Run { first: id + 1, last: id, place, how });
        }
    }

    /// Every place where ids may be missing.
    pub fn breaks(&self) -> impl Iterator<Item = Break> {
        let pairs = self.runs.iter().zip(self.runs.iter().skip(1));
        pairs.map(|(one, next)| Break { before: one.last, behind: next.first, place: next.place, how: next.how })
    }

    /// The ids of the entries, each with its number in `Seen`.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u32)> {
        let ids = self.runs.iter().flat_map(|run| run.first..=run.last);
        ids.map(|id| (id, self.variants.get(&id).copied().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { file: 0, line: 1 };

    fn list(ids: &[u64]) -> (List, Vec<Fit>) {
        let mut list = List::default();
        let fits = ids.iter().map(|&id| list.add(id, 0, How::Live, PLACE)).collect();
        (list, fits)
    }

    fn breaks(list: &List) -> Vec<(u64, u64)> {
        list.breaks().map(|found| (found.before, found.behind)).collect()
    }

    #[test]
    fn ids_in_a_row_are_one_run() {
        let (list, fits) = list(&[4, 5, 6]);
        assert_eq!((fits, list.runs.len(), list.last()), (vec![Fit::Last; 3], 1, Some(6)));
    }

    #[test]
    fn what_comes_again_or_late_is_known() {
        let (list, fits) = list(&[4, 7, 5, 5, 4, 3]);
        assert_eq!(fits, [Fit::Last, Fit::Last, Fit::Late, Fit::Again, Fit::Again, Fit::Late]);
        let missing: Vec<(u64, u64)> =
            breaks(&list).into_iter().filter(|(before, behind)| before + 1 < *behind).collect();
        assert_eq!(missing, [(5, 7)]);
        assert_eq!(list.entries().map(|(id, _)| id).collect::<Vec<_>>(), [3, 4, 5, 7]);
    }

    #[test]
    fn a_position_without_an_entry_is_a_break() {
        let mut list = List::behind(3, PLACE);
        assert_eq!((list.last(), list.entries().count()), (Some(3), 0));
        assert_eq!(list.add(4, 2, How::Resumed, PLACE), Fit::Last);
        assert_eq!((breaks(&list), list.entries().collect::<Vec<_>>()), (vec![], vec![(4, 2)]));
        list.claim(4, How::Resumed, PLACE);
        assert_eq!(breaks(&list), []);
        list.claim(6, How::Resumed, PLACE);
        assert_eq!((breaks(&list), list.last()), (vec![(4, 7)], Some(6)));
        assert_eq!(list.add(7, 0, How::Live, PLACE), Fit::Last);
        assert_eq!((breaks(&list), list.last()), (vec![(4, 7)], Some(7)));
    }
}
