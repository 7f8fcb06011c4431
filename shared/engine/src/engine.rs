//! An engine: the ports of one installation, the operator's settings, and the two ways in which executions run over them.

use std::sync::Arc;

use interpreter::Timestamp;

use crate::deliver::Deliver;
use crate::express::Express;
use crate::state_tests::StateTests;
use crate::{Settings, World};

/// Drives the executions of one installation in this process.
pub struct Engine {
    world: World,
    settings: Settings,
    deliver: Arc<Deliver>,
    express: Express,
    state_tests: StateTests,
}

impl Engine {
    pub fn new(world: World, settings: Settings) -> Arc<Engine> {
        let deliver = Deliver::new(world.clone(), &settings);
        let express = Express::new(deliver.clone(), &world, settings.deployment);
        let state_tests = StateTests::new(world.clone());
        Arc::new(Engine { world, settings, deliver, express, state_tests })
    }

    /// Standard executions.
    pub fn deliver(&self) -> &Arc<Deliver> {
        &self.deliver
    }

    /// Express executions.
    pub fn express(&self) -> &Express {
        &self.express
    }

    /// Tests of single states.
    pub fn state_tests(&self) -> &StateTests {
        &self.state_tests
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }
}
