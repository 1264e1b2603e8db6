//! Where the history of the rooms is kept, and how much of it.

#[cfg(feature = "history")]
use super::numbers::parse_bytes;
use clap::{Args, ValueEnum};

/// Flags of the history.
#[derive(Args, Debug, Clone)]
pub struct HistoryArgs {
    /// Where the history of the rooms is kept: in DATA_DIR/chat.db, or the last entries of each room in memory until
    /// the program ends
    #[cfg(feature = "history")]
    #[arg(long, env = "SQUALL_HISTORY", value_enum, default_value = "sqlite")]
    pub history: History,
    /// Where the history of the rooms is kept: the last entries of each room in memory until the program ends
    #[cfg(not(feature = "history"))]
    #[arg(long, env = "SQUALL_HISTORY", value_enum, default_value = "memory")]
    pub history: History,
    /// When a message counts as stored
    #[cfg(feature = "history")]
    #[arg(long, env = "SQUALL_HISTORY_SYNC", value_enum, default_value = "full")]
    pub history_sync: HistorySync,
    /// Entries of each room that are kept in the file: all, a number of them such as 100000, or those of the last days
    /// such as 30d; older ones are deleted
    #[cfg(feature = "history")]
    #[arg(long, env = "SQUALL_HISTORY_KEEP", value_name = "all|COUNT|DAYSd", default_value = "all", value_parser = parse_keep)]
    pub history_keep: HistoryKeep,
    /// Bytes of the file at which messages are refused, with K, M or G as above [default: no limit but the disk, of
    /// which 64 MiB are kept free]
    #[cfg(feature = "history")]
    #[arg(long, env = "SQUALL_HISTORY_MAX_BYTES", value_name = "BYTES", value_parser = parse_bytes)]
    pub history_max_bytes: Option<usize>,
}

/// Where the history is kept.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// In a file
    #[cfg(feature = "history")]
    Sqlite,
    /// In memory, until the program ends
    Memory,
}

/// When a message counts as stored.
#[cfg(feature = "history")]
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistorySync {
    /// When it is on the disk: nothing is lost on a power cut
    Full,
    /// When the kernel has it: nothing is lost when squall is killed, but the last messages may be on a power cut
    Normal,
}

/// Which entries of each room are kept.
#[cfg(feature = "history")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryKeep {
    All,
    /// This many, the last ones.
    Count(u64),
    /// Those of this many days.
    Days(u32),
}

/// Days of a limit at most: a hundred years.
#[cfg(feature = "history")]
const DAYS_MAX: u32 = 36_500;

#[cfg(feature = "history")]
fn parse_keep(text: &str) -> Result<HistoryKeep, String> {
    let digits =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let keep = match text.strip_suffix('d') {
        _ if text == "all" => Some(HistoryKeep::All),
        Some(days) => digits(days)
            .and_then(|days| u32::try_from(days).ok())
            .filter(|days| (1..=DAYS_MAX).contains(days))
            .map(HistoryKeep::Days),
        None => digits(text).filter(|&count| count > 0).map(HistoryKeep::Count),
    };
    keep.ok_or_else(|| {
        format!("expected all, a number of entries such as 100000, or days such as 30d, up to {DAYS_MAX}d")
    })
}

#[cfg(all(test, feature = "history"))]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_by_number_or_by_days() {
        for (text, keep) in [
            ("all", HistoryKeep::All),
            ("1", HistoryKeep::Count(1)),
            ("100000", HistoryKeep::Count(100_000)),
            ("1d", HistoryKeep::Days(1)),
            ("36500d", HistoryKeep::Days(36_500)),
        ] {
            assert_eq!(parse_keep(text), Ok(keep));
        }
        for text in
            ["", "0", "0d", "d", "36501d", "-1", "+1", "1.5d", "30D", "30 d", "ALL", "99999999999999999999", "1k"]
        {
            assert!(parse_keep(text).is_err_and(|why| why.starts_with("expected all, ")), "{text}");
        }
    }
}
