//! What is searched for: words, all of which a text must have, and how much a search may look at in one step.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a query at most.
pub const QUERY_BYTES_MAX: usize = 256;
/// Words of a query at most.
pub const WORDS_MAX: usize = 8;
/// Entries that one step of a search looks at. With texts of usual length that takes about 4 ms.
const ENTRIES_MAX: usize = 4096;
/// Bytes of texts that one step looks at, for rooms with long texts.
const BYTES_MAX: usize = 512 << 10;
/// Time after which a step ends, for disks that are slow: an append may wait for it.
const STEP_FOR: Duration = Duration::from_millis(10);
/// Entries between two looks at the clock.
const LOOK_EVERY: usize = 64;

/// The words of a query, in lower case. A text matches if it has each of them, also inside of its own words; upper and
/// lower case are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Arc<[Box<str>]>);

/// Why a query cannot be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadQuery {
    /// It has no word.
    Empty,
    /// It has more than [`QUERY_BYTES_MAX`] bytes.
    TooLong,
    /// It has more than [`WORDS_MAX`] words.
    TooMany,
}

impl Words {
    /// The words of a query, which are separated by white space.
    ///
    /// # Errors
    /// It has no word, or is over a limit.
    pub fn parse(query: &str) -> Result<Words, BadQuery> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(BadQuery::TooLong);
        }
        let mut words: Vec<Box<str>> = query.split_whitespace().map(|word| folded(word).into()).collect();
        words.dedup();
        match words.len() {
            0 => Err(BadQuery::Empty),
            1..=WORDS_MAX => Ok(Words(words.into())),
            _ => Err(BadQuery::TooMany),
        }
    }

    /// Whether the text has all of the words. `buffer` saves an allocation for each text.
    pub fn match_text(&self, text: &str, buffer: &mut String) -> bool {
        buffer.clear();
        fold(text, buffer);
        self.0.iter().all(|word| memchr::memmem::find(buffer.as_bytes(), word.as_bytes()).is_some())
    }

    /// The words, in lower case.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|word| &**word)
    }

    /// Bytes of all words.
    pub fn bytes(&self) -> usize {
        self.iter().map(str::len).sum()
    }
}

/// Appends the text in lower case. Each letter becomes what it does alone, so a part of a text becomes a part of the
/// result.
pub fn fold(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            // At the end of a word the capital letter has this form.
            'ς' => into.push('σ'),
            _ if letter.is_ascii() => into.push(letter.to_ascii_lowercase()),
            _ => into.extend(letter.to_lowercase()),
        }
    }
}

fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold(text, &mut folded);
    folded
}

/// What is left for one step of a search.
#[derive(Debug)]
pub struct Budget {
    entries: usize,
    bytes: usize,
    until: Instant,
}

impl Budget {
    /// For a step that begins at `now`.
    pub fn new(now: Instant) -> Budget {
        Budget { entries: ENTRIES_MAX, bytes: BYTES_MAX, until: now + STEP_FOR }
    }

    /// Takes one entry with a text of this many bytes.
    pub fn take(&mut self, bytes: usize) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.entries.is_multiple_of(LOOK_EVERY) && Instant::now() >= self.until {
            self.entries = 0;
        }
    }

    /// Whether the step has to end.
    pub fn is_spent(&self) -> bool {
        self.entries == 0 || self.bytes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(query: &str, text: &str) -> bool {
        Words::parse(query).expect("a query").match_text(text, &mut String::new())
    }

    #[test]
    fn a_text_has_all_words_in_any_case() {
        for (query, text) in [
            ("hello", "Hello, world"),
            ("WORLD hel", "hello, world"),
            ("ell", "hello"),
            ("会议", "明天的会议改到三点"),
            ("ÄRGER", "ärger"),
            ("ΌΔΟΣ", "η όδος"),
            ("100%", "100% sure"),
            ("a_b", "A_B"),
            ("\"quoted\"", "a \"quoted\" word"),
        ] {
            assert!(has(query, text), "{query} {text}");
        }
        for (query, text) in [
            ("hello there", "hello, world"),
            ("100%", "1000"),
            ("a_b", "axb"),
            ("会议", "会 议"),
            ("x", ""),
            ("*", "anything"),
        ] {
            assert!(!has(query, text), "{query} {text}");
        }
    }

    #[test]
    fn a_query_has_limits() {
        let parse = |query: &str| Words::parse(query).map(|words| words.iter().count());
        assert_eq!(parse(&"x".repeat(QUERY_BYTES_MAX)), Ok(1));
        assert_eq!(parse(&"x".repeat(QUERY_BYTES_MAX + 1)), Err(BadQuery::TooLong));
        assert_eq!(parse("a b c d e f g h"), Ok(WORDS_MAX));
        assert_eq!(parse("a b c d e f g h i"), Err(BadQuery::TooMany));
        assert_eq!((parse(""), parse(" \t\u{3000}")), (Err(BadQuery::Empty), Err(BadQuery::Empty)));
    }

    #[test]
    fn a_step_ends_at_each_of_its_limits() {
        let count = |mut budget: Budget, bytes| {
            let mut count = 0;
            while !budget.is_spent() {
                budget.take(bytes);
                count += 1;
            }
            count
        };
        let far = Instant::now() + Duration::from_secs(3600);
        assert_eq!(count(Budget::new(far), 0), ENTRIES_MAX);
        assert_eq!(count(Budget::new(far), 4096), BYTES_MAX / 4096);
        let late = Budget { until: Instant::now(), ..Budget::new(far) };
        assert_eq!(count(late, 0), LOOK_EVERY);
    }
}
