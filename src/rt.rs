//! The parts of a reactor that know no protocol: who is there (`slab`), what is readable (`net`, `kernel`, `wire`,
//! `tls`), what is unsent (`outbox`, `feed`, `lane`), when (`timers`), who may come in (`accept`), and what would block
//! (`jobs`, `names`, `line_log`).

pub mod accept;
pub mod feed;
pub mod jobs;
pub mod kernel;
pub mod lane;
pub mod line_log;
pub mod names;
pub mod net;
pub mod outbox;
pub mod slab;
pub mod stall;
pub mod timers;
#[cfg(feature = "tls")]
pub mod tls;
pub mod wire;
