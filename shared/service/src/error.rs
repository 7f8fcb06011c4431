//! The errors of the API: AWS's names, texts and namespaces, and no others.
//!
//! One row per error. The enum is closed: an error without a name on AWS's wire cannot be answered. Internal failures are
//! logged and answered as [`ApiError::Internal`], without details.

use engine::definitions::Missing;
use engine::deliver::DeliverError;
use engine::entry::Unreadable;
use engine::ports::StoreError;
use serde_json::{Map, Value};

/// An error on the wire.
struct Row {
    /// The name by which SDKs make it an exception.
    name: &'static str,
    side: Side,
    text: String,
}

/// Makes the enum of errors out of their rows: variant, name, side, text.
macro_rules! errors {
    ($($(#[$about:meta])* $variant:ident $(($what:ident: $type:ty))? => $name:literal, $side:ident, $text:expr;)*) => {
        /// An error as clients see it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ApiError {
            $($(#[$about])* $variant $(($type))?,)*
        }

        impl ApiError {
            fn row(&self) -> Row {
                match self {
                    $(Self::$variant $(($what))? => Row { name: $name, side: Side::$side, text: $text.into() },)*
                }
            }
        }
    };
}

errors! {
    /// Members that break their constraints, each in AWS's words.
    Constraints(found: Vec<String>) => "ValidationException", Model, violations(found);
    /// A request that is well-formed and still makes no sense.
    Validation(text: String) => "ValidationException", Service, text;
    /// A routing configuration that makes no sense.
    Routing(text: String) => "ValidationException", Service, text;
    /// The body is no JSON, or a member has a wrong type.
    Serialization(text: String) => "SerializationException", Front, text;
    UnknownOperation(text: String) => "UnknownOperationException", Front, text;
    /// The limit in bytes.
    RequestTooLarge(limit: usize) => "RequestEntityTooLargeException", Size,
        format!("The request has more than {limit} bytes.");
    /// The text within `Invalid Arn: '…'`.
    InvalidArn(what: String) => "InvalidArn", Service, format!("Invalid Arn: '{what}'");
    InvalidName(name: String) => "InvalidName", Service, format!("Invalid Name: '{name}'");
    /// The whole message: [`asl::invalid_definition_message`].
    InvalidDefinition(text: String) => "InvalidDefinition", Service, text;
    InvalidExecutionInput(what: String) => "InvalidExecutionInput", Service,
        format!("Invalid State Machine Execution Input: '{what}'");
    // AWS: unverified, worded like the others.
    InvalidOutput(what: String) => "InvalidOutput", Service, format!("Invalid Output: '{what}'");
    OutputIsNoJson(output: String) => "InvalidOutput", Service, format!("Invalid Output: '{output}' is not valid JSON.");
    InvalidToken => "InvalidToken", Service, "Invalid Token: 'Invalid token'";
    InvalidLoggingConfiguration(what: String) => "InvalidLoggingConfiguration", Service,
        format!("Invalid Logging Configuration: {what}");
    InvalidEncryptionConfiguration(what: String) => "InvalidEncryptionConfiguration", Service,
        format!("Invalid Encryption Configuration: {what}");
    MissingRequiredParameter(text: String) => "MissingRequiredParameter", Service, text;
    ActivityDoesNotExist(arn: String) => "ActivityDoesNotExist", Service, format!("Activity Does Not Exist: '{arn}'");
    // AWS: unverified, worded like the others.
    ActivityAlreadyExists(arn: String) => "ActivityAlreadyExists", Service, format!("Activity Already Exists: '{arn}'");
    // AWS: unverified, worded like the others.
    ActivityWorkerLimitExceeded(arn: String) => "ActivityWorkerLimitExceeded", Service,
        format!("Activity Worker Limit Exceeded: '{arn}'");
    StateMachineDoesNotExist(arn: String) => "StateMachineDoesNotExist", Service,
        format!("State Machine Does Not Exist: '{arn}'");
    VersionDoesNotExist(arn: String) => "StateMachineDoesNotExist", Service,
        format!("State Machine Version Does Not Exist: '{arn}'");
    // AWS: unverified, worded as for a version.
    AliasDoesNotExist(arn: String) => "StateMachineDoesNotExist", Service,
        format!("State Machine Alias Does Not Exist: '{arn}'");
    StateMachineAlreadyExists(arn: String) => "StateMachineAlreadyExists", Service,
        format!("State Machine Already Exists: '{arn}'");
    AlreadyPublished => "StateMachineAlreadyExists", Service,
        "State Machine Already Exists: This state machine was already created with a published version.";
    PublishedOtherwise => "StateMachineAlreadyExists", Service,
        "State Machine Already Exists: This state machine was already created with a published version using a different \
         description.";
    // AWS: the first half as users quote it.
    StateMachineDeleting(arn: String) => "StateMachineDeleting", Service,
        format!("State Machine is being deleted: '{arn}'");
    StateMachineTypeNotSupported => "StateMachineTypeNotSupported", Service,
        "This operation is not supported by this type of state machine";
    ExecutionDoesNotExist(arn: String) => "ExecutionDoesNotExist", Service,
        format!("Execution Does Not Exist: '{arn}'");
    ExecutionAlreadyExists(arn: String) => "ExecutionAlreadyExists", Service,
        format!("Execution Already Exists: '{arn}'");
    ExecutionNotRedrivable(text: String) => "ExecutionNotRedrivable", Service, text;
    // AWS: unverified for an execution that is gone.
    TaskDoesNotExist => "TaskDoesNotExist", Service, "Task Does Not Exist: 'Provided task does not exist'";
    TaskTimedOut => "TaskTimedOut", Service, "Task Timed Out: 'Provided task does not exist anymore'";
    /// The same of a task of this activity.
    ActivityTaskTimedOut(arn: String) => "TaskTimedOut", Service, format!("Task Timed Out: '{arn}'");
    ResourceNotFound(arn: String) => "ResourceNotFound", Service, format!("Resource not found: '{arn}'");
    // AWS: unverified.
    TooManyTags(arn: String) => "TooManyTags", Service, format!("Too many tags: '{arn}'");
    // AWS: the member of the text is spelled `Message`.
    AccessDenied(text: String) => "AccessDeniedException", Access, text;
    /// Another request changed the same thing at the same time.
    Conflict(text: String) => "ConflictException", Service, text;
    ServiceQuotaExceeded(text: String) => "ServiceQuotaExceededException", Quota, text;
    /// More than is taken on at a time: stock clients wait, and send it again.
    Throttled => "ThrottlingException", Rate, "Rate exceeded";
    /// The store is busy: the client's own retry will do.
    Unavailable => "ServiceUnavailable", Busy, "The store is busy. Try again.";
    Internal => "InternalFailure", Broken, "The request failed because of an internal failure; the log says which.";
}

fn violations(found: &[String]) -> String {
    let noun = if found.len() == 1 { "error" } else { "errors" };
    format!("{} validation {noun} detected: {}", found.len(), found.join("; "))
}

/// Which part of the service refuses.
#[derive(Clone, Copy)]
enum Side {
    /// The front end, by the constraints of the model.
    Model,
    /// The front end, before it knows what is asked.
    Front,
    Service,
    /// The rights of the caller.
    Access,
    /// A quota of the account.
    Quota,
    /// The limit of a rate.
    Rate,
    Size,
    Busy,
    Broken,
}

impl Side {
    /// The part of `__type` before the name, up to and with `#`. Clients cut it off.
    // AWS: observed by third parties: service errors and constraint violations have different namespaces.
    fn namespace(self) -> &'static str {
        match self {
            Side::Model => "com.amazon.coral.validate#",
            Side::Front | Side::Access | Side::Size | Side::Busy | Side::Broken => "com.amazon.coral.service#",
            Side::Rate => "com.amazon.coral.availability#",
            Side::Service | Side::Quota => "com.amazonaws.swf.service.v2.model#",
        }
    }

    /// The member of the body that has the text.
    fn text_member(self) -> &'static str {
        match self {
            Side::Access => "Message",
            Side::Model | Side::Front | Side::Service | Side::Quota => "message",
            Side::Rate | Side::Size | Side::Busy | Side::Broken => "message",
        }
    }

    fn status(self) -> u16 {
        match self {
            Side::Model | Side::Front | Side::Access | Side::Service | Side::Rate => 400,
            // AWS: documented.
            Side::Quota => 402,
            Side::Size => 413,
            Side::Busy => 503,
            Side::Broken => 500,
        }
    }
}

impl ApiError {
    /// The name by which SDKs make it an exception.
    pub fn name(&self) -> &'static str {
        self.row().name
    }

    /// The same, about the ARN that the request has: that of a version, where its machine is not found.
    pub(crate) fn about(self, asked: &str) -> ApiError {
        match self {
            Self::StateMachineDoesNotExist(_) => Self::StateMachineDoesNotExist(asked.to_owned()),
            other => other,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.row().side.status()
    }

    pub fn message(&self) -> String {
        self.row().text
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        let Row { name, side, text } = self.row();
        let mut members = Map::new();
        members.insert("__type".into(), format!("{}{name}", side.namespace()).into());
        members.insert(side.text_member().into(), text.into());
        if let Self::ResourceNotFound(arn) | Self::TooManyTags(arn) = self {
            members.insert("resourceName".into(), arn.clone().into());
        }
        if let Self::Routing(_) = self {
            members.insert("reason".into(), "INVALID_ROUTING_CONFIGURATION".into());
        }
        Value::Object(members).to_string()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "store failed during an API call");
        if error.retryable { Self::Unavailable } else { Self::Internal }
    }
}

impl From<Unreadable> for ApiError {
    fn from(error: Unreadable) -> Self {
        tracing::error!(%error, "stored item unreadable; API call answered as an internal failure");
        Self::Internal
    }
}

impl From<DeliverError> for ApiError {
    fn from(error: DeliverError) -> Self {
        match error {
            DeliverError::Store(error) => error.into(),
            DeliverError::Unreadable(error) => error.into(),
            DeliverError::Busy => Self::Throttled,
            // Actions that name an execution answer this themselves.
            DeliverError::NoSuchExecution | DeliverError::Lost => {
                tracing::error!(?error, "execution actor gave no answer; API call answered as an internal failure");
                Self::Internal
            }
        }
    }
}

impl From<Missing> for ApiError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Store(error) => error.into(),
            Missing::Unreadable(error) => error.into(),
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
        let body = ApiError::Routing("why".into()).body();
        let expected = concat!(
            r#"{"__type":"com.amazonaws.swf.service.v2.model#ValidationException","#,
            r#""message":"why","reason":"INVALID_ROUTING_CONFIGURATION"}"#
        );
        assert_eq!(body, expected);
        let body = ApiError::AccessDenied("why".into()).body();
        assert_eq!(body, r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"why"}"#);
    }
}
