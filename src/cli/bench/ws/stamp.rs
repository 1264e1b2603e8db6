//! The stamp in each message of a room: its sender, its number, and when it was due.
//!
//! ```text
//! @ run⁶ sender⁶ number⁸ time¹²          hexadecimal digits; time in µs since the load began
//! ```
//!
//! A server may put text around it, such as the name of its sender. The number of the run, which is random, tells our
//! messages from those of another load in the same room.

use memchr::memmem::Finder;

/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 33;
/// Bytes of `@` and the run.
const MARK_BYTES: usize = 7;
/// Senders that have a number.
pub const SENDERS_MAX: usize = 1 << 24;

/// What a stamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub sender: u32,
    /// The first message of a sender has 0.
    pub number: u32,
    /// When it was due, µs since the load began.
    pub at: u64,
}

/// Writes and finds the stamps of one run.
#[derive(Debug)]
pub struct Stamps {
    mark: [u8; MARK_BYTES],
    finder: Finder<'static>,
}

impl Stamps {
    /// Of the run with this number, whose lowest 24 bits count.
    pub fn new(run: u64) -> Stamps {
        let mut mark = [b'@'; MARK_BYTES];
        write_hex(run, &mut mark[1..]);
        Stamps { mark, finder: Finder::new(&mark).into_owned() }
    }

    /// Writes a stamp into a message, in [`STAMP_BYTES`].
    pub fn write(&self, stamp: Stamp, to: &mut [u8]) {
        to[..MARK_BYTES].copy_from_slice(&self.mark);
        write_hex(u64::from(stamp.sender), &mut to[7..13]);
        write_hex(u64::from(stamp.number), &mut to[13..21]);
        write_hex(stamp.at, &mut to[21..STAMP_BYTES]);
    }

    /// The first stamp of this run in a text.
    pub fn find(&self, text: &[u8]) -> Option<Stamp> {
        let at = self.finder.find(text)?;
        let digits: &[u8; STAMP_BYTES] = text[at..].first_chunk()?;
        Some(Stamp {
            sender: hex(&digits[7..13])? as u32,
            number: hex(&digits[13..21])? as u32,
            at: hex(&digits[21..])?,
        })
    }
}

/// As many of the lowest digits as there is room for.
pub fn write_hex(number: u64, to: &mut [u8]) {
    to.iter_mut().rev().zip(0..).for_each(|(digit, n)| *digit = b"0123456789abcdef"[(number >> (4 * n) & 15) as usize]);
}

/// At most 16 digits.
fn hex(digits: &[u8]) -> Option<u64> {
    let (number, all) = digits.iter().fold((0, 0), |(number, all), &digit| {
        let value = VALUES[usize::from(digit)];
        (number << 4 | u64::from(value & 15), all | value)
    });
    (all < 16).then_some(number)
}

/// By byte: the value of a digit; of no digit more than 15.
static VALUES: [u8; 256] = {
    let (mut values, mut n) = ([0xf0; 256], 0);
    while n < 16 {
        values[b"0123456789abcdef"[n] as usize] = n as u8;
        n += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { sender: 0xabc, number: 0xffff_ffff, at: 0x1234_5678_9abc };

    fn written(stamps: &Stamps) -> Vec<u8> {
        let mut text = [b'-'; STAMP_BYTES].to_vec();
        stamps.write(STAMP, &mut text);
        text
    }

    #[test]
    fn a_stamp_is_found_wherever_it_stands() {
        let stamps = Stamps::new(0x99_00_1f_2e);
        let text = written(&stamps);
        assert_eq!(text, b"@001f2e000abcffffffff123456789abc");
        for around in [["", ""], ["Ada:", " and more"], ["{\"text\":\"", "\"}"], ["@001f2", "@"], ["@001f2e!", ""]] {
            let [before, behind] = around.map(str::as_bytes);
            let found = stamps.find(&[before, &text, behind].concat());
            assert_eq!(found, Some(STAMP).filter(|_| before != b"@001f2e!"), "{around:?}");
        }
    }

    #[test]
    fn what_is_no_stamp_of_this_run_is_not_found() {
        let stamps = Stamps::new(1);
        let text = written(&stamps);
        assert_eq!(stamps.find(b"Ada enter room"), None);
        assert_eq!(stamps.find(&text[..STAMP_BYTES - 1]), None);
        assert_eq!(Stamps::new(2).find(&text), None);
        for n in 7..STAMP_BYTES {
            for wrong in [b'g', b'A', b'/', b' ', 0xff] {
                let mut text = text.clone();
                text[n] = wrong;
                assert_eq!(stamps.find(&text), None, "{wrong} at {n}");
            }
        }
    }
}
