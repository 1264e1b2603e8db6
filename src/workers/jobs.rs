//! A few threads for what blocks: name resolution, files.
//!
//! Closures go in through a bounded queue, results come out in the loop after a wake, through a bounded one as well: a
//! thread that cannot hand over its result waits, so results never pile up. Wakes coalesce, so the order is: queue the
//! result, then wake; after a wake, drain to empty. A thread starts when a job comes and all others are busy, and there
//! are never more than their maximum; where that is lowered, the next ones to be free end. A job that panics loses its
//! result, not its thread: whoever waits for it has a deadline. A pool that is dropped leaves its threads asleep: it
//! lives as long as the process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Work<T> = Box<dyn FnOnce() -> T + Send>;
type Wake = Arc<dyn Fn() + Send + Sync>;

/// The pool; `T` is what a job answers.
pub struct Jobs<T> {
    queue: Arc<Queue<T>>,
    /// `None` is the end of a job that panicked.
    results: Receiver<Option<T>>,
    done: SyncSender<Option<T>>,
    wake: Wake,
    /// Threads that are there, less those that have been told to end.
    threads: usize,
    threads_max: usize,
    waiting_max: usize,
    /// Jobs submitted whose end has not been taken from `results`.
    unfinished: usize,
    /// The system has refused a thread, which is logged once.
    refused: bool,
}

struct Queue<T> {
    state: Mutex<State<T>>,
    more: Condvar,
}

struct State<T> {
    work: VecDeque<Work<T>>,
    /// So many threads are to end as soon as they are free.
    leaving: usize,
}

/// The queue is full, or there is no thread and the system gives none; nothing was taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<T: Send + 'static> Jobs<T> {
    /// A pool of at most `threads_max` threads and `waiting_max` queued jobs; `wake` ends the loop's wait.
    pub fn new(threads_max: usize, waiting_max: usize, wake: Wake) -> Jobs<T> {
        let (done, results) = sync_channel(threads_max);
        let state = Mutex::new(State { work: VecDeque::new(), leaving: 0 });
        let queue = Arc::new(Queue { state, more: Condvar::new() });
        Jobs { queue, results, done, wake, threads: 0, threads_max, waiting_max, unfinished: 0, refused: false }
    }

    /// Queues one closure.
    ///
    /// # Errors
    /// [`Full`] when `waiting_max` jobs wait already, or when there is no thread at all and none can be started.
    pub fn submit(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<(), Full> {
        self.ensure_free_thread();
        let mut state = self.queue.lock();
        if self.threads == 0 || state.work.len() >= self.waiting_max {
            return Err(Full);
        }
        state.work.push_back(Box::new(work));
        drop(state);
        self.unfinished += 1;
        self.queue.more.notify_one();
        Ok(())
    }

    /// Whether a job that is submitted now is begun at once; starts a thread for it where that is allowed.
    pub fn ensure_free_thread(&mut self) -> bool {
        while self.unfinished >= self.threads {
            if self.threads >= self.threads_max || !self.add_thread() {
                return false;
            }
        }
        true
    }

    /// Changes how many threads there may be. What is above it ends, the busy ones after their job.
    pub fn set_threads_max(&mut self, threads_max: usize) {
        self.threads_max = threads_max;
        let surplus = self.threads.saturating_sub(threads_max);
        if surplus > 0 {
            self.threads -= surplus;
            self.queue.lock().leaving += surplus;
            self.queue.more.notify_all();
        }
    }

    /// Threads that are there and have not been told to end.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The next result, if there is one.
    pub fn next_result(&mut self) -> Option<T> {
        while let Ok(result) = self.results.try_recv() {
            self.unfinished -= 1;
            if result.is_some() {
                return result;
            }
        }
        None
    }

    /// One thread more: one that was about to end, or a new one.
    fn add_thread(&mut self) -> bool {
        let added = self.queue.keep_one() || self.start_thread();
        self.threads += added as usize;
        added
    }

    fn start_thread(&mut self) -> bool {
        let (queue, done, wake) = (self.queue.clone(), self.done.clone(), self.wake.clone());
        let thread = std::thread::Builder::new().name("squall-job".into());
        let started = thread.spawn(move || {
            while let Some(work) = queue.take() {
                if done.send(catch_unwind(AssertUnwindSafe(work)).ok()).is_err() {
                    return;
                }
                wake();
            }
        });
        if let Err(e) = &started
            && !self.refused
        {
            log::error!("no thread for blocking work: {e}");
        }
        self.refused = started.is_err();
        started.is_ok()
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job for a free thread; `None`: it is to end.
    fn take(&self) -> Option<Work<T>> {
        let mut state = self.lock();
        loop {
            if state.leaving > 0 {
                state.leaving -= 1;
                return None;
            }
            match state.work.pop_front() {
                Some(next) => return Some(next),
                None => state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn keep_one(&self) -> bool {
        let mut state = self.lock();
        let kept = state.leaving > 0;
        state.leaving -= kept as usize;
        kept
    }
}

#[cfg(test)]
mod tests;
