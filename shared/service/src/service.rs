//! The service of one installation: what its actions share, and how a call becomes an answer.

use std::sync::Arc;

use engine::Engine;
use engine::deliver::Deliver;
use engine::tokens::{Signer, TaskToken};
use interpreter::Timestamp;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::action::{self, Asked, Client};
use crate::activities::Activities;
use crate::activities::task::Workers;
use crate::answer::Answer;
use crate::error::ApiError;
use crate::registry::Registry;
use crate::request::Request;
use crate::{arn, names};

/// A call of an action.
#[derive(Debug)]
pub struct Call {
    /// The end of `X-Amz-Target`, behind `AWSStepFunctions.`.
    pub action: String,
    pub body: Vec<u8>,
    /// `amz-sdk-invocation-id`: the same for every attempt of one call.
    pub invocation: Option<String>,
}

/// Step Functions, over the ports of one installation.
pub struct Service {
    pub(crate) engine: Arc<Engine>,
    pub(crate) registry: Registry,
    pub(crate) activities: Activities,
    pub(crate) workers: Workers,
    pub(crate) seal: Signer,
    pub(crate) home: arn::Home,
    /// In milliseconds.
    retention: i64,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Service {
    pub fn new(engine: Arc<Engine>) -> Arc<Service> {
        let settings = engine.settings();
        let service = Arc::new(Service {
            registry: Registry::new(&engine),
            activities: Activities::new(engine.world().documents.clone()),
            workers: Workers::default(),
            seal: Signer::new(settings.keys.clone()),
            home: arn::Home::of(settings),
            retention: i64::from(settings.retention_days).saturating_mul(DAY_MS),
            engine,
        });
        service.bind_to_tasks();
        service
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// A new request's id.
    pub fn request_id(&self) -> String {
        names::random_uuid(self.engine.world().clock.seed())
    }

    /// Answers a call. An action that began runs to its end even when the client disconnects, which shows by this future
    /// being dropped, but for GetActivityTask, which waits for no client that is gone; and a panic ends this call only.
    pub async fn answer(self: &Arc<Self>, call: Call) -> Answer {
        self.answer_to(call, None).await
    }

    /// The same for a client or for a task: `parent` is the attempt that waits for the end of what the call starts.
    pub(crate) async fn answer_to(self: &Arc<Self>, call: Call, parent: Option<TaskToken>) -> Answer {
        let service = self.clone();
        let (_here, gone) = oneshot::channel();
        let running = tokio::spawn(async move { service.run(call, Client(gone), parent).await }.in_current_span());
        match running.await {
            Ok(Ok(body)) => Answer::good(body),
            Ok(Err(error)) => error.into(),
            Err(error) => {
                tracing::error!(%error, "API call ended by a panic; answered as an internal failure");
                ApiError::Internal.into()
            }
        }
    }

    /// Removes state machines whose deletion waited for executions that have ended.
    pub async fn sweep_deleting(&self) -> Result<(), ApiError> {
        self.registry.sweep_deleting().await
    }

    async fn run(self: Arc<Self>, call: Call, client: Client, parent: Option<TaskToken>) -> Result<String, ApiError> {
        let Call { action, body, invocation } = call;
        let Some(row) = action::named(&action) else {
            let shown: String = action.chars().take(80).collect();
            return Err(ApiError::UnknownOperation(format!("Stepwell has no operation {shown}.")));
        };
        let request = Request::parse(&body, row.shape)?;
        (row.run)(Asked { service: self, request, invocation, client, parent }).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.now()
    }

    pub(crate) fn deliver(&self) -> &Arc<Deliver> {
        self.engine.deliver()
    }

    /// True when the retention of what ended at `ended` is over.
    pub(crate) fn is_expired(&self, ended: Timestamp) -> bool {
        self.now().0.saturating_sub(ended.0) > self.retention
    }
}
