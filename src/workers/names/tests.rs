use super::*;
use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

/// Longer than any test takes: only a failure waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A look-up on its thread, which waits for the result that the test gives it. Dropped, it fails.
struct Call {
    name: String,
    answer: Sender<Reply>,
}

enum Reply {
    Addresses(Vec<IpAddr>),
    Failure(&'static str),
    Panic,
}

impl Call {
    fn answer(self, reply: Reply) {
        self.answer.send(reply).expect("the resolver waits");
    }
}

struct Bench {
    names: Names,
    results: Receiver<Resolved>,
    calls: Receiver<Call>,
    now: Instant,
}

fn bench(limits: Limits) -> Bench {
    let (done, results) = channel();
    let (called, calls) = channel();
    let resolve = move |name: &str| {
        let (answer, answered) = channel();
        called.send(Call { name: name.to_owned(), answer }).map_err(io::Error::other)?;
        match answered.recv().map_err(io::Error::other)? {
            Reply::Addresses(addresses) => Ok(addresses),
            Reply::Failure(text) => Err(io::Error::other(text)),
            Reply::Panic => panic!("a resolver may break down"),
        }
    };
    let hand_over = move |resolved| done.send(resolved).unwrap_or(());
    let names = Names::with_resolver(&limits, hand_over, Arc::new(resolve));
    Bench { names, results, calls, now: Instant::now() }
}

impl Bench {
    fn look_up(&mut self, name: &str, asker: usize) -> Answer {
        self.names.look_up(name, id(asker), self.now)
    }

    /// The next look-up that a thread has begun.
    fn call(&self) -> Call {
        self.calls.recv_timeout(PATIENCE).expect("a thread takes the next name")
    }

    fn no_call(&self) -> bool {
        matches!(self.calls.try_recv(), Err(TryRecvError::Empty))
    }

    fn result(&mut self) -> (Vec<ConnId>, Found) {
        let resolved = self.results.recv_timeout(PATIENCE).expect("a result is handed over");
        self.names.take(resolved, self.now)
    }

    /// Asks, lets the resolver reply, and takes the result.
    fn learn(&mut self, name: &str, reply: Reply) -> Found {
        assert_eq!(self.look_up(name, 1), Answer::Asked);
        self.call().answer(reply);
        let (askers, found) = self.result();
        assert_eq!(askers, ids([1]));
        found
    }
}

fn id(n: usize) -> ConnId {
    ConnId::new(n, 1)
}

fn ids<const N: usize>(numbers: [usize; N]) -> Vec<ConnId> {
    numbers.map(id).to_vec()
}

fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}

fn one(n: u8) -> Reply {
    Reply::Addresses(vec![address(n)])
}

/// One thread and an empty queue: a second name waits.
fn single() -> Limits {
    Limits { name_threads: 1, name_threads_max: 1, ..Limits::default() }
}

#[test]
fn an_address_resolves_to_itself() {
    let mut bench = bench(single());
    for text in ["127.0.0.1", "::1", "2001:db8::80"] {
        assert_eq!(bench.look_up(text, 1), Answer::Known(vec![text.parse().unwrap()]));
    }
    assert_eq!((bench.names.waiting(), bench.names.cache.len(), bench.names.jobs.threads()), (0, 0, 0));
}

#[test]
fn the_system_resolves_localhost_and_explains_failures() {
    let (done, results) = channel();
    let mut names = Names::new(&Limits::default(), move |resolved| done.send(resolved).unwrap_or(()));
    // An empty label: refused without a query on the network.
    for name in ["localhost", "a..b"] {
        assert_eq!(names.look_up(name, id(1), Instant::now()), Answer::Asked);
        let resolved = results.recv_timeout(PATIENCE).expect("a result comes");
        let (_, found) = names.take(resolved, Instant::now());
        match found {
            Ok(addresses) => assert!(name == "localhost" && addresses.iter().all(IpAddr::is_loopback)),
            Err(why) => assert!(name == "a..b" && !why.contains("failed to"), "{why}"),
        }
    }
}

#[test]
fn requests_for_one_name_share_one_look_up_in_order() {
    let mut bench = bench(single());
    for asker in [3, 1, 2] {
        assert_eq!(bench.look_up("a.test", asker), Answer::Asked);
    }
    assert_eq!(bench.names.waiting(), 1);
    bench.call().answer(one(1));
    assert_eq!(bench.result(), (ids([3, 1, 2]), Ok(vec![address(1)])));
    assert_eq!((bench.names.waiting(), bench.no_call()), (0, true));
}

#[test]
fn addresses_are_cached_a_minute_failures_five_seconds() {
    let mut bench = bench(single());
    let failure = Reply::Failure("failed to lookup address information: Name or service not known");
    let why = "Name or service not known".to_owned();
    assert_eq!(bench.learn("bad.test", failure), Err(why.clone()));
    assert_eq!(bench.learn("good.test", one(1)), Ok(vec![address(1)]));
    let (start, ms) = (bench.now, Duration::from_millis);
    bench.now = start + ms(4_999);
    assert_eq!(bench.look_up("bad.test", 2), Answer::Failed(why));
    bench.now = start + ms(5_000);
    assert_eq!(bench.learn("bad.test", one(2)), Ok(vec![address(2)]));
    bench.now = start + ms(59_999);
    assert_eq!(bench.look_up("good.test", 2), Answer::Known(vec![address(1)]));
    bench.now = start + ms(60_000);
    assert_eq!(bench.learn("good.test", one(3)), Ok(vec![address(3)]));
    assert_eq!(bench.look_up("good.test", 2), Answer::Known(vec![address(3)]));
    assert_eq!(bench.names.cache.len(), 2);
}

#[test]
fn addresses_are_unique_ordered_and_bounded() {
    let mut bench = bench(Limits { name_addresses_max: 3, ..single() });
    let reply = Reply::Addresses([9, 9, 2, 9, 5, 1].map(address).to_vec());
    assert_eq!(bench.learn("many.test", reply), Ok([9, 2, 5].map(address).to_vec()));
    assert_eq!(bench.learn("none.test", Reply::Addresses(vec![])), Err("it has no address".into()));
}

#[test]
fn a_name_that_is_too_long_is_not_looked_up() {
    let mut bench = bench(single());
    assert_eq!(bench.look_up(&"a".repeat(255), 1), Answer::Failed("a name has at most 254 bytes".into()));
    assert_eq!(bench.look_up(&"a".repeat(254), 1), Answer::Asked);
}

#[test]
fn a_queued_name_is_dropped_with_its_last_requester() {
    let mut bench = bench(single());
    bench.look_up("first.test", 1);
    let first = bench.call();
    bench.look_up("left.test", 2);
    bench.look_up("left.test", 3);
    bench.look_up("last.test", 4);
    bench.names.forget(id(2), "left.test", true);
    assert_eq!(bench.names.waiting(), 3);
    bench.names.forget(id(3), "left.test", false);
    assert_eq!((bench.names.waiting(), bench.names.stuck()), (2, 0));
    first.answer(one(1));
    assert_eq!(bench.result().0, ids([1]));
    assert_eq!(bench.call().name, "last.test");
}

#[test]
fn a_dropped_name_can_be_looked_up_again() {
    let mut bench = bench(single());
    bench.look_up("first.test", 1);
    let first = bench.call();
    bench.look_up("again.test", 2);
    bench.names.forget(id(2), "again.test", false);
    assert_eq!(bench.look_up("again.test", 3), Answer::Asked);
    first.answer(one(1));
    assert_eq!(bench.result().0, ids([1]));
    bench.call().answer(one(2));
    assert_eq!(bench.result(), (ids([3]), Ok(vec![address(2)])));
    assert!(bench.no_call());
}

#[test]
fn a_look_up_without_requesters_fills_the_cache() {
    let mut bench = bench(single());
    bench.look_up("a.test", 1);
    let call = bench.call();
    bench.names.forget(id(1), "a.test", false);
    assert_eq!((bench.names.waiting(), bench.names.stuck()), (1, 0));
    call.answer(one(1));
    assert_eq!(bench.result(), (vec![], Ok(vec![address(1)])));
    assert_eq!(bench.look_up("a.test", 2), Answer::Known(vec![address(1)]));
}

#[test]
fn stuck_threads_are_replaced_up_to_the_limit() {
    let limits = Limits { name_threads: 1, name_threads_max: 3, ..Limits::default() };
    let mut bench = bench(limits);
    let mut hanging = vec![];
    for n in 0..3 {
        let name = format!("hangs{n}.test");
        bench.look_up(&name, n);
        hanging.push(bench.call());
        bench.look_up("behind.test", 9);
        assert!(bench.no_call());
        bench.names.forget(id(n), &name, true);
        assert_eq!(bench.names.stuck(), n + 1);
        if n < 2 {
            bench.call().answer(one(9));
            assert_eq!(bench.result(), (ids([9]), Ok(vec![address(9)])));
            bench.now += Duration::from_secs(60);
        }
    }
    // All allowed threads hang: the name behind them waits.
    assert_eq!((bench.names.waiting(), bench.names.jobs.threads(), bench.no_call()), (4, 3, true));
    hanging.pop().expect("three hang").answer(one(3));
    assert_eq!(bench.result(), (vec![], Ok(vec![address(3)])));
    assert_eq!(bench.names.stuck(), 2);
    bench.call().answer(one(9));
    assert_eq!(bench.result().0, ids([9]));
    assert_eq!(bench.look_up("hangs2.test", 5), Answer::Known(vec![address(3)]));
}

#[test]
fn a_thread_counts_as_stuck_once() {
    let mut bench = bench(Limits { name_threads: 1, name_threads_max: 8, ..Limits::default() });
    for asker in [1, 2, 3] {
        bench.look_up("hangs.test", asker);
    }
    let _call = bench.call();
    bench.names.forget(id(7), "hangs.test", true);
    bench.names.forget(id(7), "other.test", true);
    assert_eq!(bench.names.stuck(), 0);
    for asker in [1, 2, 2, 3] {
        bench.names.forget(id(asker), "hangs.test", true);
        assert_eq!(bench.names.stuck(), 1);
    }
    assert_eq!(bench.look_up("hangs.test", 4), Answer::Asked);
    assert_eq!((bench.names.waiting(), bench.no_call()), (1, true));
}

#[test]
fn the_pool_shrinks_when_stuck_threads_return() {
    let mut bench = bench(Limits { name_threads: 2, name_threads_max: 8, ..Limits::default() });
    let mut calls = vec![];
    for n in 0..5 {
        let name = format!("hangs{n}.test");
        bench.look_up(&name, n);
        calls.push(bench.call());
        bench.names.forget(id(n), &name, true);
    }
    assert_eq!((bench.names.stuck(), bench.names.jobs.threads()), (5, 5));
    drop(calls);
    for _ in 0..5 {
        assert!(bench.result().1.is_err());
    }
    assert_eq!((bench.names.stuck(), bench.names.waiting(), bench.names.jobs.threads()), (0, 0, 2));
    for (n, name) in ["a.test", "b.test", "c.test"].into_iter().enumerate() {
        bench.look_up(name, n);
    }
    let _both = [bench.call(), bench.call()];
    assert!(bench.no_call());
}

#[test]
fn a_full_cache_drops_stale_names_or_the_next_stale() {
    let mut bench = bench(Limits { names_cached_max: 3, ..single() });
    let known = |bench: &Bench| {
        let mut names: Vec<String> = bench.names.cache.keys().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names.join(" ")
    };
    for (n, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        bench.learn(name, one(n as u8)).unwrap();
        bench.now += Duration::from_secs(1);
    }
    assert_eq!(known(&bench), "b c d");
    bench.learn("e", Reply::Failure("no")).unwrap_err();
    bench.learn("f", one(6)).unwrap();
    assert_eq!(known(&bench), "c d f");
    bench.now += Duration::from_secs(59);
    bench.learn("g", one(7)).unwrap();
    assert_eq!(known(&bench), "f g");
}

#[test]
fn a_cache_of_no_names_holds_none() {
    let mut bench = bench(Limits { names_cached_max: 0, ..single() });
    for _ in 0..2 {
        bench.learn("a.test", one(1)).unwrap();
    }
}

#[test]
fn a_full_queue_takes_only_names_under_way() {
    let mut bench = bench(Limits { names_waiting_max: 2, ..single() });
    let names = ["running.test", "b.test", "c.test"];
    for (n, name) in names.into_iter().enumerate() {
        assert_eq!(bench.look_up(name, n), Answer::Asked);
    }
    let _call = bench.call();
    assert_eq!(bench.look_up("d.test", 4), Answer::Full);
    for name in names {
        assert_eq!(bench.look_up(name, 5), Answer::Asked);
    }
    bench.names.forget(id(1), "b.test", false);
    assert_eq!(bench.look_up("d.test", 4), Answer::Full);
    bench.names.forget(id(5), "b.test", false);
    assert_eq!(bench.look_up("d.test", 4), Answer::Asked);
}

#[test]
fn without_a_queue_a_free_thread_takes_a_name() {
    let mut bench = bench(Limits { names_waiting_max: 0, ..single() });
    assert_eq!(bench.look_up("a.test", 1), Answer::Asked);
    let _call = bench.call();
    assert_eq!(bench.look_up("b.test", 2), Answer::Full);
}

#[test]
fn a_panic_of_the_resolver_is_a_failure_of_one_name() {
    let mut bench = bench(single());
    assert_eq!(bench.learn("a.test", Reply::Panic), Err("the resolver broke down".into()));
    assert_eq!(bench.learn("b.test", one(2)), Ok(vec![address(2)]));
    assert_eq!(bench.names.jobs.threads(), 1);
}

#[test]
fn without_any_thread_a_look_up_fails_at_once() {
    let mut bench = bench(Limits { name_threads: 0, name_threads_max: 0, ..Limits::default() });
    assert_eq!(bench.look_up("a.test", 1), Answer::Failed("the system gives no thread to look it up".into()));
    assert_eq!(bench.names.waiting(), 0);
}
