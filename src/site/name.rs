//! Names: which are allowed, their normal form, and which look alike.
//!
//! In goes text as a person typed it, out comes a name in which every character is visible, or the problem with it. The
//! rules are Unicode's; the tables are those of the unicode crates. `chat` has the names that are online.

use super::pages::NameProblem;
use crate::store::ANONYMOUS;
use std::borrow::Cow;
use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{
    EmojiStatus, GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory, emoji,
};
use unicode_security::skeleton;
use unicode_segmentation::UnicodeSegmentation;

/// Characters of a name as people count them: grapheme clusters (UAX 29).
const CHARS_MAX: usize = 32;
/// Bytes of a name: every line in the chat begins with one, and a grapheme cluster may be of any length.
const BYTES_MAX: usize = 256;
/// Bytes of typed text before normalization: NFC makes UTF-8 three times as short at most, as with Hangul.
const TYPED_BYTES_MAX: usize = 3 * BYTES_MAX;

/// Canonical_Combining_Class Virama.
const VIRAMA: u8 = 9;
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';

/// Invisible characters and substitutes for missing ones that no property identifies.
const BLANKS: [char; 6] = [
    '\u{fffc}',  // OBJECT REPLACEMENT CHARACTER
    '\u{fffd}',  // REPLACEMENT CHARACTER
    '\u{13441}', // EGYPTIAN HIEROGLYPH FULL BLANK
    '\u{13442}', // EGYPTIAN HIEROGLYPH HALF BLANK
    '\u{16fe4}', // KHITAN SMALL SCRIPT FILLER
    '\u{1d159}', // MUSICAL SYMBOL NULL NOTEHEAD
];

/// England, Scotland and Wales: the emoji tag sequences of emoji-sequences.txt (UTS 51). Others may show a black flag.
const TAGGED_FLAGS: [&str; 3] = [
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{1f3f4}\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// The typed name: trimmed, in NFC, with single plain spaces (as nicknames in RFC 8266 section 2.1). It has 1 to 32
/// characters; each is visible, and none is a colon, which ends the name in a chat line. Names that stand for forgotten
/// ones ([`ANONYMOUS`]) are refused.
///
/// # Errors
/// The first problem.
pub fn check(typed: &str) -> Result<Cow<'_, str>, NameProblem> {
    let name = normal_form(typed)?;
    let folded = folded(&name);
    let number = folded.strip_prefix(ANONYMOUS);
    match number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())) {
        true => Err(NameProblem::Reserved),
        false => Ok(name),
    }
}

/// The same for a name that may stand for a forgotten one.
///
/// # Errors
/// The first problem.
pub fn normal_form(typed: &str) -> Result<Cow<'_, str>, NameProblem> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(NameProblem::Empty);
    }
    if typed.len() > TYPED_BYTES_MAX {
        return Err(NameProblem::TooLong);
    }
    let name = normalized(typed);
    if name.len() > BYTES_MAX || name.graphemes(true).count() > CHARS_MAX {
        return Err(NameProblem::TooLong);
    }
    if is_visible(&name) { Ok(name) } else { Err(NameProblem::BadCharacter) }
}

/// The looks of a name: two names look alike if they share one.
///
/// A look is a skeleton (UTS 39 section 4). Both orders of case folding and skeleton are needed: `Ivan` is `ivan` in
/// another case, and `lvan` in many fonts.
pub fn looks(name: &str) -> [String; 2] {
    let skeleton_of = |text: &str| skeleton(text).collect::<String>();
    let in_one_case = folded(name);
    let look = skeleton_of(&in_one_case);
    // The skeleton is most of the work, and most names are in lower case.
    let other = folded(&if in_one_case == name { look.clone() } else { skeleton_of(name) });
    let other = if other == in_one_case { look.clone() } else { skeleton_of(&other) };
    [look, other]
}

/// The same text for every case of a letter. Upper case first: only there `ß` and `ſ` become other letters.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

/// NFC, with a plain space for each run of spaces of any kind.
fn normalized(text: &str) -> Cow<'_, str> {
    let is_other_space = |c: char| !c.is_ascii() && c.general_category() == GeneralCategory::SpaceSeparator;
    let is_plain = !text.contains(is_other_space) && !text.contains("  ");
    if is_plain && unicode_normalization::is_nfc(text) {
        return Cow::Borrowed(text);
    }
    let words: Vec<&str> = text.split(|c| c == ' ' || is_other_space(c)).filter(|word| !word.is_empty()).collect();
    Cow::Owned(words.join(" ").nfc().collect())
}

/// Whether every character is visible, by itself or by its effect on its neighbours.
fn is_visible(name: &str) -> bool {
    // It would be drawn over the character before the name (RFC 5891 section 4.2.3.2).
    if name.starts_with(|first: char| first.general_category_group() == GeneralCategoryGroup::Mark) {
        return false;
    }
    let mut at = 0;
    while let Some(c) = name[at..].chars().next() {
        let (before, rest) = name.split_at(at);
        let is_good = match emoji_sequence(rest) {
            0 => {
                at += c.len_utf8();
                is_visible_char(before, c, &name[at..])
            }
            length => {
                at += length;
                true
            }
        };
        if !is_good {
            return false;
        }
    }
    true
}

/// Whether a character outside an emoji is visible, between `before` and `behind`.
fn is_visible_char(before: &str, c: char, behind: &str) -> bool {
    match c {
        ':' => false,
        ' ' => true,
        _ if c.is_ascii() => !c.is_ascii_control(),
        // RFC 5892 appendix A.1: between letters that would join, as in Persian, and behind a virama.
        ZERO_WIDTH_NON_JOINER => is_behind_virama(before) || joins(before.chars().rev(), behind.chars()),
        // RFC 5892 appendix A.2: where it makes a conjunct, as in Sinhala.
        _ if emoji::is_zwj(c) => is_behind_virama(before),
        _ => match c.general_category() {
            GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => false,
            // Controls and formats, with bidi controls; unassigned, private and surrogate code points.
            _ if c.general_category_group() == GeneralCategoryGroup::Other => false,
            _ => !is_blank(c),
        },
    }
}

/// Whether a character is one of [`BLANKS`], or its skeleton is empty or a space: a skeleton leaves out
/// Default_Ignorable_Code_Point and replaces blanks by spaces.
fn is_blank(c: char) -> bool {
    skeleton(c.encode_utf8(&mut [0; 4])).all(|prototype| prototype == ' ') || BLANKS.contains(&c)
}

fn is_behind_virama(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| canonical_combining_class(c) == VIRAMA)
}

/// Whether the letters before (nearest first) and behind would join (RFC 5892 appendix A.1).
fn joins(before: impl Iterator<Item = char>, behind: impl Iterator<Item = char>) -> bool {
    use JoiningType::{DualJoining, LeftJoining, RightJoining, Transparent};
    let nearest =
        |chars: &mut dyn Iterator<Item = char>| chars.map(get_joining_type).find(|joining| *joining != Transparent);
    let (mut before, mut behind) = (before, behind);
    matches!(nearest(&mut before), Some(LeftJoining | DualJoining))
        && matches!(nearest(&mut behind), Some(RightJoining | DualJoining))
}

/// Bytes of the emoji sequence in front of this text; 0 if there is none (UTS 51 section 1.4).
fn emoji_sequence(text: &str) -> usize {
    let length = |rest: &str| text.len() - rest.len();
    if let Some(flag) = TAGGED_FLAGS.iter().find(|flag| text.starts_with(**flag)) {
        return flag.len();
    }
    if let Some(rest) = text.strip_prefix(|c| matches!(c, '#' | '*' | '0'..='9')) {
        // A keycap. Without the cap, the selector behind the digit would be invisible.
        return rest.strip_prefix("\u{fe0f}\u{20e3}").map_or(0, length);
    }
    let Some(mut rest) = behind_emoji(text) else { return 0 };
    while let Some(next) = rest.strip_prefix(emoji::is_zwj).and_then(behind_emoji) {
        rest = next;
    }
    length(rest)
}

/// The text behind one emoji, which may have a modifier or a variation selector.
fn behind_emoji(text: &str) -> Option<&str> {
    let is_modifier = |c: char| c.emoji_status() == EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent;
    let is_emoji = |c: char| !c.is_ascii() && c.is_emoji_char() && !emoji::is_regional_indicator(c) && !is_modifier(c);
    let varies = |c: char| emoji::is_emoji_presentation_selector(c) || emoji::is_text_presentation_selector(c);
    let rest = text.strip_prefix(is_emoji)?;
    Some(rest.strip_prefix(|c| is_modifier(c) || varies(c)).unwrap_or(rest))
}

#[cfg(test)]
mod tests;
