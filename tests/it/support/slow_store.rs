//! A store that does what it is asked when the test says so.

use squall::config::Limits;
use squall::id::ConnId;
use squall::store::memory::Memory;
use squall::store::tags::Tags;
use squall::store::{Command, Entry, Kind, Outcome, Refusal, Store};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Commands wait here until the test lets them go. A copy is the same store.
#[derive(Clone)]
pub struct SlowStore(Rc<RefCell<State>>);

struct State {
    inner: Memory,
    waiting: VecDeque<(ConnId, Command)>,
    outcomes: VecDeque<(ConnId, Outcome)>,
    /// The messages that are stored, as lines of the plain protocol.
    stored: Vec<String>,
}

impl SlowStore {
    /// An empty store in memory behind it, with the same tags for the same seed.
    pub fn new(seed: u64) -> SlowStore {
        let inner = Memory::new(&Limits::default(), Tags::new(seed));
        SlowStore(Rc::new(RefCell::new(State {
            inner,
            waiting: VecDeque::new(),
            outcomes: VecDeque::new(),
            stored: vec![],
        })))
    }

    /// Commands that wait.
    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting.len()
    }

    /// The next commands are done, at most as many as `count`; the loop has to be woken then.
    pub fn release(&self, count: usize) {
        let State { inner, waiting, outcomes, stored } = &mut *self.0.borrow_mut();
        for (from, command) in waiting.drain(..count.min(waiting.len())) {
            inner.submit(from, command);
            while let Some((from, outcome)) = inner.take() {
                if let Outcome::Entry { entry: Entry { kind: Kind::Message { user, text, .. }, .. }, .. } = &outcome {
                    stored.push(format!("{user}:{}", text.as_deref().unwrap_or_default()));
                }
                outcomes.push_back((from, outcome));
            }
        }
    }

    /// The next commands fail, as they do when a disk does.
    pub fn refuse(&self, count: usize) {
        let State { waiting, outcomes, .. } = &mut *self.0.borrow_mut();
        let refused = |(from, command): (ConnId, Command)| (from, command.refused(Refusal::Storage));
        outcomes.extend(waiting.drain(..count.min(waiting.len())).map(refused));
    }

    /// The number of messages that are stored.
    pub fn stored(&self) -> usize {
        self.0.borrow().stored.len()
    }

    /// Whether the message with this number is stored, as this line of the plain protocol.
    pub fn has_stored(&self, n: usize, line: &str) -> bool {
        self.0.borrow().stored.get(n).is_some_and(|stored| stored == line)
    }
}

impl Store for SlowStore {
    fn submit(&mut self, from: ConnId, command: Command) {
        self.0.borrow_mut().waiting.push_back((from, command));
    }

    fn take(&mut self) -> Option<(ConnId, Outcome)> {
        self.0.borrow_mut().outcomes.pop_front()
    }
}
