//! A few threads for what blocks: name resolution, files.
//!
//! Closures go in through a bounded queue, results come out in the loop after a wake, through a bounded one as well: a
//! thread that cannot hand over its result waits, so results never pile up. Wakes coalesce, so the order is: queue the
//! result, then wake; after a wake, drain to empty. Threads start with the first job and never outnumber their maximum.
//! A job that panics loses its result, not its thread: whoever waits for it has a deadline. A pool that is dropped
//! leaves its threads asleep: it lives as long as the process.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

type Work<T> = Box<dyn FnOnce() -> T + Send>;
type Wake = Arc<dyn Fn() + Send + Sync>;

/// The pool; `T` is what a job answers.
pub struct Jobs<T> {
    queue: Arc<Queue<T>>,
    results: Receiver<T>,
    done: SyncSender<T>,
    wake: Wake,
    threads: usize,
    threads_max: usize,
    waiting_max: usize,
}

struct Queue<T> {
    work: Mutex<VecDeque<Work<T>>>,
    more: Condvar,
}

/// The queue is full; nothing was taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<T: Send + 'static> Jobs<T> {
    /// A pool of at most `threads_max` threads and `waiting_max` queued jobs; `wake` ends the loop's wait.
    pub fn new(threads_max: usize, waiting_max: usize, wake: Wake) -> Jobs<T> {
        let (done, results) = sync_channel(threads_max);
        let queue = Arc::new(Queue { work: Mutex::new(VecDeque::new()), more: Condvar::new() });
        Jobs { queue, results, done, wake, threads: 0, threads_max, waiting_max }
    }

    /// Queues one closure.
    ///
    /// # Errors
    /// [`Full`] when `waiting_max` jobs wait already.
    pub fn submit(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<(), Full> {
        {
            let mut queue = self.queue.work.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= self.waiting_max {
                return Err(Full);
            }
            queue.push_back(Box::new(work));
        }
        if self.threads < self.threads_max {
            self.threads += self.start_thread() as usize;
        }
        self.queue.more.notify_one();
        Ok(())
    }

    /// The next result, if there is one.
    pub fn next_result(&mut self) -> Option<T> {
        self.results.try_recv().ok()
    }

    fn start_thread(&self) -> bool {
        let (queue, done, wake) = (self.queue.clone(), self.done.clone(), self.wake.clone());
        let thread = std::thread::Builder::new().name("squall-job".into());
        let started = thread.spawn(move || {
            loop {
                let work = queue.take();
                if let Ok(result) = catch_unwind(AssertUnwindSafe(work)) {
                    if done.send(result).is_err() {
                        return;
                    }
                    wake();
                }
            }
        });
        if let Err(e) = &started {
            log::error!("no thread for blocking work: {e}");
        }
        started.is_ok()
    }
}

impl<T> Queue<T> {
    fn take(&self) -> Work<T> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match work.pop_front() {
                Some(next) => return next,
                None => work = self.more.wait(work).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn pool(threads: usize, waiting: usize) -> (Jobs<u32>, Receiver<()>) {
        let (woken, wakes) = channel();
        (Jobs::new(threads, waiting, Arc::new(move || woken.send(()).unwrap_or(()))), wakes)
    }

    #[test]
    fn a_result_is_queued_before_the_wake() {
        let (mut jobs, wakes) = pool(1, 10);
        jobs.submit(|| 7).unwrap();
        wakes.recv().unwrap();
        assert_eq!((jobs.next_result(), jobs.next_result()), (Some(7), None));
    }

    #[test]
    fn a_full_queue_refuses_and_a_panic_costs_only_its_own_result() {
        let (mut jobs, wakes) = pool(1, 2);
        let (go, gate) = channel::<()>();
        let (started, running) = channel();
        jobs.submit(move || {
            started.send(()).unwrap();
            gate.recv().unwrap();
            1
        })
        .unwrap();
        running.recv().unwrap();
        jobs.submit(|| panic!("a job may fail")).unwrap();
        jobs.submit(|| 3).unwrap();
        assert_eq!(jobs.submit(|| 4), Err(Full));
        go.send(()).unwrap();
        wakes.recv().unwrap();
        assert_eq!(jobs.next_result(), Some(1));
        wakes.recv().unwrap();
        assert_eq!((jobs.next_result(), jobs.next_result()), (Some(3), None));
    }

    #[test]
    fn a_thread_whose_result_nobody_takes_makes_no_further_one() {
        let (mut jobs, wakes) = pool(1, 10);
        let (made, count) = channel();
        for n in 0..5 {
            let made = made.clone();
            jobs.submit(move || made.send(n).map_or(0, |()| n)).unwrap();
        }
        wakes.recv().unwrap();
        // One result lies in the channel, one is in the thread's hands: it is stuck there until the first is taken.
        assert_eq!((count.recv().unwrap(), count.recv().unwrap()), (0, 1));
        let mut taken = vec![];
        while taken.len() < 5 {
            match jobs.next_result() {
                Some(n) => taken.push(n),
                None => wakes.recv().unwrap(),
            }
        }
        assert_eq!(taken, [0, 1, 2, 3, 4]);
    }
}
