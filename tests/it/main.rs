//! Black box: a real server, real sockets, bytes in and out. The names of the tests are the specification.
#![forbid(unsafe_code)]

mod budgets;
mod chat;
mod cli;
mod documents;
mod house;
mod http;
#[cfg(feature = "tls")]
mod https;
mod leftovers;
mod limits;
mod outbound;
mod properties;
mod search;
mod security;
mod simulation;
mod support;
mod turns;
mod websocket;
