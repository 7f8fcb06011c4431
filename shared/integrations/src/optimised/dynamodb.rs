//! DynamoDB: `getItem`, `putItem`, `updateItem` and `deleteItem`, whose arguments and results are the API's own.

use crate::aws_json;
use crate::optimised::{Service, at_home};
use crate::sdk_v1::SdkV1;

pub(crate) const SERVICE: Service = Service {
    names: SdkV1 {
        service: "dynamodb",
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
    subject: "TableName",
    region: at_home,
    request: |action, arguments, timeout| aws_json::request("DynamoDB_20120810", action, arguments, timeout),
    members: aws_json::members,
    error: aws_json::error,
};
