//! Chance that can be replayed: everything random comes from one seed.
//!
//! A step is given a seed, so a bug seen once can be seen again. Deliberately absent: any way to a seed
//! from the operating system; the caller has it.

use std::cell::RefCell;
use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One step's source of chance. Drawing needs only `&self`, so a scope can be shared by nested calls.
pub struct Chance {
    generator: RefCell<ChaCha12Rng>,
}

impl Chance {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Chance { generator: RefCell::new(ChaCha12Rng::from_seed(seed)) }
    }

    /// Another source that goes its own way from here, for what cannot borrow this one.
    pub(crate) fn fork(&self) -> Chance {
        let mut seed = [0; 32];
        self.generator.borrow_mut().fill_bytes(&mut seed);
        Chance::from_seed(seed)
    }

    pub fn next_u64(&self) -> u64 {
        self.generator.borrow_mut().next_u64()
    }

    /// A uniform number in `[0, 1)`, of the 2^53 that are equally far apart.
    pub fn unit(&self) -> f64 {
        // 53 bits fit a double exactly.
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A uniform number in `[0, below)`; 0 if `below` is 0.
    pub(crate) fn below(&self, below: u64) -> u64 {
        if below == 0 {
            return 0;
        }
        // Multiplication spreads 64 random bits over the range; the bias is below 2^-32 for any range used here.
        let wide = u128::from(self.next_u64()) * u128::from(below);
        (wide >> 64) as u64
    }

    /// A random (version 4) UUID in lower case.
    pub fn uuid(&self) -> String {
        let high = (self.next_u64() & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (self.next_u64() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The state of the generator would predict future tokens; it stays out of logs.
        out.write_str("Chance")
    }
}
