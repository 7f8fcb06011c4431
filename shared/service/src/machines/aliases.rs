//! CreateStateMachineAlias, UpdateStateMachineAlias, DescribeStateMachineAlias, ListStateMachineAliases,
//! DeleteStateMachineAlias.
//!
//! An alias routes starts to versions of its own machine; that those exist is checked in the same compare-and-swap that
//! writes the alias.

use interpreter::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::versions::check_active;
use crate::action::{Action, answered};
use crate::answer::{Date, Nothing, epoch};
use crate::arn::{self, Qualifier};
use crate::document::{Alias, Machine, Route};
use crate::error::ApiError;
use crate::paging;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{
    self, ALIAS_NAME, ARN, DESCRIPTION, List, Member, PAGE_SIZE, PAGE_TOKEN, Shape, optional, required,
};

const ROUTES: Shape =
    Shape::List(List { least: 1, most: 2, of: &Shape::Structure(ROUTE), name: "RoutingConfigurationListItem" });
const ROUTE: &[Member] =
    &[required("stateMachineVersionArn", ARN), required("weight", Shape::Integer { least: 0, most: 100 })];

pub(crate) const CREATE_STATE_MACHINE_ALIAS: Action = Action {
    name: "CreateStateMachineAlias",
    shape: &[
        optional("description", DESCRIPTION),
        required("name", ALIAS_NAME),
        required("routingConfiguration", ROUTES),
    ],
    run: |asked| answered(async move { asked.service.create_state_machine_alias(asked.request).await }),
};

pub(crate) const UPDATE_STATE_MACHINE_ALIAS: Action = Action {
    name: "UpdateStateMachineAlias",
    shape: &[
        required("stateMachineAliasArn", ARN),
        optional("description", DESCRIPTION),
        optional("routingConfiguration", ROUTES),
    ],
    run: |asked| answered(async move { asked.service.update_state_machine_alias(asked.request).await }),
};

pub(crate) const DESCRIBE_STATE_MACHINE_ALIAS: Action = Action {
    name: "DescribeStateMachineAlias",
    shape: &[required("stateMachineAliasArn", ARN)],
    run: |asked| answered(async move { asked.service.describe_state_machine_alias(asked.request).await }),
};

pub(crate) const LIST_STATE_MACHINE_ALIASES: Action = Action {
    name: "ListStateMachineAliases",
    shape: &[required("stateMachineArn", ARN), optional("nextToken", PAGE_TOKEN), optional("maxResults", PAGE_SIZE)],
    run: |asked| answered(async move { asked.service.list_state_machine_aliases(asked.request).await }),
};

pub(crate) const DELETE_STATE_MACHINE_ALIAS: Action = Action {
    name: "DeleteStateMachineAlias",
    shape: &[required("stateMachineAliasArn", ARN)],
    run: |asked| answered(async move { asked.service.delete_state_machine_alias(asked.request).await }),
};

/// An alias, as creating and lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    state_machine_alias_arn: String,
    creation_date: Date,
}

impl Shown {
    fn of(machine: &str, alias: &Alias) -> Shown {
        Shown { state_machine_alias_arn: arn::alias(machine, &alias.name), creation_date: epoch(alias.created) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Aliases {
    state_machine_aliases: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Updated {
    update_date: Date,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    state_machine_alias_arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    routing_configuration: Vec<Routed>,
    creation_date: Date,
    // AWS: absent until the first update.
    #[serde(skip_serializing_if = "Option::is_none")]
    update_date: Option<Date>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Routed {
    state_machine_version_arn: String,
    weight: u64,
}

impl Service {
    async fn create_state_machine_alias(&self, request: Request) -> Result<Shown, ApiError> {
        let (arn, routes) = routing(&request)?.unwrap_or_default();
        let alias = Alias {
            name: request.required("name").to_owned(),
            description: request.text("description").map(str::to_owned),
            routes,
            created: self.now(),
            updated: None,
        };
        let created = self.registry.change(&arn, |machine| {
            check_active(machine, &arn)?;
            check_versions(machine, &arn, &alias.routes)?;
            machine.add_alias(alias.clone())
        });
        Ok(Shown::of(&arn, &created.await.map_err(not_found)?))
    }

    async fn update_state_machine_alias(&self, request: Request) -> Result<Updated, ApiError> {
        let asked = request.required("stateMachineAliasArn");
        let (arn, name) = alias_of(asked)?;
        let (description, routing) = (request.text("description"), routing(&request)?);
        if description.is_none() && routing.is_none() {
            let text = "Either description or routing configuration must be specified";
            return Err(ApiError::Validation(text.to_owned()));
        }
        let routes = match routing {
            Some((routed, _)) if routed != arn => {
                // AWS: unverified for versions of another machine than the alias's.
                return Err(ApiError::Routing(format!(
                    "Routing configuration must contain state machine version ARNs for the same state machine. \
                     Received: [{routed}]"
                )));
            }
            routing => routing.map(|(_, routes)| routes),
        };
        let now = self.now();
        let updated = self.registry.change(arn, |machine| {
            check_active(machine, arn)?;
            check_versions(machine, arn, routes.as_deref().unwrap_or_default())?;
            let alias = machine.aliases.iter_mut().find(|alias| alias.name == name);
            let alias = alias.ok_or_else(|| ApiError::ResourceNotFound(asked.to_owned()))?;
            alias.description = description.map(str::to_owned).or(alias.description.take());
            if let Some(routes) = &routes {
                alias.routes.clone_from(routes);
            }
            alias.updated = Some(now);
            Ok(())
        });
        updated.await.map_err(not_found)?;
        Ok(Updated { update_date: epoch(now) })
    }

    async fn describe_state_machine_alias(&self, request: Request) -> Result<Described, ApiError> {
        let asked = request.required("stateMachineAliasArn");
        let (arn, name) = alias_of(asked)?;
        let machine = self.registry.get(arn).await.map_err(not_found)?;
        let alias = machine.alias(name).ok_or_else(|| ApiError::ResourceNotFound(asked.to_owned()))?;
        let routed = |route: &Route| Routed {
            state_machine_version_arn: arn::version(arn, route.version),
            weight: route.weight,
        };
        Ok(Described {
            state_machine_alias_arn: asked.to_owned(),
            name: alias.name.clone(),
            description: alias.description.clone(),
            routing_configuration: alias.routes.iter().map(routed).collect(),
            creation_date: epoch(alias.created),
            update_date: alias.updated.map(epoch),
        })
    }

    /// The aliases of a machine, or those that route to a version; oldest first.
    async fn list_state_machine_aliases(&self, request: Request) -> Result<Aliases, ApiError> {
        let asked = request.required("stateMachineArn");
        arn::machine(asked)?;
        let (arn, version) = match arn::split(asked) {
            (arn, None) => (arn, None),
            (arn, Some(Qualifier::Version(number))) => (arn, Some(number)),
            (_, Some(Qualifier::Alias(_))) => return Err(ApiError::StateMachineDoesNotExist(asked.to_owned())),
        };
        let query = ("aliases".to_owned(), asked.to_owned());
        let after: Option<(Timestamp, String)> = paging::place(&self.seal, &request, &query)?;
        let machine = self.registry.usable(arn).await?;
        let place = |alias: &Alias| (alias.created, alias.name.clone());
        let routed = |alias: &&Alias| version.is_none_or(|number| alias.routes.iter().any(|to| to.version == number));
        let mut aliases: Vec<&Alias> = machine.aliases.iter().filter(routed).collect();
        aliases.sort_by_cached_key(|alias| place(alias));
        let rest = aliases.into_iter().filter(|alias| after.as_ref().is_none_or(|after| place(alias) > *after));
        let (page, last) = paging::page(rest, paging::size(&request));
        Ok(Aliases {
            state_machine_aliases: page.iter().map(|alias| Shown::of(arn, alias)).collect(),
            next_token: last.map(|last| paging::token(&self.seal, query, place(last))),
        })
    }

    // AWS: an alias that does not exist is deleted successfully; unverified for a machine that does not.
    async fn delete_state_machine_alias(&self, request: Request) -> Result<Nothing, ApiError> {
        let (arn, name) = alias_of(request.required("stateMachineAliasArn"))?;
        let removed = self.registry.change(arn, |machine| {
            machine.aliases.retain(|alias| alias.name != name);
            Ok(())
        });
        match removed.await {
            Ok(()) | Err(ApiError::StateMachineDoesNotExist(_)) => Ok(Nothing {}),
            Err(error) => Err(error),
        }
    }
}

/// An alias's machine and name.
fn alias_of(asked: &str) -> Result<(&str, &str), ApiError> {
    arn::machine(asked)?;
    match arn::split(asked) {
        (arn, Some(Qualifier::Alias(name))) => Ok((arn, name)),
        // AWS: unverified.
        _ => Err(ApiError::InvalidArn(format!("Invalid ARN resource: {asked}"))),
    }
}

/// The routes that a request asks for and the machine whose versions they lead to.
fn routing(request: &Request) -> Result<Option<(String, Vec<Route>)>, ApiError> {
    let Some(listed) = request.list("routingConfiguration") else { return Ok(None) };
    let arns: Vec<&str> = listed.iter().filter_map(|one| one.get("stateMachineVersionArn")?.as_str()).collect();
    let weights: Vec<u64> = listed.iter().filter_map(weight).collect();
    let refused = |rule: &str| {
        let received = arns.join(", ");
        ApiError::Routing(format!("Routing configuration must contain {rule}. Received: [{received}]"))
    };
    let (mut machines, mut versions) = (Vec::new(), Vec::new());
    for arn in &arns {
        arn::machine(arn)?;
        let (machine, Some(Qualifier::Version(number))) = arn::split(arn) else {
            return Err(refused("state machine version ARNs"));
        };
        machines.push(machine);
        versions.push(number);
    }
    let Some(machine) = machines.first() else { return Err(refused("state machine version ARNs")) };
    if machines.iter().any(|other| other != machine) {
        return Err(refused("state machine version ARNs for the same state machine"));
    }
    if arns.iter().skip(1).any(|other| Some(other) == arns.first()) {
        return Err(refused("distinct state machine version ARNs"));
    }
    if weights.iter().sum::<u64>() != 100 {
        let text = format!("Sum of routing configuration weights must equal 100. Received: {weights:?}");
        return Err(ApiError::Routing(text));
    }
    let routes = versions.into_iter().zip(weights).map(|(version, weight)| Route { version, weight }).collect();
    Ok(Some(((*machine).to_owned(), routes)))
}

fn weight(route: &Value) -> Option<u64> {
    route.get("weight").and_then(shapes::integer).and_then(|weight| u64::try_from(weight).ok())
}

fn check_versions(machine: &Machine, arn: &str, routes: &[Route]) -> Result<(), ApiError> {
    match routes.iter().find(|route| machine.version(route.version).is_none()) {
        // AWS: unverified text.
        Some(missing) => Err(ApiError::ResourceNotFound(arn::version(arn, missing.version))),
        None => Ok(()),
    }
}

fn not_found(error: ApiError) -> ApiError {
    match error {
        ApiError::StateMachineDoesNotExist(arn) => ApiError::ResourceNotFound(arn),
        other => other,
    }
}
