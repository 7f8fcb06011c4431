//! TagResource, UntagResource, ListTagsForResource: tags of state machines and of activities.

use serde::Serialize;
use serde_json::Value;

use crate::action::{Action, answered};
use crate::answer::Nothing;
use crate::arn::{self, Kind, Qualifier};
use crate::error::ApiError;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, TAG_KEY, TAGS, list, required};

pub(crate) const TAG_RESOURCE: Action = Action {
    name: "TagResource",
    shape: &[required("resourceArn", ARN), required("tags", TAGS)],
    run: |asked| answered(async move { asked.service.tag_resource(asked.request).await }),
};

pub(crate) const UNTAG_RESOURCE: Action = Action {
    name: "UntagResource",
    shape: &[required("resourceArn", ARN), required("tagKeys", list(&TAG_KEY))],
    run: |asked| answered(async move { asked.service.untag_resource(asked.request).await }),
};

pub(crate) const LIST_TAGS_FOR_RESOURCE: Action = Action {
    name: "ListTagsForResource",
    shape: &[required("resourceArn", ARN)],
    run: |asked| answered(async move { asked.service.list_tags_for_resource(asked.request).await }),
};

/// Tags of one resource.
const MOST: usize = 50;

#[derive(Serialize)]
struct Listed {
    tags: Vec<Tag>,
}

impl Listed {
    fn of(tags: &[(String, String)]) -> Listed {
        Listed { tags: tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect() }
    }
}

/// Keys, each with its value.
type Tags = Vec<(String, String)>;

/// The things that have tags.
#[derive(Debug, Clone, Copy)]
enum Tagged {
    Machine,
    Activity,
}

#[derive(Serialize)]
struct Tag {
    key: String,
    value: String,
}

impl Service {
    async fn tag_resource(&self, request: Request) -> Result<Nothing, ApiError> {
        let (arn, of) = resource(&request)?;
        let given = request.list("tags").unwrap_or_default();
        self.change_tags(arn, of, |tags| merged(arn, tags, given)).await
    }

    async fn untag_resource(&self, request: Request) -> Result<Nothing, ApiError> {
        let (arn, of) = resource(&request)?;
        let keys = request.list("tagKeys").unwrap_or_default();
        keys.iter().filter_map(Value::as_str).try_for_each(check_owner)?;
        let kept = |(key, _): &(String, String)| !keys.iter().any(|gone| gone.as_str() == Some(key));
        self.change_tags(arn, of, |tags| Ok(tags.into_iter().filter(kept).collect())).await
    }

    async fn change_tags(
        &self,
        arn: &str,
        of: Tagged,
        change: impl Fn(Tags) -> Result<Tags, ApiError>,
    ) -> Result<Nothing, ApiError> {
        let changed = match of {
            Tagged::Machine => {
                let change = self.registry.change(arn, |machine| {
                    machine.tags = change(machine.tags.clone())?;
                    Ok(())
                });
                change.await
            }
            Tagged::Activity => {
                let change = self.activities.change(arn, |activity| {
                    activity.tags = change(activity.tags.clone())?;
                    Ok(())
                });
                change.await
            }
        };
        changed.map(|()| Nothing {}).map_err(not_found)
    }

    async fn list_tags_for_resource(&self, request: Request) -> Result<Listed, ApiError> {
        let (asked, of) = resource(&request)?;
        match of {
            Tagged::Machine => {}
            Tagged::Activity => return Ok(Listed::of(&self.activities.get(asked).await.map_err(not_found)?.tags)),
        }
        let (arn, qualifier) = arn::split(asked);
        let machine = self.registry.get(arn).await.map_err(|error| not_found(error.about(asked)))?;
        match qualifier {
            None => {}
            // AWS: a version has no tags.
            Some(Qualifier::Version(number)) if machine.version(number).is_some() => {
                return Ok(Listed { tags: Vec::new() });
            }
            Some(_) => return Err(ApiError::ResourceNotFound(asked.to_owned())),
        }
        Ok(Listed::of(&machine.tags))
    }
}

fn resource(request: &Request) -> Result<(&str, Tagged), ApiError> {
    let arn = request.required("resourceArn");
    let of = match arn::expect(arn, &[Kind::StateMachine, Kind::Activity])? {
        Kind::Activity => Tagged::Activity,
        Kind::StateMachine | Kind::Execution | Kind::Express | Kind::MapRun => Tagged::Machine,
    };
    Ok((arn, of))
}

fn not_found(error: ApiError) -> ApiError {
    match error {
        ApiError::StateMachineDoesNotExist(arn) | ApiError::ActivityDoesNotExist(arn) => {
            ApiError::ResourceNotFound(arn)
        }
        other => other,
    }
}

/// `tags` with `given` on top: a key that is there gets the new value. A tag without a value has an empty one.
pub(super) fn merged(
    arn: &str,
    mut tags: Vec<(String, String)>,
    given: &[Value],
) -> Result<Vec<(String, String)>, ApiError> {
    for tag in given {
        let text = |name| tag.get(name).and_then(Value::as_str).unwrap_or_default();
        let (key, value) = (text("key"), text("value"));
        check_owner(key)?;
        // AWS: unverified texts.
        if key.is_empty() {
            return Err(ApiError::Validation("Tag keys must not be empty".to_owned()));
        }
        if let Some(bad) = [key, value].into_iter().find(|part| !part.chars().all(is_allowed)) {
            return Err(ApiError::Validation(format!("The tag '{bad}' has characters that are not allowed")));
        }
        match tags.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value.to_owned(),
            None => tags.push((key.to_owned(), value.to_owned())),
        }
    }
    if tags.len() > MOST { Err(ApiError::TooManyTags(arn.to_owned())) } else { Ok(tags) }
}

/// Refuses the tags that are AWS's own.
fn check_owner(key: &str) -> Result<(), ApiError> {
    if key.starts_with("aws:") {
        let text = "Caller is an end user and not allowed to mutate system tags";
        return Err(ApiError::AccessDenied(text.to_owned()));
    }
    Ok(())
}

fn is_allowed(letter: char) -> bool {
    letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tag_replaces_the_one_of_its_key() {
        let old = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let given = [json!({"key": "a", "value": "3"}), json!({"key": "c"})];
        let expected = [("a", "3"), ("b", "2"), ("c", "")];
        let merged = merged("arn", old, &given).unwrap();
        assert_eq!(merged.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tags_beyond_fifty_and_odd_letters_are_refused() {
        let many: Vec<Value> = (0..51).map(|number| json!({"key": format!("k{number}"), "value": ""})).collect();
        assert_eq!(merged("arn", Vec::new(), &many), Err(ApiError::TooManyTags("arn".into())));
        let system = merged("arn", Vec::new(), &[json!({"key": "aws:cloudformation:stack-name", "value": "s"})]);
        assert!(matches!(system, Err(ApiError::AccessDenied(_))), "{system:?}");
        for bad in [json!({"key": "a<b"}), json!({"key": "a", "value": "x\u{7f}"}), json!({"value": "x"})] {
            let error = merged("arn", Vec::new(), std::slice::from_ref(&bad)).unwrap_err();
            assert_eq!(error.name(), "ValidationException", "{bad}");
        }
    }
}
