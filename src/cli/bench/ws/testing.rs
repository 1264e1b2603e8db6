//! What the tests of these modules share: plans from flags.

use super::plan::Plan;
use crate::config::BenchArgs;
use clap::Parser;

/// A command line.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BenchArgs,
}

/// The plan of these flags, for a server at 127.0.0.1.
pub fn planned(flags: &str) -> Result<Plan, String> {
    let words = ["bench"].into_iter().chain(flags.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|e| e.to_string())?;
    Plan::new(&line.args, 0xab_cdef)
}
