use super::*;
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::time::Duration;

/// Longer than any test takes: only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Pool {
    jobs: Jobs<u32>,
    /// It takes as many results as there may be threads.
    results: Receiver<u32>,
    last_word: Sender<()>,
    /// One message for each thread that began a job by [`Pool::begin`] and has ended.
    ended: Receiver<()>,
}

thread_local! {
    /// Dropped with its thread.
    static LAST_WORD: RefCell<Option<LastWord>> = const { RefCell::new(None) };
}

struct LastWord(Sender<()>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.send(()).unwrap_or(());
    }
}

fn pool(threads: usize, waiting: usize) -> Pool {
    let (done, results) = sync_channel(threads);
    let (last_word, ended) = channel();
    let jobs = Jobs::new(threads, waiting, move |n| done.send(n).unwrap_or(()));
    Pool { jobs, results, last_word, ended }
}

impl Pool {
    fn result(&mut self) -> u32 {
        self.results.recv_timeout(PATIENCE).expect("a result is handed over")
    }

    /// Waits until a thread has begun a job, which ends with `n` when the sender is dropped.
    fn begin(&mut self, n: u32) -> Sender<()> {
        let (go, gate) = channel::<()>();
        let (started, running) = channel();
        let last_word = self.last_word.clone();
        let work = move || {
            LAST_WORD.with_borrow_mut(|word| _ = word.get_or_insert_with(|| LastWord(last_word)));
            started.send(()).unwrap();
            gate.recv().map_or(n, |()| n)
        };
        self.jobs.submit(work).unwrap();
        running.recv_timeout(PATIENCE).expect("a thread is free");
        go
    }
}

#[test]
fn a_full_queue_refuses_and_a_panic_loses_one_result() {
    let mut pool = pool(1, 2);
    let gate = pool.begin(1);
    pool.jobs.submit(|| panic!("a job may fail")).unwrap();
    pool.jobs.submit(|| 3).unwrap();
    assert_eq!(pool.jobs.submit(|| 4), Err(Full));
    drop(gate);
    assert_eq!([pool.result(), pool.result()], [1, 3]);
    assert!(pool.jobs.ensure_free_thread());
}

#[test]
fn a_pool_without_a_thread_refuses() {
    let Pool { mut jobs, .. } = pool(0, 2);
    assert_eq!(jobs.submit(|| 1), Err(Full));
    assert_eq!((jobs.ensure_free_thread(), jobs.threads()), (false, 0));
}

#[test]
fn a_thread_starts_only_when_the_others_are_busy() {
    let mut pool = pool(2, 10);
    for n in 0..10 {
        pool.jobs.submit(move || n).unwrap();
        assert_eq!((pool.result(), pool.jobs.threads()), (n, 1));
    }
    let _gates = [pool.begin(1), pool.begin(2)];
    assert_eq!((pool.jobs.ensure_free_thread(), pool.jobs.threads()), (false, 2));
}

#[test]
fn busy_threads_above_the_maximum_end_after_their_job() {
    let mut pool = pool(3, 10);
    let gates = [1, 2, 3].map(|n| pool.begin(n));
    pool.jobs.set_threads_max(1);
    assert_eq!((pool.jobs.threads(), pool.ended.try_recv().is_ok()), (1, false));
    drop(gates);
    let mut results = [0; 3].map(|_| pool.result());
    results.sort_unstable();
    assert_eq!(results, [1, 2, 3]);
    for _ in 0..2 {
        pool.ended.recv_timeout(PATIENCE).expect("two threads end");
    }
    drop(pool.begin(4));
    assert_eq!((pool.result(), pool.ended.try_recv().is_ok()), (4, false));
}

#[test]
fn idle_threads_above_the_maximum_end_at_once() {
    let mut pool = pool(2, 10);
    drop([pool.begin(1), pool.begin(2)]);
    let _ = [pool.result(), pool.result()];
    pool.jobs.set_threads_max(0);
    for _ in 0..2 {
        pool.ended.recv_timeout(PATIENCE).expect("both threads end");
    }
    assert_eq!(pool.jobs.submit(|| 3), Err(Full));
}

#[test]
fn the_threads_of_a_dropped_pool_end() {
    let mut pool = pool(3, 10);
    let [first, second, third] = [1, 2, 3].map(|n| pool.begin(n));
    drop(first);
    assert_eq!(pool.result(), 1);
    let Pool { jobs, ended, .. } = pool;
    drop(jobs);
    ended.recv_timeout(PATIENCE).expect("the idle thread ends");
    assert!(ended.try_recv().is_err(), "the busy ones do not");
    drop((second, third));
    for _ in 0..2 {
        ended.recv_timeout(PATIENCE).expect("the others end after their jobs");
    }
}

#[test]
fn a_thread_about_to_end_is_kept_before_one_is_started() {
    let mut pool = pool(2, 10);
    let gates = [pool.begin(1), pool.begin(2)];
    pool.jobs.set_threads_max(1);
    pool.jobs.set_threads_max(2);
    assert_eq!((pool.jobs.ensure_free_thread(), pool.jobs.threads()), (false, 2));
    assert_eq!(pool.jobs.queue.lock().ending, 0);
    drop(gates);
    let _ = [pool.result(), pool.result()];
    let _gates = [pool.begin(3), pool.begin(4)];
    assert!(pool.ended.try_recv().is_err());
}

#[test]
fn a_thread_waits_until_its_result_is_taken() {
    let mut pool = pool(1, 10);
    let (made, count) = channel();
    for n in 0..5 {
        let made = made.clone();
        pool.jobs.submit(move || made.send(n).map_or(0, |()| n)).unwrap();
    }
    // One result is in the queue; the thread waits with the next one until the first is taken.
    assert_eq!((count.recv().unwrap(), count.recv().unwrap()), (0, 1));
    assert_eq!([0; 5].map(|_| pool.result()), [0, 1, 2, 3, 4]);
}
