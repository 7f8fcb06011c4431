//! `encryptionConfiguration` of a state machine or an activity: what is taken, and what is refused in AWS's words.
//!
//! The key is kept and shown, and nothing is encrypted with it: an installation encrypts what it stores with a key of its own
//! (`KmsKey` of the template; the disk on `serve`). No KMS is asked, so a key that does not exist is not noticed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arn::Home;
use crate::error::ApiError;
use crate::request::Request;

/// Of `kmsDataKeyReusePeriodSeconds`.
const DEFAULT_PERIOD: u64 = 300;

/// A customer's own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CustomerKey {
    /// Its ARN.
    key: String,
    /// In seconds.
    period: u64,
}

/// As Describe shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_data_key_reuse_period_seconds: Option<u64>,
    r#type: &'static str,
}

impl Shown {
    pub fn of(key: Option<CustomerKey>) -> Shown {
        match key {
            // AWS: shown since 2024, whether it was given or not.
            None => Shown { kms_key_id: None, kms_data_key_reuse_period_seconds: None, r#type: "AWS_OWNED_KEY" },
            Some(CustomerKey { key, period }) => Shown {
                kms_key_id: Some(key),
                kms_data_key_reuse_period_seconds: Some(period),
                r#type: "CUSTOMER_MANAGED_KMS_KEY",
            },
        }
    }
}

/// The customer's key that a request names.
pub(crate) fn customer_key(request: &Request, home: &Home) -> Result<Option<CustomerKey>, ApiError> {
    let Some(given) = request.object("encryptionConfiguration") else { return Ok(None) };
    let present = |name: &str| given.get(name).filter(|value| !value.is_null());
    let refuse = |what: &str| Err(ApiError::InvalidEncryptionConfiguration(what.to_owned()));
    if present("type").and_then(Value::as_str) != Some("CUSTOMER_MANAGED_KMS_KEY") {
        if present("kmsKeyId").is_some() {
            return refuse("Custom kmsKeyId is not allowed when selecting AWS_OWNED_KEY.");
        }
        if present("kmsDataKeyReusePeriodSeconds").is_some() {
            return refuse("Custom kmsDataKeyReusePeriodSeconds is not allowed when selecting AWS_OWNED_KEY.");
        }
        return Ok(None);
    }
    let Some(id) = present("kmsKeyId").and_then(Value::as_str) else {
        return refuse("Must set a valid kmsKeyId.");
    };
    let Some(key) = home.key(id) else {
        return refuse("kmsKeyId has to be the ID or the ARN of a key: Stepwell looks up no aliases.");
    };
    let period = present("kmsDataKeyReusePeriodSeconds").and_then(crate::shapes::integer);
    let period = period.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_PERIOD);
    Ok(Some(CustomerKey { key, period }))
}
