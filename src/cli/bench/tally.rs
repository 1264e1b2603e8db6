//! What has happened in a run, counted as the report of `ab` counts it. A request that fails is counted once.

use super::times::{Sample, Times};

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection.
    Connect,
    /// The connection broke, or the response did not come in time.
    Receive,
}

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Tally {
    may_vary: bool,
    /// The times of each request, if a file of them is wanted.
    samples: Option<Vec<Sample>>,
    /// Until connected, of every request: 0 on a kept connection.
    pub connect: Times,
    /// From connected to the end of the response.
    pub processing: Times,
    /// From the request, when it was sent, to the first byte of the response.
    pub waiting: Times,
    /// From the beginning to the end of the response.
    pub total: Times,
    /// Bytes of the body of the first response.
    pub length: Option<u64>,
    /// The Server field of the first response.
    pub software: Option<String>,
    pub connect_failures: usize,
    pub receive_failures: usize,
    /// Responses of another length than the first one.
    pub length_failures: usize,
    pub write_errors: usize,
    /// Responses with a status that is not 2xx.
    pub not_2xx: usize,
    /// Responses on connections that were kept.
    pub kept: usize,
    /// Bytes received, heads included.
    pub received_bytes: u64,
    /// Bytes of bodies received.
    pub body_bytes: u64,
    /// Bytes of requests sent, heads included.
    pub sent_bytes: u64,
    /// Whether the requests have bodies.
    pub sends_bodies: bool,
}

impl Tally {
    /// Nothing has happened yet. Responses `may_vary` in length, or that is a failure; requests have bodies, or none; the
    /// times of each request are kept, or only those of all.
    pub fn new(may_vary: bool, sends_bodies: bool, keeps_samples: bool) -> Tally {
        Tally { may_vary, sends_bodies, samples: keeps_samples.then(Vec::new), ..Tally::default() }
    }

    /// A request was sent.
    pub fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// A write failed.
    pub fn write_failed(&mut self) {
        self.write_errors += 1;
    }

    /// Bytes came.
    pub fn received(&mut self, bytes: usize) {
        self.received_bytes += bytes as u64;
    }

    /// The head of a response came, with a status of 2xx or another.
    pub fn status(&mut self, is_2xx: bool) {
        self.not_2xx += usize::from(!is_2xx);
    }

    /// The Server field of a response; that of the first one is shown.
    pub fn software(&mut self, field: Option<&[u8]>) {
        self.software.get_or_insert_with(|| String::from_utf8_lossy(field.unwrap_or_default()).into_owned());
    }

    /// A response is whole.
    pub fn ended(&mut self, sample: Sample, body: u64, is_kept: bool) {
        self.record(sample);
        self.kept += usize::from(is_kept);
        self.body_bytes += body;
        if *self.length.get_or_insert(body) != body && !self.may_vary {
            self.length_failures += 1;
        }
    }

    /// A response will never be whole.
    pub fn ended_broken(&mut self, sample: Sample) {
        self.record(sample);
    }

    fn record(&mut self, sample: Sample) {
        self.connect.record(sample.connect);
        self.processing.record(sample.processing());
        self.waiting.record(sample.wait);
        self.total.record(sample.total);
        self.samples.iter_mut().for_each(|samples| samples.push(sample));
    }

    /// A request failed.
    pub fn failed(&mut self, failure: Failure) {
        match failure {
            Failure::Connect => self.connect_failures += 1,
            Failure::Receive => self.receive_failures += 1,
        }
    }

    /// Requests that have ended, failures included.
    pub fn done(&self) -> usize {
        self.total.count() as usize
    }

    /// Requests that failed.
    pub fn failures(&self) -> usize {
        self.connect_failures + self.receive_failures + self.length_failures
    }

    /// The times of each request that has ended, if they were to be kept.
    pub fn samples(&self) -> &[Sample] {
        self.samples.as_deref().unwrap_or_default()
    }
}
