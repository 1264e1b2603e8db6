//! Anomalies, and how they are written: as lines of text, or of JSON.

use super::names::{Name, Names, Place};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::{self, Write};

/// Anomalies of one kind that are written; further ones are counted. A server that breaks a promise breaks it often.
const WRITTEN_MAX: u64 = 100;
/// Clients that a line names.
const CLIENTS_MAX: usize = 10;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Lost,
    Doubled,
    Order,
    Hole,
    Disagree,
    Behind,
    Unsent,
    Phantom,
    Refused,
    Resume,
    Fork,
    Ghost,
}

impl Kind {
    /// All kinds, by their numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Lost,
        Kind::Doubled,
        Kind::Order,
        Kind::Hole,
        Kind::Disagree,
        Kind::Behind,
        Kind::Unsent,
        Kind::Phantom,
        Kind::Refused,
        Kind::Resume,
        Kind::Fork,
        Kind::Ghost,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Lost => "lost",
            Kind::Doubled => "doubled",
            Kind::Order => "order",
            Kind::Hole => "hole",
            Kind::Disagree => "disagree",
            Kind::Behind => "behind",
            Kind::Unsent => "unsent",
            Kind::Phantom => "phantom",
            Kind::Refused => "refused",
            Kind::Resume => "resume",
            Kind::Fork => "fork",
            Kind::Ghost => "ghost",
        }
    }
}

/// One anomaly of a room.
pub struct Anomaly {
    pub kind: Kind,
    pub id: Option<u64>,
    /// Whom it concerns; empty if that is the final history alone.
    pub clients: Vec<Name>,
    /// The line that shows it.
    pub place: Place,
    /// A line that contradicts it.
    pub other: Option<Place>,
    /// What is wrong, without the facts above.
    pub text: Cow<'static, str>,
}

impl Anomaly {
    /// An anomaly of one client.
    pub fn of(client: Name, kind: Kind, id: Option<u64>, place: Place, text: impl Into<Cow<'static, str>>) -> Anomaly {
        Anomaly { kind, id, clients: vec![client], place, other: None, text: text.into() }
    }

    /// An anomaly of the final history.
    pub fn of_truth(kind: Kind, id: u64, place: Place, text: impl Into<Cow<'static, str>>) -> Anomaly {
        Anomaly { kind, id: Some(id), clients: Vec::new(), place, other: None, text: text.into() }
    }
}

/// What the journals have, for the last line.
#[derive(Default, Clone, Copy)]
pub struct Counts {
    pub rooms: u64,
    pub clients: u64,
    /// Messages and deletions.
    pub sent: u64,
    pub acknowledged: u64,
    /// Entries that clients were shown.
    pub shown: u64,
    pub gaps: u64,
    /// Entries of the final histories.
    pub kept: u64,
}

/// Writes anomalies as they are found, and counts them.
pub struct Report<W> {
    out: W,
    is_json: bool,
    files: Vec<String>,
    found: [u64; Kind::ALL.len()],
    failed: Option<io::Error>,
}

impl<W: Write> Report<W> {
    /// `files` are the names of the journals.
    pub fn new(out: W, is_json: bool, files: Vec<String>) -> Report<W> {
        Report { out, is_json, files, found: [0; Kind::ALL.len()], failed: None }
    }

    /// `FILE:LINE` of a place.
    pub fn place(&self, place: Place) -> String {
        format!("{}:{}", self.file(place), place.line)
    }

    /// Writes an anomaly.
    pub fn add(&mut self, names: &Names, room: Name, anomaly: &Anomaly) {
        let found = &mut self.found[anomaly.kind as usize];
        *found += 1;
        if *found > WRITTEN_MAX || self.failed.is_some() {
            return;
        }
        let line = if self.is_json { self.json(names, room, anomaly) } else { self.text(names, room, anomaly) };
        self.failed = writeln!(self.out, "{line}").err();
    }

    /// Writes the counts. Returns the number of anomalies.
    ///
    /// # Errors
    /// Something could not be written.
    pub fn close(mut self, counts: &Counts) -> io::Result<u64> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        let all = self.found.iter().sum();
        let line = if self.is_json { self.json_counts(counts) } else { self.text_counts(counts, all) };
        writeln!(self.out, "{line}")?;
        self.out.flush()?;
        Ok(all)
    }

    fn file(&self, place: Place) -> &str {
        self.files.get(place.file as usize).map_or("", |name| name)
    }

    fn text(&self, names: &Names, room: Name, anomaly: &Anomaly) -> String {
        let mut line = format!("{}: {}: room {}", self.place(anomaly.place), anomaly.kind.name(), names.show(room));
        if let Some(id) = anomaly.id {
            line += &format!(", id {id}");
        }
        for &client in anomaly.clients.iter().take(CLIENTS_MAX) {
            line += &format!(", {}", names.show(client));
        }
        if let Some(more) = anomaly.clients.len().checked_sub(CLIENTS_MAX).filter(|&more| more > 0) {
            line += &format!(" and {more} more");
        }
        line += &format!(": {}", anomaly.text);
        if let Some(other) = anomaly.other {
            line += &format!(" ({})", self.place(other));
        }
        line
    }

    fn json(&self, names: &Names, room: Name, anomaly: &Anomaly) -> String {
        let place = |place: Place| json!({"file": self.file(place), "line": place.line});
        let clients: Vec<Value> = anomaly.clients.iter().map(|&client| names.json(client)).collect();
        let line = json!({
            "anomaly": anomaly.kind.name(),
            "room": names.json(room),
            "id": anomaly.id,
            "clients": clients,
            "at": place(anomaly.place),
            "other": anomaly.other.map(place),
            "text": anomaly.text,
        });
        line.to_string()
    }

    fn text_counts(&self, counts: &Counts, all: u64) -> String {
        let Counts { rooms, clients, sent, acknowledged, shown, gaps, kept } = counts;
        let found: Vec<String> = Kind::ALL
            .iter()
            .filter(|&&kind| self.found[kind as usize] > 0)
            .map(|&kind| format!("{} {}", self.found[kind as usize], kind.name()))
            .collect();
        let verdict = match all {
            0 => "no anomaly".to_owned(),
            1 => format!("1 anomaly: {}", found.join(", ")),
            _ => format!("{all} anomalies: {}", found.join(", ")),
        };
        format!(
            "rooms {rooms}, clients {clients}, sent {sent}, acknowledged {acknowledged}, shown {shown}, gaps {gaps}, \
             final {kept}: {verdict}"
        )
    }

    fn json_counts(&self, counts: &Counts) -> String {
        let mut found = serde_json::Map::new();
        for kind in Kind::ALL {
            found.insert(kind.name().into(), self.found[kind as usize].into());
        }
        let line = json!({
            "rooms": counts.rooms,
            "clients": counts.clients,
            "sent": counts.sent,
            "acknowledged": counts.acknowledged,
            "shown": counts.shown,
            "gaps": counts.gaps,
            "final": counts.kept,
            "anomalies": found,
        });
        line.to_string()
    }
}
