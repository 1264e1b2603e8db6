//! The report of a run with `--ws`: one figure a line, each behind its label; and the same as a [`Summary`].

use super::fanout::{RoomResults, SenderCounts};
use super::plan::{Message, Plan};
use super::results::{Ends, Results};
use super::resume::ResumeCounts;
use crate::cli::bench::record::Recorded;
use crate::cli::bench::report::{latencies, line, schedule};
use crate::cli::bench::summary::{Figure, Summary};
use crate::cli::bench::times::Times;
use crate::config::bench_args::WsMode;
use std::fmt::{self, Display, Write};
use std::time::Duration;

/// Senders that are listed of those whose messages had faults.
const SENDERS_SHOWN: usize = 10;

/// The lines of a report.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// What `write` writes.
    fn write(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) {
        write(&mut self.0).expect("a text takes everything");
    }

    fn line(&mut self, label: &str, value: impl Display) {
        self.write(|text| line(text, label, value));
    }

    /// What is behind a figure, in parentheses on a line of its own; nothing of nothing.
    fn parts(&mut self, parts: &[String]) {
        if !parts.is_empty() {
            self.write(|text| writeln!(text, "   ({})", parts.join(", ")));
        }
    }

    /// Three times in milliseconds; nothing of no times.
    fn times(&mut self, label: &str, times: &Times) {
        if times.count() == 0 {
            return;
        }
        for (share, micros) in [("p50", times.percentile(50.0)), ("p99", times.percentile(99.0)), ("max", times.max())]
        {
            self.line(&format!("{label} {share}:"), format!("{:.3} [ms]", micros as f64 / 1000.0));
        }
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }
}

/// The report, without its banner.
pub fn report(plan: &Plan, results: &Results) -> String {
    let mut lines = Lines::default();
    lines.line("WebSocket Mode:", plan.mode.name());
    lines.line("Server Hostname:", &plan.server.url.host);
    lines.line("Server Port:", plan.server.url.port);
    plan.tls.iter().flat_map(|tls| tls.rows()).for_each(|(label, value)| lines.line(label, value));
    lines.line("Document Path:", &plan.server.url.target);
    lines.blank();
    opening(plan, results, &mut lines);
    lines.blank();
    let took = took(plan, results);
    lines.line("Time taken for tests:", format!("{:.3} seconds", took.as_secs_f64()));
    match plan.mode {
        WsMode::Echo => echo(plan, results, took, &mut lines),
        WsMode::Fanout => fanout(plan, results, took, &mut lines),
        WsMode::Idle => {}
        WsMode::Storm => storm(results, &mut lines),
    }
    lines.line("Closed connections:", results.ends.total());
    lines.parts(&ends(&results.ends));
    lines.line("Pings answered:", results.pings);
    if plan.message != Message::None {
        lines.line("Total received:", format!("{} bytes", results.received_bytes));
        lines.line("Total sent:", format!("{} bytes", results.sent_bytes));
        lines.line("Reads:", results.reads);
        lines.line("Reads of many frames:", results.full_reads);
    }
    server(plan, results, took, &mut lines);
    if matches!(plan.mode, WsMode::Echo | WsMode::Fanout) && results.latency.count() > 0 {
        lines.write(|text| latencies(text, &results.latency, results.schedule.as_ref().map(|it| &it.uncorrected)));
    }
    if let Some(kept) = &results.schedule {
        lines.write(|text| schedule(text, kept));
    }
    lines.0
}

/// How the connections have opened.
fn opening(plan: &Plan, results: &Results, lines: &mut Lines) {
    if let Some(login) = &plan.login {
        lines.line("Logins:", format!("{} of {}", results.logins, login.names));
    }
    lines.line("Connections:", plan.all());
    lines.line("Opened connections:", results.opened);
    lines.line("Refused connections:", results.refusals());
    lines.parts(&results.refused.iter().map(|(status, count)| format!("{status}: {count}")).collect::<Vec<_>>());
    lines.line("Failed connections:", results.failures());
    lines.parts(&results.failed.iter().map(|(kind, count)| format!("{kind}: {count}")).collect::<Vec<_>>());
    if let Some(said) = &results.first_failure {
        lines.line("First failure:", said);
    }
    lines.line("Connects per second:", format!("{:.2} [#/sec]", connect_rate(results)));
    lines.times("Handshake", &results.handshakes);
}

fn echo(plan: &Plan, results: &Results, took: Duration, lines: &mut Lines) {
    let (count, counts) = (results.latency.count(), results.echo.unwrap_or_default());
    lines.line("Messages under way:", plan.in_flight * plan.connections);
    lines.line("Message length:", format!("{} bytes", plan.message.bytes()));
    lines.line("Round trips:", count);
    lines.line("Round trips per second:", format!("{:.2} [#/sec]", rate(count, took)));
    lines.line("Different messages:", counts.different);
    lines.line("Lost messages:", counts.lost + counts.under_way);
}

fn fanout(plan: &Plan, results: &Results, took: Duration, lines: &mut Lines) {
    let Some(room) = &results.room else { return };
    let delivered = results.latency.count();
    lines.line("Members that read:", room.members);
    lines.line("Slow members:", plan.slow);
    let mut parts = ends(&results.slow_ends);
    parts.extend((plan.slow > 0).then(|| format!("still open: {}", results.slow_open)));
    lines.parts(&parts);
    lines.line("Senders:", room.senders.len());
    lines.line("Message length:", format!("{} bytes", plan.message.bytes()));
    lines.line("Messages sent:", results.sent);
    lines.line("Sent per second:", format!("{:.2} [#/sec]", rate(results.sent, took)));
    lines.line("Messages delivered:", delivered);
    lines.line("Delivered per second:", format!("{:.2} [#/sec]", rate(delivered, took)));
    lines.line("Reach:", format!("{:.6}", reach(room)));
    let totals = totals(room);
    lines.line("Lost messages:", totals.lost);
    lines.line("Doubled messages:", totals.doubled);
    lines.line("Out of order:", totals.out_of_order);
    let faulty = room.senders.iter().enumerate().filter(|(_, sender)| {
        let SenderCounts { lost, doubled, out_of_order, .. } = sender;
        lost + doubled + out_of_order > 0
    });
    for (n, SenderCounts { lost, doubled, out_of_order, .. }) in faulty.take(SENDERS_SHOWN) {
        let counts = [("lost", lost), ("doubled", doubled), ("out of order", out_of_order)];
        let counts = counts.map(|(what, count)| format!("{what} {count}")).join(", ");
        lines.parts(&[format!("sender {}: {counts}", n + 1)]);
    }
    lines.line("Disagreeing members:", room.disagreeing);
    lines.line("Other messages:", room.foreign);
    lines.times("First to last", &room.spread);
    let is_mute = !room.senders.is_empty() && room.senders.iter().all(|sender| sender.said <= 1) && totals.lost > 0;
    if results.schedule.is_none() && is_mute {
        lines.0.push_str("No sender has got its own message back, so none said more: with --rate they do not wait.\n");
    }
}

fn storm(results: &Results, lines: &mut Lines) {
    lines.line("Cut connections:", results.cut);
    lines.line("Back connections:", results.back);
    for (label, share) in [("Back 50%:", 0.5), ("Back 99%:", 0.99), ("Back 100%:", 1.0)] {
        match back_within(results, share) {
            Some(micros) => lines.line(label, format!("{:.3} [ms]", micros as f64 / 1000.0)),
            None => lines.line(label, "never"),
        }
    }
    if let Some(ResumeCounts { resumed, gaps, anew, holes }) = results.resume {
        lines.line("Resumed connections:", resumed);
        let others = [("gap", gaps), ("anew", anew), ("with holes", holes)];
        let others = others.into_iter().filter(|(_, count)| *count > 0);
        lines.parts(&others.map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>());
    }
}

/// What the server's processes have used.
fn server(plan: &Plan, results: &Results, took: Duration, lines: &mut Lines) {
    let Some(used) = results.server else { return };
    let per = |count: u64| format!("{:.3} [us]", used.cpu.as_secs_f64() * 1e6 / count.max(1) as f64);
    let count = results.latency.count();
    match plan.mode {
        WsMode::Idle => {
            lines.line("CPU per handshake:", per(used.opened as u64));
            lines.line("Memory per connection:", format!("{:.0} bytes", memory_per_connection(results)));
        }
        WsMode::Storm => lines.line("CPU per handshake:", per(count)),
        WsMode::Echo => lines.line("CPU per round trip:", per(count)),
        WsMode::Fanout => lines.line("CPU per delivery:", per(count)),
    }
    if plan.mode != WsMode::Idle {
        lines.line("Server CPU:", format!("{:.1} [%]", used.cpu.as_secs_f64() * 100.0 / took.as_secs_f64().max(1e-9)));
    }
    lines.line("Server memory:", format!("{} bytes", used.memory_after));
}

/// The summary of a run. `limited` says how this program was the limit itself.
pub fn into_summary(plan: &Plan, mut results: Results, recorded: Recorded, limited: Vec<String>) -> Summary {
    let Recorded { began, intervals, cpu, .. } = recorded;
    let took = took(plan, &results);
    let figures = figures(plan, &results, took);
    let latency = match plan.mode {
        WsMode::Idle => results.handshakes.clone(),
        WsMode::Echo | WsMode::Fanout | WsMode::Storm => std::mem::take(&mut results.latency),
    };
    let mut statuses = vec![(101, results.handshakes.count())];
    statuses.extend(results.refused.iter().map(|(status, count)| (*status, *count)));
    Summary {
        mode: match plan.mode {
            WsMode::Echo => "ws-echo",
            WsMode::Fanout => "ws-fanout",
            WsMode::Idle => "ws-idle",
            WsMode::Storm => "ws-storm",
        },
        url: plan.url.clone(),
        connections: plan.all(),
        threads: 1,
        began,
        took,
        succeeded: latency.count(),
        failures: failures(&results),
        statuses,
        received_bytes: results.received_bytes,
        sent_bytes: results.sent_bytes,
        latency,
        waiting: None,
        intervals,
        schedule: results.schedule,
        figures,
        cpu,
        limited,
    }
}

/// What has failed, by cause; a cause that has not occurred is left out.
fn failures(results: &Results) -> Vec<(&'static str, u64)> {
    let room = results.room.as_ref().map(totals).unwrap_or_default();
    let echo = results.echo.unwrap_or_default();
    let all = [
        ("refused", results.refusals()),
        ("disconnected", results.ends.total()),
        ("lost", room.lost + echo.lost + echo.under_way),
        ("doubled", room.doubled),
        ("out_of_order", room.out_of_order),
        ("different", echo.different),
        ("holes", results.resume.unwrap_or_default().holes as u64),
        ("not_back", (results.cut - results.back.min(results.cut)) as u64),
    ];
    let opening = results.failed.iter().map(|(kind, count)| (*kind, *count));
    opening.chain(all).filter(|(_, count)| *count > 0).collect()
}

/// The names of the figures of a run, in their order; one of them may turn out to be unknown.
pub fn figure_names(plan: &Plan) -> Vec<&'static str> {
    let mut names = vec!["opened", "connects_per_second", "handshake_p50_us", "handshake_p99_us", "handshake_max_us"];
    match plan.mode {
        WsMode::Fanout => {
            names.extend(["members", "senders", "sent_per_second", "delivered_per_second", "reach", "lost"]);
            names.extend(["doubled", "out_of_order", "disagreeing_members"]);
            names.extend(["spread_p50_us", "spread_p99_us", "spread_max_us"]);
            if plan.slow > 0 {
                names.extend(["slow_members", "slow_members_cut"]);
            }
        }
        WsMode::Echo => names.extend(["round_trips_per_second", "different", "lost"]),
        WsMode::Storm => names.extend(["cut", "back", "back_50_us", "back_99_us", "back_100_us"]),
        WsMode::Idle => {}
    }
    names.extend(plan.resumes().then_some(["resumed", "gaps", "anew", "holes", "not_resumed"]).into_iter().flatten());
    if !plan.processes.is_empty() {
        names.extend(["server_cpu_us", "server_memory_bytes"]);
        names.extend((plan.mode == WsMode::Idle).then_some("memory_per_connection_bytes"));
    }
    names.push("disconnected");
    names
}

/// The figures that [`figure_names`] names.
fn figures(plan: &Plan, results: &Results, took: Duration) -> Vec<Figure> {
    let mut figures = vec![];
    let mut add = |name, value, unit| figures.push(Figure { name, value, unit });
    add("opened", results.opened as f64, "");
    add("connects_per_second", connect_rate(results), "1/s");
    for (name, percent) in [("handshake_p50_us", 50.0), ("handshake_p99_us", 99.0), ("handshake_max_us", 100.0)] {
        add(name, results.handshakes.percentile(percent) as f64, "us");
    }
    let count = results.latency.count();
    if let Some(room) = &results.room {
        let totals = totals(room);
        add("members", room.members as f64, "");
        add("senders", room.senders.len() as f64, "");
        add("sent_per_second", rate(results.sent, took), "1/s");
        add("delivered_per_second", rate(count, took), "1/s");
        add("reach", reach(room), "");
        add("lost", totals.lost as f64, "");
        add("doubled", totals.doubled as f64, "");
        add("out_of_order", totals.out_of_order as f64, "");
        add("disagreeing_members", room.disagreeing as f64, "");
        for (name, percent) in [("spread_p50_us", 50.0), ("spread_p99_us", 99.0), ("spread_max_us", 100.0)] {
            add(name, room.spread.percentile(percent) as f64, "us");
        }
    }
    if plan.slow > 0 {
        add("slow_members", plan.slow as f64, "");
        add("slow_members_cut", results.slow_ends.total() as f64, "");
    }
    if let Some(echo) = results.echo {
        add("round_trips_per_second", rate(count, took), "1/s");
        add("different", echo.different as f64, "");
        add("lost", (echo.lost + echo.under_way) as f64, "");
    }
    if plan.mode == WsMode::Storm {
        add("cut", results.cut as f64, "");
        add("back", results.back as f64, "");
        for (name, share) in [("back_50_us", 0.5), ("back_99_us", 0.99), ("back_100_us", 1.0)] {
            if let Some(micros) = back_within(results, share) {
                add(name, micros as f64, "us");
            }
        }
    }
    if let Some(ResumeCounts { resumed, gaps, anew, holes }) = results.resume {
        add("resumed", resumed as f64, "");
        add("gaps", gaps as f64, "");
        add("anew", anew as f64, "");
        add("holes", holes as f64, "");
        add("not_resumed", results.cut.saturating_sub(resumed) as f64, "");
    }
    if let Some(used) = results.server {
        let done = if plan.mode == WsMode::Idle { used.opened as u64 } else { count };
        add("server_cpu_us", used.cpu.as_secs_f64() * 1e6 / done.max(1) as f64, "us");
        add("server_memory_bytes", used.memory_after as f64, "bytes");
        if plan.mode == WsMode::Idle {
            add("memory_per_connection_bytes", memory_per_connection(results), "bytes");
        }
    }
    add("disconnected", results.ends.total() as f64, "");
    figures
}

/// The time that is measured: of an idle run, that of its connects.
pub fn took(plan: &Plan, results: &Results) -> Duration {
    if plan.mode == WsMode::Idle { results.opening } else { results.took }
}

/// Connections opened a second; of a watched idle run, behind the first ones.
fn connect_rate(results: &Results) -> f64 {
    let opened =
        results.server.map_or(results.opened, |used| if used.opened > 0 { used.opened } else { results.opened });
    rate(opened as u64, results.opening)
}

fn rate(count: u64, took: Duration) -> f64 {
    if took.is_zero() { 0.0 } else { count as f64 / took.as_secs_f64() }
}

/// The share of the deliveries that came.
fn reach(room: &RoomResults) -> f64 {
    if room.expected == 0 { 0.0 } else { room.received as f64 / room.expected as f64 }
}

fn totals(room: &RoomResults) -> SenderCounts {
    room.senders.iter().fold(SenderCounts::default(), |all, sender| SenderCounts {
        said: all.said.saturating_add(sender.said),
        lost: all.lost + sender.lost,
        doubled: all.doubled + sender.doubled,
        out_of_order: all.out_of_order + sender.out_of_order,
    })
}

/// The time in which this share of what was cut was back, µs; `None`: never.
fn back_within(results: &Results, share: f64) -> Option<u64> {
    let wanted = (results.cut as f64 * share).ceil();
    let back = results.back as f64;
    (wanted > 0.0 && back >= wanted).then(|| results.latency.percentile(wanted * 100.0 / back))
}

fn memory_per_connection(results: &Results) -> f64 {
    results.server.map_or(0.0, |used| {
        let grown = used.memory_after as f64 - used.memory_before as f64;
        grown / used.opened.max(1) as f64
    })
}

/// The ways in which connections have ended.
fn ends(ends: &Ends) -> Vec<String> {
    let codes = ends.codes.iter().map(|(code, count)| format!("{code}: {count}"));
    let others = [("without a Close", ends.without_close), ("reset", ends.resets), ("rule broken", ends.violations)];
    let others = others.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}"));
    codes.chain(others).collect()
}

#[cfg(test)]
mod tests;
