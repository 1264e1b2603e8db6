//! What threads have done for the loop: one bounded queue and one wake for all of them.
//!
//! ```text
//! a thread ── Sender::send ──▶ queue, then wake ──▶ the poll returns ──▶ note_wake ──▶ take, until it is empty
//! ```
//!
//! Results of one thread keep their order. While the queue is full, a thread waits with its result, so results never
//! pile up. Wakes coalesce: the queue comes first, the wake second, and after a wake the queue is taken until it is
//! empty, over several turns if need be. Another kind of thread adds a variant.

use crate::config::Limits;
use crate::event::Finished;
use crate::id::ConnId;
use crate::workers::names::Resolved;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// One result.
#[derive(Debug)]
pub(super) enum FromThread {
    /// What a job has found, for this connection.
    Job(ConnId, Finished),
    /// A name was looked up.
    Name(Resolved),
}

/// The loop's end of the queue.
pub(super) struct Results {
    queue: Receiver<FromThread>,
    /// A wake came, and the queue was not found empty since.
    may_have_more: bool,
}

/// A thread's end of the queue.
#[derive(Clone)]
pub(super) struct Sender {
    queue: SyncSender<FromThread>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// A queue, and what ends the wait of the loop.
pub(super) fn results(limits: &Limits, wake: Arc<dyn Fn() + Send + Sync>) -> (Sender, Results) {
    // A file in the queue is held in memory: as many may wait there as threads read files.
    let (sender, queue) = sync_channel(limits.job_threads.max(1));
    (Sender { queue: sender, wake }, Results { queue, may_have_more: false })
}

impl Sender {
    /// Hands a result over; waits while the queue is full. Without a loop the result is dropped.
    pub fn send(&self, result: FromThread) {
        if self.queue.send(result).is_ok() {
            (self.wake)();
        }
    }
}

impl Results {
    /// The loop was woken.
    pub fn note_wake(&mut self) {
        self.may_have_more = true;
    }

    /// Whether a result may be there.
    pub fn may_have_more(&self) -> bool {
        self.may_have_more
    }

    /// The next result, if there is one.
    pub fn take(&mut self) -> Option<FromThread> {
        let next = if self.may_have_more { self.queue.try_recv().ok() } else { None };
        self.may_have_more = next.is_some();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// Longer than any test takes: only a failure waits this long.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn job(n: usize) -> FromThread {
        FromThread::Job(ConnId::new(n, 1), Finished::Blocked)
    }

    fn number(result: Option<FromThread>) -> Option<usize> {
        match result? {
            FromThread::Job(id, _) => Some(id.slot()),
            FromThread::Name(_) => None,
        }
    }

    #[test]
    fn results_of_a_thread_keep_their_order_through_a_full_queue() {
        const COUNT: usize = 100;
        let (woken, wakes) = channel();
        let limits = Limits { job_threads: 2, ..Limits::default() };
        let (sender, mut results) = results(&limits, Arc::new(move || woken.send(()).unwrap_or(())));
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let sender = sender.clone();
                std::thread::spawn(move || (0..COUNT).for_each(|n| sender.send(job(thread * COUNT + n))))
            })
            .collect();
        let mut taken = vec![];
        while taken.len() < 2 * COUNT {
            wakes.recv_timeout(PATIENCE).expect("a result comes with a wake");
            results.note_wake();
            taken.extend(std::iter::from_fn(|| number(results.take())));
            assert!(!results.may_have_more());
        }
        for thread in 0..2 {
            let own = taken.iter().copied().filter(|n| n / COUNT == thread);
            assert!(own.eq(thread * COUNT..(thread + 1) * COUNT), "{taken:?}");
        }
        threads.into_iter().for_each(|thread| thread.join().expect("it has sent all"));
    }

    #[test]
    fn one_wake_may_stand_for_several_results() {
        let (sender, mut results) = results(&Limits::default(), Arc::new(|| ()));
        (0..3).for_each(|n| sender.send(job(n)));
        assert_eq!(number(results.take()), None, "the loop was not woken");
        results.note_wake();
        assert_eq!([0; 3].map(|_| number(results.take())), [Some(0), Some(1), Some(2)]);
        assert!(results.may_have_more(), "whether there is a fourth is not known");
        assert_eq!((number(results.take()), results.may_have_more()), (None, false));
    }

    #[test]
    fn a_thread_outlives_the_loop() {
        let (sender, results) = results(&Limits::default(), Arc::new(|| panic!("there is no loop to be woken")));
        drop(results);
        (0..100).for_each(|n| sender.send(job(n)));
    }
}
