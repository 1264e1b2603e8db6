//! The loops of a load: one thread each, and the one that waits for them.
//!
//! ```text
//! thread 1:  poll ─▶ on_ready … ─▶ on_time ─▶ poll …      once a second: what it has counted ──┐
//! thread 2:  poll ─▶ on_ready … ─▶ on_time ─▶ poll …                                         ──┤
//!                                                                                              ▼
//! caller:    waits for these pieces, ten times a second looks at the counts so far, and at signals
//! ```
//!
//! A thread shares with the others a flag that ends it, and with the caller its own count of what is done. So the caller
//! can show the run without a change of the result.

use super::series::INTERVAL;
use crate::id::ConnId;
use crate::net::kernel::readiness;
use crate::net::{Ready, Source};
use mio::{Events, Poll, Waker};
#[cfg(target_os = "linux")]
use mio::{Interest, unix::SourceFd};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
#[cfg(target_os = "linux")]
use uapi::c;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;
/// Distance of the caller's looks at what has been done, and at signals.
const LOOK: Duration = Duration::from_millis(100);

/// A load on connections: told what the kernel says, and when to look at the clock.
pub trait Load {
    /// What it has counted in a while.
    type Piece: Send;
    /// What is left at its end.
    type Rest: Send;

    /// Begins.
    ///
    /// # Errors
    /// The run cannot go on.
    fn start(&mut self, now: Instant) -> Result<(), Aborted>;
    /// Takes what the kernel says of a connection.
    ///
    /// # Errors
    /// The run cannot go on.
    fn on_ready(&mut self, id: ConnId, ready: Ready, now: Instant) -> Result<(), Aborted>;
    /// Does what is due.
    ///
    /// # Errors
    /// The run cannot go on.
    fn on_time(&mut self, now: Instant) -> Result<(), Aborted>;
    /// Since when it counts: all is connected, and warm. `None` until then.
    fn measures_since(&self) -> Option<Instant>;
    /// When `on_time` has to be called next.
    fn due(&self) -> Option<Instant>;
    /// Whether nothing is left to do.
    fn is_over(&self, now: Instant) -> bool;
    /// What it has done so far: requests, messages.
    fn done(&self) -> u64;
    /// Hands over what it has counted since the last time.
    fn take(&mut self) -> Self::Piece;
    /// Ends.
    fn finish(self, now: Instant) -> Self::Rest;
}

/// The caller's side of a run.
pub trait Watch<P> {
    /// What is measured begins.
    fn begin(&mut self);
    /// Takes what a thread has counted in an interval.
    fn piece(&mut self, interval: u64, counted: P);
    /// At least ten times a second: the number of requests that are done.
    fn look(&mut self, done: u64);
}

/// Why a run ended before all was done.
#[derive(Debug)]
pub enum Aborted {
    /// A socket failed, without `-r`.
    Socket(io::Error),
    /// A TLS handshake failed, without `-r`.
    Handshake(io::Error),
    /// Connecting failed several times.
    Connecting(io::Error),
    /// A response did not come in time.
    Timeout,
    /// What came is no response.
    NotHttp(String),
    /// The kernel's poll failed.
    Poll(io::Error),
}

/// How precisely a loop waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Milliseconds, rounded up, as epoll_wait(2) has it.
    Millis,
    /// Microseconds, by a timerfd (timerfd_create(2)): a schedule needs that.
    Micros,
}

/// What the threads of a run leave.
#[derive(Debug)]
pub struct Ended<R> {
    pub rests: Vec<R>,
    /// From the beginning of what is measured to the end of the last thread.
    pub took: Duration,
    /// Why it ended early.
    pub aborted: Option<Aborted>,
    /// A signal ended it.
    pub is_interrupted: bool,
}

/// What a thread tells.
enum Told<P, R> {
    /// It measures since then.
    Measures(Instant),
    /// In the interval of this number.
    Piece(u64, P),
    Ended(Result<R, Aborted>, Instant),
}

/// What the threads of a run share.
#[derive(Debug, Default)]
struct Shared {
    done: Vec<AtomicU64>,
    stop: AtomicBool,
}

/// Runs `threads` loops. `make` makes the load of thread `n`, in that thread. `interrupted` is set by a signal, and ends the
/// run.
///
/// # Errors
/// A poll or a thread cannot be made.
pub fn run<L: Load>(
    threads: usize,
    precision: Precision,
    make: impl Fn(usize, mio::Registry, Instant) -> L + Send + Sync + 'static,
    watch: &mut impl Watch<L::Piece>,
    interrupted: &AtomicBool,
) -> io::Result<Ended<L::Rest>>
where
    L::Piece: 'static,
    L::Rest: 'static,
{
    let shared = Arc::new(Shared { done: (0..threads).map(|_| AtomicU64::new(0)).collect(), ..Shared::default() });
    let (tell, told) = mpsc::channel::<Told<L::Piece, L::Rest>>();
    let (make, began) = (Arc::new(make), Instant::now());
    let (mut wakers, mut handles): (Vec<Waker>, Vec<JoinHandle<()>>) = (Vec::new(), Vec::new());
    for n in 0..threads {
        let poll = Poll::new()?;
        wakers.push(Waker::new(poll.registry(), Source::Jobs.token())?);
        let (shared, tell, make) = (shared.clone(), tell.clone(), make.clone());
        let body = move || {
            let turns = Turns { n, poll, precision, shared: &shared };
            let outcome = turns.run(|registry| make(n, registry, began), began, &tell);
            // The caller is gone only if it panicked.
            let _ = tell.send(Told::Ended(outcome, Instant::now()));
        };
        handles.push(thread::Builder::new().name(format!("load-{n}")).spawn(body)?);
    }
    drop(tell);
    let mut measures_since = None;
    let mut ended = Ended { rests: Vec::new(), took: Duration::ZERO, aborted: None, is_interrupted: false };
    let stop = |shared: &Shared| {
        shared.stop.store(true, Relaxed);
        // A thread that has ended has no poll to wake.
        wakers.iter().for_each(|waker| drop(waker.wake()));
    };
    loop {
        match told.recv_timeout(LOOK) {
            Ok(Told::Piece(interval, counted)) => watch.piece(interval, counted),
            Ok(Told::Measures(since)) => {
                if measures_since.is_none() {
                    watch.begin();
                }
                measures_since = Some(measures_since.unwrap_or(since).min(since));
            }
            Ok(Told::Ended(outcome, at)) => {
                let since = measures_since.map_or(Duration::ZERO, |since| at.saturating_duration_since(since));
                ended.took = ended.took.max(since);
                match outcome {
                    Ok(rest) => ended.rests.push(rest),
                    Err(aborted) => {
                        ended.aborted.get_or_insert(aborted);
                        stop(&shared);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if interrupted.load(Relaxed) && !ended.is_interrupted {
            ended.is_interrupted = true;
            stop(&shared);
        }
        watch.look(shared.done.iter().map(|done| done.load(Relaxed)).sum());
    }
    for handle in handles {
        if handle.join().is_err() {
            return Err(io::Error::other("a thread of the load has panicked"));
        }
    }
    Ok(ended)
}

/// The turns of one thread.
struct Turns<'a> {
    n: usize,
    poll: Poll,
    precision: Precision,
    shared: &'a Shared,
}

impl Turns<'_> {
    fn run<L: Load>(
        mut self,
        make: impl FnOnce(mio::Registry) -> L,
        began: Instant,
        tell: &Sender<Told<L::Piece, L::Rest>>,
    ) -> Result<L::Rest, Aborted> {
        let registry = self.poll.registry().try_clone().map_err(Aborted::Poll)?;
        let alarm = Alarm::new(self.precision, &registry).map_err(Aborted::Poll)?;
        let (mut load, mut interval) = (make(registry), 0);
        let outcome = self.turn(&mut load, &mut interval, (began, &alarm), tell);
        // What was counted until then is told in any case.
        self.shared.done[self.n].store(load.done(), Relaxed);
        let _ = tell.send(Told::Piece(interval, load.take()));
        outcome.map(|()| load.finish(Instant::now()))
    }

    /// Turn by turn until the load is over. `interval` is the number of the one that is counted.
    fn turn<L: Load>(
        &mut self,
        load: &mut L,
        interval: &mut u64,
        (began, alarm): (Instant, &Alarm),
        tell: &Sender<Told<L::Piece, L::Rest>>,
    ) -> Result<(), Aborted> {
        let (mut events, mut until) = (Events::with_capacity(EVENTS_MAX), None);
        load.start(began)?;
        while !load.is_over(Instant::now()) && !self.shared.stop.load(Relaxed) {
            if until.is_none()
                && let Some(since) = load.measures_since()
            {
                until = Some(since + INTERVAL);
                let _ = tell.send(Told::Measures(since));
            }
            let due = [load.due(), until].into_iter().flatten().min();
            let wait = alarm.wait_for(due, Instant::now()).map_err(Aborted::Poll)?;
            match self.poll.poll(&mut events, wait) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome.map_err(Aborted::Poll)?,
            }
            for (source, ready) in events.iter().map(readiness) {
                if let Source::Connection(id) = source {
                    load.on_ready(id, ready, Instant::now())?;
                }
            }
            let now = Instant::now();
            load.on_time(now)?;
            self.shared.done[self.n].store(load.done(), Relaxed);
            while let Some(end) = until.filter(|end| now >= *end) {
                let _ = tell.send(Told::Piece(*interval, load.take()));
                (*interval, until) = (*interval + 1, Some(end + INTERVAL));
            }
        }
        Ok(())
    }
}

/// Ends a wait at a moment.
enum Alarm {
    /// By the timeout of the poll, which is rounded up to milliseconds.
    Poll,
    #[cfg(target_os = "linux")]
    Timer(uapi::OwnedFd),
}

impl Alarm {
    fn new(precision: Precision, registry: &mio::Registry) -> io::Result<Alarm> {
        match precision {
            Precision::Millis => Ok(Alarm::Poll),
            #[cfg(not(target_os = "linux"))]
            Precision::Micros => Ok(Alarm::Poll),
            #[cfg(target_os = "linux")]
            Precision::Micros => {
                let timer = uapi::timerfd_create(c::CLOCK_MONOTONIC, c::TFD_NONBLOCK | c::TFD_CLOEXEC)?;
                registry.register(&mut SourceFd(&timer.raw()), Source::Signals.token(), Interest::READABLE)?;
                Ok(Alarm::Timer(timer))
            }
        }
    }

    /// The timeout of a poll that has to end at `due`.
    fn wait_for(&self, due: Option<Instant>, now: Instant) -> io::Result<Option<Duration>> {
        let Some(due) = due else { return Ok(None) };
        let wait = due.saturating_duration_since(now);
        match self {
            #[cfg(target_os = "linux")]
            Alarm::Timer(timer) if !wait.is_zero() => {
                let never = c::timespec { tv_sec: 0, tv_nsec: 0 };
                let tv_sec = wait.as_secs().try_into().unwrap_or(c::time_t::MAX);
                let it_value = c::timespec { tv_sec, tv_nsec: wait.subsec_nanos().into() };
                // Armed anew, it is an edge again (epoll(7)): nothing has to be read.
                uapi::timerfd_settime(timer.raw(), 0, &c::itimerspec { it_interval: never, it_value })?;
                Ok(None)
            }
            _ => Ok(Some(wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its calls, and ends after a while.
    struct Ticks {
        began: Instant,
        every: Duration,
        next: Instant,
        left: u32,
        counted: u64,
        late: Duration,
    }

    impl Load for Ticks {
        type Piece = u64;
        type Rest = Duration;
        fn start(&mut self, _: Instant) -> Result<(), Aborted> {
            Ok(())
        }
        fn on_ready(&mut self, _: ConnId, _: Ready, _: Instant) -> Result<(), Aborted> {
            Ok(())
        }
        fn on_time(&mut self, now: Instant) -> Result<(), Aborted> {
            if now >= self.next {
                self.late = self.late.max(now - self.next);
                (self.next, self.left, self.counted) = (now + self.every, self.left - 1, self.counted + 1);
            }
            Ok(())
        }
        fn measures_since(&self) -> Option<Instant> {
            Some(self.began)
        }
        fn due(&self) -> Option<Instant> {
            Some(self.next)
        }
        fn is_over(&self, _: Instant) -> bool {
            self.left == 0
        }
        fn done(&self) -> u64 {
            0
        }
        fn take(&mut self) -> u64 {
            std::mem::take(&mut self.counted)
        }
        fn finish(self, _: Instant) -> Duration {
            self.late
        }
    }

    fn ticks(every: Duration, left: u32) -> impl Fn(usize, mio::Registry, Instant) -> Ticks + Send + Sync + 'static {
        move |_, _, now| Ticks { began: now, every, next: now + every, left, counted: 0, late: Duration::ZERO }
    }

    /// Adds up.
    impl Watch<u64> for u64 {
        fn piece(&mut self, _: u64, counted: u64) {
            *self += counted;
        }
        fn look(&mut self, _: u64) {}
        fn begin(&mut self) {}
    }

    #[test]
    fn every_piece_and_the_rest_of_each_thread_arrive() {
        let (mut counted, make) = (0, ticks(Duration::from_millis(1), 30));
        let ended = run(2, Precision::Millis, make, &mut counted, &AtomicBool::new(false));
        let ended = ended.expect("it runs");
        assert_eq!((counted, ended.rests.len(), ended.is_interrupted), (60, 2, false));
        assert!(ended.aborted.is_none() && ended.took >= Duration::from_millis(30));
    }

    #[test]
    fn an_interrupted_run_ends_with_what_it_has() {
        let make = ticks(Duration::from_secs(3600), 1);
        let ended = run(2, Precision::Millis, make, &mut 0, &AtomicBool::new(true)).expect("it runs");
        assert!(ended.is_interrupted && ended.rests.len() == 2 && ended.took < Duration::from_secs(60));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_schedule_is_kept_to_fractions_of_a_millisecond() {
        let best = (0..3).map(|_| {
            let began = Instant::now();
            let make = ticks(Duration::from_micros(200), 100);
            run(1, Precision::Micros, make, &mut 0, &AtomicBool::new(false)).expect("it runs");
            began.elapsed()
        });
        // Rounded up to milliseconds, a hundred waits are at least 100 ms.
        assert!(best.min().is_some_and(|best| best < Duration::from_millis(90)));
    }
}
