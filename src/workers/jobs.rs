//! A pool of threads for blocking calls: name resolution, files.
//!
//! Closures go in through a bounded queue. Each result is handed over on its thread, to the loop's own queue: there a
//! thread waits while that is full, so results never pile up. A thread starts when a job comes and all others are busy,
//! up to the maximum; when that is lowered, the next idle threads end. A job that panics loses its result, not its
//! thread: the connection that waits for it has a deadline. The threads of a dropped pool end, the busy ones after their
//! job.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

type Work<T> = Box<dyn FnOnce() -> T + Send>;
type HandOver<T> = Arc<dyn Fn(T) + Send + Sync>;

/// The pool; `T` is the result of a job.
pub struct Jobs<T> {
    queue: Arc<Queue<T>>,
    hand_over: HandOver<T>,
    /// Threads without those that have been told to end.
    threads: usize,
    threads_max: usize,
    waiting_max: usize,
    /// The system refused the last thread; logged once.
    refused: bool,
}

struct Queue<T> {
    tasks: Mutex<Tasks<T>>,
    more: Condvar,
}

/// What free threads are to do.
struct Tasks<T> {
    work: VecDeque<Work<T>>,
    /// Jobs that wait or run.
    unfinished: usize,
    /// Threads that are to end as soon as they are free.
    ending: usize,
}

/// The queue is full, or there is no thread and the system refuses one; nothing was queued.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<T: Send + 'static> Jobs<T> {
    /// A pool of at most `threads_max` threads and `waiting_max` queued jobs; `hand_over` takes each result, on its
    /// thread.
    pub fn new(threads_max: usize, waiting_max: usize, hand_over: impl Fn(T) + Send + Sync + 'static) -> Jobs<T> {
        let tasks = Mutex::new(Tasks { work: VecDeque::new(), unfinished: 0, ending: 0 });
        let queue = Arc::new(Queue { tasks, more: Condvar::new() });
        Jobs { queue, hand_over: Arc::new(hand_over), threads: 0, threads_max, waiting_max, refused: false }
    }

    /// Queues one closure.
    ///
    /// # Errors
    /// [`Full`] when `waiting_max` jobs wait already, or when there is no thread at all and none can be started.
    pub fn submit(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<(), Full> {
        self.ensure_free_thread();
        let mut tasks = self.queue.lock();
        if self.threads == 0 || tasks.work.len() >= self.waiting_max {
            return Err(Full);
        }
        tasks.work.push_back(Box::new(work));
        tasks.unfinished += 1;
        drop(tasks);
        self.queue.more.notify_one();
        Ok(())
    }

    /// Whether a job that is submitted now starts at once; starts a thread for it where that is allowed.
    pub fn ensure_free_thread(&mut self) -> bool {
        while self.queue.lock().unfinished >= self.threads {
            if self.threads >= self.threads_max || !self.add_thread() {
                return false;
            }
        }
        true
    }

    /// Changes the maximum of threads. Those above it end, the busy ones after their job.
    pub fn set_threads_max(&mut self, threads_max: usize) {
        self.threads_max = threads_max;
        let surplus = self.threads.saturating_sub(threads_max);
        if surplus > 0 {
            self.threads -= surplus;
            self.queue.lock().ending += surplus;
            self.queue.more.notify_all();
        }
    }

    /// Threads without those that have been told to end.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Keeps a thread that was about to end, or starts a new one.
    fn add_thread(&mut self) -> bool {
        let added = self.queue.keep_one() || self.start_thread();
        self.threads += added as usize;
        added
    }

    fn start_thread(&mut self) -> bool {
        let (queue, hand_over) = (self.queue.clone(), self.hand_over.clone());
        let thread = std::thread::Builder::new().name("squall-job".into());
        let started = thread.spawn(move || {
            while let Some(work) = queue.take() {
                let result = catch_unwind(AssertUnwindSafe(work));
                // Free before the loop hears of it, or what it submits then would start another thread.
                queue.lock().unfinished -= 1;
                if let Ok(result) = result {
                    hand_over(result);
                }
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

impl<T> Drop for Jobs<T> {
    fn drop(&mut self) {
        // One that waits to hand over its result ends because nothing receives it.
        self.queue.lock().ending += self.threads;
        self.queue.more.notify_all();
    }
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, Tasks<T>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job for a free thread; `None`: the thread is to end.
    fn take(&self) -> Option<Work<T>> {
        let mut tasks = self.lock();
        loop {
            if tasks.ending > 0 {
                tasks.ending -= 1;
                return None;
            }
            match tasks.work.pop_front() {
                Some(next) => return Some(next),
                None => tasks = self.more.wait(tasks).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn keep_one(&self) -> bool {
        let mut tasks = self.lock();
        let kept = tasks.ending > 0;
        tasks.ending -= kept as usize;
        kept
    }
}

#[cfg(test)]
mod tests;
