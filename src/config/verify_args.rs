//! The flags of `squall verify`.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `squall verify`.
#[derive(Args, Debug, Clone)]
pub struct VerifyArgs {
    /// Journals of the clients and of the final history, as JSON lines; - is standard input
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Print one JSON object a line: each anomaly, then the counts
    #[arg(long)]
    pub json: bool,
    /// Accept a final history whose ids have holes, of a chat that does not count 1, 2, 3 in each room
    #[arg(long)]
    pub sparse: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cli, Command};
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<VerifyArgs, String> {
        let line = ["squall", "verify"].iter().chain(args);
        match Cli::try_parse_from(line).map_err(|e| e.to_string())?.command {
            Some(Command::Verify(args)) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn verify_needs_a_journal() {
        assert!(parse(&["--json"]).is_err_and(|why| why.contains("<JOURNAL>")));
        let args = parse(&["a.jsonl", "-", "--sparse"]).expect("a command");
        assert_eq!((args.journals.len(), args.json, args.sparse), (2, false, true));
    }
}
