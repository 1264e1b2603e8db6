//! UTF-8 that comes in pieces (RFC 3629).
//!
//! `str::from_utf8` does the work. [`Utf8`] adds the memory of a character that is cut between two pieces: at most three
//! bytes. A wrong byte is found with the piece that holds it, however the pieces are cut.

/// Whether this is UTF-8. Most text is ASCII, which is told faster.
pub fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || str::from_utf8(text).is_ok()
}

/// A running check of one text.
#[derive(Debug, Default, Clone, Copy)]
pub struct Utf8 {
    /// The beginning of a character whose end is still to come: the first `held` bytes.
    carry: [u8; 3],
    held: u8,
}

impl Utf8 {
    /// Goes on with the next piece; false as soon as no continuation can make the text valid.
    ///
    /// After false the checker must not be used again.
    pub fn push(&mut self, mut piece: &[u8]) -> bool {
        while self.held > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return true };
            piece = rest;
            if !self.complete(byte) {
                return false;
            }
        }
        if piece.is_ascii() {
            return true;
        }
        let Err(error) = str::from_utf8(piece) else { return true };
        let tail = &piece[error.valid_up_to()..];
        // Without an error length the tail is the beginning of a character, so it is shorter than four bytes.
        if error.error_len().is_some() {
            return false;
        }
        self.carry[..tail.len()].copy_from_slice(tail);
        self.held = tail.len() as u8;
        true
    }

    /// Adds one byte to the character that was cut.
    fn complete(&mut self, byte: u8) -> bool {
        let held = usize::from(self.held);
        let mut character = [0; 4];
        character[..held].copy_from_slice(&self.carry[..held]);
        character[held] = byte;
        match str::from_utf8(&character[..=held]) {
            Ok(_) => self.held = 0,
            Err(error) if error.error_len().is_some() => return false,
            Err(_) => {
                self.carry[held] = byte;
                self.held += 1;
            }
        }
        true
    }

    /// No character is cut: the text may end here.
    pub fn is_whole(&self) -> bool {
        self.held == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `text` in pieces of `size`; the number of bytes pushed when the answer was no.
    fn fails_at(text: &[u8], size: usize) -> Option<usize> {
        let mut utf8 = Utf8::default();
        text.chunks(size).position(|piece| !utf8.push(piece)).map(|i| (i + 1) * size)
    }

    #[test]
    fn text_cut_anywhere_is_text() {
        let text = "aß水🦀\u{10ffff}\u{d7ff}\u{e000} plain ascii that is longer than a word";
        for size in 1..=text.len() {
            let mut utf8 = Utf8::default();
            assert!(text.as_bytes().chunks(size).all(|piece| utf8.push(piece)));
            assert!(utf8.is_whole());
        }
    }

    #[test]
    fn a_cut_character_is_not_whole() {
        for character in ["ß", "水", "🦀"] {
            for end in 1..character.len() {
                let mut utf8 = Utf8::default();
                assert!(utf8.push(&character.as_bytes()[..end]));
                assert!(!utf8.is_whole());
                assert!(utf8.push(&[]) && utf8.push(&character.as_bytes()[end..]));
                assert!(utf8.is_whole());
            }
        }
    }

    #[test]
    fn the_first_wrong_byte_is_found_when_it_comes() {
        let wrong: [(&[u8], usize); 9] = [
            (b"\x80", 1),               // a continuation without a start
            (b"\xc0\xaf", 1),           // overlong
            (b"\xe0\x80\xaf", 2),       // overlong
            (b"\xf0\x8f\xbf\xbf", 2),   // overlong
            (b"\xed\xa0\x80", 2),       // a surrogate
            (b"\xf4\x90\x80\x80", 2),   // past U+10FFFF
            (b"\xf5\x80\x80\x80", 1),   // past U+10FFFF
            (b"\xe6\xb0a", 3),          // cut short by the next character
            (b"ab\xf0\x9f\xa6\xf0", 6), // cut short by the next start
        ];
        for (text, byte) in wrong {
            assert_eq!(fails_at(text, 1), Some(byte), "{text:02x?}");
            for size in 2..=text.len() {
                assert!(fails_at(text, size).is_some(), "{text:02x?}");
            }
        }
    }

    #[test]
    fn it_agrees_with_the_standard_library_at_any_split() {
        let bytes = [0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff];
        for i in 0..bytes.len().pow(3) {
            let text = [i % 16, i / 16 % 16, i / 256].map(|i| bytes[i]);
            for split in 0..=3 {
                let mut utf8 = Utf8::default();
                let valid = utf8.push(&text[..split]) && utf8.push(&text[split..]) && utf8.is_whole();
                assert_eq!(valid, str::from_utf8(&text).is_ok(), "{text:02x?} at {split}");
            }
        }
    }
}
