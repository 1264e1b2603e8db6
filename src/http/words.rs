//! Where the words of a head end.

/// How many bytes in front of these are such. 16 are looked at in one go: a test made of nothing but comparisons
/// becomes vector instructions.
pub fn span(bytes: &[u8], is_such: impl Fn(u8) -> bool) -> usize {
    let (mut at, mut rest) = (0, bytes);
    while let Some((chunk, behind)) = rest.split_first_chunk::<16>() {
        let others = u128::from_le_bytes(chunk.map(|byte| if is_such(byte) { 0 } else { 0xff }));
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        (at, rest) = (at + 16, behind);
    }
    at + rest.iter().position(|&byte| !is_such(byte)).unwrap_or(rest.len())
}

/// How many bytes in front of these are in this set, such as a [`set_of`] them. For short words.
pub fn span_in(bytes: &[u8], set: &[bool; 256]) -> usize {
    let is_other = |byte: &u8| !set[usize::from(*byte)];
    let (mut at, mut rest) = (0, bytes);
    // An unrolled loop.
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        if let Some(other) = chunk.iter().position(is_other) {
            return at + other;
        }
        (at, rest) = (at + 8, behind);
    }
    at + rest.iter().position(is_other).unwrap_or(rest.len())
}

/// For each byte, whether it is one of these.
pub const fn set_of(bytes: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        set[bytes[at] as usize] = true;
        at += 1;
    }
    set
}

/// What a token is made of (RFC 9110 section 5.6.2).
pub static TCHAR: [bool; 256] =
    set_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");

/// Length of the longest prefix without control characters other than tab: what a field value may consist of (RFC 9110
/// section 5.5).
pub fn value_span(bytes: &[u8]) -> usize {
    span(bytes, |byte| (byte >= b' ') & (byte != 0x7f) | (byte == b'\t'))
}

/// The elements of a comma-separated field (RFC 9110 section 5.6.1).
pub fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether the text is a token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && span_in(text.as_bytes(), &TCHAR) == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_before_the_first_other_byte_wherever_that_is() {
        for length in 0..50 {
            let bytes = vec![b'a'; length];
            assert_eq!((span(&bytes, |byte| byte == b'a'), span_in(&bytes, &TCHAR)), (length, length));
            for place in 0..length {
                for other in (0..=255).filter(|&byte| !TCHAR[usize::from(byte)]) {
                    let mut bytes = bytes.clone();
                    bytes[place..].iter_mut().step_by(3).for_each(|byte| *byte = other);
                    assert_eq!(span(&bytes, |byte| byte != other), place, "{other} in {length}");
                    assert_eq!(span_in(&bytes, &TCHAR), place, "{other} in {length}");
                }
            }
        }
    }

    #[test]
    fn a_set_has_its_bytes_and_no_others() {
        // Not in a constant, but here.
        let set = set_of(std::hint::black_box(b"\0az\xff"));
        assert!((0..=255_u8).all(|byte| set[usize::from(byte)] == matches!(byte, 0 | b'a' | b'z' | 255)));
    }

    #[test]
    fn a_token_is_one_word_without_separators() {
        assert!(["a", "GET", "X-Y_z.0", "!#$%&'*+-.^_`|~"].into_iter().all(is_token));
        assert!(!["", "a b", "a:", "(a)", "a/b", "\u{e9}", "a\0"].into_iter().any(is_token));
    }
}
