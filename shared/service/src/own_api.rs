//! The API as the installation's own tasks call it: without HTTP, and without leaving the process.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use engine::ports::{OwnAnswer, OwnApi, OwnCall};

use crate::answer::Answer;
use crate::error::ApiError;
use crate::service::{Call, Service};

/// A service, as long as it is there.
struct Own(Weak<Service>);

impl Service {
    /// Lets the tasks of the engine call this service.
    pub(crate) fn bind_to_tasks(self: &Arc<Self>) {
        self.engine().world().tasks.bind(Arc::new(Own(Arc::downgrade(self))));
    }
}

#[async_trait]
impl OwnApi for Own {
    async fn answer(&self, call: OwnCall) -> OwnAnswer {
        let OwnCall { action, body, invocation, parent } = call;
        let Some(service) = self.0.upgrade() else {
            let Answer { status, body, .. } = ApiError::Unavailable.into();
            return OwnAnswer { status, body, request_id: String::new() };
        };
        let request_id = service.request_id();
        let Answer { status, body, .. } = service.answer_to(Call { action, body, invocation }, parent).await;
        OwnAnswer { status, body, request_id }
    }
}
