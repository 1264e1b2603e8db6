//! What was shown under each id, and the final history that decides.

use super::entry::{Entry, Facts};
use super::list::Fit;
use super::names::Place;
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

/// What clients were shown in one room, by id. Usually it is one thing for each id; anything else is a variant.
#[derive(Default)]
pub struct Seen {
    by_id: HashMap<u64, Variants>,
}

struct Variants {
    /// Number 0.
    first: Variant,
    others: Vec<Variant>,
}

/// What was shown under an id.
#[derive(Clone, Copy)]
pub struct Variant {
    pub facts: Facts,
    /// Where it was shown first.
    pub place: Place,
}

impl Seen {
    /// Notes what a client was shown. Returns the number of the variant.
    pub fn note(&mut self, entry: &Entry, place: Place) -> u32 {
        let new = Variant { facts: entry.facts, place };
        let variants = match self.by_id.entry(entry.id) {
            Vacant(vacant) => {
                vacant.insert(Variants { first: new, others: Vec::new() });
                return 0;
            }
            Occupied(occupied) => occupied.into_mut(),
        };
        let mut known = std::iter::once(&mut variants.first).chain(&mut variants.others);
        if let Some(at) = known.position(|known| known.facts.difference(entry.facts).is_none()) {
            let same = if at == 0 { Some(&mut variants.first) } else { variants.others.get_mut(at - 1) };
            same.into_iter().for_each(|same| same.facts.complete(entry.facts));
            return u32::try_from(at).unwrap_or(u32::MAX);
        }
        variants.others.push(new);
        u32::try_from(variants.others.len()).unwrap_or(u32::MAX)
    }

    /// What was shown as this variant.
    pub fn get(&self, id: u64, variant: u32) -> Option<&Variant> {
        let variants = self.by_id.get(&id)?;
        match (variant as usize).checked_sub(1) {
            None => Some(&variants.first),
            Some(at) => variants.others.get(at),
        }
    }
}

/// The history of a room as it is at the end.
#[derive(Default)]
pub struct Truth {
    /// In the order of their ids.
    rows: Vec<Row>,
}

/// An entry of the final history.
#[derive(Clone, Copy)]
pub struct Row {
    pub id: u64,
    pub facts: Facts,
    pub place: Place,
}

impl Truth {
    /// Adds an entry, which should be behind all others.
    pub fn add(&mut self, entry: &Entry, place: Place) -> Fit {
        let at = self.rows.partition_point(|row| row.id < entry.id);
        if self.rows.get(at).is_some_and(|row| row.id == entry.id) {
            return Fit::Again;
        }
        let is_last = at == self.rows.len();
        self.rows.insert(at, Row { id: entry.id, facts: entry.facts, place });
        if is_last { Fit::Last } else { Fit::Late }
    }

    /// All entries, in the order of their ids.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The entry with this id.
    pub fn get(&self, id: u64) -> Option<&Row> {
        self.rows.binary_search_by_key(&id, |row| row.id).ok().map(|at| &self.rows[at])
    }

    /// The entries with ids between these, both excluded.
    pub fn between(&self, before: u64, behind: u64) -> &[Row] {
        let first = self.rows.partition_point(|row| row.id <= before);
        let end = self.rows.partition_point(|row| row.id < behind);
        self.rows.get(first..end).unwrap_or(&[])
    }
}
