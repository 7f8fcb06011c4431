//! What Stepwell **offers**: the API actions, the deliver loop, and the ports to the world.
//!
//! Nothing here knows a store, a queue or a network: those are [`ports`]. What is stored has its shape in [`entry`],
//! what is answered in [`api`].

pub mod api;
pub mod cells;
mod definitions;
pub mod deliver;
pub mod entry;
pub mod ports;
mod system_clock;
pub mod tokens;
pub mod worker;
mod world;

pub use system_clock::SystemClock;
pub use world::{Role, Settings, World};
