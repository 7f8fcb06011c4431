//! Calls of services as far as a definition is checked against the services: through the SDK, `aws-sdk:SERVICE:ACTION`, and
//! by the optimised integrations.
//!
//! Which services there are is a table beside this crate, so its owner answers: [`SdkServices`]. Deliberately absent: the
//! table, and checks of values that are computed.

use serde_json::{Map, Value};

use crate::{Integration, QueryLanguage};

/// Knows the services and actions that AWS's SDK has.
pub trait SdkServices: Send + Sync {
    /// Whether there is such a service, as resources name it behind `aws-sdk:`, with such an action.
    ///
    /// # Errors
    ///
    /// The part that is not known, with the names that there are in its place.
    fn find(&self, service: &str, action: &str) -> Result<(), UnknownCall>;

    /// The objections to the arguments of an action, in the words of AWS. `given` is as the definition has it, in its
    /// language: with keys that end in `.$`, or texts that are JSONata.
    fn check(&self, service: &str, action: &str, given: &Map<String, Value>, language: QueryLanguage) -> Vec<String>;

    /// The objections to the arguments of an optimised integration whose fields are not known without the services.
    fn check_optimised(
        &self,
        integration: &Integration,
        given: &Map<String, Value>,
        language: QueryLanguage,
    ) -> Vec<String>;
    /// The objection to a mocked result of an integration, in the words of AWS; `None` where there is none, or what the
    /// integration answers is not known.
    fn check_mock(&self, on: &Integration, result: &Value, required: Required) -> Option<String>;
}

/// Whether a mock has to have what the service's model requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// `fieldValidationMode: STRICT`
    Asked,
    /// `fieldValidationMode: PRESENT`
    NotAsked,
}

/// A part of a resource that there is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownCall {
    Service { known: Vec<String> },
    Action { known: Vec<String> },
}

/// Takes every service and action, and any arguments.
#[derive(Debug)]
pub struct AnyService;

impl SdkServices for AnyService {
    fn find(&self, _service: &str, _action: &str) -> Result<(), UnknownCall> {
        Ok(())
    }

    fn check(&self, _: &str, _: &str, _: &Map<String, Value>, _: QueryLanguage) -> Vec<String> {
        Vec::new()
    }

    fn check_optimised(&self, _: &Integration, _: &Map<String, Value>, _: QueryLanguage) -> Vec<String> {
        Vec::new()
    }

    fn check_mock(&self, _: &Integration, _: &Value, _: Required) -> Option<String> {
        None
    }
}
