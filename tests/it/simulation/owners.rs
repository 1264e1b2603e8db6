//! The owners of fetches, and what each has heard. Owners outside ask at any moment, also instead of a response and from
//! within its news; browsers ask by the real site, and the effects of the site are written down, too.

use super::sites::{HOPS, ORIGINS, Plan, Weather};
use crate::support::at;
use crate::support::dice::Dice;
use crate::support::watched::{Pass, Told, Watch};
use squall::clock::Now;
use squall::config::Limits;
use squall::event::{Body, Effect, Effects, Fetch, FetchError, Fetched, Leads, Url};
use squall::id::ConnId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// One fetch that has not ended.
pub struct Live {
    number: u64,
    pub fetch: Fetch,
    begun: Instant,
    plan: Plan,
    /// The address of the site that has redirected it, where it has its place until the redirect is read.
    led_by: Option<String>,
    has_head: bool,
    /// Bytes of the body that have come.
    got: usize,
}

/// All fetches of a run.
pub struct Book {
    seed: u64,
    weather: Weather,
    limits: Limits,
    dice: Dice,
    pub live: HashMap<ConnId, Live>,
    chains: u64,
    /// Owners may still ask for something.
    pub open: bool,
    /// Fetches that ended well, that could not connect, and that broke.
    pub done: usize,
    pub unconnected: usize,
    pub broken: usize,
}

impl Book {
    pub fn new(seed: u64, weather: Weather, limits: Limits) -> Book {
        let (live, dice) = (HashMap::new(), Dice::new(seed ^ 5 << 32));
        Book { seed, weather, limits, dice, live, chains: 0, open: true, done: 0, unconnected: 0, broken: 0 }
    }

    /// A number that was not used yet.
    pub fn next_number(&mut self) -> u64 {
        self.chains += 1;
        self.chains * HOPS
    }

    /// Something for an owner outside to ask.
    fn ask(&mut self, owner: ConnId, now: Instant, out: &mut Effects) {
        let number = self.next_number();
        let dice = &mut self.dice;
        let url = format!("http://{}/s?wd={number}", ORIGINS[dice.below(ORIGINS.len())]);
        let method = ["GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT"][dice.below(8)];
        let takes_body = matches!(method, "POST" | "PUT");
        let body = if takes_body { vec![b'b'; [dice.below(50), dice.below(20_000)][dice.below(2)]] } else { vec![] };
        let within =
            Duration::from_millis(if self.weather == Weather::Wild { 50 + dice.below(1500) } else { HOUR } as u64);
        let url = Url::parse(&url).expect("a URL");
        let (public_only, redirects_max) = (dice.one_in(8), dice.below(4) as u8);
        let fetch = Fetch { method: method.into(), body, public_only, redirects_max, ..Fetch::get(url, now, within) };
        out.push(Effect::Fetch(owner, Box::new(fetch)));
    }

    /// An owner outside asks, out of nothing.
    pub fn begin(&mut self, owner: ConnId, now: Instant, out: &mut Effects) {
        let before = out.list.len();
        self.ask(owner, now, out);
        self.note(&out.list[before..], &out.bytes, at(now));
    }

    /// What an owner outside does about its news.
    fn react(&mut self, owner: ConnId, fetched: &Fetched, now: Instant, out: &mut Effects) {
        let odds = match fetched {
            Fetched::Head(..) | Fetched::Redirect(..) => 12,
            Fetched::Body(_) => 40,
            Fetched::Done | Fetched::Failed(_) => 3,
        };
        if self.open && self.dice.one_in(odds) {
            self.ask(owner, now, out);
        }
    }

    /// News must be those of the fetch under way, in their order.
    fn check(&mut self, owner: ConnId, fetched: &Fetched, now: Instant) {
        let live = self.live.get_mut(&owner).expect("news of a fetch that is over");
        match fetched {
            Fetched::Head(head, journey) | Fetched::Redirect(head, journey, _) => {
                assert!(!std::mem::replace(&mut live.has_head, true), "two heads");
                assert_eq!(
                    head.header("x-number"),
                    Some(live.number.to_string().as_bytes()),
                    "the response of another"
                );
                assert_eq!(head.status, live.plan.status);
                assert_eq!(journey.address.to_string(), live.address());
                assert!(!live.is_forbidden());
                live.led_by = None;
                let follows = live.plan.location.is_some() && live.fetch.redirects < live.fetch.redirects_max;
                if let Fetched::Redirect(_, _, next) = fetched {
                    let location = live.plan.location.take().filter(|_| follows);
                    assert_eq!(*next, location.map(|url| Url::parse(&url).expect("a URL")).as_ref());
                    if let Some(url) = next {
                        live.follow(self.seed, url, now);
                    }
                } else {
                    assert!(live.plan.location.is_none() || live.fetch.redirects_max == 0, "it was to be followed");
                }
            }
            Fetched::Body(piece) => {
                let end = live.got + piece.len();
                assert!(live.has_head && !piece.is_empty());
                assert!(live.plan.body.get(live.got..end) == Some(*piece), "{}: another body", live.number);
                live.got = end;
            }
            Fetched::Done => {
                let whole = if live.fetch.is_head() { 0 } else { live.plan.body.len() };
                assert!(live.has_head && live.got == whole, "{}: {} of {whole} bytes", live.number, live.got);
                self.done += 1;
                self.live.remove(&owner);
            }
            Fetched::Failed(error) => {
                let live = self.live.remove(&owner).expect("it was there");
                self.justify(&live, error, now);
            }
        }
    }

    /// A failure must have its reason.
    fn justify(&mut self, live: &Live, error: &FetchError, now: Instant) {
        let is_wild = self.weather == Weather::Wild;
        let passed = |limit: Duration| is_wild && now >= live.begun + limit;
        let holds = match error {
            FetchError::Forbidden { .. } => live.is_forbidden(),
            FetchError::TooManyRedirects { max } => live.has_head && live.fetch.redirects == *max,
            FetchError::Busy => is_wild,
            FetchError::QueueTimeout { after } | FetchError::ConnectTimeout { after } => passed(*after),
            FetchError::Timeout { .. } => is_wild && now >= live.fetch.deadline,
            FetchError::Connect { .. } => {
                self.unconnected += 1;
                is_wild
            }
            FetchError::Broken { .. } | FetchError::Protocol(_) => {
                self.broken += 1;
                is_wild || self.weather == Weather::Stale && !live.fetch.is_idempotent()
            }
            _ => false,
        };
        assert!(holds, "{} {}: {error}", live.fetch.method, live.number);
    }

    /// Whether that many fetches may be running once the loop has come to rest: as many as there are places for. A fetch
    /// that was redirected is still at the one site, or at the other already.
    pub fn may_run(&self, running: usize) -> bool {
        let led = self.live.values().filter(|live| live.led_by.is_some()).count();
        (0..1_u32 << led).any(|gone| self.runnable(gone) == running)
    }

    /// How many must be running if of those that were redirected the ones in the bits of `gone` have left.
    fn runnable(&self, mut gone: u32) -> usize {
        let mut at = HashMap::<_, usize>::new();
        for live in self.live.values() {
            let mut address = live.address();
            if let Some(led_by) = &live.led_by {
                if gone & 1 == 0 {
                    address.clone_from(led_by);
                }
                gone >>= 1;
            }
            *at.entry(address).or_default() += 1;
        }
        let most = self.limits.origin_fetches_max;
        at.values().map(|&n| n.min(most)).sum::<usize>().min(self.limits.fetches_max)
    }

    /// The first deadline.
    pub fn first_deadline(&self) -> Option<Instant> {
        self.live.values().map(|live| live.fetch.deadline).min()
    }
}

/// Milliseconds: longer than any test waits.
pub const HOUR: usize = 3_600_000;

fn number_of(url: &Url) -> u64 {
    url.target.strip_prefix("/s?wd=").and_then(|number| number.parse().ok()).expect("our target")
}

impl Live {
    /// The fetch goes on there, by the rules of RFC 9110 section 15.4.
    fn follow(&mut self, seed: u64, url: &Url, now: Instant) {
        (self.led_by, self.number, self.begun) = (Some(self.address()), number_of(url), now);
        (self.plan, self.has_head) = (Plan::of(seed, self.number), false);
        if self.fetch.method == "POST" {
            (self.fetch.method, self.fetch.body) = ("GET".into(), vec![]);
        }
        self.fetch.public_only |= matches!(&self.fetch.leads, Leads::PublicBut(host) if *host != url.host);
        (self.fetch.url, self.fetch.redirects) = (url.clone(), self.fetch.redirects + 1);
    }

    fn address(&self) -> String {
        format!("{}:{}", self.fetch.url.host, self.fetch.url.port)
    }

    fn is_forbidden(&self) -> bool {
        self.fetch.public_only && self.fetch.url.host.starts_with("127.")
    }
}

/// Browsers have the real site, owners outside only the book.
impl Watch for Book {
    fn hear(&mut self, from: ConnId, told: &Told<'_>, now: Now, out: &mut Effects) -> Pass {
        match told {
            Told::Fetched(fetched) => {
                self.check(from, fetched, now.instant);
                if from.is_outside() {
                    self.react(from, fetched, now.instant, out);
                    return Pass::Stop;
                }
            }
            Told::Left => drop(self.live.remove(&from)),
            _ => {}
        }
        Pass::On
    }

    /// What the application has asked for: fetches begin, and a response that is whole ends the one after it.
    fn note(&mut self, effects: &[Effect], _: &[u8], now: Now) {
        for effect in effects {
            match effect {
                Effect::Fetch(owner, fetch) => {
                    let number = number_of(&fetch.url);
                    let (plan, fetch, begun) = (Plan::of(self.seed, number), Fetch::clone(fetch), now.instant);
                    let live = Live { number, fetch, begun, plan, led_by: None, has_head: false, got: 0 };
                    self.live.insert(*owner, live);
                }
                Effect::Respond(owner, response) => {
                    let streams = matches!(response.body, Body::Stream(_)) && !matches!(response.status, 204 | 304);
                    if !streams || self.live.get(owner).is_some_and(|live| live.fetch.is_head()) {
                        self.live.remove(owner);
                    }
                }
                _ => {}
            }
        }
    }
}
