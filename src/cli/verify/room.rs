//! One room while its journals are read: what can be judged line by line.

use super::entry::{Entry, ghosts};
use super::journal::{Act, Event, Gap};
use super::judgement::Judgement;
use super::list::{Fit, How};
use super::names::{Name, Place};
use super::report::{Anomaly, Counts, Kind};
use super::sends::Ack;
use super::truth::{Seen, Truth};
use super::view::View;
use std::collections::BTreeMap;

/// What the journals say about one room.
#[derive(Default)]
pub struct Room {
    /// By client.
    views: BTreeMap<Name, View>,
    seen: Seen,
    /// `None` until a journal has a part of it.
    truth: Option<Truth>,
    /// The entries up to this one survived every replacement of the history by a copy; `None` if there was none.
    restored: Option<u64>,
    /// The entries up to this one were pruned; 0 if none was.
    pruned: u64,
    shown: u64,
    gaps: u64,
}

impl Room {
    /// Takes a line, and hands over the anomalies that it shows.
    ///
    /// # Errors
    /// A sentence, if the line cannot follow the ones before.
    pub fn take(&mut self, event: Event, place: Place, found: &mut dyn FnMut(Anomaly)) -> Result<(), String> {
        match event {
            Event::Client(client, act) => self.act(client, act, place, found)?,
            Event::Final(entries) => {
                let truth = self.truth.get_or_insert_default();
                for entry in &entries {
                    let (kind, text) = match truth.add(entry, place) {
                        Fit::Last => continue,
                        Fit::Again => (Kind::Doubled, "twice in the final history"),
                        Fit::Late => (Kind::Order, "in the final history behind greater ids"),
                    };
                    found(Anomaly::of_truth(kind, entry.id, place, text));
                }
            }
            Event::Restored { kept } => self.restored = Some(self.restored.map_or(kept, |least| least.min(kept))),
            Event::Pruned { id } => self.pruned = self.pruned.max(id),
        }
        Ok(())
    }

    fn act(&mut self, client: Name, act: Act, place: Place, found: &mut dyn FnMut(Anomaly)) -> Result<(), String> {
        if let Act::Connected { user, since } = act {
            let view = self.views.entry(client).or_insert_with(|| View::new(user));
            if view.user != user {
                return Err("a client has one user, and this one had another before".into());
            }
            view.connected(since, place);
            return Ok(());
        }
        let view = self.views.get_mut(&client).ok_or("this client has not connected to this room before")?;
        match act {
            Act::Connected { .. } => {}
            Act::Disconnected => view.disconnected(),
            Act::Sent { nonce, draft } => view.sends.sent(nonce, draft.by(view.user), place),
            Act::Acked { nonce, id } => {
                let (fork, last) = (view.fork(), view.last());
                let (kind, text) = match view.sends.acked(nonce, id, fork, last, place) {
                    Ack::Sound => return Ok(()),
                    Ack::Second => (Kind::Doubled, "acknowledged with another id before"),
                    Ack::Unsent => (Kind::Unsent, "acknowledged, though the client did not send it"),
                };
                found(Anomaly::of(client, kind, Some(id), place, text));
            }
            Act::Refused { nonce } => {
                if !view.sends.refused(nonce) {
                    let text = "refused, though the client did not send it";
                    found(Anomaly::of(client, Kind::Unsent, None, place, text));
                }
            }
            Act::Gap(gap) => {
                self.gaps += 1;
                view.gap(gap == Gap::Forked, place);
            }
            Act::Saw(entry) => {
                if view.is_in_gap() {
                    let text = "shown between a gap and its welcome";
                    found(Anomaly::of(client, Kind::Resume, Some(entry.id), place, text));
                }
                self.show(client, &[entry], How::Live, place, found);
            }
            Act::Welcome { position, resumed, history } => {
                if let Some(wrong) = view.welcome(resumed) {
                    found(Anomaly::of(client, Kind::Resume, None, place, wrong));
                }
                if resumed {
                    view.sends.resumed(&history);
                }
                let how = if resumed { How::Resumed } else { How::Anew };
                for id in ghosts(history.iter().map(|entry| (entry.id, entry.facts.content))) {
                    let text = "shown with its text, in a history that has its deletion";
                    found(Anomaly::of(client, Kind::Ghost, Some(id), place, text));
                }
                self.show(client, &history, how, place, found);
                if let (Some(id), Some(view)) = (position, self.views.get_mut(&client))
                    && !view.ends_with(id, how, place)
                {
                    let text = "the position is in front of an entry that the client has";
                    found(Anomaly::of(client, Kind::Resume, Some(id), place, text));
                }
            }
        }
        Ok(())
    }

    /// A client is shown entries.
    fn show(&mut self, client: Name, entries: &[Entry], how: How, place: Place, found: &mut dyn FnMut(Anomaly)) {
        let Some(view) = self.views.get_mut(&client) else { return };
        for entry in entries {
            self.shown += 1;
            let variant = self.seen.note(entry, place);
            if let Some((kind, text)) = misfit(view.add(entry.id, variant, how, place), how) {
                found(Anomaly::of(client, kind, Some(entry.id), place, text));
            }
            if let Some(nonce) = entry.nonce {
                let (fork, last) = (view.fork(), view.last());
                if view.sends.acked(nonce, entry.id, fork, last, place) == Ack::Second {
                    let text = "the client's own message, which has another id as well";
                    found(Anomaly::of(client, Kind::Doubled, Some(entry.id), place, text));
                }
            }
        }
        view.sends.shown(view.last());
    }

    /// Hands over the anomalies that only the end shows. With `is_sparse` the final history may have holes.
    ///
    /// # Errors
    /// A sentence, if no journal has the final history.
    pub fn judge(&self, is_sparse: bool, found: &mut dyn FnMut(Anomaly)) -> Result<(), String> {
        let truth = self.truth.as_ref().ok_or("no journal has the final history")?;
        let (restored, pruned) = (self.restored, self.pruned);
        Judgement { views: &self.views, seen: &self.seen, truth, restored, pruned, is_sparse }.run(found);
        Ok(())
    }

    /// The clients that connected to the room.
    pub fn clients(&self) -> impl Iterator<Item = Name> {
        self.views.keys().copied()
    }

    /// Adds what there is of this room to the counts.
    pub fn count(&self, counts: &mut Counts) {
        counts.rooms += 1;
        for (_, send) in self.views.values().flat_map(|view| view.sends.iter()) {
            counts.sent += 1;
            counts.acknowledged += u64::from(send.stored.is_some());
        }
        counts.shown += self.shown;
        counts.gaps += self.gaps;
        counts.kept += self.truth.as_ref().map_or(0, |truth| truth.rows().len() as u64);
    }
}

/// What is wrong with an entry that fits so.
fn misfit(fit: Fit, how: How) -> Option<(Kind, &'static str)> {
    match (fit, how) {
        (Fit::Last, _) => None,
        (Fit::Again, How::Resumed) => Some((Kind::Resume, "given as missed, though the client has it")),
        (Fit::Late, How::Resumed) => {
            Some((Kind::Resume, "given as missed, though it is in front of what the client has"))
        }
        (Fit::Again, _) => Some((Kind::Doubled, "shown twice")),
        (Fit::Late, _) => Some((Kind::Order, "shown behind entries with greater ids")),
    }
}
