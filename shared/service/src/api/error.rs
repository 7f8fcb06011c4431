//! What the API answers when it does not do what was asked: AWS's names, texts and namespaces, and no others.
//!
//! The enum is closed: an error without a name on AWS's wire cannot be answered. What went wrong inside is logged and
//! answered as [`ApiError::Internal`], without details.

use serde_json::{Map, Value};

use engine::deliver::DeliverError;
use engine::entry::Unreadable;
use engine::ports::StoreError;

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// Members that break their constraints, each in AWS's words.
    Constraints(Vec<String>),
    /// A request that is well-formed and still makes no sense.
    Validation(String),
    /// The body is no JSON, or a member has a wrong type.
    Serialization(String),
    UnknownOperation(String),
    RequestTooLarge {
        limit: usize,
    },
    /// The text within `Invalid Arn: '…'`.
    InvalidArn(String),
    InvalidName(String),
    /// The whole message: [`asl::invalid_definition_message`].
    InvalidDefinition(String),
    InvalidExecutionInput(String),
    InvalidOutput(String),
    InvalidToken,
    InvalidLoggingConfiguration(String),
    InvalidEncryptionConfiguration(String),
    MissingRequiredParameter(String),
    StateMachineDoesNotExist(String),
    StateMachineAlreadyExists(String),
    StateMachineDeleting(String),
    StateMachineTypeNotSupported,
    ExecutionDoesNotExist(String),
    ExecutionAlreadyExists(String),
    TaskDoesNotExist,
    TaskTimedOut,
    ResourceNotFound(String),
    TooManyTags(String),
    /// Another request changed the same thing at the same time.
    Conflict(String),
    /// More than is taken on at a time: stock clients wait, and send it again.
    Throttled,
    /// The store is busy: the client's own retry will do.
    Unavailable,
    Internal,
}

impl ApiError {
    /// The name by which SDKs make it an exception.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constraints(_) | Self::Validation(_) => "ValidationException",
            Self::Serialization(_) => "SerializationException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::RequestTooLarge { .. } => "RequestEntityTooLargeException",
            Self::InvalidArn(_) => "InvalidArn",
            Self::InvalidName(_) => "InvalidName",
            Self::InvalidDefinition(_) => "InvalidDefinition",
            Self::InvalidExecutionInput(_) => "InvalidExecutionInput",
            Self::InvalidOutput(_) => "InvalidOutput",
            Self::InvalidToken => "InvalidToken",
            Self::InvalidLoggingConfiguration(_) => "InvalidLoggingConfiguration",
            Self::InvalidEncryptionConfiguration(_) => "InvalidEncryptionConfiguration",
            Self::MissingRequiredParameter(_) => "MissingRequiredParameter",
            Self::StateMachineDoesNotExist(_) => "StateMachineDoesNotExist",
            Self::StateMachineAlreadyExists(_) => "StateMachineAlreadyExists",
            Self::StateMachineDeleting(_) => "StateMachineDeleting",
            Self::StateMachineTypeNotSupported => "StateMachineTypeNotSupported",
            Self::ExecutionDoesNotExist(_) => "ExecutionDoesNotExist",
            Self::ExecutionAlreadyExists(_) => "ExecutionAlreadyExists",
            Self::TaskDoesNotExist => "TaskDoesNotExist",
            Self::TaskTimedOut => "TaskTimedOut",
            Self::ResourceNotFound(_) => "ResourceNotFound",
            Self::TooManyTags(_) => "TooManyTags",
            Self::Conflict(_) => "ConflictException",
            Self::Throttled => "ThrottlingException",
            Self::Unavailable => "ServiceUnavailable",
            Self::Internal => "InternalFailure",
        }
    }

    /// What stands before the name in `__type`, up to and with `#`. Clients cut it off.
    // AWS: observed by third parties: service errors and constraint violations have different namespaces.
    fn namespace(&self) -> &'static str {
        match self.side() {
            Side::Model => "com.amazon.coral.validate#",
            Side::Front | Side::Size | Side::Busy | Side::Broken => "com.amazon.coral.service#",
            // AWS: as other services of its front end have it; unverified for Step Functions.
            Side::Rate => "com.amazon.coral.availability#",
            Side::Service => "com.amazonaws.swf.service.v2.model#",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self.side() {
            Side::Model | Side::Front | Side::Service | Side::Rate => 400,
            Side::Size => 413,
            Side::Busy => 503,
            Side::Broken => 500,
        }
    }

    fn side(&self) -> Side {
        match self {
            Self::Constraints(_) => Side::Model,
            Self::Serialization(_) | Self::UnknownOperation(_) => Side::Front,
            Self::RequestTooLarge { .. } => Side::Size,
            Self::Throttled => Side::Rate,
            Self::Unavailable => Side::Busy,
            Self::Internal => Side::Broken,
            Self::Validation(_) | Self::InvalidArn(_) | Self::InvalidName(_) | Self::InvalidDefinition(_) => {
                Side::Service
            }
            Self::InvalidExecutionInput(_) | Self::InvalidOutput(_) | Self::InvalidToken => Side::Service,
            Self::InvalidLoggingConfiguration(_) | Self::InvalidEncryptionConfiguration(_) => Side::Service,
            Self::MissingRequiredParameter(_) | Self::StateMachineTypeNotSupported => Side::Service,
            Self::StateMachineDoesNotExist(_) | Self::StateMachineAlreadyExists(_) => Side::Service,
            Self::StateMachineDeleting(_) | Self::ExecutionDoesNotExist(_) => Side::Service,
            Self::ExecutionAlreadyExists(_) | Self::TaskDoesNotExist | Self::TaskTimedOut => Side::Service,
            Self::ResourceNotFound(_) | Self::TooManyTags(_) | Self::Conflict(_) => Side::Service,
        }
    }

    pub fn message(&self) -> String {
        match self {
            Self::Constraints(found) => {
                let noun = if found.len() == 1 { "error" } else { "errors" };
                format!("{} validation {noun} detected: {}", found.len(), found.join("; "))
            }
            Self::Validation(text) | Self::Serialization(text) | Self::UnknownOperation(text) => text.clone(),
            Self::RequestTooLarge { limit } => format!("The request has more than {limit} bytes."),
            Self::InvalidArn(what) => format!("Invalid Arn: '{what}'"),
            Self::InvalidName(name) => format!("Invalid Name: '{name}'"),
            Self::InvalidDefinition(text) | Self::MissingRequiredParameter(text) | Self::Conflict(text) => text.clone(),
            Self::InvalidExecutionInput(what) => format!("Invalid State Machine Execution Input: '{what}'"),
            // AWS: unverified, worded like the others.
            Self::InvalidOutput(what) => format!("Invalid Output: '{what}'"),
            Self::InvalidToken => "Invalid Token: 'Invalid token'".to_owned(),
            Self::InvalidLoggingConfiguration(what) => format!("Invalid Logging Configuration: {what}"),
            // AWS: unverified.
            Self::InvalidEncryptionConfiguration(what) => format!("Invalid Encryption Configuration: {what}"),
            Self::StateMachineDoesNotExist(arn) => format!("State Machine Does Not Exist: '{arn}'"),
            Self::StateMachineAlreadyExists(arn) => format!("State Machine Already Exists: '{arn}'"),
            // AWS: the first half as users quote it.
            Self::StateMachineDeleting(arn) => format!("State Machine is being deleted: '{arn}'"),
            Self::StateMachineTypeNotSupported => {
                "This operation is not supported by this type of state machine".to_owned()
            }
            Self::ExecutionDoesNotExist(arn) => format!("Execution Does Not Exist: '{arn}'"),
            Self::ExecutionAlreadyExists(arn) => format!("Execution Already Exists: '{arn}'"),
            // AWS: unverified for an execution that is gone.
            Self::TaskDoesNotExist => "Task Does Not Exist: 'Provided task does not exist'".to_owned(),
            Self::TaskTimedOut => "Task Timed Out: 'Provided task does not exist anymore'".to_owned(),
            Self::ResourceNotFound(arn) => format!("Resource not found: '{arn}'"),
            // AWS: unverified.
            Self::TooManyTags(arn) => format!("Too many tags: '{arn}'"),
            Self::Throttled => "Rate exceeded".to_owned(),
            Self::Unavailable => "The store is busy. Try again.".to_owned(),
            Self::Internal => "The request failed because of an internal failure; the log says which.".to_owned(),
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        let mut members = Map::new();
        members.insert("__type".into(), format!("{}{}", self.namespace(), self.name()).into());
        members.insert("message".into(), self.message().into());
        if let Self::ResourceNotFound(arn) | Self::TooManyTags(arn) = self {
            members.insert("resourceName".into(), arn.clone().into());
        }
        Value::Object(members).to_string()
    }
}

/// Who refuses.
enum Side {
    /// The front end, by the constraints of the model.
    Model,
    /// The front end, before it knows what is asked.
    Front,
    Service,
    /// Whoever has too much to do.
    Rate,
    Size,
    Busy,
    Broken,
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store did not answer a request");
        if error.retryable { Self::Unavailable } else { Self::Internal }
    }
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        tracing::error!(%error, "something stored cannot be read");
        Self::Internal
    }
}

impl From<DeliverError> for ApiError {
    fn from(error: DeliverError) -> Self {
        match error {
            DeliverError::Store(error) => error.into(),
            DeliverError::Unreadable(error) => error.into(),
            DeliverError::Busy => Self::Throttled,
            // Callers that name an execution answer this themselves.
            DeliverError::NoSuchExecution | DeliverError::Lost => {
                tracing::error!(?error, "an execution's holder gave no answer");
                Self::Internal
            }
        }
    }
}

impl From<engine::definitions::Missing> for ApiError {
    fn from(missing: engine::definitions::Missing) -> Self {
        match missing {
            engine::definitions::Missing::Store(error) => error.into(),
            engine::definitions::Missing::Unreadable(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiError;

    #[test]
    fn texts_are_those_of_aws() {
        let cases = [
            (ApiError::Constraints(vec!["a".into()]), "1 validation error detected: a"),
            (ApiError::Constraints(vec!["a".into(), "b".into()]), "2 validation errors detected: a; b"),
            (ApiError::InvalidToken, "Invalid Token: 'Invalid token'"),
            (ApiError::InvalidArn("Invalid ARN prefix: x".into()), "Invalid Arn: 'Invalid ARN prefix: x'"),
            (ApiError::TaskTimedOut, "Task Timed Out: 'Provided task does not exist anymore'"),
        ];
        for (error, message) in cases {
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn a_body_names_the_error_and_what_it_is_about() {
        let body = ApiError::ResourceNotFound("arn".into()).body();
        let expected = concat!(
            r#"{"__type":"com.amazonaws.swf.service.v2.model#ResourceNotFound","#,
            r#""message":"Resource not found: 'arn'","resourceName":"arn"}"#
        );
        assert_eq!(body, expected);
    }
}
