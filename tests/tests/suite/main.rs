//! The tests over several crates that may run beside each other, one binary. A test that needs the machine for itself is a binary of its own.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod activities;
#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod cost_sheet;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod emulators;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_journals;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod log_groups;
#[cfg(test)]
mod nested;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod planned_stop;
#[cfg(test)]
mod port_contracts;
#[cfg(test)]
mod redrive;
#[cfg(test)]
mod service_table;
#[cfg(test)]
mod service_tasks;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_fleet;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod step_functions_local;
#[cfg(test)]
mod stock_clients;
#[cfg(test)]
mod template;
#[cfg(test)]
mod watchdog;
#[cfg(test)]
mod workflows;
