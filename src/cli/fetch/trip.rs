//! One target, through its redirects, to an outcome.
//!
//! ```text
//! Asked ── redirects ──▶ Asked ── head ──▶ Responded ── body ── its end ──▶ outcome
//! ```
//!
//! Steps of its fetch go in; whether it is over comes out. Other targets are unknown here.

use super::part::Part;
use super::plan::Plan;
use crate::event::{Fetched, Journey, ResponseHead, Url};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One target under way.
#[derive(Debug)]
pub struct Trip {
    /// Its number in the list.
    target: usize,
    began: Instant,
    /// What is asked for, through all redirects.
    url: Url,
    /// Redirects that were followed.
    redirects: u8,
    stage: Stage,
    /// Of the final body so far, with its content coding removed.
    bytes: u64,
    /// The final body so far, if it is wanted.
    body: Option<Vec<u8>>,
    /// For the file of the final body, if it goes to one.
    file_name: Option<String>,
    file: Option<Part>,
}

#[derive(Debug)]
enum Stage {
    /// No head has come.
    Asked,
    /// The last head has come.
    Responded(FinalHead),
}

/// The head of the last response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalHead {
    pub status: u16,
    pub minor_version: u8,
    pub reason: String,
    /// Names as sent, values as bytes, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    pub journey: Journey,
}

/// What a step leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// The end: `Err` says why it is a failure. What is left of the fetch is of no interest.
    Over(Result<(), String>),
}

/// The result of a target.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The last one requested; `None` if the target is malformed.
    pub url: Option<Url>,
    /// Redirects that were followed.
    pub redirects: u8,
    /// Also of a failure, if its head had come.
    pub head: Option<FinalHead>,
    /// Body bytes that came, transfer and content coding removed.
    pub bytes: u64,
    /// The body, if it is whole and wanted.
    pub body: Option<Vec<u8>>,
    /// The file that holds it.
    pub file: Option<PathBuf>,
    /// From the target's own start to its end.
    pub took: Duration,
    /// Why it is a failure.
    pub error: Option<String>,
}

impl Trip {
    /// The target of this number, whose fetch starts now; its body may go to a file of this name.
    pub fn new(target: usize, url: Url, file_name: Option<String>, now: Instant) -> Trip {
        let (redirects, bytes, stage) = (0, 0, Stage::Asked);
        Trip { target, began: now, url, redirects, stage, bytes, body: None, file_name, file: None }
    }

    /// Its number in the list.
    pub fn target(&self) -> usize {
        self.target
    }

    /// Takes one step of the fetch.
    pub fn on_fetched(&mut self, fetched: Fetched<'_>, plan: &Plan) -> Next {
        match (&mut self.stage, fetched) {
            (_, Fetched::Redirect(_, _, Some(url))) => {
                (self.url, self.redirects) = (url.clone(), self.redirects + 1);
                Next::Wait
            }
            (_, Fetched::Redirect(head, journey, None)) => {
                self.stage = Stage::Responded(FinalHead::new(&head, journey));
                Next::Wait
            }
            (_, Fetched::Head(head, journey)) => self.on_head(&head, journey, plan),
            (Stage::Responded(_), Fetched::Body(piece)) => self.on_body(piece),
            (Stage::Responded(head), Fetched::Done) if plan.fail && head.status >= 400 => {
                Next::Over(Err(format!("the response is {}", status_line(head))))
            }
            (Stage::Responded(_), Fetched::Done) => Next::Over(Ok(())),
            (_, Fetched::Failed(e)) => Next::Over(Err(e.to_string())),
            _ => Next::Wait,
        }
    }

    fn on_head(&mut self, head: &ResponseHead<'_>, journey: Journey, plan: &Plan) -> Next {
        let head = FinalHead::new(head, journey);
        let kept = if plan.fail && head.status >= 400 { Ok(()) } else { self.keep_body(plan) };
        self.stage = Stage::Responded(head);
        kept.map_or_else(|why| Next::Over(Err(why)), |()| Next::Wait)
    }

    fn keep_body(&mut self, plan: &Plan) -> Result<(), String> {
        self.body = plan.body.then(Vec::new);
        if let (Some(dir), Some(name)) = (&plan.output, &self.file_name) {
            self.file = Some(Part::create(dir, name)?);
        }
        Ok(())
    }

    fn on_body(&mut self, piece: &[u8]) -> Next {
        self.bytes += piece.len() as u64;
        if let Some(body) = &mut self.body {
            body.extend_from_slice(piece);
        }
        match self.file.as_mut().map(|file| file.write(piece)) {
            Some(Err(why)) => Next::Over(Err(why)),
            _ => Next::Wait,
        }
    }

    /// Ends the trip: a whole body's file gets its name, a broken one's goes away.
    pub fn end(self, end: Result<(), String>, now: Instant) -> Outcome {
        let file = match (end, self.file) {
            (Ok(()), Some(part)) => part.finish().map(Some),
            (end, _) => end.map(|()| None),
        };
        Outcome {
            url: Some(self.url),
            redirects: self.redirects,
            head: match self.stage {
                Stage::Responded(head) => Some(head),
                Stage::Asked => None,
            },
            bytes: self.bytes,
            body: self.body.filter(|_| file.is_ok()),
            took: now.saturating_duration_since(self.began),
            error: file.as_ref().err().cloned(),
            file: file.unwrap_or_default(),
        }
    }
}

impl FinalHead {
    fn new(head: &ResponseHead<'_>, journey: Journey) -> FinalHead {
        FinalHead {
            status: head.status,
            minor_version: head.minor_version,
            reason: head.reason.to_owned(),
            headers: head.headers.map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            journey,
        }
    }
}

fn status_line(head: &FinalHead) -> String {
    format!("{} {}", head.status, head.reason).trim_end().to_owned()
}

#[cfg(test)]
mod tests;
