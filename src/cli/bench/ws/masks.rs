//! The masking keys of a load (RFC 6455 section 5.3).
//!
//! Each frame has a new key, from a fast generator that the system's randomness has seeded. A server cannot tell which
//! key comes next without computing the generator back. That would help no attacker here: the section protects against
//! an application that chooses payloads to look like HTTP to a proxy, and the payloads of a load are its own.

/// SplitMix64: one addition and two multiplications a number.
#[derive(Debug, Clone)]
pub struct Masks(u64);

impl Masks {
    /// # Errors
    /// The system gives no random numbers.
    pub fn new() -> Result<Masks, String> {
        getrandom::u64().map(Masks).map_err(|e| format!("no random numbers: {e}"))
    }

    /// Those of a test.
    #[cfg(test)]
    pub fn seeded(seed: u64) -> Masks {
        Masks(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// The key of the next frame.
    pub fn key(&mut self) -> [u8; 4] {
        (self.number() as u32).to_ne_bytes()
    }

    /// For the key of a handshake.
    pub fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.number()) << 64 | u128::from(self.number())).to_ne_bytes()
    }
}

/// Spreads the bits of a number over another one; different numbers stay different.
pub fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_frame_has_a_key_of_its_own() {
        let mut masks = Masks::seeded(7);
        let keys: HashSet<[u8; 4]> = (0..1000).map(|_| masks.key()).collect();
        assert!(keys.len() > 990, "{}", keys.len());
        let (mut one, mut other) = (Masks::new().expect("random numbers"), Masks::new().expect("random numbers"));
        assert_ne!(one.bytes(), other.bytes(), "two runs have different keys");
    }
}
