//! Where an input is cut, and how its pieces are fed to a machine.

/// Sizes of pieces, over and over, until the input is used up.
#[derive(Debug, Clone, Copy)]
pub struct Cuts<'a>(pub &'a [u8]);

/// The input in one piece.
pub const WHOLE: Cuts<'static> = Cuts(&[]);
/// A byte at a time.
pub const BYTES: Cuts<'static> = Cuts(&[0]);

/// What a machine says to one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It has used something or said something: it wants another step.
    Again,
    /// It can do nothing without more input.
    Starved,
    /// It will not look at anything more.
    Over,
}

impl Cuts<'_> {
    /// The end of each piece of `length` bytes; at least one piece.
    fn ends(self, length: usize) -> impl Iterator<Item = usize> {
        let mut sizes = self.0.iter().cycle();
        let mut end = 0;
        let mut done = false;
        std::iter::from_fn(move || {
            if done {
                return None;
            }
            end = match sizes.next() {
                // Small pieces matter most, but a long input must come to its end.
                Some(&size) => length.min(end + 1 + usize::from(size) * if size < 128 { 1 } else { 32 }),
                None => length,
            };
            done = end == length;
            Some(end)
        })
    }
}

/// Feeds a copy of `wire` to a machine: each step gets what is there and not used yet, and whether that is all there
/// will ever be. Returns the number of bytes used.
///
/// # Panics
/// If a step uses more than it was given, or more steps are taken than any input needs.
pub fn feed(wire: &[u8], cuts: Cuts, mut step: impl FnMut(&mut [u8], bool) -> (usize, Next)) -> usize {
    let mut bytes = wire.to_vec();
    let mut at = 0;
    for end in cuts.ends(wire.len()) {
        for steps in 0.. {
            assert!(steps < 1_000_000, "a machine that comes to no end");
            let (used, next) = step(&mut bytes[at..end], end == wire.len());
            assert!(used <= end - at, "{used} bytes used of {}", end - at);
            at += used;
            match next {
                Next::Again => {}
                Next::Starved => break,
                Next::Over => return at,
            }
        }
    }
    at
}

/// Takes an input of a fuzzer apart: a byte of options, three sizes of pieces, and what is to be fed.
pub fn take_plan(data: &[u8]) -> Option<(u8, Cuts<'_>, &[u8])> {
    let (plan, wire) = data.split_at_checked(4)?;
    Some((plan[0], Cuts(&plan[1..]), wire))
}

/// The transcript of an input, which must be the same in one piece, in these pieces, and byte by byte.
pub fn at_any_cut<T: PartialEq + std::fmt::Debug>(wire: &[u8], cuts: Cuts, hear: impl Fn(&[u8], Cuts) -> T) -> T {
    let whole = hear(wire, WHOLE);
    assert_eq!(hear(wire, cuts), whole, "cut as {cuts:?}");
    if wire.len() <= 512 {
        assert_eq!(hear(wire, BYTES), whole, "byte by byte");
    }
    whole
}
