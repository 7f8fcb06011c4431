//! How AWS begins the error names of each service.

/// `Lambda`, `DynamoDB`, …: the first part of the error names of a service integration (`lambda`, `aws-sdk:s3`).
pub(crate) fn error_prefix(service: &str) -> String {
    match service {
        "apigateway" => "ApiGateway".into(),
        "dynamodb" => "DynamoDB".into(),
        "ecs" => "ECS".into(),
        "events" => "EventBridge".into(),
        "sns" => "SNS".into(),
        "sqs" => "SQS".into(),
        "states" => "StepFunctions".into(),
        // AWS: the SDK integrations write their service with one capital only, as in `DynamoDb`.
        other => capitalised(other.strip_prefix("aws-sdk:").unwrap_or(other)),
    }
}

fn capitalised(name: &str) -> String {
    match name {
        "dynamodb" => return "DynamoDb".into(),
        "secretsmanager" => return "SecretsManager".into(),
        _ => {}
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
