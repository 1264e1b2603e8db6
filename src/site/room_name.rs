//! Names of rooms: which are allowed, and their normal form.

use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The room of a connection that names none.
pub const LOBBY: &str = "lobby";
/// Characters of a name.
const CHARS_MAX: usize = 64;
/// Bytes of a typed name before normalization: NFC makes UTF-8 three times as short at most.
const TYPED_BYTES_MAX: usize = 3 * 4 * CHARS_MAX;

/// A text that is no name of a room.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoomName;

/// The name of a room in NFC: 1 to 64 letters, digits, `-` and `_`, of any script, with their marks.
///
/// # Errors
/// [`NoRoomName`] for anything else.
pub fn check(typed: &str) -> Result<Arc<str>, NoRoomName> {
    if typed.len() > TYPED_BYTES_MAX {
        return Err(NoRoomName);
    }
    let name: String = typed.nfc().collect();
    let is_allowed = |c: char| {
        let group = c.general_category_group();
        matches!(c, '-' | '_')
            || matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
            || c.general_category() == GeneralCategory::DecimalNumber
    };
    let starts_with_mark = name.starts_with(|c: char| c.general_category_group() == GeneralCategoryGroup::Mark);
    let count = name.chars().count();
    match (1..=CHARS_MAX).contains(&count) && name.chars().all(is_allowed) && !starts_with_mark {
        true => Ok(name.into()),
        false => Err(NoRoomName),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_of_any_script_are_a_name() {
        for name in ["lobby", "a", "A-b_9", "日本語", "комната", "हिन्दी", "٣", &"é".repeat(64)]
        {
            assert_eq!(check(name).as_deref(), Ok(name));
        }
        assert_eq!(check("cafe\u{301}").as_deref(), Ok("café"), "in NFC");
    }

    #[test]
    fn anything_else_is_none() {
        for name in ["", " ", "a b", "a/b", "a.b", "..", "a\u{200d}b", "a\u{202e}b", "😀", "\u{301}a", "a\0", "½"] {
            assert_eq!(check(name), Err(NoRoomName), "{name:?}");
        }
        assert_eq!(check(&"a".repeat(65)), Err(NoRoomName));
        assert_eq!(check(&"a\u{301}".repeat(100_000)), Err(NoRoomName));
    }
}
