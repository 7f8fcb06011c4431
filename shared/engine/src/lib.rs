//! What **drives** executions: the deliver loop and the Express runner, the shapes of what is stored, and the ports to the
//! world.
//!
//! Nothing here knows a store, a queue or a network: those are [`ports`]. The shape of each stored record is in [`entry`]. Absent:
//! the API's actions, which are in the crate above.

pub mod activities;
pub mod cells;
pub mod definitions;
pub mod deliver;
mod engine;
pub mod entry;
pub mod event_details;
pub mod express;
mod guarded;
pub mod log_records;
mod machine_status;
pub mod memory;
mod payload_format;
pub mod ports;
mod shares;
pub mod shown;
pub mod state_tests;
mod steady_time;
mod system_clock;
pub mod tokens;
pub mod worker;
mod world;

pub use engine::Engine;
pub use guarded::Guarded;
pub use machine_status::{MachineStatus, MachineStatuses};
pub use steady_time::{Reading, SteadyTime};
pub use system_clock::SystemClock;
pub use world::{Deployment, Settings, World};
