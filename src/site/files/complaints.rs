//! Which files of `--www` could not be read, so that one line a minute says so, however often they are asked for.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that still cannot be read is named again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// At most this many paths are remembered, and named in a minute. Below a folder that cannot be read, any name of 8 KiB
/// is such a path, and a peer chooses it.
const PATHS_MAX: usize = 64;

/// What is to be said of a file that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The path and the reason.
    Named,
    /// That there are more of them than are named.
    Others,
    /// Nothing: it was said a short while ago.
    Known,
}

/// Paths that were named within the last minute.
#[derive(Debug, Default)]
pub struct Complaints {
    named: Vec<(PathBuf, Instant)>,
    others: Option<Instant>,
}

impl Complaints {
    /// Notes that a file cannot be read, and returns what is to be said of it.
    pub fn about(&mut self, path: &Path, now: Instant) -> Complaint {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < AGAIN_AFTER;
        self.named.retain(|(_, at)| is_recent(at));
        self.others = self.others.filter(is_recent);
        if self.named.iter().any(|(named, _)| named == path) {
            return Complaint::Known;
        }
        if self.named.len() < PATHS_MAX {
            self.named.push((path.to_owned(), now));
            return Complaint::Named;
        }
        match self.others.replace(now) {
            None => Complaint::Others,
            // Once a minute, too: the time of the first one stays.
            before => {
                self.others = before;
                Complaint::Known
            }
        }
    }

    /// The same, said in the log.
    pub fn log(&mut self, path: &Path, why: &std::io::Error, now: Instant) {
        match self.about(path, now) {
            // Escaped: a peer chooses the name.
            Complaint::Named => log::error!("the file {path:?} of --www cannot be read: {why}"),
            Complaint::Others => log::error!("more than {PATHS_MAX} files of --www cannot be read"),
            Complaint::Known => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_once_a_minute() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let mut about =
            |path: &str, seconds: u64| complaints.about(Path::new(path), start + Duration::from_secs(seconds));
        assert_eq!(about("a", 0), Complaint::Named);
        assert_eq!(about("a", 0), Complaint::Known);
        assert_eq!(about("b", 1), Complaint::Named);
        assert_eq!(about("a", 59), Complaint::Known);
        assert_eq!(about("a", 60), Complaint::Named);
        assert_eq!(about("b", 60), Complaint::Known);
        assert_eq!(about("b", 61), Complaint::Named);
        assert_eq!(about("a", 0), Complaint::Known, "a clock that runs back names nothing twice");
    }

    #[test]
    fn of_many_paths_a_bounded_number_is_kept_and_named() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        for minute in 0..3 {
            let now = start + AGAIN_AFTER * minute;
            let said: Vec<_> = (0..10_000).map(|n| complaints.about(Path::new(&n.to_string()), now)).collect();
            let count = |what: Complaint| said.iter().filter(|said| **said == what).count();
            assert_eq!((count(Complaint::Named), count(Complaint::Others)), (PATHS_MAX, 1));
            assert_eq!(complaints.named.len(), PATHS_MAX);
        }
    }

    #[test]
    fn that_there_are_others_is_said_once_a_minute() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        (0..PATHS_MAX).for_each(|n| _ = complaints.about(Path::new(&n.to_string()), start + Duration::from_secs(59)));
        for (seconds, said) in [(59, Complaint::Others), (60, Complaint::Known), (118, Complaint::Known)] {
            assert_eq!(complaints.about(Path::new("x"), start + Duration::from_secs(seconds)), said, "{seconds}");
        }
    }
}
