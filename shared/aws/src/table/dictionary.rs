//! The LZ4 dictionary of bodies: member and event names that compress to a few bytes each, which saves a write unit.
//!
//! The dictionary is a stored format: a body can be decompressed with the very bytes it was compressed with only. A better
//! dictionary is another method in `compression.rs`, beside this one. The most frequent words come last, where LZ4's
//! distances to them are shortest.

/// The text that LZ4 takes for the bytes before the body.
pub(crate) const DICTIONARY: &str = concat!(
    r#""TaskTimedOut":{"on":{"resource_type":"lambda","resource":"invoke"},"failure":"#,
    r#"{"error":"States.Timeout","cause":"TaskFailed":{"on":{"resource_type":"TaskSubmitted":{"on":"#,
    r#"{"resource_type":"MapIterationAborted":{"name":"MapIterationFailed":"#,
    r#"{"name":"MapStateFailed"ParallelStateFailed"ParallelStateSucceeded"ParallelStateStarted"MapStateSucc"#,
    r#"eeded"MapStateStarted":{"length":"StateAborted":{"state":"LambdaFunctionTimedOut":"#,
    r#"{"error":"LambdaFunctionFailed":{"error":"ExecutionAborted":{"error":"ExecutionTimedOut":"#,
    r#"{"error":"ExecutionFailed":{"error":"""#,
    r#","cause":"{\"errorType\":\"\",\"errorMessage\":\"\"}"}"Lambda.TooManyRequestsException"Lambda.SdkCli"#,
    r#"entException"Lambda.ServiceException"States.TaskFailed"States.ALL""#,
    r#"{"Payload":{"body":"statusCode":200,"ExecutedVersion":"$LATEST","SdkHttpMetadata":{"AllHttpHeaders":"#,
    r#"{"HttpHeaders":{"Content-Length":"Content-Type":["application/json"],"X-Amzn-Trace-Id":["Root=1-"]"#,
    r#","x-amzn-RequestId":["HttpStatusCode":200},"SdkResponseMetadata":"#,
    r#"{"RequestId":"StatusCode":200}"#,
    r#","FunctionName":"MessageId":"MD5OfMessageBody":"QueueUrl":"https://sqs..amazonaws.com/"#,
    r#","MessageBody":"TableName":"Item":{"id":{"S":"$states.context.Task.Token""#,
    r#""phase":{"Finished":{"output":"phase":{"Waiting":{"until":"phase":{"Retrying":{"until":"phase":"#,
    r#"{"Parallel":{"open":,"held":"phase":{"Map":{"deadline":"beat":"parked":{"Succeeded":"#,
    r#"{"output":"Unclaimed"}}}]"Returned"}}}]"retries":[0]"#,
    r#","variables":"iteration":"index":"item":"value":"key":"Ready"}]"#,
    r#"{"id":,"previous":,"at":17,"detail":{"MapIterationStarted":{"name":"Map","index":}}},"#,
    r#"{"id":,"previous":,"at":17,"detail":{"MapIterationSucceeded":{"name":"Map","index":}}},"#,
    r#"{"id":,"previous":,"at":17,"detail":{"TaskScheduled":{"on":"#,
    r#"{"resource_type":"lambda","resource":"invoke"},"region":"eu-central-1","parameters":0,"timeout":null"#,
    r#","heartbeat":null,"role":null}}},{"id":,"previous":,"at":17,"detail":{"TaskStarted":"#,
    r#"{"resource_type":"lambda","resource":"invoke"}}},{"id":,"previous":,"at":17,"detail":{"TaskSucceeded":"#,
    r#"{"on":{"resource_type":"lambda","resource":"invoke"},"output":1}}},"#,
    r#"{"id":,"previous":,"at":17,"detail":{"LambdaFunctionScheduled":"#,
    r#"{"resource":"arn:aws:lambda:us-east-1::function:","input":0,"timeout":null,"role":null}}},"#,
    r#"{"id":4,"previous":3,"at":17,"detail":"LambdaFunctionStarted"}],{"id":5,"previous":4,"at":17,"detail":"#,
    r#"{"LambdaFunctionSucceeded":{"output":0}}},{"id":6,"previous":5,"at":17,"detail":{"StateExited":"#,
    r#"{"state":"Task","name":"","output":0,"assigned":null}}},{"id":7,"previous":6,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Choice","name":"","input":0}}},{"id":8,"previous":7,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Wait","name":"","input":1}}},{"id":9,"previous":8,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Parallel","name":"","input":2}}},{"id":10,"previous":9,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Map","name":"","input":1}}},{"id":11,"previous":10,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Succeed","name":"","input":0}}},{"id":12,"previous":11,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Fail","name":""#,
    r#"{"v":1,"at":17,"head":{"arn":"arn:aws:states:us-east-1::execution:","name":"""#,
    r#","role_arn":"arn:aws:iam::role/","machine_arn":"arn:aws:states:us-east-1::stateMachine:""#,
    r#","machine_name":"","region":"us-east-1","started":17,"limits":"#,
    r#"{"payload_bytes":262144,"events":25000,"inline_concurrency":40,"nesting":128,"seconds":31536000}"#,
    r#","seconds":31536000,"revision":"","invocation":"","input":0},"payloads":[{},{"events":["#,
    r#"{"id":1,"previous":0,"at":17,"detail":{"ExecutionStarted":"#,
    r#"{"input":0,"role_arn":"arn:aws:iam::role/"}}},{"id":2,"previous":0,"at":17,"detail":{"StateEntered":"#,
    r#"{"state":"Pass","name":"","input":0}}},{"id":3,"previous":2,"at":17,"detail":{"StateExited":"#,
    r#"{"state":"Pass","name":"","output":1,"assigned":null}}},{"id":4,"previous":3,"at":17,"detail":"#,
    r#"{"StateEntered":{"state":"Task","name":"","input":1}}}],"full":true,"frames":[[[],"#,
    r#"{"state":0,"input":0,"chain":4,"entered":2,"entered_at":17,"turn":1,"phase":{"Task":"#,
    r#"{"arguments":0,"timeout":null,"heartbeat":null,"call":{"Claimed":"#,
    r#"{"owner":"","lease":17}}}}}]],"frames":[[[0,0],{"state":"last_event":4,"last_turn":1}"#,
    r#"{"v":1,"at":17,"payloads":[{"detail":{"ExecutionSucceeded":"#,
    r#"{"output":1}}}],"frames":[],"last_event":7,"last_turn":1,"closed":[{"Succeeded":{"output":0}},17]}"#,
);

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_dictionary_keeps_its_bytes() {
        let digest: String =
            Sha256::digest(super::DICTIONARY.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "dd4570be9ef3d92339519847df0a1c036cf741a7829d169eb8a520a0d39a4b6e");
    }
}
