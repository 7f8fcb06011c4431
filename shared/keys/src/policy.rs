//! Policies of IAM's shape, as far as they are understood: `Effect`, `Action` and `Resource`, with `*` and `?`.
//!
//! An explicit Deny wins, and nothing is allowed by default. What is not understood (`NotAction`, `Principal`, conditions,
//! variables) is refused when a policy is read, never ignored when it decides.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the language; the older one has no meaning of its own here.
const VERSION: &str = "2012-10-17";

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(default = "version")]
    version: String,
    statement: OneOrMany<Statement>,
}

fn version() -> String {
    VERSION.to_owned()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    pub effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value", bound(deserialize = "T: DeserializeOwned"))]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// Not by trying both, so that the error says what is wrong with the one that it is.
impl<T: DeserializeOwned> TryFrom<Value> for OneOrMany<T> {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Array(_) => serde_json::from_value(value).map(OneOrMany::Many),
            one => serde_json::from_value(one).map(OneOrMany::One),
        }
    }
}

impl<T> OneOrMany<T> {
    fn all(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// What a policy says of a request, and by which statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<'p> {
    Allowed(&'p Statement),
    Denied(&'p Statement),
    /// No statement allows it.
    NotAllowed,
}

impl Decision<'_> {
    pub fn is_allowed(&self) -> bool {
        match self {
            Decision::Allowed(_) => true,
            Decision::Denied(_) | Decision::NotAllowed => false,
        }
    }

    /// The end of AWS's text about a request that is refused.
    pub fn reason(&self, action: &str) -> String {
        match self {
            Decision::Denied(_) => "with an explicit deny in an identity-based policy".to_owned(),
            Decision::Allowed(_) | Decision::NotAllowed => {
                format!("because no identity-based policy allows the {action} action")
            }
        }
    }
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// Why it is not understood.
    pub fn read(text: &str) -> Result<Policy, String> {
        let policy: Policy = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if policy.version != VERSION {
            return Err(format!("the version has to be {VERSION}"));
        }
        for statement in policy.statement.all() {
            let (actions, resources) = (statement.action.all(), statement.resource.all());
            if actions.is_empty() || resources.is_empty() {
                return Err("a statement needs an Action and a Resource".to_owned());
            }
            if let Some(variable) = resources.iter().find(|resource| resource.contains("${")) {
                return Err(format!("variables are not supported: {variable}"));
            }
            if let Some(other) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
                return Err(format!("an Action is a service, a colon and a name: {other}"));
            }
        }
        Ok(policy)
    }

    /// Decides about an action (`states:StartExecution`) on a resource.
    pub fn decide(&self, action: &str, resource: &str) -> Decision<'_> {
        let about = |statement: &&Statement| {
            statement
                .action
                .all()
                .iter()
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()))
                && statement.resource.all().iter().any(|pattern| matches(pattern, resource))
        };
        let mut allowed = None;
        for statement in self.statement.all().iter().filter(about) {
            match statement.effect {
                Effect::Deny => return Decision::Denied(statement),
                Effect::Allow => allowed = allowed.or(Some(statement)),
            }
        }
        allowed.map_or(Decision::NotAllowed, Decision::Allowed)
    }
}

/// Whether a pattern with `*` (any characters) and `?` (one) covers a text. Takes at most their lengths multiplied.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while let Some(letter) = text.get(read) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => (at, read) = (at + 1, read + 1),
            Some(_) | None => match star {
                // The star takes one more character.
                Some((star_at, star_read)) => {
                    star = Some((star_at, star_read + 1));
                    (at, read) = (star_at + 1, star_read + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_any_characters_and_a_question_mark_one() {
        for (pattern, text, covers) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*:stateMachine:prod-*", "arn:aws:states:r:1:stateMachine:prod-a", true),
            ("*a*a*a*b", &"a".repeat(2_000), false),
            ("", "", true),
            ("?", "ü", true),
        ] {
            assert_eq!(matches(pattern, text), covers, "{pattern} {text}");
        }
    }

    #[test]
    fn a_deny_wins_and_nothing_is_allowed_by_default() {
        let policy = Policy::read(
            r#"{"Version": "2012-10-17", "Statement": [
                {"Sid": "Run", "Effect": "Allow", "Action": ["states:Start*", "states:describeExecution"], "Resource": "*"},
                {"Sid": "Not", "Effect": "Deny", "Action": "states:*", "Resource": "arn:*:prod-?"}]}"#,
        )
        .unwrap();
        let decide = |action: &str, resource: &str| match policy.decide(action, resource) {
            Decision::Allowed(statement) => format!("+{}", statement.sid.as_deref().unwrap()),
            Decision::Denied(statement) => format!("-{}", statement.sid.as_deref().unwrap()),
            Decision::NotAllowed => "none".to_owned(),
        };
        assert_eq!(decide("states:StartExecution", "arn:x:dev"), "+Run");
        assert_eq!(decide("states:DescribeExecution", "arn:x:dev"), "+Run");
        assert_eq!(decide("states:StartExecution", "arn:x:prod-1"), "-Not");
        assert_eq!(decide("states:StartExecution", "arn:x:prod-12"), "+Run");
        assert_eq!(decide("states:StopExecution", "arn:x:dev"), "none");
        assert!(policy.decide("states:StopExecution", "a").reason("states:StopExecution").starts_with("because no"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let statement = |members: &str| format!(r#"{{"Statement": {{"Effect": "Allow", {members}}}}}"#);
        assert!(Policy::read(&statement(r#""Action": "*", "Resource": "*""#)).is_ok());
        for members in [
            r#""NotAction": "*", "Resource": "*""#,
            r#""Action": "*", "Resource": "*", "Condition": {}"#,
            r#""Action": "*", "Resource": "*", "Principal": "*""#,
            r#""Action": "*", "Resource": "arn:${aws:username}""#,
            r#""Action": [], "Resource": "*""#,
            r#""Action": "StartExecution", "Resource": "*""#,
            r#""Action": "*""#,
        ] {
            assert!(Policy::read(&statement(members)).is_err(), "{members}");
        }
        assert!(Policy::read(r#"{"Version": "2008-10-17", "Statement": []}"#).is_err());
        assert!(Policy::read(r#"{"Statement": [{"Effect": "Perhaps", "Action": "*", "Resource": "*"}]}"#).is_err());
    }
}
