//! One state of rustls after the other: what it says is done, where no socket is needed for it.
//!
//! ```text
//! ReadTraffic ─▶ Data                     PeerClosed ─▶ Closed, once
//! EncodeTlsData, TransmitTlsData ─▶ More  WriteTraffic ─▶ the wish is fulfilled, Idle
//! BlockedHandshake, Closed ─▶ Idle
//! ```
//!
//! Input is ciphertext, decrypted in place; output goes to the [`Sinks`]. Reading and sending are the stream's matter.

use crate::net::outbox::Outbox;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};

/// The plaintext of one record, bytes at most (RFC 8446 section 5.1).
pub const RECORD_BYTES_MAX: usize = 16 << 10;
/// What a record has beyond its plaintext (header, nonce, content type, tag), bytes at most.
const RECORD_OVERHEAD: usize = 32;

/// Rustls' half of a connection.
pub enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// Where output goes.
pub struct Sinks<'a> {
    /// Plaintext, first choice.
    front: &'a mut [u8],
    /// So much of `front` was used, bytes.
    pub filled: usize,
    /// Plaintext for which `front` has no room.
    plain: &'a mut Outbox,
    /// Ciphertext.
    outgoing: &'a mut Outbox,
    wish: Wish<'a>,
}

/// What we want to say, once rustls lets us.
#[derive(Clone, Copy)]
pub enum Wish<'a> {
    Nothing,
    /// Plaintext, not empty.
    Send(&'a [u8]),
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
    /// Nothing, until more input comes. The wish is fulfilled.
    Idle,
}

impl Session {
    /// Neither side may send data yet.
    #[inline]
    pub fn is_handshaking(&self) -> bool {
        self.state().is_handshaking()
    }

    /// Rustls itself has something to say, an alert for instance.
    pub fn has_unsent(&self) -> bool {
        self.state().wants_write()
    }

    /// What was agreed.
    pub fn state(&self) -> &CommonState {
        match self {
            Session::Client(client) => client,
            Session::Server(server) => server,
        }
    }

    /// Takes rustls one state further; so many bytes of `input` are used up, and its rest must come again.
    ///
    /// # Errors
    /// Fatal ones, after which input must not be shown again; `has_unsent` tells whether there is an alert to send.
    pub fn step(&mut self, input: &mut [u8], sinks: &mut Sinks<'_>) -> (usize, Result<Step, Error>) {
        match self {
            Session::Client(client) => settle(client.process_tls_records(input), sinks),
            Session::Server(server) => settle(server.process_tls_records(input), sinks),
        }
    }
}

impl<'a> Sinks<'a> {
    /// Sinks with an empty front.
    pub fn new(front: &'a mut [u8], plain: &'a mut Outbox, outgoing: &'a mut Outbox, wish: Wish<'a>) -> Sinks<'a> {
        Sinks { front, filled: 0, plain, outgoing, wish }
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
            match sinks.wish {
                Wish::Nothing => {}
                Wish::Send(bytes) => {
                    let records = bytes.len().div_ceil(RECORD_BYTES_MAX);
                    let guess = bytes.len() + records * RECORD_OVERHEAD;
                    append(sinks.outgoing, guess, |room| traffic.encrypt(bytes, room).map_err(missing))?;
                }
                Wish::CloseNotify => {
                    append(sinks.outgoing, RECORD_OVERHEAD, |room| traffic.queue_close_notify(room).map_err(missing))?;
                }
            }
            Ok(Step::Idle)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let lacking = |e| if let EncodeError::InsufficientSize(e) = e { Some(e.required_size) } else { None };
            append(sinks.outgoing, 0, |room| data.encode(room).map_err(lacking))?;
            Ok(Step::More)
        }
        // It lies in `outgoing`, in its place.
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Step::More)
        }
        ConnectionState::PeerClosed => Ok(Step::Closed),
        ConnectionState::BlockedHandshake | ConnectionState::Closed => Ok(Step::Idle),
        // Early data is not offered.
        _ => Err(Error::General("a state that was not asked for".into())),
    });
    (used, step)
}

/// The room that was missing, bytes; `None` when the keys are used up.
fn missing(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(error) => Some(error.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Appends what `encode` writes into `guess` bytes of room, or into as many as it says it needs.
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
