//! Addresses of host names: from the cache at once, else from getaddrinfo, which blocks, on a thread.
//!
//! ```text
//! look_up ─▶ Queued ── a thread is free ─▶ Running ── its result ─▶ cache, and all waiting connections
//!              │                              └─ a deadline passed ─▶ Stuck ─ its result ─▶ the same
//!              └─ no connection waits any more ─▶ (dropped, never looked up)
//! ```
//!
//! Connections that need a name which is being looked up wait for the same result. The queue is here, in the loop: a
//! thread gets a name only when it is free, so a queued name can still be dropped. A running look-up cannot be ended;
//! while it hangs another thread replaces its own, up to `name_threads_max`.
//!
//! Names come in lower case. Deadlines are the caller's, which calls [`Names::forget`]. When a full cache takes a name,
//! the stale ones are dropped, or else the one that would be stale first.

use crate::config::Limits;
use crate::id::ConnId;
use crate::workers::jobs::Jobs;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// A name in the domain name system has 253 bytes at most (RFC 1035 section 2.3.4), and perhaps a dot behind it.
const NAME_BYTES_MAX: usize = 254;

/// Looks up one name; blocks.
pub type Resolve = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;
/// The addresses of a name in the resolver's order, at least one, each once; or a text on why there are none.
pub type Found = Result<Vec<IpAddr>, String>;
type Name = Arc<str>;

/// A look-up that has ended, on its way from its thread to [`Names::take`].
#[derive(Debug)]
pub struct Resolved {
    name: Name,
    found: Found,
}

/// The look-ups under way, and the cache.
pub struct Names {
    jobs: Jobs<Resolved>,
    resolve: Resolve,
    limits: Limits,
    look_ups: HashMap<Name, LookUp>,
    /// Names that no thread has taken yet, by ticket, so that one can be removed from the middle.
    queue: BTreeMap<u64, Name>,
    tickets: u64,
    stuck: usize,
    cache: HashMap<Name, Known>,
}

/// What [`Names::look_up`] returns at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// At least one address.
    Known(Vec<IpAddr>),
    /// There is none, for this reason.
    Failed(String),
    /// Its thread will hand over the result, for [`Names::take`].
    Asked,
    /// `names_waiting_max` names wait for a thread already; nothing was queued.
    Full,
}

/// A name without a result yet.
struct LookUp {
    /// The connections that wait for it, in order.
    waiting: Vec<ConnId>,
    progress: Progress,
}

enum Progress {
    /// In the queue under this ticket; a connection waits for it.
    Queued(u64),
    /// On a thread.
    Running,
    /// On a thread, beyond the deadline of a connection.
    Stuck,
}

struct Known {
    found: Found,
    until: Instant,
}

impl Names {
    /// With the system's resolver (getaddrinfo). `hand_over` takes each result, on its thread.
    pub fn new(limits: &Limits, hand_over: impl Fn(Resolved) + Send + Sync + 'static) -> Names {
        let system = |name: &str| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect());
        Names::with_resolver(limits, hand_over, Arc::new(system))
    }

    /// With another resolver, which a test can let hang. It runs on several threads at once.
    pub fn with_resolver(
        limits: &Limits,
        hand_over: impl Fn(Resolved) + Send + Sync + 'static,
        resolve: Resolve,
    ) -> Names {
        // The pool's own queue holds at most what its free threads are about to take.
        let waiting_max = limits.name_threads_max.max(limits.name_threads);
        Names {
            jobs: Jobs::new(limits.name_threads, waiting_max, hand_over),
            resolve,
            limits: limits.clone(),
            look_ups: HashMap::new(),
            queue: BTreeMap::new(),
            tickets: 0,
            stuck: 0,
            cache: HashMap::new(),
        }
    }

    /// Looks up a name in lower case, or an address (IPv6 without brackets), for connection `id`.
    ///
    /// After [`Answer::Asked`] the connection waits until [`Names::take`] returns its id or [`Names::forget`] is called
    /// for it; it must not look up anything before.
    pub fn look_up(&mut self, host: &str, id: ConnId, now: Instant) -> Answer {
        if let Ok(address) = host.parse() {
            return Answer::Known(vec![address]);
        }
        if host.len() > NAME_BYTES_MAX {
            return Answer::Failed(format!("a name has at most {NAME_BYTES_MAX} bytes"));
        }
        if let Some(known) = self.cache.get(host).filter(|known| now < known.until) {
            return known.found.clone().map_or_else(Answer::Failed, Answer::Known);
        }
        if let Some(look_up) = self.look_ups.get_mut(host) {
            look_up.waiting.push(id);
            return Answer::Asked;
        }
        let thread_is_free = self.jobs.ensure_free_thread();
        if self.jobs.threads() == 0 {
            return Answer::Failed("the system gives no thread to look it up".into());
        }
        if !thread_is_free && self.queue.len() >= self.limits.names_waiting_max {
            return Answer::Full;
        }
        self.enqueue(host.into(), id);
        self.start_next();
        Answer::Asked
    }

    /// Takes a look-up that has ended: the connections that wait for it, in order, and its result.
    pub fn take(&mut self, resolved: Resolved, now: Instant) -> (Vec<ConnId>, Found) {
        let Resolved { name, found } = resolved;
        let look_up = self.look_ups.remove(&name).expect("only its result ends a look-up that runs");
        if matches!(look_up.progress, Progress::Stuck) {
            self.stuck -= 1;
            self.jobs.set_threads_max(self.threads_allowed());
        }
        self.start_next();
        self.remember(name, &found, now);
        (look_up.waiting, found)
    }

    /// Connection `id` no longer waits for `host`. `late`: because its deadline has passed; a thread that runs the
    /// look-up then counts as stuck until its result comes.
    pub fn forget(&mut self, id: ConnId, host: &str, late: bool) {
        let Some(look_up) = self.look_ups.get_mut(host) else { return };
        let Some(n) = look_up.waiting.iter().position(|&waiting| waiting == id) else { return };
        look_up.waiting.remove(n);
        match look_up.progress {
            Progress::Queued(ticket) if look_up.waiting.is_empty() => {
                self.queue.remove(&ticket);
                self.look_ups.remove(host);
            }
            Progress::Running if late => {
                look_up.progress = Progress::Stuck;
                self.stuck += 1;
                self.jobs.set_threads_max(self.threads_allowed());
                self.start_next();
            }
            _ => {}
        }
    }

    /// Threads that hang in a look-up.
    pub fn stuck(&self) -> usize {
        self.stuck
    }

    /// Names without a result yet: queued, running and stuck.
    pub fn waiting(&self) -> usize {
        self.look_ups.len()
    }

    fn enqueue(&mut self, name: Name, id: ConnId) {
        self.tickets += 1;
        self.queue.insert(self.tickets, name.clone());
        self.look_ups.insert(name, LookUp { waiting: vec![id], progress: Progress::Queued(self.tickets) });
    }

    /// Gives queued names to free threads.
    fn start_next(&mut self) {
        while !self.queue.is_empty() && self.jobs.ensure_free_thread() {
            let Some((_, name)) = self.queue.pop_first() else { return };
            let look_up = self.look_ups.get_mut(&name).expect("a queued name has a look-up");
            look_up.progress = Progress::Running;
            let (resolve, most) = (self.resolve.clone(), self.limits.name_addresses_max);
            let work = move || {
                let found = find(&resolve, &name, most);
                Resolved { name, found }
            };
            self.jobs.submit(work).expect("the pool's queue has room for each free thread");
        }
    }

    fn threads_allowed(&self) -> usize {
        let Limits { name_threads, name_threads_max, .. } = self.limits;
        (name_threads + self.stuck).min(name_threads_max.max(name_threads))
    }

    fn remember(&mut self, name: Name, found: &Found, now: Instant) {
        let most = self.limits.names_cached_max;
        if self.cache.len() >= most {
            self.cache.retain(|_, known| now < known.until);
        }
        if self.cache.len() >= most {
            let first_stale = self.cache.iter().min_by_key(|(_, known)| known.until);
            let Some(first_stale) = first_stale.map(|(name, _)| name.clone()) else { return };
            self.cache.remove(&first_stale);
        }
        let fresh_for = if found.is_ok() { self.limits.name_fresh_for } else { self.limits.name_failure_for };
        self.cache.insert(name, Known { found: found.clone(), until: now + fresh_for });
    }
}

/// One look-up, on a thread. Unless the resolver hangs, there is a result.
fn find(resolve: &Resolve, name: &str, most: usize) -> Found {
    let answer = catch_unwind(AssertUnwindSafe(|| resolve(name))).map_err(|_| "the resolver broke down".to_owned())?;
    let mut addresses = Vec::new();
    for address in answer.map_err(|e| why(&e))? {
        if addresses.len() < most && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err("it has no address".into()) } else { Ok(addresses) }
}

/// The text of getaddrinfo, without the prefix of the standard library.
fn why(e: &io::Error) -> String {
    let text = e.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
