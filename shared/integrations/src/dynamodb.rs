//! DynamoDB: `getItem`, `putItem`, `updateItem` and `deleteItem`, whose arguments and results are the API's own.

use crate::api::{Api, at_home};
use crate::aws_json;
use crate::words::Words;

pub(crate) const API: Api = Api {
    words: Words {
        service: "dynamodb",
        prefix: "DynamoDB",
        client: "AmazonDynamoDBv2",
        exceptions: &[
            "ConditionalCheckFailedException",
            "InternalServerErrorException",
            "ItemCollectionSizeLimitExceededException",
            "ProvisionedThroughputExceededException",
            "ReplicatedWriteConflictException",
            "RequestLimitExceededException",
            "ResourceNotFoundException",
            "ThrottlingException",
            "TransactionConflictException",
        ],
        general: "AmazonDynamoDBException",
        headers: &["Server", "Connection", "x-amzn-RequestId", "x-amz-crc32", "Content-Length", "Date", "Content-Type"],
    },
    actions: &["getItem", "putItem", "updateItem", "deleteItem"],
    subject: "TableName",
    region: at_home,
    request: |action, arguments, timeout| aws_json::request(target(action), arguments, timeout),
    members: aws_json::members,
    refusal: aws_json::refusal,
};

fn target(action: &str) -> &'static str {
    match action {
        "getItem" => "DynamoDB_20120810.GetItem",
        "putItem" => "DynamoDB_20120810.PutItem",
        "updateItem" => "DynamoDB_20120810.UpdateItem",
        _ => "DynamoDB_20120810.DeleteItem",
    }
}
