//! What each action of Step Functions is about, so that a policy can decide on it; and the roles that are given by name.
//!
//! One table for all actions: one that is not in it is about nothing that a policy can name, and is allowed to none. Actions
//! with a task token are about the execution inside the token, which its owner reads.

use serde_json::{Map, Value, json};

use crate::policy::Policy;

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The ARN in this member of the request.
    Member(&'static str),
    /// The state machine of that name, which is to be created.
    NewMachine,
    /// The activity of that name, which is to be created.
    NewActivity,
    /// The execution of a task token.
    Token,
    /// Nothing that has an ARN: a statement for `*` is needed.
    Everything,
}

/// The actions, what they are about, and the least role that includes them.
const ACTIONS: [(&str, About, Role); 37] = [
    ("CreateActivity", About::NewActivity, Role::Deploy),
    ("CreateStateMachine", About::NewMachine, Role::Deploy),
    ("CreateStateMachineAlias", About::Everything, Role::Deploy),
    ("DeleteActivity", About::Member("activityArn"), Role::Deploy),
    ("DeleteStateMachine", About::Member("stateMachineArn"), Role::Deploy),
    ("DeleteStateMachineAlias", About::Member("stateMachineAliasArn"), Role::Deploy),
    ("DeleteStateMachineVersion", About::Member("stateMachineVersionArn"), Role::Deploy),
    ("DescribeActivity", About::Member("activityArn"), Role::Read),
    ("DescribeExecution", About::Member("executionArn"), Role::Read),
    ("DescribeMapRun", About::Member("mapRunArn"), Role::Read),
    ("DescribeStateMachine", About::Member("stateMachineArn"), Role::Read),
    ("DescribeStateMachineAlias", About::Member("stateMachineAliasArn"), Role::Read),
    ("DescribeStateMachineForExecution", About::Member("executionArn"), Role::Read),
    ("GetActivityTask", About::Member("activityArn"), Role::Answer),
    ("GetExecutionHistory", About::Member("executionArn"), Role::Read),
    ("ListActivities", About::Everything, Role::Read),
    ("ListExecutions", About::Everything, Role::Read),
    ("ListMapRuns", About::Member("executionArn"), Role::Read),
    ("ListStateMachineAliases", About::Member("stateMachineArn"), Role::Read),
    ("ListStateMachineVersions", About::Member("stateMachineArn"), Role::Read),
    ("ListStateMachines", About::Everything, Role::Read),
    ("ListTagsForResource", About::Member("resourceArn"), Role::Read),
    ("PublishStateMachineVersion", About::Member("stateMachineArn"), Role::Deploy),
    ("RedriveExecution", About::Member("executionArn"), Role::Run),
    ("SendTaskFailure", About::Token, Role::Answer),
    ("SendTaskHeartbeat", About::Token, Role::Answer),
    ("SendTaskSuccess", About::Token, Role::Answer),
    ("StartExecution", About::Member("stateMachineArn"), Role::Run),
    ("StartSyncExecution", About::Member("stateMachineArn"), Role::Run),
    ("StopExecution", About::Member("executionArn"), Role::Run),
    ("TagResource", About::Member("resourceArn"), Role::Deploy),
    ("TestState", About::Everything, Role::Deploy),
    ("UntagResource", About::Member("resourceArn"), Role::Deploy),
    ("UpdateMapRun", About::Member("mapRunArn"), Role::Run),
    ("UpdateStateMachine", About::Member("stateMachineArn"), Role::Deploy),
    ("UpdateStateMachineAlias", About::Member("stateMachineAliasArn"), Role::Deploy),
    ("ValidateStateMachineDefinition", About::Everything, Role::Read),
];

/// What an action is about; `None` for one that there is not.
pub fn about(action: &str) -> Option<About> {
    ACTIONS.iter().find(|(name, ..)| *name == action).map(|(_, about, _)| *about)
}

/// Whether an action may change anything, or run code: all but those of [`Role::Read`].
pub fn changes(action: &str) -> bool {
    ACTIONS.iter().any(|(name, _, least)| *name == action && *least != Role::Read)
}

/// The names of all actions.
pub fn actions() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().map(|(name, ..)| *name)
}

impl About {
    /// The ARN to decide on. `prefix` is `arn:PARTITION:states:REGION:ACCOUNT:`, `token` the execution inside the request's task
    /// token. AWS: what a request does not name is everything.
    pub fn resource(self, request: &Map<String, Value>, prefix: &str, token: Option<&str>) -> String {
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let named = match self {
            About::Member(member) => text(member).map(str::to_owned),
            About::NewMachine => text("name").map(|name| format!("{prefix}stateMachine:{name}")),
            About::NewActivity => text("name").map(|name| format!("{prefix}activity:{name}")),
            About::Token => token.map(str::to_owned),
            About::Everything => None,
        };
        named.unwrap_or_else(|| "*".to_owned())
    }
}

/// A policy by name. `Answer` is for workers alone; each of the others includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at everything, payloads included.
    Read,
    /// Starts, stops and redrives.
    Run,
    /// Takes and answers tasks: nothing else.
    Answer,
    /// Changes state machines and activities. As strong as the rights of tasks: a definition may call anything they may.
    Deploy,
    Admin,
}

impl Role {
    /// The role of that name.
    pub fn named(name: &str) -> Option<Role> {
        Some(match name {
            "read" => Role::Read,
            "run" => Role::Run,
            "answer" => Role::Answer,
            "deploy" => Role::Deploy,
            "admin" => Role::Admin,
            _ => return None,
        })
    }

    fn includes(self, least: Role) -> bool {
        match self {
            Role::Admin => true,
            Role::Answer => least == Role::Answer,
            Role::Read | Role::Run | Role::Deploy => least <= self && least != Role::Answer,
        }
    }

    /// The policy of the role, for the machines whose names a pattern covers: them, their versions, aliases, executions, Express
    /// executions and Map Runs. Actions without a resource need all machines, `*`.
    ///
    /// # Errors
    ///
    /// Why the pattern makes no policy.
    pub fn policy(self, machines: &str) -> Result<Policy, String> {
        if machines.is_empty() || machines.contains([':', '/', '$', '"']) {
            return Err("a pattern of machines is a name with * and ? in it".to_owned());
        }
        let actions: Vec<String> = ACTIONS
            .iter()
            .filter(|(_, _, least)| self.includes(*least))
            .map(|(name, ..)| format!("states:{name}"))
            .collect();
        let resources: Vec<String> = match machines {
            "*" => vec!["*".to_owned()],
            pattern => ["stateMachine", "execution", "express", "mapRun"]
                .iter()
                .flat_map(|kind| ["", ":*", "/*"].map(|rest| format!("arn:*:states:*:*:{kind}:{pattern}{rest}")))
                .collect(),
        };
        let statement = json!({ "Sid": "Role", "Effect": "Allow", "Action": actions, "Resource": resources });
        Policy::read(&json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "arn:aws:states:us-east-1:123456789012:";

    fn may(role: Role, machines: &str, action: &str, request: &Value) -> bool {
        let token = request.get("taskToken").map(|_| format!("{PREFIX}execution:prod-a:e"));
        let resource = about(action).unwrap().resource(request.as_object().unwrap(), PREFIX, token.as_deref());
        role.policy(machines).unwrap().decide(&format!("states:{action}"), &resource).is_allowed()
    }

    #[test]
    fn roles_include_what_they_say() {
        let machine = json!({"stateMachineArn": format!("{PREFIX}stateMachine:prod-a")});
        let token = json!({"taskToken": "t"});
        for (role, action, request, allowed) in [
            (Role::Read, "DescribeStateMachine", &machine, true),
            (Role::Read, "StartExecution", &machine, false),
            (Role::Run, "StartExecution", &machine, true),
            (Role::Run, "DescribeStateMachine", &machine, true),
            (Role::Run, "UpdateStateMachine", &machine, false),
            (Role::Run, "SendTaskSuccess", &token, false),
            (Role::Answer, "SendTaskSuccess", &token, true),
            (Role::Answer, "DescribeStateMachine", &machine, false),
            (Role::Deploy, "UpdateStateMachine", &machine, true),
            (Role::Deploy, "TestState", &json!({}), true),
            (Role::Admin, "SendTaskSuccess", &token, true),
        ] {
            assert_eq!(may(role, "*", action, request), allowed, "{role:?} {action}");
        }
    }

    #[test]
    fn a_pattern_covers_a_machine_and_all_that_is_its_own() {
        let arn = |rest: &str| format!("{PREFIX}{rest}");
        for (action, member, resource, allowed) in [
            ("StartExecution", "stateMachineArn", "stateMachine:prod-a", true),
            ("StartExecution", "stateMachineArn", "stateMachine:prod-a:live", true),
            ("StartExecution", "stateMachineArn", "stateMachine:dev-a", false),
            ("StopExecution", "executionArn", "execution:prod-a:e", true),
            ("StopExecution", "executionArn", "execution:dev-a:prod-a", false),
            ("DescribeMapRun", "mapRunArn", "mapRun:prod-a/label:u", true),
            ("ListStateMachines", "none", "none", false),
        ] {
            assert_eq!(
                may(Role::Run, "prod-*", action, &json!({member: arn(resource)})),
                allowed,
                "{action} {resource}"
            );
        }
        assert!(may(Role::Deploy, "prod-*", "CreateStateMachine", &json!({"name": "prod-b"})));
        assert!(!may(Role::Deploy, "prod-*", "CreateStateMachine", &json!({"name": "b"})));
        assert!(may(Role::Answer, "prod-*", "SendTaskSuccess", &json!({"taskToken": "t"})));
        assert!(Role::Run.policy("").is_err() && Role::Run.policy("a:b").is_err());
    }

    #[test]
    fn the_table_has_every_action_once() {
        assert!(ACTIONS.is_sorted_by(|(one, ..), (other, ..)| one < other));
        assert_eq!(about("StartExecution"), Some(About::Member("stateMachineArn")));
        assert_eq!(about("startExecution"), None);
    }
}
