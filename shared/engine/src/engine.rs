//! An engine: the ports of one installation, the operator's settings, and the two ways in which executions run over them.

use std::sync::Arc;

use interpreter::Timestamp;

use crate::deliver::Deliver;
use crate::express::Express;
use crate::{Settings, World};

/// Drives the executions of one installation in this process.
pub struct Engine {
    world: World,
    settings: Settings,
    deliver: Arc<Deliver>,
    express: Express,
}

impl Engine {
    pub fn new(world: World, settings: Settings) -> Arc<Engine> {
        let deliver = Deliver::new(world.clone(), &settings);
        let express = Express::new(deliver.clone(), &world, settings.deployment);
        Arc::new(Engine { world, settings, deliver, express })
    }

    /// Standard executions.
    pub fn deliver(&self) -> &Arc<Deliver> {
        &self.deliver
    }

    /// Express executions.
    pub fn express(&self) -> &Express {
        &self.express
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
