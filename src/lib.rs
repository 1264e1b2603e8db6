//! squall: a chat and search server on one hand-rolled event loop.
#![forbid(unsafe_code)]

pub mod app;
pub mod config;
pub mod conn;
pub mod event;
pub mod fetch_list;
pub mod id;
pub mod proto;
pub mod rt;
pub mod server;
