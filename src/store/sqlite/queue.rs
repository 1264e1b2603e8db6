//! What the loop and the store's thread hand to each other: commands one way, outcomes the other.
//!
//! Each side collects on its own and hands over all at once: one lock for the commands of a turn, one for the outcomes of
//! a batch.

use crate::id::ConnId;
use crate::store::{Act, Command, Draft, Entry, Kind, Outcome};
use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the loop.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;
/// A command, and the connection that asks.
pub(super) type Asked = (ConnId, Command);

/// Bytes of outcomes, about, that may wait for the loop. While there are more, the thread begins no batch.
const OUTCOME_BYTES_MAX: usize = 8 << 20;
/// Interval at which a thread that waits for the loop looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A number of commands, and the bytes that they hold, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Load {
    pub commands: usize,
    pub bytes: usize,
}

impl Load {
    /// Of one command.
    pub fn of(command: &Command) -> Load {
        let own = match command {
            Command::Append { draft: Draft::Message { text, .. }, .. } => text.len(),
            Command::Claim { name, looks, .. } => name.len() + looks.iter().map(|look| look.len()).sum::<usize>(),
            Command::Search { words, .. } => words.bytes(),
            Command::Import { entries, .. } => entries.iter().map(|entry| size_of::<Entry>() + text_bytes(entry)).sum(),
            _ => 0,
        };
        Load { commands: 1, bytes: size_of::<Asked>() + own }
    }

    pub fn add(&mut self, other: Load) {
        self.commands = self.commands.saturating_add(other.commands);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    pub fn subtract(&mut self, other: Load) {
        self.commands = self.commands.saturating_sub(other.commands);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    /// Whether either number is above that of `most`.
    pub fn exceeds(&self, most: Load) -> bool {
        self.commands > most.commands || self.bytes > most.bytes
    }
}

/// What the thread tells the loop: the outcomes of some commands, in order.
#[derive(Default)]
pub(super) struct Told {
    pub outcomes: VecDeque<(ConnId, Outcome)>,
    /// Bytes of the outcomes, about.
    bytes: usize,
    /// The commands that are done.
    pub done: Load,
}

impl Told {
    /// Adds one outcome.
    pub fn push(&mut self, to: ConnId, outcome: Outcome) {
        self.bytes += bytes_of(&outcome);
        self.outcomes.push_back((to, outcome));
    }
}

/// The two ways, between the loop and one thread.
pub(super) struct Queue {
    commands: Mutex<VecDeque<Asked>>,
    /// There are commands, or the thread is to end.
    more: Condvar,
    told: Mutex<Told>,
    /// The loop has taken what was told.
    taken: Condvar,
    /// Something was told that the loop has not taken.
    has_told: AtomicBool,
    /// No command will come: the thread ends when it has done those that there are.
    is_ending: AtomicBool,
    /// The thread has ended.
    is_over: AtomicBool,
    wake: Wake,
}

impl Queue {
    pub fn new(wake: Wake) -> Queue {
        Queue {
            commands: Mutex::default(),
            more: Condvar::new(),
            told: Mutex::default(),
            taken: Condvar::new(),
            has_told: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            wake,
        }
    }

    /// The loop hands over the commands of a turn.
    pub fn hand_over(&self, commands: &mut VecDeque<Asked>) {
        move_all(commands, &mut lock(&self.commands));
        self.more.notify_one();
    }

    /// The loop takes what was told. Costs one load if there is nothing.
    pub fn collect(&self) -> Option<Told> {
        if !self.has_told.load(Ordering::Acquire) {
            return None;
        }
        // Before the lock: what is told behind it sets the flag again.
        self.has_told.swap(false, Ordering::AcqRel);
        let told = std::mem::take(&mut *lock(&self.told));
        self.taken.notify_one();
        Some(told)
    }

    /// No command will come.
    pub fn end(&self) {
        // Under the lock, or the thread could miss it between its look and its wait.
        let commands = lock(&self.commands);
        self.is_ending.store(true, Ordering::Release);
        drop(commands);
        self.more.notify_one();
    }

    /// Whether the thread has ended: no command will be done.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The thread waits, at most this long, until there are commands, and takes all; returns whether none will follow.
    pub fn wait(&self, into: &mut VecDeque<Asked>, most: Duration) -> bool {
        let mut commands = lock(&self.commands);
        if commands.is_empty() && !self.is_ending.load(Ordering::Acquire) && !most.is_zero() {
            commands = self.more.wait_timeout(commands, most).unwrap_or_else(PoisonError::into_inner).0;
        }
        move_all(&mut commands, into);
        self.is_ending.load(Ordering::Acquire)
    }

    /// The thread waits while the loop has much to take.
    pub fn wait_for_room(&self) {
        let mut told = lock(&self.told);
        while told.bytes > OUTCOME_BYTES_MAX && !self.is_ending.load(Ordering::Acquire) {
            told = self.taken.wait_timeout(told, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread tells outcomes, and wakes the loop unless it was woken for others that it has not taken.
    pub fn tell(&self, news: &mut Told) {
        let mut told = lock(&self.told);
        move_all(&mut news.outcomes, &mut told.outcomes);
        told.bytes += std::mem::take(&mut news.bytes);
        told.done.add(std::mem::take(&mut news.done));
        drop(told);
        if !self.has_told.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }
}

/// The thread's hold on the queue: when it is dropped, also by a panic, the loop knows that the thread is gone.
pub(super) struct Hold(pub Arc<Queue>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        (self.0.wake)();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves all to the end of `into`; without a copy if that is empty.
fn move_all<T>(from: &mut VecDeque<T>, into: &mut VecDeque<T>) {
    if into.is_empty() {
        std::mem::swap(from, into);
    } else {
        into.append(from);
    }
}

/// Bytes, about, that an outcome takes.
fn bytes_of(outcome: &Outcome) -> usize {
    let own = match outcome {
        Outcome::Entry { entry, .. } => text_bytes(entry),
        Outcome::Page { page, .. } => entries_bytes(&page.entries),
        Outcome::Found { found, .. } => entries_bytes(&found.entries),
        Outcome::Acts { acts, .. } | Outcome::InForce(acts) => acts.len() * size_of::<Act>(),
        Outcome::Rooms(rooms) => rooms.iter().map(|room| size_of_val(room) + room.name.len()).sum(),
        _ => 0,
    };
    size_of::<(ConnId, Outcome)>() + own
}

fn entries_bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| size_of::<Entry>() + text_bytes(entry)).sum()
}

fn text_bytes(entry: &Entry) -> usize {
    match &entry.kind {
        Kind::Message { text: Some(text), .. } => text.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn queue() -> (Arc<Queue>, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = wakes.clone();
        (Arc::new(Queue::new(Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)))), wakes)
    }

    fn told(count: usize) -> Told {
        let mut told = Told::default();
        (0..count).for_each(|_| told.push(ConnId::NONE, Outcome::Unread));
        told
    }

    #[test]
    fn the_loop_is_woken_once_for_what_it_has_not_taken() {
        let (queue, wakes) = queue();
        assert!(queue.collect().is_none());
        queue.tell(&mut told(2));
        queue.tell(&mut told(1));
        assert_eq!((wakes.load(Ordering::Relaxed), queue.collect().map(|told| told.outcomes.len())), (1, Some(3)));
        assert!(queue.collect().is_none());
        queue.tell(&mut told(1));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_thread_with_much_to_tell_waits_for_the_loop() {
        let (queue, _) = queue();
        let rooms = Outcome::Rooms(vec![]);
        let mut much = Told::default();
        much.push(ConnId::NONE, rooms);
        much.bytes = OUTCOME_BYTES_MAX + 1;
        queue.tell(&mut much);
        let of_thread = queue.clone();
        let thread = std::thread::spawn(move || of_thread.wait_for_room());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!thread.is_finished());
        queue.collect();
        thread.join().expect("it goes on");
        let mut more = Told { bytes: OUTCOME_BYTES_MAX + 1, ..Told::default() };
        queue.tell(&mut more);
        queue.end();
        queue.wait_for_room();
    }

    #[test]
    fn commands_arrive_in_order_and_the_end_behind_them() {
        let (queue, _) = queue();
        let room = |n: u32| (ConnId::outside(n as usize), Command::ListRooms);
        queue.hand_over(&mut [room(1), room(2)].into());
        queue.hand_over(&mut [room(3)].into());
        queue.end();
        let mut taken = VecDeque::new();
        assert!(queue.wait(&mut taken, Duration::from_secs(60)), "it does not wait");
        assert_eq!(taken, [room(1), room(2), room(3)]);
        assert!(!queue.is_over());
        drop(Hold(queue.clone()));
        assert!(queue.is_over());
    }
}
