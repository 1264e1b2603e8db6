//! `--ws storm` with `squall.v1`: members that are cut come back to where they were (src/doc/chat.md).
//!
//! ```text
//! Away ── handshake ──▶ Waiting ── welcome ──▶ There ── the storm cuts all ──▶ Away ── … welcome ──▶ Back
//! ```
//!
//! A member that is there keeps its position: that of its welcome, then that of each entry that it gets. It comes back
//! with this position, and its new welcome says whether it has resumed. Times are µs since the load began.

use super::recorder::Recorder;
use super::traffic::Heard;
use memchr::memmem;
use serde_json::Value;

/// Bytes of a position, at most; a longer one is none.
const POSITION_BYTES_MAX: usize = 64;
/// Words, one of which is in each frame that counts. Parsing the others, such as those of a name that enters, would take
/// time from the handshakes.
const WORDS: [&[u8]; 3] = [b"\"welcome\"", b"\"gap\"", b"\"tag\""];

/// The members of a room, by slot.
#[derive(Debug)]
pub struct Resume {
    members: Vec<Member>,
    waiting: usize,
    /// When the storm has cut all.
    cut: Option<u64>,
    counts: ResumeCounts,
}

#[derive(Debug, Default)]
struct Member {
    state: State,
    position: Option<Position>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Away,
    /// Its welcome is to come.
    Waiting,
    /// The same, and `gap` has come.
    WaitingWithGap,
    There,
    /// There again. It is not cut any more, so its position does not matter.
    Back,
}

/// The last entry that a member has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    /// 0: none.
    id: u64,
    /// As the server reads it.
    text: String,
}

/// How members have come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResumeCounts {
    /// Members that have got exactly what they had missed.
    pub resumed: usize,
    /// Members that got `gap`: the server does not have their past.
    pub gaps: usize,
    /// Members that got neither: the server has started anew with them.
    pub anew: usize,
    /// Members that have resumed as the server says, but entries were missing or came twice.
    pub holes: usize,
}

impl Resume {
    /// Members that were never there.
    pub fn new(slots: usize) -> Resume {
        let members = std::iter::repeat_with(Member::default).take(slots).collect();
        Resume { members, waiting: 0, cut: None, counts: ResumeCounts::default() }
    }

    /// Where a member was when it was cut, for its next handshake.
    pub fn position(&self, slot: usize) -> Option<&str> {
        self.members[slot].position.as_ref().map(|position| position.text.as_str())
    }

    /// The connection of a member has opened.
    pub fn opened(&mut self, slot: usize) {
        self.gone(slot);
        self.members[slot].state = State::Waiting;
        self.waiting += 1;
    }

    /// The connection of a member is gone.
    pub fn gone(&mut self, slot: usize) {
        self.waiting -= usize::from(self.is_waiting(slot));
        self.members[slot].state = State::Away;
    }

    /// Members whose welcome is to come.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether that of this member is.
    pub fn is_waiting(&self, slot: usize) -> bool {
        matches!(self.members[slot].state, State::Waiting | State::WaitingWithGap)
    }

    /// The storm begins: the connections of all members are gone.
    pub fn cut(&mut self, now: u64) {
        (0..self.members.len()).for_each(|slot| self.gone(slot));
        self.cut = Some(now);
    }

    /// How members have come back.
    pub fn counts(&self) -> ResumeCounts {
        self.counts
    }

    /// A message has come to a member.
    pub fn hear(&mut self, slot: usize, text: &[u8], now: u64, recorder: &mut Recorder) -> Heard {
        let member = &mut self.members[slot];
        let is_done = matches!(member.state, State::Away | State::Back);
        if is_done || WORDS.iter().all(|word| memmem::find(text, word).is_none()) {
            return Heard::Nothing;
        }
        let Ok(frame) = serde_json::from_slice::<Value>(text) else { return Heard::Nothing };
        match (frame["type"].as_str(), member.state) {
            (Some("welcome"), State::There) => member.position = position_of(&frame),
            (Some("welcome"), _) => return self.welcome(slot, &frame, now, recorder),
            (Some("gap"), State::Waiting) => member.state = State::WaitingWithGap,
            (Some("message" | "deleted" | "cleared"), State::There) => {
                member.position = entry_of(&frame).or(member.position.take());
            }
            _ => {}
        }
        Heard::Nothing
    }

    /// The welcome of a member has come for which it has waited.
    fn welcome(&mut self, slot: usize, frame: &Value, now: u64, recorder: &mut Recorder) -> Heard {
        let member = &mut self.members[slot];
        let (before, is_gap) = (member.position.take(), member.state == State::WaitingWithGap);
        (member.position, member.state) = (position_of(frame), State::There);
        self.waiting -= 1;
        let Some(cut) = self.cut else { return Heard::Nothing };
        member.state = State::Back;
        let counts = &mut self.counts;
        let count = match frame["resumed"] == true {
            true if is_next_to(before.as_ref(), member.position.as_ref(), frame) => &mut counts.resumed,
            true => &mut counts.holes,
            false if is_gap => &mut counts.gaps,
            false => &mut counts.anew,
        };
        *count += 1;
        recorder.record(now.saturating_sub(cut));
        Heard::Back
    }
}

/// Whether the history of a welcome has all entries behind one position, up to the other, each once.
fn is_next_to(before: Option<&Position>, after: Option<&Position>, welcome: &Value) -> bool {
    let (Some(before), Some(after), Some(history)) = (before, after, welcome["history"].as_array()) else {
        return false;
    };
    let mut last = before.clone();
    for entry in history {
        let Some(entry) = entry_of(entry).filter(|entry| Some(entry.id) == last.id.checked_add(1)) else {
            return false;
        };
        last = entry;
    }
    last == *after
}

/// The position that a welcome names.
fn position_of(welcome: &Value) -> Option<Position> {
    let text = welcome["position"].as_str().filter(|text| text.len() <= POSITION_BYTES_MAX)?;
    let id = text.split('.').next()?.parse().ok()?;
    Some(Position { id, text: text.to_owned() })
}

/// The position behind an entry.
fn entry_of(entry: &Value) -> Option<Position> {
    let (id, tag) = (entry["id"].as_u64()?, entry["tag"].as_str()?);
    (tag.len() <= POSITION_BYTES_MAX).then(|| Position { id, text: format!("{id}.{tag}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Instant;

    fn entry(id: u64) -> Value {
        json!({"type": "message", "id": id, "tag": format!("{id:08x}"), "from": "ann", "text": "hi"})
    }

    fn welcome(resumed: bool, position: &str, history: impl IntoIterator<Item = u64>) -> Value {
        let history: Vec<Value> = history.into_iter().map(entry).collect();
        json!({"type": "welcome", "position": position, "resumed": resumed, "history": history})
    }

    /// A member that was there with entry 7, and was cut at 100 µs; these frames come at 400 µs.
    fn back(frames: &[Value]) -> (ResumeCounts, Heard, Option<String>) {
        let (mut resume, mut recorder) = (Resume::new(1), Recorder::new());
        recorder.begin(Instant::now());
        resume.opened(0);
        hear(&mut resume, &welcome(false, "7.00000007", 1..=7), 10, &mut recorder);
        resume.cut(100);
        resume.opened(0);
        let heard: Vec<Heard> = frames.iter().map(|frame| hear(&mut resume, frame, 400, &mut recorder)).collect();
        let back = heard.iter().filter(|heard| **heard == Heard::Back).count();
        assert_eq!((recorder.count(), resume.waiting()), (back as u64, 1 - back), "{heard:?}");
        let position = resume.position(0).map(str::to_owned);
        (resume.counts(), heard[heard.len() - 1], position)
    }

    fn hear(resume: &mut Resume, frame: &Value, now: u64, recorder: &mut Recorder) -> Heard {
        resume.hear(0, frame.to_string().as_bytes(), now, recorder)
    }

    #[test]
    fn a_position_is_that_of_the_welcome_and_then_of_each_entry() {
        let (mut resume, mut recorder) = (Resume::new(1), Recorder::new());
        assert_eq!(resume.position(0), None);
        resume.opened(0);
        assert_eq!(resume.waiting(), 1);
        for (frame, position) in [
            (entry(9), None),
            (welcome(false, "0.0", []), Some("0.0")),
            (entry(1), Some("1.00000001")),
            (json!({"type": "deleted", "id": 2, "tag": "0000beef", "target": 1}), Some("2.0000beef")),
            (json!({"type": "cleared", "id": 3, "tag": "0000abcd", "user": "ann"}), Some("3.0000abcd")),
            (json!({"type": "enter", "user": "\"tag\"", "id": 4, "tag": "1"}), Some("3.0000abcd")),
            (json!({"type": "message", "id": -4, "tag": "1"}), Some("3.0000abcd")),
            (json!(["\"welcome\"", "welcome"]), Some("3.0000abcd")),
            (json!({"type": "gap", "oldest": 0, "reason": "other"}), Some("3.0000abcd")),
            (welcome(false, "5.00000005", 1..=5), Some("5.00000005")),
        ] {
            assert_eq!(hear(&mut resume, &frame, 0, &mut recorder), Heard::Nothing, "{frame}");
            assert_eq!(resume.position(0), position, "{frame}");
        }
        assert_eq!(resume.hear(0, b"{\"type\":\"welcome\"", 0, &mut recorder), Heard::Nothing);
        assert_eq!((resume.waiting(), resume.counts()), (0, ResumeCounts::default()), "none was cut");
        resume.cut(0);
        assert_eq!(resume.position(0), Some("5.00000005"), "with this it comes back");
    }

    #[test]
    fn a_member_has_resumed_with_what_it_has_missed() {
        for (position, missed) in [("7.00000007", vec![]), ("8.00000008", vec![8]), ("10.0000000a", vec![8, 9, 10])] {
            let resumed = ResumeCounts { resumed: 1, ..ResumeCounts::default() };
            assert_eq!(back(&[welcome(true, position, missed)]), (resumed, Heard::Back, Some(position.into())));
        }
    }

    #[test]
    fn entries_that_are_missing_or_doubled_are_holes() {
        let holes = ResumeCounts { holes: 1, ..ResumeCounts::default() };
        for (position, history) in [
            ("9.00000009", vec![9]),
            ("9.00000009", vec![8]),
            ("9.00000009", vec![8, 8, 9]),
            ("9.00000009", vec![7, 8, 9]),
            ("9.00000009", vec![9, 8]),
            ("7.0000beef", vec![]),
            ("here", vec![]),
        ] {
            assert_eq!(back(&[welcome(true, position, history.clone())]).0, holes, "{position} {history:?}");
        }
    }

    #[test]
    fn a_gap_is_told_from_a_server_that_starts_anew() {
        let anew = welcome(false, "3.00000003", 1..=3);
        let gap = json!({"type": "gap", "oldest": 1, "reason": "other"});
        assert_eq!(back(std::slice::from_ref(&gap)).1, Heard::Nothing, "its welcome is to come");
        assert_eq!(back(&[gap, anew.clone()]).0, ResumeCounts { gaps: 1, ..ResumeCounts::default() });
        assert_eq!(back(std::slice::from_ref(&anew)).0, ResumeCounts { anew: 1, ..ResumeCounts::default() });
        assert_eq!(back(&[anew.clone(), anew]).1, Heard::Nothing, "it was back before");
    }

    #[test]
    fn a_connection_that_ends_before_its_welcome_waits_no_more() {
        let (mut resume, mut recorder) = (Resume::new(2), Recorder::new());
        (0..2).for_each(|slot| resume.opened(slot));
        hear(&mut resume, &welcome(false, "0.0", []), 0, &mut recorder);
        assert_eq!((resume.waiting(), [0, 1].map(|slot| resume.is_waiting(slot))), (1, [false, true]));
        (0..2).for_each(|slot| resume.gone(slot));
        resume.gone(1);
        assert_eq!(resume.waiting(), 0);
        assert_eq!(hear(&mut resume, &welcome(false, "1.1", []), 0, &mut recorder), Heard::Nothing);
        assert_eq!(resume.position(0), Some("0.0"), "nothing comes to one that is away");
    }
}
