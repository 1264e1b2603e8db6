//! The judgement of one room at the end, when its final history and every client's journal are known.
//!
//! This is the workload that Jepsen has for Kafka, with a room for a partition and an id for an offset, and with what a
//! chat adds: lists that are resumed, deletions, and histories that are replaced by a copy.

use super::entry::{Content, Facts, Removed, ghosts};
use super::list::How;
use super::names::{Digest, Name, Place};
use super::report::{Anomaly, Kind};
use super::sends::Stored;
use super::truth::{Row, Seen, Truth};
use super::view::View;
use std::collections::{BTreeMap, HashMap};

/// One room.
pub struct Judgement<'a> {
    pub views: &'a BTreeMap<Name, View>,
    pub seen: &'a Seen,
    pub truth: &'a Truth,
    /// The entries up to this one survived every replacement of the history by a copy; `None` if there was none.
    pub restored: Option<u64>,
    /// The entries up to this one were pruned; 0 if none was.
    pub pruned: u64,
    /// Ids need not follow each other.
    pub is_sparse: bool,
}

/// An id about which clients were told something wrong.
struct Broken {
    problem: Problem,
    /// The first client to which it was acknowledged.
    acknowledged: Option<Name>,
    shown: Vec<Name>,
    /// The first line that has it.
    place: Place,
}

impl Broken {
    fn new(problem: Problem, place: Place) -> Broken {
        Broken { problem, acknowledged: None, shown: Vec::new(), place }
    }

    fn anomaly(&self, id: u64) -> Anomaly {
        let mut clients = self.shown.clone();
        clients.extend(self.acknowledged.filter(|client| !self.shown.contains(client)));
        let told = match (self.acknowledged, self.shown.is_empty()) {
            (Some(_), true) => "acknowledged",
            (Some(_), false) => "acknowledged and shown",
            (None, _) => "shown",
        };
        let (kind, text, other) = match self.problem {
            Problem::Missing => (Kind::Lost, format!("{told}, and not in the final history"), None),
            Problem::Invented => (Kind::Phantom, format!("{told}, and sent by no client"), None),
            Problem::Other(what, place) => {
                (Kind::Disagree, format!("{told} with another {what} than in the final history"), Some(place))
            }
        };
        Anomaly { kind, id: Some(id), clients, place: self.place, other, text: text.into() }
    }
}

/// What is wrong with what clients were told.
#[derive(Clone, Copy)]
enum Problem {
    /// The final history has no such entry.
    Missing,
    /// No client has sent it.
    Invented,
    /// The final history has another entry; what differs, and where.
    Other(&'static str, Place),
}

/// All that clients sent.
type Supplies = HashMap<Content, Supply>;

/// How often a message or deletion may be stored.
struct Supply {
    /// Sends that may have been stored.
    possible: u64,
    used: u64,
    client: Name,
    place: Place,
}

impl Judgement<'_> {
    /// Hands over every anomaly.
    pub fn run(&self, found: &mut dyn FnMut(Anomaly)) {
        let mut supplies = self.supplies();
        let broken = self.broken(&supplies);
        broken.iter().for_each(|(&id, broken)| found(broken.anomaly(id)));
        self.tell_shared(found);
        self.tell_invented(&mut supplies, found);
        self.tell_holes(&broken, found);
        self.tell_texts(found);
        for (&client, view) in self.views {
            self.tell_order(client, view, found);
            self.tell_lists(client, view, found);
        }
    }

    /// Whether what a client was told before it had been told of `fork` other histories may be gone: the history was
    /// replaced by a copy.
    fn is_excused(&self, view: &View, fork: usize, id: u64) -> bool {
        fork < view.fork() && self.may_be_undone(id)
    }

    /// Whether what was acknowledged may be gone: the history was replaced by a copy after that.
    fn may_be_gone(&self, view: &View, stored: &Stored) -> bool {
        stored.is_undone && self.may_be_undone(stored.id) || self.is_excused(view, stored.fork, stored.id)
    }

    /// Whether a copy that replaced the history may lack the entry.
    fn may_be_undone(&self, id: u64) -> bool {
        self.restored.is_some_and(|kept| kept < id)
    }

    fn supplies(&self) -> Supplies {
        let mut supplies = HashMap::new();
        for (&client, view) in self.views {
            for (_, send) in view.sends.iter() {
                let new = Supply { possible: 0, used: 0, client, place: send.place };
                let supply = supplies.entry(send.content).or_insert(new);
                supply.possible += u64::from(!send.is_always_refused());
            }
        }
        supplies
    }

    /// What is wrong with what a client was told about an id.
    fn problem(&self, is_excused: bool, id: u64, facts: Facts, supplies: &Supplies) -> Option<Problem> {
        let is_invented = || is_sendable(facts.content) && !supplies.contains_key(&facts.content);
        match self.truth.get(id) {
            _ if is_excused => is_invented().then_some(Problem::Invented),
            Some(row) => row.facts.difference(facts).map(|what| Problem::Other(what, row.place)),
            None if id <= self.pruned => None,
            None if is_invented() => Some(Problem::Invented),
            None => Some(Problem::Missing),
        }
    }

    /// The ids about which clients were told something wrong.
    fn broken(&self, supplies: &Supplies) -> BTreeMap<u64, Broken> {
        let mut broken: BTreeMap<u64, Broken> = BTreeMap::new();
        for (&client, view) in self.views {
            for (_, send) in view.sends.iter() {
                let Some(stored) = send.stored else { continue };
                let (is_excused, facts) = (self.may_be_gone(view, &stored), Facts::untagged(send.content));
                if let Some(problem) = self.problem(is_excused, stored.id, facts, supplies) {
                    let known = broken.entry(stored.id).or_insert(Broken::new(problem, stored.place));
                    known.place = known.place.min(stored.place);
                    known.acknowledged.get_or_insert(client);
                }
            }
            for (fork, list) in view.lists() {
                for (id, variant) in list.entries() {
                    let Some(shown) = self.seen.get(id, variant) else { continue };
                    if let Some(problem) = self.problem(self.is_excused(view, fork, id), id, shown.facts, supplies) {
                        let known = broken.entry(id).or_insert(Broken::new(problem, shown.place));
                        known.place = known.place.min(shown.place);
                        if known.shown.last() != Some(&client) {
                            known.shown.push(client);
                        }
                    }
                }
            }
        }
        broken
    }

    /// Messages that were acknowledged with one id: only one of them can be there.
    fn tell_shared(&self, found: &mut dyn FnMut(Anomaly)) {
        let mut owners: HashMap<u64, (Digest, Place)> = HashMap::new();
        for (&client, view) in self.views {
            for (&nonce, send) in view.sends.iter() {
                let Some(stored) = send.stored else { continue };
                if self.may_be_gone(view, &stored) || !self.is_there(stored.id, send.content) {
                    continue;
                }
                let &mut (owner, place) = owners.entry(stored.id).or_insert((nonce, stored.place));
                if owner != nonce {
                    let text = "acknowledged with the id of another message";
                    let (place, other) = (stored.place.max(place), Some(stored.place.min(place)));
                    found(Anomaly { other, ..Anomaly::of(client, Kind::Lost, Some(stored.id), place, text) });
                }
            }
        }
    }

    /// Whether the final history has this under this id.
    fn is_there(&self, id: u64, content: Content) -> bool {
        self.truth.get(id).is_some_and(|row| row.facts.difference(Facts::untagged(content)).is_none())
    }

    /// What is in the final history without having been sent, or more often than it was sent.
    fn tell_invented(&self, supplies: &mut Supplies, found: &mut dyn FnMut(Anomaly)) {
        for row in self.truth.rows() {
            let content = self.content(row);
            if !is_sendable(content) {
                continue;
            }
            let Some(supply) = supplies.get_mut(&content) else {
                let text = "in the final history, and sent by no client";
                found(Anomaly::of_truth(Kind::Phantom, row.id, row.place, text));
                continue;
            };
            supply.used += 1;
            if supply.used <= supply.possible {
                continue;
            }
            let (kind, text) = match supply.possible {
                0 => (Kind::Refused, "refused, and in the final history all the same"),
                _ => (Kind::Doubled, "more often in the final history than it was sent"),
            };
            let other = Some(supply.place);
            found(Anomaly { other, ..Anomaly::of(supply.client, kind, Some(row.id), row.place, text) });
        }
    }

    /// What an entry of the final history says, with the text that it had before it was deleted, if a client was shown it.
    fn content(&self, row: &Row) -> Content {
        let mut facts = row.facts;
        for variant in 0.. {
            let Some(seen) = self.seen.get(row.id, variant) else { break };
            if facts.difference(seen.facts).is_none() {
                facts.complete(seen.facts);
            }
        }
        facts.content
    }

    /// The holes of the final history itself, but for ids that are reported as lost.
    fn tell_holes(&self, broken: &BTreeMap<u64, Broken>, found: &mut dyn FnMut(Anomaly)) {
        let mut last = self.pruned;
        for row in self.truth.rows().iter().filter(|_| !self.is_sparse) {
            let missing = row.id.saturating_sub(last).saturating_sub(1);
            let reported = if missing == 0 { 0 } else { broken.range(last + 1..row.id).count() as u64 };
            if missing > reported {
                let first = (last + 1..row.id).find(|id| !broken.contains_key(id)).unwrap_or(row.id);
                let text = format!("the final history lacks {} in front of id {}", entries(missing - reported), row.id);
                found(Anomaly::of_truth(Kind::Hole, first, row.place, text));
            }
            last = row.id.max(last);
        }
    }

    /// Messages of the final history whose text should be gone, or should not.
    fn tell_texts(&self, found: &mut dyn FnMut(Anomaly)) {
        let contents = self.truth.rows().iter().map(|row| (row.id, row.facts.content));
        let removed = Removed::by(contents.clone());
        let place_of = |id| self.truth.get(id).map(|row| row.place);
        for id in ghosts(contents) {
            let Some(place) = place_of(id) else { continue };
            let text = "in the final history with its text, and so is its deletion";
            found(Anomaly::of_truth(Kind::Ghost, id, place, text));
        }
        for row in self.truth.rows() {
            if let Content::Message { from, text: None } = row.facts.content
                && !removed.has(row.id, from)
            {
                let text = "in the final history without its text, and no deletion says so";
                found(Anomaly::of_truth(Kind::Lost, row.id, row.place, text));
            }
        }
    }

    /// Whether the messages of one client are stored in the order in which it sent them.
    fn tell_order(&self, client: Name, view: &View, found: &mut dyn FnMut(Anomaly)) {
        let stored = view.sends.iter().filter_map(|(_, send)| {
            let stored = send.stored.filter(|stored| !stored.is_undone)?;
            // What is not where the client was told is reported as that.
            let is_sound = self.is_excused(view, stored.fork, stored.id) || self.is_there(stored.id, send.content);
            is_sound.then_some((stored.fork, stored.id, send.order, send.place))
        });
        let mut stored: Vec<(usize, u64, u64, Place)> = stored.collect();
        stored.sort_unstable();
        // The last in the order so far, of the same fork.
        let mut last: Option<(usize, u64, Place)> = None;
        for (fork, id, order, place) in stored {
            match last {
                Some((same, sent, other)) if same == fork && order < sent => {
                    let text = "stored behind what the client sent later";
                    let other = Some(other);
                    found(Anomaly { other, ..Anomaly::of(client, Kind::Order, Some(id), place, text) });
                }
                _ => last = Some((fork, order, place)),
            }
        }
    }

    /// Forks that nothing explains, holes, and a list that does not reach the end.
    fn tell_lists(&self, client: Name, view: &View, found: &mut dyn FnMut(Anomaly)) {
        for &place in view.forks().iter().filter(|_| self.restored.is_none()) {
            let text = "told of another history, though none was put in place of this one";
            found(Anomaly::of(client, Kind::Fork, None, place, text));
        }
        for (fork, list) in view.lists() {
            let is_undone = fork < view.fork() && self.restored.is_some();
            for gap in list.breaks() {
                let rows = self.truth.between(gap.before, gap.behind);
                let (missing, first) = match is_undone {
                    // The history that it was a list of is not known.
                    true if self.is_sparse => continue,
                    true => (gap.behind.saturating_sub(gap.before).saturating_sub(1), gap.before + 1),
                    false => (rows.len() as u64, rows.first().map_or(gap.behind, |row| row.id)),
                };
                if missing == 0 {
                    continue;
                }
                let (kind, text) = match gap.how {
                    How::Resumed => (Kind::Resume, "not given when the client resumed"),
                    How::Live | How::Anew => (Kind::Hole, "never shown to the client"),
                };
                let text = format!("{} in front of id {}: {text}", entries(missing), gap.behind);
                found(Anomaly::of(client, kind, Some(first), gap.place, text));
            }
        }
        let end = self.truth.rows().last();
        if let Some(list) = view.list_at_end()
            && let Some(row) = end.filter(|row| list.last().is_none_or(|last| last < row.id))
        {
            let last = list.last().unwrap_or(0);
            let text = format!("the list of the client ends with id {last}, and the final history goes on");
            found(Anomaly::of(client, Kind::Behind, Some(row.id), row.place, text));
        }
    }
}

fn entries(count: u64) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

/// Whether it is something that a client says in its journal when it sends it.
fn is_sendable(content: Content) -> bool {
    match content {
        Content::Message { text, .. } => text.is_some(),
        Content::Deleted { .. } => true,
        Content::Cleared { .. } => false,
    }
}
