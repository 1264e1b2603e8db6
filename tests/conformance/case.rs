//! One row of the table: what is sent, and what may come back.
//!
//! What may come back is a pattern: the statuses of the responses in their order, then what becomes of the connection.
//!
//! ```text
//! 303 200 open      two responses, and another request would be answered
//! 400 close         one response, and the server ends the connection
//! 400 close | 200   either; `|` stands between what the RFC leaves to the server
//! 4xx, any          a class of statuses, or all of them;  close (alone): no response
//! ```
//!
//! Interim responses (100) are not in the pattern; 101 is.

use crate::response::{End, Response, Transcript};

/// What the RFC says of it (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Must,
    Should,
}

/// What a server must have before a case means something to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// `/static/file.txt` with its validators.
    Files,
    /// WebSocket at `/echo`, and at `/chat/` after a login.
    WebSocket,
    /// A `POST /login` that compares Origin with the host of the request.
    Origin,
}

#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// FIN: no more will be sent.
    Finish,
    /// Wait for a response, be it an interim one.
    Await,
}

/// A look at the responses: what is wrong with them.
type Check = Box<dyn Fn(&[Response]) -> Result<(), String> + Send + Sync>;

pub struct Case {
    /// A sentence.
    pub name: &'static str,
    /// Number of the RFC, then the section.
    pub section: &'static str,
    pub level: Level,
    pub needs: Needs,
    pub steps: Vec<Step>,
    pub expected: &'static str,
    /// This response is one to HEAD, so it has no body.
    pub head_at: Option<usize>,
    /// Number of interim responses, if that counts.
    pub interims: Option<usize>,
    checks: Vec<Check>,
}

/// A case that an RFC demands with MUST, MUST NOT or REQUIRED.
pub fn must(section: &'static str, name: &'static str, wire: impl Into<Vec<u8>>, expected: &'static str) -> Case {
    Case {
        name,
        section,
        level: Level::Must,
        needs: Needs::Nothing,
        steps: vec![Step::Send(wire.into())],
        expected,
        head_at: None,
        interims: None,
        checks: vec![],
    }
}

/// A case that an RFC asks for with SHOULD, RECOMMENDED or in words without a keyword.
pub fn should(section: &'static str, name: &'static str, wire: impl Into<Vec<u8>>, expected: &'static str) -> Case {
    Case { level: Level::Should, ..must(section, name, wire, expected) }
}

impl Case {
    pub fn needs(mut self, needs: Needs) -> Case {
        self.needs = needs;
        self
    }

    /// Then our FIN.
    pub fn finish(mut self) -> Case {
        self.steps.push(Step::Finish);
        self
    }

    /// Then waits for a response and sends more.
    pub fn after_response(mut self, wire: impl Into<Vec<u8>>) -> Case {
        self.steps.extend([Step::Await, Step::Send(wire.into())]);
        self
    }

    pub fn head_at(mut self, n: usize) -> Case {
        self.head_at = Some(n);
        self
    }

    pub fn interims(mut self, n: usize) -> Case {
        self.interims = Some(n);
        self
    }

    /// Response `n`, if there is one, has a field of this name whose value holds `part`.
    pub fn field(self, n: usize, name: &'static str, part: &'static str) -> Case {
        self.check(move |responses| {
            let Some(response) = responses.get(n) else { return Ok(()) };
            match response.field(name) {
                Some(value) if value.to_ascii_lowercase().contains(&part.to_ascii_lowercase()) => Ok(()),
                found => Err(format!("{name} is {found:?}, expected {part:?} in it")),
            }
        })
    }

    /// Response `n`, if there is one, has no such field.
    pub fn no_field(self, n: usize, name: &'static str) -> Case {
        self.check(move |responses| match responses.get(n).and_then(|response| response.field(name)) {
            Some(value) => Err(format!("there is {name}: {value}")),
            None => Ok(()),
        })
    }

    /// Response `n`, if there is one and it is 200, has this body.
    pub fn body(self, n: usize, body: &'static str) -> Case {
        self.check(move |responses| match responses.get(n).filter(|response| response.status == 200) {
            Some(response) if response.body != body.as_bytes() => {
                Err(format!("the body is {:?}", String::from_utf8_lossy(&response.body)))
            }
            _ => Ok(()),
        })
    }

    pub fn check(mut self, check: impl Fn(&[Response]) -> Result<(), String> + Send + Sync + 'static) -> Case {
        self.checks.push(Box::new(check));
        self
    }

    /// All bytes that are sent.
    pub fn wire(&self) -> Vec<u8> {
        let sent = self.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(bytes.as_slice()),
            Step::Finish | Step::Await => None,
        });
        sent.collect::<Vec<_>>().concat()
    }

    /// Judges what has come.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn judge(&self, transcript: &Transcript) -> Result<(), String> {
        if let Some(why) = &transcript.garbled {
            return Err(format!("a response that is none: {why}"));
        }
        if !self.alternatives().any(|pattern| pattern.fits(transcript)) {
            return Err(format!("expected {}, got {transcript}", self.expected));
        }
        if let Some(n) = self.interims.filter(|&n| n != transcript.interims) {
            return Err(format!("expected {n} interim responses, got {}", transcript.interims));
        }
        self.checks.iter().try_for_each(|check| check(&transcript.responses))
    }

    /// Whether nothing more has to come: what is here fits, and the connection may stay.
    pub fn may_rest(&self, transcript: &Transcript) -> bool {
        self.alternatives()
            .any(|pattern| pattern.end != Some(End::Closed) && pattern.statuses_fit(&transcript.responses))
    }

    fn alternatives(&self) -> impl Iterator<Item = Pattern> {
        self.expected.split('|').map(Pattern::parse)
    }
}

/// One alternative of what is expected.
struct Pattern {
    statuses: Vec<&'static str>,
    end: Option<End>,
}

impl Pattern {
    fn parse(text: &'static str) -> Pattern {
        let mut statuses: Vec<_> = text.split_whitespace().collect();
        let end = match statuses.last() {
            Some(&"open") => Some(End::Open),
            Some(&"close") => Some(End::Closed),
            _ => None,
        };
        if end.is_some() {
            statuses.pop();
        }
        Pattern { statuses, end }
    }

    fn fits(&self, transcript: &Transcript) -> bool {
        self.end.is_none_or(|end| end == transcript.end) && self.statuses_fit(&transcript.responses)
    }

    fn statuses_fit(&self, responses: &[Response]) -> bool {
        let fits = |(pattern, response): (&&str, &Response)| match *pattern {
            "any" => true,
            class if class.ends_with("xx") => class.starts_with(char::from(b'0' + (response.status / 100) as u8)),
            status => status.parse() == Ok(response.status),
        };
        self.statuses.len() == responses.len() && self.statuses.iter().zip(responses).all(fits)
    }
}
