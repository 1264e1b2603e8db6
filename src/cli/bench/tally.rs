//! What has happened in a part of a run, counted as the report of `ab` counts it. A request that fails is counted once.

use super::times::{Sample, Times};
use std::io;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Connect,
    /// The connection broke, or the response did not come in time.
    Receive,
}

/// What is counted besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Responses may differ in length: that is no failure.
    pub may_vary: bool,
    /// The times of each request, for a file.
    pub samples: bool,
    /// Latency from the moment of sending as well: requests have a schedule.
    pub uncorrected: bool,
}

/// Counts and times.
#[derive(Debug, Default)]
pub struct Tally {
    wanted: Wanted,
    samples: Vec<Sample>,
    /// Until connected, of every request: 0 on a kept connection.
    pub connect: Times,
    /// From connected to the end of the response.
    pub processing: Times,
    /// From the request, when it was sent, to the first byte of the response.
    pub waiting: Times,
    /// Latency: from the moment when it was due, or else began, to the end of the response.
    pub total: Times,
    /// From the beginning to the end of the response, if requests have a schedule.
    pub uncorrected: Times,
    /// How late this program sent a request for which a connection was idle.
    pub late: Times,
    /// Bytes of the body of this thread's first response.
    pub length: Option<u64>,
    pub connect_failures: u64,
    pub receive_failures: u64,
    /// Responses of another length than the first one.
    pub length_failures: u64,
    pub write_errors: u64,
    /// Connects that found no local port, and no descriptor.
    pub no_port: u64,
    pub no_descriptor: u64,
    /// Responses by status, in the order of their first one.
    pub statuses: Vec<(u16, u64)>,
    /// Responses on connections that were kept.
    pub kept: u64,
    /// Bytes received, heads included.
    pub received_bytes: u64,
    /// Bytes of bodies received.
    pub body_bytes: u64,
    /// Bytes of requests sent, heads included.
    pub sent_bytes: u64,
}

impl Tally {
    /// Nothing has happened yet.
    pub fn new(wanted: Wanted) -> Tally {
        Tally { wanted, ..Tally::default() }
    }

    /// Hands over what has happened, and counts anew. The length of responses stays that of the first one.
    pub fn take(&mut self) -> Tally {
        let anew = Tally { length: self.length, ..Tally::new(self.wanted) };
        std::mem::replace(self, anew)
    }

    /// What another thread, or a later second, has counted.
    pub fn add(&mut self, other: Tally) {
        self.samples.extend(other.samples);
        for (times, more) in [
            (&mut self.connect, &other.connect),
            (&mut self.processing, &other.processing),
            (&mut self.waiting, &other.waiting),
            (&mut self.total, &other.total),
            (&mut self.uncorrected, &other.uncorrected),
            (&mut self.late, &other.late),
        ] {
            times.add(more);
        }
        self.length = self.length.or(other.length);
        for (count, more) in [
            (&mut self.connect_failures, other.connect_failures),
            (&mut self.receive_failures, other.receive_failures),
            (&mut self.length_failures, other.length_failures),
            (&mut self.write_errors, other.write_errors),
            (&mut self.no_port, other.no_port),
            (&mut self.no_descriptor, other.no_descriptor),
            (&mut self.kept, other.kept),
            (&mut self.received_bytes, other.received_bytes),
            (&mut self.body_bytes, other.body_bytes),
            (&mut self.sent_bytes, other.sent_bytes),
        ] {
            *count += more;
        }
        other.statuses.into_iter().for_each(|(status, count)| self.count_status(status, count));
    }

    /// Bytes of requests were written.
    pub fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// A connect failed in this way; what this program itself lacks is counted.
    pub fn not_connected(&mut self, error: &io::Error) {
        self.no_port += u64::from(error.kind() == io::ErrorKind::AddrNotAvailable);
        self.no_descriptor += u64::from(matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)));
    }

    /// A write failed.
    pub fn write_failed(&mut self) {
        self.write_errors += 1;
    }

    /// Bytes came.
    pub fn received(&mut self, bytes: usize) {
        self.received_bytes += bytes as u64;
    }

    /// A response is whole, with `body` bytes of body.
    pub fn ended(&mut self, sample: Sample, status: u16, body: u64, is_kept: bool) {
        self.record(sample);
        self.count_status(status, 1);
        self.kept += u64::from(is_kept);
        self.body_bytes += body;
        if *self.length.get_or_insert(body) != body && !self.wanted.may_vary {
            self.length_failures += 1;
        }
    }

    /// A response will never be whole.
    pub fn ended_broken(&mut self, sample: Sample) {
        self.record(sample);
    }

    /// A request failed.
    pub fn failed(&mut self, failure: Failure) {
        match failure {
            Failure::Connect => self.connect_failures += 1,
            Failure::Receive => self.receive_failures += 1,
        }
    }

    fn record(&mut self, sample: Sample) {
        self.connect.record(sample.connect);
        self.processing.record(sample.processing());
        self.waiting.record(sample.wait);
        self.total.record(sample.latency());
        if self.wanted.uncorrected {
            self.uncorrected.record(sample.total);
        }
        if self.wanted.samples {
            self.samples.push(sample);
        }
    }

    fn count_status(&mut self, status: u16, count: u64) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, so_far)) => *so_far += count,
            None => self.statuses.push((status, count)),
        }
    }

    /// Requests that have ended, failures included.
    pub fn done(&self) -> u64 {
        self.total.count()
    }

    /// Requests that failed.
    pub fn failures(&self) -> u64 {
        self.connect_failures + self.receive_failures + self.length_failures
    }

    /// Responses with a status that is not 2xx.
    pub fn not_2xx(&self) -> u64 {
        let others = self.statuses.iter().filter(|(status, _)| !(200..300).contains(status));
        others.map(|(_, count)| count).sum()
    }

    /// The times of each request that has ended, if they were wanted.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}
