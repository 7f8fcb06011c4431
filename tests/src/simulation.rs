//! A simulated world: the service's ports in memory, in virtual time, with faults where a test wants them.
//!
//! A [`World`] is what outlives a process: its disk, the people who answer task tokens, and the log of calls that
//! functions got. [`World::run`] starts a process on it and lets it work until every execution is closed, until it has
//! crashed where the [`Plan`] says, or until nothing moves any more. Each process has one thread, virtual time and chance
//! from the seed, so that the same seed and plan give the same run, port call by port call.
//!
//! Deliberately absent: the API in front of the deliver loop, and real latency.

mod disk;
mod faults;
mod functions;
mod ports;
mod process;
mod records;
mod scenario;

pub use disk::Disk;
pub use faults::{Effect, Failing, Plan};
pub use functions::{CallMade, Reply, Says};
pub use process::{Ended, Process, World};
pub use records::{events, problems_of_history};
pub use scenario::{Expected, Scenario, Stop};

/// Chance from a seed: SplitMix64, good enough to choose faults with.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 1 to `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        1 + self.draw() % most.max(1)
    }
}
