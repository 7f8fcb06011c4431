//! AWS's own test vectors of Signature Version 4 (`vectors.json`, see `NOTICE`), and what else is refused.

use keys::canonical::{self, Segments, Signed};
use keys::signature::{self, Scope};
use serde_json::Value;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VECTORS: &str = include_str!("vectors.json");
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SCOPE: Scope<'static> = Scope { region: "us-east-1", service: "service" };
    /// 2015-08-30T12:36:00Z
    const NOW: i64 = 1_440_938_160;

    fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
        vector[name].as_str().unwrap()
    }

    fn headers(vector: &Value) -> Vec<(String, String)> {
        let pair =
            |pair: &Value| (pair[0].as_str().unwrap().to_ascii_lowercase(), pair[1].as_str().unwrap().to_owned());
        vector["headers"].as_array().unwrap().iter().map(pair).collect()
    }

    #[test]
    fn requests_are_spelled_and_signed_as_the_vectors_say() {
        let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
        assert!(vectors.len() > 30);
        for vector in &vectors {
            let (name, headers) = (text(vector, "name"), headers(vector));
            let authorization = text(vector, "authorization");
            let names = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
            let names: Vec<&str> = names.split(';').collect();
            let signed = Signed {
                method: text(vector, "method"),
                path: text(vector, "path"),
                query: text(vector, "query"),
                headers: &headers,
                body: text(vector, "body").as_bytes(),
            };
            let segments = if vector["normalize"] == true { Segments::Normalized } else { Segments::Kept };
            let request = canonical::request(&signed, &names, segments);
            assert_eq!(request, text(vector, "canonical"), "{name}");
            let to_sign = signature::string_to_sign("20150830T123600Z", "20150830", SCOPE, &request);
            assert_eq!(to_sign, text(vector, "string_to_sign"), "{name}");
            let found = signature::sign(SECRET, "20150830", SCOPE, &to_sign);
            assert!(authorization.ends_with(&format!("Signature={found}")), "{name}");
        }
    }

    /// A request as a stock client signs it.
    #[derive(Debug, Clone)]
    struct Sent {
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    }

    impl Sent {
        fn signed(&self) -> Signed<'_> {
            Signed { method: &self.method, path: &self.path, query: "", headers: &self.headers, body: &self.body }
        }

        fn refusal(&self, now: i64) -> Option<(&'static str, String)> {
            let claimed = signature::claimed(&self.signed(), SCOPE, now);
            let verified = claimed.and_then(|claimed| {
                assert_eq!(claimed.key, "SWAK");
                claimed.verify(&self.signed(), SECRET, SCOPE, &[&self.path, "/"])
            });
            verified.err().map(|refusal| (refusal.name, refusal.text))
        }

        fn header(&mut self, name: &str) -> &mut String {
            &mut self.headers.iter_mut().find(|(known, _)| known == name).unwrap().1
        }
    }

    fn sent() -> Sent {
        let mut sent = Sent {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: [
                ("host", "stepwell.example"),
                ("content-type", "application/x-amz-json-1.0"),
                ("x-amz-date", "20150830T123600Z"),
                ("x-amz-target", "AWSStepFunctions.StartExecution"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            body: b"{}".to_vec(),
        };
        let names = ["content-type", "host", "x-amz-date", "x-amz-target"];
        let request = canonical::request(&sent.signed(), &names, Segments::Normalized);
        let to_sign = signature::string_to_sign("20150830T123600Z", "20150830", SCOPE, &request);
        let signature = signature::sign(SECRET, "20150830", SCOPE, &to_sign);
        let header = format!(
            "AWS4-HMAC-SHA256 Credential=SWAK/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        sent.headers.push(("authorization".to_owned(), header));
        sent
    }

    #[test]
    fn a_signed_request_is_taken_for_five_minutes() {
        for off in [-300, 0, 300] {
            assert_eq!(sent().refusal(NOW + off), None, "{off}");
        }
        let (name, text) = sent().refusal(NOW + 301).unwrap();
        assert_eq!(name, "InvalidSignatureException");
        assert_eq!(
            text,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
        );
        assert!(sent().refusal(NOW - 301).unwrap().1.starts_with("Signature not yet current: 20150830T123600Z"));
        let elsewhere = Sent { path: "/stage".to_owned(), ..sent() };
        assert_eq!(elsewhere.refusal(NOW), None, "a gateway changed the path");
    }

    #[test]
    fn what_a_stock_client_does_not_send_is_refused() {
        let refused = |change: &dyn Fn(&mut Sent)| {
            let mut sent = sent();
            change(&mut sent);
            sent.refusal(NOW).map(|(name, _)| name)
        };
        let add = |name: &'static str, value: &'static str| {
            move |sent: &mut Sent| sent.headers.push((name.to_owned(), value.to_owned()))
        };
        let swap = |from: &'static str, to: &'static str| {
            move |sent: &mut Sent| {
                let header = sent.header("authorization");
                *header = header.replace(from, to);
            }
        };
        let (incomplete, invalid) = (Some("IncompleteSignatureException"), Some("InvalidSignatureException"));
        let missing = Some("MissingAuthenticationTokenException");
        assert_eq!(refused(&|sent| sent.headers.retain(|(name, _)| name != "authorization")), missing);
        assert_eq!(refused(&add("x-amz-extra", "1")), invalid, "an unsigned header of AWS's");
        assert_eq!(refused(&add("x-amz-cf-id", "1")), None, "gateways add it");
        assert_eq!(refused(&add("user-agent", "any")), None);
        assert_eq!(refused(&add("host", "other")), incomplete, "twice");
        assert_eq!(refused(&add("x-amz-security-token", "t")), Some("UnrecognizedClientException"));
        assert_eq!(refused(&add("content-encoding", "gzip")), invalid);
        assert_eq!(refused(&swap("us-east-1", "eu-west-1")), invalid);
        assert_eq!(refused(&swap("/service/", "/s3/")), invalid);
        assert_eq!(refused(&swap("20150830/", "20150831/")), invalid);
        assert_eq!(refused(&swap("aws4_request", "aws4")), invalid);
        assert_eq!(refused(&swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), incomplete);
        assert_eq!(refused(&swap("content-type;host;", "content-type;")), invalid);
        assert_eq!(refused(&swap("Signature=", "Signature=0")), invalid);
        assert_eq!(refused(&swap(", Signature", ", Other=1, Signature")), incomplete);
        assert_eq!(refused(&|sent| sent.body.push(b' ')), invalid);
        assert_eq!(refused(&|sent| *sent.header("x-amz-date") = "2015-08-30".to_owned()), invalid);
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_refused(part in 0_usize..6, place in any::<proptest::sample::Index>(), byte in 33_u8..127) {
            let mut changed = sent();
            let value = match part {
                0 => &mut changed.method,
                1 => changed.header("host"),
                2 => changed.header("content-type"),
                3 => changed.header("x-amz-date"),
                4 => changed.header("x-amz-target"),
                _ => changed.header("authorization"),
            };
            let mut bytes = value.clone().into_bytes();
            let at = place.index(bytes.len());
            prop_assume!(bytes[at] != byte && bytes[at] != b' ');
            bytes[at] = byte;
            *value = String::from_utf8(bytes).unwrap();
            // The name of the key is the caller's to look up.
            let claimed = signature::claimed(&changed.signed(), SCOPE, NOW);
            let taken = claimed.is_ok_and(|claimed| {
                claimed.key == "SWAK" && claimed.verify(&changed.signed(), SECRET, SCOPE, &["/"]).is_ok()
            });
            prop_assert!(!taken);
        }

        #[test]
        fn any_header_is_read_or_refused(header in ".{0,200}", now in any::<i64>()) {
            let mut sent = sent();
            *sent.header("authorization") = header;
            let _answer = signature::claimed(&sent.signed(), SCOPE, now);
        }
    }
}
