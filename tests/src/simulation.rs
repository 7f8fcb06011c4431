//! A simulated world: the service's ports in memory, in virtual time, with faults where a test wants them.
//!
//! An installation outlives processes: a disk, the clients who answer task tokens, and the log of calls that
//! functions got. In a [`World`] one process lives on it at a time, as `serve` does, until every execution is closed,
//! until it has crashed where its [`Plan`] says, or until nothing moves any more. In a [`Fleet`] many live at once, as on
//! Lambda. Both have one thread, virtual time and chance from a seed, so that the same seed and plan give the same run,
//! port call by port call; both are held to the same promises by [`check`].
//!
//! Clients speak to the API of a process, as clients do. Past it, to the deliver loop, goes only what it cannot say: starts
//! with limits of their own, and stops, for it does not tell whether there was something to stop.

mod api_checks;
mod check;
mod clients;
mod disk;
mod express;
mod faults;
mod fleet;
mod functions;
mod installation;
mod log;
mod ports;
mod process;
mod queue;
mod random_replies;
mod records;
mod redacted;
mod reference;
mod sabotage;
mod scenario;
mod watchdog;

pub use api_checks::pages;
pub use check::{Fate, check};
pub use disk::Disk;
pub use faults::{Effect, Failing, Gate, Plan};
pub use fleet::{Circumstances, Faults, Fleet, Tally, Telling, Trouble};
pub use functions::{CallMade, Reply, Says};
pub use installation::{BEGIN, Room, runtime};
pub use ports::VirtualClock;
pub use process::{Alone, Ended, Process, World};
pub use records::{events, problems_of_history};
pub use reference::Reference;
pub use sabotage::Sabotage;
pub use scenario::{Expected, Scenario, Stop};
pub use watchdog::Circles;

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

    /// So many letters, which do not compress to much less.
    pub fn text(&mut self, letters: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter = |_| LETTERS.get((self.draw() % 64) as usize).copied().map_or('.', char::from);
        (0..letters).map(letter).collect()
    }
}
