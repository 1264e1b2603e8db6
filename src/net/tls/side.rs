//! Rustls' state machine, one state a step, without any I/O.
//!
//! ```text
//! ReadTraffic ─▶ Data                     PeerClosed ─▶ Closed, once
//! EncodeTlsData, TransmitTlsData ─▶ More  WriteTraffic ─▶ encrypts what is to be sent, Idle
//! BlockedHandshake, Closed ─▶ Idle
//! ```
//!
//! Input is ciphertext, decrypted in place; output goes to the [`Sinks`]. The stream reads and sends.

use crate::net::outbox::Outbox;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};

/// The plaintext of one record, bytes at most (RFC 8446 section 5.1).
pub const RECORD_BYTES_MAX: usize = 16 << 10;
/// A record's bytes besides its plaintext (header, nonce, content type, tag), at most.
const RECORD_OVERHEAD: usize = 32;

/// Rustls' side of one connection.
pub enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// Where output goes.
pub struct Sinks<'a> {
    /// Plaintext, first choice.
    front: &'a mut [u8],
    /// Bytes of `front` in use.
    pub filled: usize,
    /// Plaintext for which `front` has no room.
    plain: &'a mut Outbox,
    /// Ciphertext.
    outgoing: &'a mut Outbox,
    send: ToSend<'a>,
}

/// What to encrypt as soon as the state allows it.
#[derive(Clone, Copy)]
pub enum ToSend<'a> {
    Nothing,
    /// Plaintext, not empty.
    Data(&'a [u8]),
    CloseNotify,
}

/// What comes next.
#[derive(PartialEq, Eq)]
pub enum Step {
    /// Another step, with the rest of the input.
    More,
    /// As `More`, but if all input is used up and rustls has nothing unsent, that step would be `Idle`.
    Data,
    /// Another step, but no more data: the peer's close_notify was met.
    Closed,
    /// Nothing, until more input comes. What was to be sent is encrypted.
    Idle,
}

impl Side {
    /// Whether neither end may send data yet.
    pub fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// Whether rustls itself has something to send, such as an alert.
    pub fn has_unsent(&self) -> bool {
        self.state().wants_write()
    }

    /// What was agreed.
    pub fn state(&self) -> &CommonState {
        match self {
            Side::Client(client) => client,
            Side::Server(server) => server,
        }
    }

    /// Takes rustls one state further. Returns the bytes of `input` that are used up; the rest must come again.
    ///
    /// # Errors
    /// Fatal ones, after which no more input may be given; `has_unsent` tells whether there is an alert to send.
    pub fn step(&mut self, input: &mut [u8], sinks: &mut Sinks<'_>) -> (usize, Result<Step, Error>) {
        match self {
            Side::Client(client) => settle(client.process_tls_records(input), sinks),
            Side::Server(server) => settle(server.process_tls_records(input), sinks),
        }
    }
}

impl<'a> Sinks<'a> {
    /// Sinks with an empty front.
    pub fn new(front: &'a mut [u8], plain: &'a mut Outbox, outgoing: &'a mut Outbox, send: ToSend<'a>) -> Sinks<'a> {
        Sinks { front, filled: 0, plain, outgoing, send }
    }

    fn deliver(&mut self, payload: &[u8]) {
        match self.front.get_mut(self.filled..self.filled + payload.len()) {
            Some(room) if self.plain.is_empty() => {
                room.copy_from_slice(payload);
                self.filled += payload.len();
            }
            _ => self.plain.push(payload),
        }
    }
}

fn settle<Data>(status: UnbufferedStatus<'_, '_, Data>, sinks: &mut Sinks<'_>) -> (usize, Result<Step, Error>) {
    let mut used = status.discard;
    let step = status.state.and_then(|state| match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                used += record.discard;
                sinks.deliver(record.payload);
            }
            Ok(Step::Data)
        }
        ConnectionState::WriteTraffic(mut traffic) => {
            match sinks.send {
                ToSend::Nothing => {}
                ToSend::Data(bytes) => {
                    let records = bytes.len().div_ceil(RECORD_BYTES_MAX);
                    let guess = bytes.len() + records * RECORD_OVERHEAD;
                    append(sinks.outgoing, guess, |room| traffic.encrypt(bytes, room).map_err(missing))?;
                }
                ToSend::CloseNotify => {
                    append(sinks.outgoing, RECORD_OVERHEAD, |room| traffic.queue_close_notify(room).map_err(missing))?;
                }
            }
            Ok(Step::Idle)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let needed = |e| if let EncodeError::InsufficientSize(e) = e { Some(e.required_size) } else { None };
            append(sinks.outgoing, 0, |room| data.encode(room).map_err(needed))?;
            Ok(Step::More)
        }
        // It is in `outgoing` already.
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::More)
        }
        ConnectionState::PeerClosed => Ok(Step::Closed),
        ConnectionState::BlockedHandshake | ConnectionState::Closed => Ok(Step::Idle),
        // Early data is not offered.
        _ => Err(Error::General("an unexpected state".into())),
    });
    (used, step)
}

/// The needed room, bytes; `None` when the keys are used up.
fn missing(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(error) => Some(error.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Appends what `encode` writes into `guess` bytes of room, or into the room that its error names.
fn append(
    out: &mut Outbox,
    guess: usize,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), Error> {
    out.write(|bytes| {
        let start = bytes.len();
        bytes.resize(start + guess, 0);
        let written = encode(&mut bytes[start..]).or_else(|needed| {
            bytes.resize(start + needed.unwrap_or(0), 0);
            encode(&mut bytes[start..])
        });
        bytes.truncate(start + written.unwrap_or(0));
        written.map(drop).map_err(|_| Error::EncryptError)
    })
}
