//! Joining a room without a gap: what a newcomer is sent before it follows the room.
//!
//! Let P be the entry that was shown last in the room. A newcomer is sent the entries of its past up to P, read page by
//! page, and then follows the room from P on, all in one turn. So it misses none, and none comes twice.

use super::plain;
use super::room::Dialect;
use super::v1;
use crate::http::event_stream::encode_event;
use crate::store::{Entry, Kind, PAGE_MAX, Page, Past, Position, Range};

/// Entries that a newcomer without a past is sent.
const LAST: u32 = 50;
/// Entries that a client may be behind and still resumes.
const BEHIND_MAX: u64 = 1000;
/// Bytes of history in one `welcome`, about: with more to be told, a client starts anew.
const HISTORY_BYTES_MAX: usize = 1 << 20;

/// What a client says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Nothing.
    Nothing,
    Position(Position),
    /// Something that is no position.
    Malformed,
}

impl Since {
    /// The value of `since` in a query.
    pub fn parse(value: Option<&str>) -> Since {
        match value {
            None => Since::Nothing,
            Some(text) => Position::parse(text).map_or(Since::Malformed, Since::Position),
        }
    }
}

/// A connection that has not entered its room yet, or does not follow it yet.
#[derive(Debug)]
pub struct Joining {
    dialect: Dialect,
    goal: Goal,
    /// The last entry in `history`, or the client's own.
    at: Option<Position>,
    /// Entries, as the dialect has them: JSON with commas, events, or lines behind their lengths.
    history: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// To get all that it has missed since this position.
    Resume(Position),
    /// To get the last entries, of this number.
    Last(u32),
}

/// What to do next for a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Read this.
    Read(Range, u32),
    /// Tell the client that its past is not ours, the oldest entry and why; then read this.
    Gap { oldest: u64, reason: &'static str, then: (Range, u32) },
    /// It has all up to P: it enters.
    Enter,
}

impl Joining {
    /// A newcomer that may have been here before, and what to do for it.
    pub fn since(since: Since, dialect: Dialect) -> (Joining, Next) {
        let goal = if let Since::Position(position) = since { Goal::Resume(position) } else { Goal::Last(LAST) };
        let joining = Joining { dialect, goal, at: None, history: vec![] };
        let then = joining.first();
        let next = match since {
            Since::Malformed => Next::Gap { oldest: 0, reason: "malformed", then },
            _ => Next::Read(then.0, then.1),
        };
        (joining, next)
    }

    /// A newcomer of the plain protocol that wants the last `count` entries, at least one.
    pub fn plain(count: u32) -> (Joining, Next) {
        let goal = Goal::Last(count.clamp(1, PAGE_MAX));
        let joining = Joining { dialect: Dialect::Plain, goal, at: None, history: vec![] };
        let (range, limit) = joining.first();
        (joining, Next::Read(range, limit))
    }

    fn first(&self) -> (Range, u32) {
        match self.goal {
            Goal::Resume(position) => (Range::After(position), PAGE_MAX),
            Goal::Last(count) => (Range::Last, count),
        }
    }

    /// Takes a page; `shown` is the position of P, `reader` the newcomer's name.
    pub fn take(&mut self, page: &Page, shown: Position, reader: &str) -> Next {
        if let Goal::Resume(since) = self.goal {
            let behind = shown.id.saturating_sub(since.id);
            let reason = match page.past {
                Past::Pruned => Some("pruned"),
                Past::Other => Some("other"),
                Past::Ours => (behind > BEHIND_MAX).then_some("too_far"),
            };
            if let Some(reason) = reason {
                return self.start_anew(page.oldest, reason);
            }
            self.at.get_or_insert(since);
        } else if page.past != Past::Ours {
            // What it was sent so far was deleted meanwhile.
            return self.start_anew(page.oldest, "other");
        }
        for entry in page.entries.iter().filter(|entry| entry.id <= shown.id) {
            self.add(entry, reader);
            self.at = Some(entry.position());
        }
        if self.is_resumed() && self.history.len() > HISTORY_BYTES_MAX {
            return self.start_anew(page.oldest, "too_far");
        }
        match self.at {
            // The page ends before P: read on. An empty page ends the reading.
            Some(at) if at.id < shown.id && !page.entries.is_empty() => Next::Read(Range::After(at), PAGE_MAX),
            _ => Next::Enter,
        }
    }

    fn start_anew(&mut self, oldest: u64, reason: &'static str) -> Next {
        (self.goal, self.at) = (Goal::Last(LAST), None);
        self.history.clear();
        Next::Gap { oldest, reason, then: self.first() }
    }

    fn add(&mut self, entry: &Entry, reader: &str) {
        match self.dialect {
            Dialect::V1 => {
                if !self.history.is_empty() {
                    self.history.push(b',');
                }
                v1::write_entry(entry, Some(reader), &mut self.history);
            }
            Dialect::Events => {
                let mut frame = Vec::new();
                v1::write_entry(entry, Some(reader), &mut frame);
                encode_event(Some(entry.position()), &frame, &mut self.history);
            }
            Dialect::Plain => {
                if let Kind::Message { user, text: Some(text), .. } = &entry.kind {
                    let start = self.history.len();
                    self.history.extend_from_slice(&[0; 4]);
                    plain::write_message(&mut self.history, user, text);
                    let length = (self.history.len() - start - 4) as u32;
                    self.history[start..start + 4].copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }

    /// The protocol of the newcomer.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether it gets what it has missed, and nothing else.
    pub fn is_resumed(&self) -> bool {
        matches!(self.goal, Goal::Resume(_))
    }

    /// The entries for `welcome`, as JSON with commas; or events.
    pub fn history(&self) -> &[u8] {
        &self.history
    }

    /// The lines of the plain protocol.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.history[..];
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (line, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = behind;
            Some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMillis;

    fn entry(id: u64) -> Entry {
        let kind = Kind::Message { user: "ann".into(), nonce: None, text: Some(format!("text {id}").into()) };
        Entry { id, tag: id as u32, at: UnixMillis::default(), kind }
    }

    fn position(id: u64) -> Position {
        if id == 0 { Position::START } else { entry(id).position() }
    }

    fn page(ids: std::ops::RangeInclusive<u64>, last: u64) -> Page {
        Page { entries: ids.map(entry).collect(), last: position(last), oldest: 1, past: Past::Ours }
    }

    fn ids(joining: &Joining) -> Vec<u64> {
        let all = format!("[{}]", String::from_utf8_lossy(joining.history()));
        let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
        all.as_array().expect("a list").iter().map(|entry| entry["id"].as_u64().expect("an id")).collect()
    }

    #[test]
    fn a_newcomer_gets_the_last_entries() {
        let (mut joining, next) = Joining::since(Since::Nothing, Dialect::V1);
        assert_eq!(next, Next::Read(Range::Last, 50));
        assert_eq!(joining.take(&page(11..=13, 13), position(13), "bob"), Next::Enter);
        assert_eq!((ids(&joining), joining.is_resumed()), (vec![11, 12, 13], false));
        let (mut joining, _) = Joining::since(Since::Nothing, Dialect::V1);
        let empty = Page { entries: vec![], ..page(1..=1, 0) };
        assert_eq!(joining.take(&empty, Position::START, "bob"), Next::Enter);
    }

    #[test]
    fn one_that_was_here_gets_what_it_has_missed() {
        let (mut joining, next) = Joining::since(Since::parse(Some("10.0000000a")), Dialect::V1);
        assert_eq!(next, Next::Read(Range::After(position(10)), 200));
        assert_eq!(
            joining.take(&page(11..=210, 400), position(400), "bob"),
            Next::Read(Range::After(position(210)), 200)
        );
        assert_eq!(joining.take(&page(211..=400, 402), position(400), "bob"), Next::Enter);
        assert!(ids(&joining).into_iter().eq(11..=400) && joining.is_resumed());
    }

    #[test]
    fn entries_that_were_not_shown_come_by_the_room() {
        let (mut joining, _) = Joining::since(Since::Nothing, Dialect::V1);
        assert_eq!(joining.take(&page(11..=15, 15), position(13), "bob"), Next::Enter);
        assert_eq!(ids(&joining), [11, 12, 13]);
        let (mut joining, _) = Joining::since(Since::Nothing, Dialect::V1);
        assert_eq!(joining.take(&page(11..=12, 12), position(13), "bob"), Next::Read(Range::After(position(12)), 200));
        assert_eq!(joining.take(&page(13..=13, 13), position(13), "bob"), Next::Enter);
        assert_eq!(ids(&joining), [11, 12, 13]);
    }

    #[test]
    fn another_past_is_a_gap_and_starts_anew() {
        let gap = |reason| Next::Gap { oldest: 1, reason, then: (Range::Last, 50) };
        for (past, reason) in [(Past::Pruned, "pruned"), (Past::Other, "other")] {
            let (mut joining, _) = Joining::since(Since::Position(position(10)), Dialect::V1);
            let refused = Page { entries: vec![], past, ..page(1..=1, 20) };
            assert_eq!(joining.take(&refused, position(20), "bob"), gap(reason));
            assert_eq!(joining.take(&page(19..=20, 20), position(20), "bob"), Next::Enter);
            assert_eq!((ids(&joining), joining.is_resumed()), (vec![19, 20], false));
        }
        let (mut joining, _) = Joining::since(Since::Position(position(10)), Dialect::V1);
        assert_eq!(joining.take(&page(11..=210, 1011), position(1011), "bob"), gap("too_far"));
        let (mut joining, _) = Joining::since(Since::Position(position(10)), Dialect::V1);
        assert_ne!(joining.take(&page(11..=210, 1010), position(1010), "bob"), gap("too_far"));
        let (_, next) = Joining::since(Since::parse(Some("yesterday")), Dialect::V1);
        assert_eq!(next, Next::Gap { oldest: 0, reason: "malformed", then: (Range::Last, 50) });
    }

    #[test]
    fn a_plain_newcomer_gets_lines() {
        let (mut joining, next) = Joining::plain(1000);
        assert_eq!(next, Next::Read(Range::Last, 200));
        let mut page = page(1..=3, 3);
        page.entries[1].kind = Kind::Deleted { target: 1, by: "ann".into() };
        assert_eq!(joining.take(&page, position(3), "bob"), Next::Enter);
        assert!(joining.lines().eq([&b"ann:text 1"[..], b"ann:text 3"]));
    }
}
