//! The log lines about files of `--www` that cannot be read: one a minute and file, however often it is requested.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time after which a file that still cannot be read is logged again.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// At most this many paths are remembered, and logged in a minute. Below a folder that cannot be read, any name of 8
/// KiB is such a path, and a peer chooses it.
const PATHS_MAX: usize = 64;

/// The line that is due.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// The path and the reason.
    Path,
    /// That there are more paths than are logged.
    TooMany,
    /// None: it was logged less than a minute ago.
    None,
}

/// The paths that were logged within the last minute.
#[derive(Debug, Default)]
pub struct UnreadableLog {
    paths: Vec<(PathBuf, Instant)>,
    too_many_at: Option<Instant>,
}

impl UnreadableLog {
    /// Logs that a file cannot be read, if a line is due.
    pub fn log(&mut self, path: &Path, why: &std::io::Error, now: Instant) {
        match self.line(path, now) {
            // Escaped: a peer chooses the name.
            Line::Path => log::error!("the file {path:?} of --www cannot be read: {why}"),
            Line::TooMany => log::error!("more than {PATHS_MAX} files of --www cannot be read"),
            Line::None => {}
        }
    }

    fn line(&mut self, path: &Path, now: Instant) -> Line {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < AGAIN_AFTER;
        self.paths.retain(|(_, at)| is_recent(at));
        self.too_many_at = self.too_many_at.filter(is_recent);
        if self.paths.iter().any(|(logged, _)| logged == path) {
            return Line::None;
        }
        if self.paths.len() < PATHS_MAX {
            self.paths.push((path.to_owned(), now));
            return Line::Path;
        }
        match self.too_many_at {
            Some(_) => Line::None,
            None => {
                self.too_many_at = Some(now);
                Line::TooMany
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_logged_once_a_minute() {
        let (mut log, start) = (UnreadableLog::default(), Instant::now());
        let mut line = |path: &str, seconds: u64| log.line(Path::new(path), start + Duration::from_secs(seconds));
        assert_eq!(line("a", 0), Line::Path);
        assert_eq!(line("a", 0), Line::None);
        assert_eq!(line("b", 1), Line::Path);
        assert_eq!(line("a", 59), Line::None);
        assert_eq!(line("a", 60), Line::Path);
        assert_eq!(line("b", 60), Line::None);
        assert_eq!(line("b", 61), Line::Path);
        assert_eq!(line("a", 0), Line::None, "a clock that runs back repeats no line");
    }

    #[test]
    fn of_many_paths_a_bounded_number_is_remembered() {
        let (mut log, start) = (UnreadableLog::default(), Instant::now());
        for minute in 0..3 {
            let now = start + AGAIN_AFTER * minute;
            let said: Vec<_> = (0..10_000).map(|n| log.line(Path::new(&n.to_string()), now)).collect();
            let count = |what: Line| said.iter().filter(|said| **said == what).count();
            assert_eq!((count(Line::Path), count(Line::TooMany)), (PATHS_MAX, 1));
            assert_eq!(log.paths.len(), PATHS_MAX);
        }
    }

    #[test]
    fn too_many_paths_are_logged_once_a_minute() {
        let (mut log, start) = (UnreadableLog::default(), Instant::now());
        (0..PATHS_MAX).for_each(|n| _ = log.line(Path::new(&n.to_string()), start + Duration::from_secs(59)));
        for (seconds, said) in [(59, Line::TooMany), (60, Line::None), (118, Line::None)] {
            assert_eq!(log.line(Path::new("x"), start + Duration::from_secs(seconds)), said, "{seconds}");
        }
    }
}
