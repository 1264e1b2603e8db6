//! The flags of `squall history`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `squall history`.
#[derive(Args, Debug, Clone)]
pub struct HistoryToolsArgs {
    #[command(subcommand)]
    pub command: HistoryTool,
}

/// What its owner does with a history. Each works while a server runs, and without one.
#[derive(Subcommand, Debug, Clone)]
pub enum HistoryTool {
    /// List the rooms: entries, id and time of the last one, name
    Rooms(DataDir),
    /// Print the history in numbers
    Stats(DataDir),
    /// Print the entries of a room as JSON, one a line
    Export(ExportArgs),
    /// Read what `export` has printed into rooms that are new
    Import(ImportArgs),
    /// Make a copy of the history that is whole and checked
    Backup(BackupArgs),
    /// Look for faults in the history; the exit code is 1 if there are any
    Check(CheckArgs),
    /// Take a name out of the history, with all of its texts
    Forget(ForgetArgs),
}

/// Where the history is.
#[derive(Args, Debug, Clone)]
pub struct DataDir {
    /// Directory of the server's data, which has the history
    #[arg(long, env = "SQUALL_DATA_DIR", value_name = "DIR", default_value = "./squall-data")]
    pub data_dir: PathBuf,
}

/// Arguments of `squall history export`.
#[derive(Args, Debug, Clone)]
pub struct ExportArgs {
    /// The room
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub room: Option<String>,
    /// All rooms
    #[arg(long)]
    pub all: bool,
    /// Only what this name has said, deleted or cleared
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    #[command(flatten)]
    pub data: DataDir,
}

/// Arguments of `squall history import`.
#[derive(Args, Debug, Clone)]
pub struct ImportArgs {
    /// Lines of JSON, as `export` prints them; it is read twice
    pub file: PathBuf,
    #[command(flatten)]
    pub data: DataDir,
}

/// Arguments of `squall history backup`.
#[derive(Args, Debug, Clone)]
pub struct BackupArgs {
    /// Where the copy goes
    pub file: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub data: DataDir,
}

/// Arguments of `squall history check`.
#[derive(Args, Debug, Clone)]
pub struct CheckArgs {
    /// A copy, instead of the history in the data directory
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub data: DataDir,
}

/// Arguments of `squall history forget`.
#[derive(Args, Debug, Clone)]
pub struct ForgetArgs {
    /// The name
    pub name: String,
    /// Keep its texts, under a name that nobody has
    #[arg(long)]
    pub keep_texts: bool,
    #[command(flatten)]
    pub data: DataDir,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cli, Command};
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<HistoryTool, String> {
        let line = ["squall", "history"].iter().chain(args);
        match Cli::try_parse_from(line).map_err(|e| e.to_string())?.command {
            Some(Command::History(args)) => Ok(args.command),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_export_is_of_one_room_or_of_all() {
        assert!(parse(&["export"]).is_err_and(|why| why.contains("ROOM")));
        assert!(parse(&["export", "lobby", "--all"]).is_err_and(|why| why.contains("--all")));
        let all = parse(&["export", "--all", "--user", "ann", "--data-dir", "/x"]);
        assert!(matches!(all, Ok(HistoryTool::Export(args)) if args.all && args.data.data_dir.to_str() == Some("/x")));
        assert!(matches!(parse(&["forget", "ann", "--keep-texts"]), Ok(HistoryTool::Forget(args)) if args.keep_texts));
        assert!(parse(&[]).is_err_and(|help| help.contains("backup")));
    }
}
