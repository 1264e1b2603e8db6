//! The driver of a run with `--ws`: its phases, and its connections over non-blocking sockets.
//!
//! ```text
//! LoggingIn ─▶ Opening ─▶ Warming ─▶ Measuring ─▶ Settling ─▶ LastLook ─▶ Over      echo, fanout
//!              Opening ─▶ Resting ─▶ Opening ─▶ Warming ─▶ Measuring ─▶ … Over      idle
//!              Opening ─▶ Warming ─▶ Storming ─▶ Over                               storm
//!              Opening ─▶ Greeting ─▶ Warming ─▶ Storming ─▶ Over                   storm whose members resume
//! ```
//!
//! Readiness and the clock come in as arguments, sockets come from a [`Network`]; so a test can play all of them. What
//! happened is in [`Results`].

use super::connection::{Role, Stage};
use super::fleet::{Ended, Fleet};
use super::masks::Masks;
use super::meter::Meter;
use super::opening::{Opened, Trouble, WELCOME};
use super::phase::Phase;
use super::plan::Plan;
use super::reading::{Reading, Tools, close};
use super::recorder::{Counted, Recorder};
use super::results::{End, Results};
use super::traffic::Traffic;
use crate::cli::bench::load::{Aborted, Load};
use crate::cli::bench::times::micros;
use crate::config::bench_args::WsMode;
use crate::id::ConnId;
use crate::net::{Network, Ready};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Time for what is still under way when the measured time is over.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);
/// Time in which slow members, which have not read before, look for a Close.
const LOOKS_FOR: Duration = Duration::from_secs(2);
/// Connections of an idle run before the server's memory is first measured, so that what it sets up once is there.
const FIRST_CONNECTIONS: usize = 64;
/// Pause before that.
const REST: Duration = Duration::from_millis(300);
/// Pause before a connection of a storm tries again.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Code of our Close when the run is over (RFC 6455 section 7.4.1).
const NORMAL: u16 = 1000;

/// The connections, and what has happened.
pub struct Driver<N: Network> {
    plan: Plan,
    fleet: Fleet<N>,
    phase: Phase,
    traffic: Traffic,
    meter: Meter,
    /// Times in messages are counted from here.
    epoch: Instant,
    /// When the connects began, or when a storm has cut them.
    began: Instant,
    recorder: Recorder,
    results: Results,
    tools: Tools,
}

impl<N: Network> Load for Driver<N> {
    type Piece = Option<Counted>;
    type Rest = Results;

    /// Begins with the logins, or else with the connects.
    fn start(&mut self, now: Instant) -> Result<(), Aborted> {
        (self.epoch, self.began) = (now, now);
        self.fleet.log_in(now);
        self.go_on(now);
        Ok(())
    }

    fn on_ready(&mut self, id: ConnId, ready: Ready, now: Instant) -> Result<(), Aborted> {
        let (slot, looks_last) = (id.slot(), matches!(self.phase, Phase::LastLook(_)));
        let Some(connection) = self.fleet.note(id, ready) else { return Ok(()) };
        match connection.stage {
            Stage::Closed => {}
            Stage::Opening(_) => {
                if let Some(ended) = self.fleet.advance(slot, &self.plan, &mut self.tools) {
                    self.opened(slot, ended, now);
                    self.go_on(now);
                }
            }
            Stage::Open => {
                // A slow member learns of a reset; what the server had said before is still there to be read.
                let reads = connection.role != Role::Slow || ready.broken || looks_last;
                if connection.flush().is_err() {
                    self.ended(slot, End::Reset, now);
                } else if reads {
                    self.read(slot, 0..0, now);
                }
            }
        }
        Ok(())
    }

    fn on_time(&mut self, now: Instant) -> Result<(), Aborted> {
        while let Some((slot, trouble)) = self.fleet.next_late(now) {
            self.not_opened(slot, trouble, now);
        }
        self.go_on(now);
        self.say_due(now);
        Ok(())
    }

    fn measures_since(&self) -> Option<Instant> {
        self.recorder.began()
    }

    fn due(&self) -> Option<Instant> {
        let message = self.traffic.due().map(|micros| self.epoch + Duration::from_micros(micros));
        [self.phase.until(), message, self.fleet.due()].into_iter().flatten().min()
    }

    fn is_over(&self, _: Instant) -> bool {
        self.phase == Phase::Over
    }

    /// Logins and connections count, too: a view is not to say that nothing happens.
    fn done(&self) -> u64 {
        (self.results.logins + self.results.opened) as u64 + self.recorder.count()
    }

    fn take(&mut self) -> Option<Counted> {
        self.recorder.take()
    }

    fn finish(mut self, now: Instant) -> Results {
        // Interrupted.
        if let Phase::Measuring(until) = self.phase {
            self.settle(until, now);
        }
        if self.phase == Phase::Opening {
            self.results.opening = now.saturating_duration_since(self.began);
        }
        if self.phase != Phase::Over {
            self.end(now);
        }
        (self.results.latency, self.results.took) = self.recorder.into_times();
        self.results
    }
}

impl<N: Network> Driver<N> {
    /// A driver that has not begun.
    pub fn new(plan: Plan, network: N, mut masks: Masks, now: Instant) -> Driver<N> {
        Driver {
            fleet: Fleet::new(&plan, network),
            phase: Phase::LoggingIn,
            traffic: Traffic::new(&plan, masks.number()),
            meter: Meter::new(plan.processes.clone()),
            epoch: now,
            began: now,
            recorder: Recorder::new(),
            results: Results::new(),
            tools: Tools::new(masks),
            plan,
        }
    }

    /// Opens the connections whose turn it is, and leaves the phases that are over.
    fn go_on(&mut self, now: Instant) {
        loop {
            while let Some((slot, begun)) = self.fleet.begin_next(&self.plan, &self.traffic, &mut self.tools.masks, now)
            {
                if let Err(trouble) = begun {
                    self.not_opened(slot, trouble, now);
                }
            }
            let phase = self.phase;
            match phase {
                Phase::LoggingIn if self.fleet.is_done() => self.connect(now),
                Phase::Opening if self.fleet.is_done() => self.all_opened(now),
                Phase::Resting(until) if now >= until => self.rested(now),
                Phase::Greeting(until) if self.traffic.is_settled() || now >= until => self.greeted(now),
                Phase::Warming(until) if now >= until => self.measure(now),
                Phase::Measuring(until) if now >= until => self.settle(until, now),
                Phase::Storming(until) if self.is_storm_over() || now >= until => self.end(now),
                Phase::Settling(until) if self.traffic.is_settled() || now >= until => self.look_last(now),
                Phase::LastLook(until) if now >= until || !self.has_slow() => self.end(now),
                _ => {}
            }
            if self.phase == phase {
                return;
            }
        }
    }

    /// The connects begin. The first ones of a watched idle run are opened before the others.
    fn connect(&mut self, now: Instant) {
        let all = self.fleet.len();
        let first = if self.is_watched_idle() { FIRST_CONNECTIONS.min(all / 2) } else { all };
        self.fleet.end_logins();
        (0..first).for_each(|slot| self.fleet.opener().queue(slot, now));
        (self.began, self.phase) = (now, Phase::Opening);
    }

    fn is_watched_idle(&self) -> bool {
        self.plan.mode == WsMode::Idle && self.meter.has_processes()
    }

    /// All that were to be opened have opened or failed.
    fn all_opened(&mut self, now: Instant) {
        if self.is_watched_idle() && !self.meter.has_begun() {
            self.phase = Phase::Resting(now + REST);
            return;
        }
        self.results.opening = now.saturating_duration_since(self.began);
        if self.results.opened == 0 {
            self.phase = Phase::Over;
            return;
        }
        // What the handshakes of an idle run have cost.
        self.meter.note_all(self.results.opened);
        self.phase = Phase::Greeting(now + self.plan.open_within);
    }

    /// Each member has its welcome, or it is too late for that. Those that take part begin to speak.
    fn greeted(&mut self, now: Instant) {
        let slots = self.fleet.open_slots(Role::Active);
        let late: Vec<usize> = slots.filter(|&slot| self.traffic.is_waiting(slot)).collect();
        for slot in late {
            self.fleet.connection(slot).cut();
            self.traffic.gone(slot);
            self.results.not_opened(Trouble::Failed(WELCOME, "there was no welcome in time".into()));
        }
        self.phase = Phase::Warming(now + self.plan.timing.warmup);
        let slots: Vec<usize> = self.fleet.open_slots(Role::Active).collect();
        let time = self.micros(now);
        for slot in self.traffic.begin(&slots, self.plan.senders, time) {
            // A slot stands there once for each message, and its connection may end at the first.
            if !self.fleet.connection(slot).is_open() {
                continue;
            }
            self.traffic.say(slot, time, &mut self.tools.masks, &mut self.tools.out);
            self.send(slot, now);
        }
    }

    /// What the server sets up once is there: its memory is measured, and the rest is opened.
    fn rested(&mut self, now: Instant) {
        self.meter.begin(self.results.opened);
        let (first, all) = (FIRST_CONNECTIONS.min(self.fleet.len() / 2), self.fleet.len());
        (first..all).for_each(|slot| self.fleet.opener().queue(slot, now));
        (self.began, self.phase) = (now, Phase::Opening);
    }

    /// The warm-up is over.
    fn measure(&mut self, now: Instant) {
        let until = now + self.plan.timing.duration;
        self.recorder.begin(now);
        self.traffic.forget_warmup();
        if self.plan.mode != WsMode::Idle {
            self.meter.begin(self.results.opened);
        }
        self.phase = Phase::Measuring(until);
        if self.plan.mode == WsMode::Storm {
            (self.began, self.phase) = (now, Phase::Storming(until));
            let slots: Vec<usize> = self.fleet.open_slots(Role::Active).collect();
            slots.iter().for_each(|&slot| self.fleet.connection(slot).cut());
            self.traffic.cut(self.micros(now));
            slots.iter().for_each(|&slot| self.fleet.opener().queue(slot, now));
            self.results.cut = slots.len();
        }
    }

    /// The measured time, which was to last until then, is over: nothing more is said. What is due later was never due.
    fn settle(&mut self, until: Instant, now: Instant) {
        self.recorder.end(now);
        self.traffic.stop(self.micros(until.min(now)));
        match self.plan.mode {
            WsMode::Idle => self.meter.note_memory(),
            _ => self.meter.note_all(self.results.opened),
        }
        self.phase = Phase::Settling(now + SETTLES_WITHIN);
    }

    /// Slow members read, so that a Close is found.
    fn look_last(&mut self, now: Instant) {
        self.phase = Phase::LastLook(now + LOOKS_FOR);
        let slots: Vec<usize> = self.fleet.open_slots(Role::Slow).collect();
        slots.into_iter().for_each(|slot| self.read(slot, 0..0, now));
    }

    /// Whether all are back.
    fn is_storm_over(&self) -> bool {
        self.fleet.is_done() && self.traffic.is_settled()
    }

    fn has_slow(&self) -> bool {
        self.fleet.open_slots(Role::Slow).next().is_some()
    }

    /// The end: what is open gets a Close, and a reset behind it, so that no port of ours stays in TIME_WAIT.
    fn end(&mut self, now: Instant) {
        self.recorder.end(now);
        if self.plan.mode == WsMode::Storm {
            self.meter.note_all(self.results.opened + self.results.back);
        }
        self.results.server = self.meter.used();
        self.results.slow_open = self.fleet.open_slots(Role::Slow).count();
        self.traffic.note_results(self.micros(now), &mut self.results);
        close(Some(NORMAL), &mut self.tools.masks, &mut self.tools.out);
        self.fleet.cut_all(&self.tools.out);
        self.phase = Phase::Over;
    }

    /// The opening of a slot has ended.
    fn opened(&mut self, slot: usize, ended: Ended, now: Instant) {
        match ended {
            Ok(Opened::LoggedIn(_)) => self.results.logins += 1,
            Ok(Opened::WebSocket { behind, began }) => {
                self.results.handshakes.record(micros(now.saturating_duration_since(began)));
                let is_active = self.fleet.connection(slot).role == Role::Active;
                let is_to_wait = is_active && self.traffic.opened(slot);
                match self.phase {
                    // It is back with its welcome.
                    Phase::Storming(_) if is_to_wait => {}
                    Phase::Storming(_) => {
                        self.results.back += 1;
                        self.recorder.record(micros(now.saturating_duration_since(self.began)));
                    }
                    _ => self.results.opened += 1,
                }
                self.read(slot, behind, now);
            }
            Err(trouble) => self.not_opened(slot, trouble, now),
        }
    }

    /// A slot has not opened; in a storm it tries again.
    fn not_opened(&mut self, slot: usize, trouble: Trouble, now: Instant) {
        match self.phase {
            // The connections that needed it will fail, and are counted then.
            Phase::LoggingIn => self.results.login_failed(trouble),
            Phase::Storming(_) => {
                self.results.not_opened(trouble);
                self.recorder.fail();
                self.fleet.opener().queue(slot, now + RETRY_AFTER);
            }
            _ => self.results.not_opened(trouble),
        }
    }

    /// Takes what lies in this part of the buffer, then reads what has come to a slot.
    fn read(&mut self, slot: usize, behind: Range<usize>, now: Instant) {
        let (time, speaks) = (self.micros(now), matches!(self.phase, Phase::Warming(_) | Phase::Measuring(_)));
        let Driver { fleet, traffic, recorder, results, tools, .. } = self;
        let (connection, goes_on) = (fleet.connection(slot), speaks && traffic.is_closed_loop());
        let mut reading = Reading { slot, now: time, goes_on, traffic, recorder, results, tools };
        if let Some(end) = reading.take(connection, behind).or_else(|| reading.read(connection)) {
            self.ended(slot, end, now);
        }
    }

    /// Says what is due by a schedule.
    fn say_due(&mut self, now: Instant) {
        let time = self.micros(now);
        loop {
            let (fleet, Tools { masks, out, .. }) = (&self.fleet, &mut self.tools);
            let Some(slot) = self.traffic.say_due(time, masks, out, |slot| fleet.is_idle(slot)) else { return };
            self.send(slot, now);
        }
    }

    /// Sends the message in the output buffer on a slot.
    fn send(&mut self, slot: usize, now: Instant) {
        let out = &mut self.tools.out;
        if self.recorder.is_on() {
            self.results.sent += 1;
            self.results.sent_bytes += out.len() as u64;
        }
        let sent = self.fleet.connection(slot).send(out);
        out.clear();
        if sent.is_err() {
            self.ended(slot, End::Reset, now);
        }
    }

    /// An open connection has ended. In a storm, a member that still waits for its welcome tries again.
    fn ended(&mut self, slot: usize, end: End, now: Instant) {
        let connection = self.fleet.connection(slot);
        connection.close();
        match connection.role {
            Role::Slow => self.results.slow_ends.note(end),
            Role::Active | Role::Other => {
                self.results.ends.note(end);
                self.recorder.fail();
            }
        }
        if matches!(self.phase, Phase::Storming(_)) && self.traffic.is_waiting(slot) {
            self.fleet.opener().queue(slot, now + RETRY_AFTER);
        }
        self.traffic.gone(slot);
    }

    fn micros(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.epoch))
    }
}

#[cfg(test)]
mod tests;
