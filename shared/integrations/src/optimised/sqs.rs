//! SQS: `sendMessage`, with a body that may be anything: what is no text is sent as its JSON.

use http::Uri;

use super::{Access, Action, Arguments, Service, with_text};
use crate::json;

pub(crate) const SERVICE: Service = Service {
    subject: Some("QueueUrl"),
    access: Access::Free,
    region: region_of_queue,
    arguments: |_, arguments, _| with_text(arguments, "MessageBody"),
    ..Service::plain("sqs", ("sqs", "AmazonSQS", "AmazonSQSException"), &[Action::of("sendMessage")])
};

/// A queue's URL may name another region than ours: `https://sqs.eu-central-1.amazonaws.com/123456789012/queue`.
fn region_of_queue(arguments: &Arguments<'_>) -> Option<String> {
    let url: Uri = json::string(arguments.get("QueueUrl")?)?.parse().ok()?;
    let region = url.host()?.strip_prefix("sqs.")?.split('.').next()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    // A region has dashes; a host `sqs.example.com` has none there.
    (region.contains('-') && region.bytes().all(plain)).then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn a_queue_is_called_in_the_region_of_its_url() {
        let cases = [
            ("https://sqs.eu-central-1.amazonaws.com/123456789012/queue", Some("eu-central-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/queue", Some("cn-north-1")),
            ("http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/queue", Some("us-east-1")),
            ("http://127.0.0.1:5000/123456789012/queue", None),
            ("https://sqs.example.com/queue", None),
            ("queue", None),
        ];
        for (url, region) in cases {
            let text = to_raw_value(url).unwrap();
            let arguments = Arguments::from([("QueueUrl".to_owned(), &*text)]);
            assert_eq!(region_of_queue(&arguments).as_deref(), region, "{url}");
        }
    }
}
