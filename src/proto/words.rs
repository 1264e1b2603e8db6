//! Bytes looked for eight at a time. What stands in a head is too short for it to pay to call vector code.

const ONES: u64 = 0x0101_0101_0101_0101;

/// Where the first of these two bytes is.
#[inline]
pub fn first_of(bytes: &[u8], [one, other]: [u8; 2]) -> Option<usize> {
    let Some(last) = bytes.len().checked_sub(8) else {
        return bytes.iter().position(|&byte| byte == one || byte == other);
    };
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each byte that is sought, and of those behind the first one perhaps too many.
        let found = zeros(word ^ (u64::from(one) * ONES)) | zeros(word ^ (u64::from(other) * ONES));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        if at == last {
            break;
        }
        // The last eight overlap those before them.
        at = last.min(at + 8);
    }
    None
}

fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (0x80 * ONES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_is_found_behind_any_other_byte_at_any_place() {
        for other in (0..=255).filter(|byte| !matches!(byte, b'\r' | b'\n')) {
            for place in 0..20 {
                for sought in [b'\r', b'\n'] {
                    let mut bytes = [other; 20];
                    assert_eq!(first_of(&bytes[..place], [b'\r', b'\n']), None);
                    bytes[place..].fill(sought);
                    assert_eq!(first_of(&bytes, [b'\r', b'\n']), Some(place), "{sought} behind {place} of {other}");
                }
            }
        }
        assert_eq!(first_of(b"/a?b#c/d#e?f", [b'?', b'#']), Some(2));
        assert_eq!(first_of(b"/a#b?c/d#e?f", [b'?', b'#']), Some(2));
    }
}
