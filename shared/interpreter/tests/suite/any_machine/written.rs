//! Writes a drawn machine down as a definition.

use serde_json::{Map, Value, json};

use super::{Does, Drawn, Flow, Language, Recovery, Told};

const INPUT: Told = Told { path: "$", jsonata: "$states.input" };

/// The distinguishing marks of a task's attempts.
const OF_THE_ATTEMPT: &[(&str, Told)] = &[
    ("try", Told { path: "$$.State.RetryCount", jsonata: "$states.context.State.RetryCount" }),
    ("since", Told { path: "$$.State.EnteredTime", jsonata: "$states.context.State.EnteredTime" }),
];

/// A machine of this language.
pub(super) fn machine(flow: &Flow, language: Language, timeout: Option<u64>) -> Value {
    let mut writer = Writer { machine: language, states: 0 };
    let mut definition = writer.level(flow, None);
    if language == Language::Jsonata {
        definition["QueryLanguage"] = json!("JSONata");
    }
    if let Some(seconds) = timeout {
        definition["TimeoutSeconds"] = json!(seconds);
    }
    definition
}

struct Writer {
    machine: Language,
    /// How many names have been given.
    states: usize,
}

/// Where a state stands.
struct Place<'p> {
    language: Language,
    /// The first state of its flow, and the one after it.
    first: &'p str,
    next: Option<&'p str>,
    /// The first state of the flow around.
    outer: &'p str,
}

impl Writer {
    fn level(&mut self, flow: &Flow, outer: Option<&str>) -> Value {
        let begin = self.states;
        self.states += flow.0.len();
        let names: Vec<String> = (begin..self.states).map(|place| format!("S{place}")).collect();
        let mut states = Map::new();
        for (place, drawn) in flow.0.iter().enumerate() {
            let next = names.get(place + 1).map(String::as_str);
            let place = Place { language: drawn.language, first: &names[0], next, outer: outer.unwrap_or(&names[0]) };
            let name = format!("S{}", begin + states.len());
            states.insert(name, self.state(drawn, &place));
        }
        json!({ "StartAt": names[0], "States": states })
    }

    fn state(&mut self, drawn: &Drawn, at: &Place<'_>) -> Value {
        let mut state = self.work(drawn, at);
        if at.language != self.machine {
            state["QueryLanguage"] = json!("JSONata");
        }
        match state["Type"].as_str() {
            Some("Choice" | "Fail" | "Succeed") => {}
            _ => match at.next {
                Some(next) => state["Next"] = json!(next),
                None => state["End"] = json!(true),
            },
        }
        if let Some("Fail" | "Succeed") = state["Type"].as_str() {
            return state;
        }
        if let Some(told) = drawn.assign {
            state["Assign"] = at.assigned(told);
        }
        if let (Language::Jsonata, Some(told)) = (at.language, drawn.output) {
            // An object, so that the paths of the next state have somewhere to write.
            let ends = at.next.is_none();
            state["Output"] = if ends { at.expression(told) } else { at.payload("handed", told) };
        }
        state
    }

    fn work(&mut self, drawn: &Drawn, at: &Place<'_>) -> Value {
        match &drawn.does {
            // A state that ends its flow is the last one, or the rest of the flow could not be reached.
            Does::Fail if at.next.is_none() => json!({ "Type": "Fail", "Error": "Own", "Cause": "drawn" }),
            Does::Succeed if at.next.is_none() => json!({ "Type": "Succeed" }),
            Does::Choice { test, back, assign, output } if at.next.is_some() => {
                choice(at, at.test(test.path, test.jsonata), *back, *assign, *output)
            }
            Does::Pass | Does::Choice { .. } | Does::Fail | Does::Succeed => pass(drawn, at),
            Does::Wait { seconds, computed } => wait(at, *seconds, *computed),
            Does::Task { token, timeout, recovery } => {
                let mut task = task(drawn, at, *token);
                if let Some(seconds) = timeout {
                    task["TimeoutSeconds"] = json!(u64::from(*seconds) + 3);
                }
                recovery.added(task, at)
            }
            Does::Parallel { branches, recovery } => {
                let branches: Vec<Value> = branches.iter().map(|branch| self.level(branch, Some(at.first))).collect();
                let parallel = json!({ "Type": "Parallel", "Branches": branches });
                recovery.added(at.with_arguments(parallel, drawn.arguments), at)
            }
            Does::Map { processor, items, selector, concurrency, recovery } => {
                let mut map = json!({ "Type": "Map", "ItemProcessor": self.level(processor, Some(at.first)) });
                match at.language {
                    Language::Path => {
                        map["ItemsPath"] = json!(at.named(items.path));
                        map["MaxConcurrency"] = json!(concurrency);
                    }
                    Language::Jsonata => {
                        map["Items"] = parsed(&at.named(items.jsonata));
                        map["MaxConcurrency"] = json!(format!("{{% {concurrency} %}}"));
                    }
                }
                if let Some(told) = selector {
                    map["ItemSelector"] = at.payload("item", *told);
                }
                recovery.added(map, at)
            }
        }
    }
}

fn pass(drawn: &Drawn, at: &Place<'_>) -> Value {
    let mut pass = json!({ "Type": "Pass" });
    if at.language == Language::Path {
        pass = at.with_arguments(pass, drawn.arguments);
        if drawn.output.is_some() {
            pass["ResultPath"] = json!("$.at");
        }
    }
    pass
}

fn wait(at: &Place<'_>, seconds: u8, computed: bool) -> Value {
    match (at.language, computed) {
        (_, false) => json!({ "Type": "Wait", "Seconds": seconds }),
        (Language::Path, true) => json!({ "Type": "Wait", "SecondsPath": "$$.Execution.Input.n" }),
        (Language::Jsonata, true) if seconds.is_multiple_of(2) => {
            json!({ "Type": "Wait", "Timestamp": "{% $now() %}" })
        }
        (Language::Jsonata, true) => json!({ "Type": "Wait", "Seconds": "{% $states.context.Execution.Input.n %}" }),
    }
}

fn choice(at: &Place<'_>, mut rule: Value, back: bool, assign: Option<Told>, output: Option<Told>) -> Value {
    rule["Next"] = if back { json!(at.first) } else { json!(at.next) };
    if let Some(told) = assign {
        rule["Assign"] = at.assigned(told);
    }
    if let (Language::Jsonata, Some(told)) = (at.language, output) {
        rule["Output"] = at.payload("chosen", told);
    }
    json!({ "Type": "Choice", "Choices": [rule], "Default": at.next })
}

fn task(drawn: &Drawn, at: &Place<'_>, token: bool) -> Value {
    let mut task = if token {
        json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "HeartbeatSeconds": 3,
        })
    } else {
        json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f" })
    };
    match (at.language, token) {
        (Language::Path, true) => {
            task["Parameters"] = json!({ "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } });
        }
        (Language::Jsonata, true) => {
            let payload = json!({ "token": "{% $states.context.Task.Token %}" });
            task["Arguments"] = json!({ "FunctionName": "f", "Payload": payload });
        }
        (_, false) => {
            // Each attempt has arguments of its own, so that one that is made twice is seen.
            task = at.with_arguments(task, drawn.arguments.or(Some(INPUT)));
            let field = at.arguments_field();
            for (name, told) in OF_THE_ATTEMPT {
                let Value::Object(member) = at.payload(name, *told) else { continue };
                task[field].as_object_mut().expect("the arguments").extend(member);
            }
        }
    }
    if let (Language::Path, Some(told)) = (at.language, drawn.output) {
        task["ResultSelector"] = at.payload("selected", told);
        task["ResultPath"] = json!("$.at");
    }
    task
}

impl Place<'_> {
    /// A text of a pool with the names of the variables.
    fn named(&self, text: &str) -> String {
        text.replace("$OWN", &format!("$seen_in_{}", self.first)).replace("$OUTER", &format!("$seen_in_{}", self.outer))
    }

    /// One expression; JSONata only.
    fn expression(&self, told: Told) -> Value {
        json!(format!("{{% {} %}}", self.named(told.jsonata)))
    }

    /// An object with one field.
    fn payload(&self, field: &str, told: Told) -> Value {
        let (key, value) = match self.language {
            Language::Path => (format!("{field}.$"), json!(self.named(told.path))),
            Language::Jsonata => (field.to_owned(), self.expression(told)),
        };
        Value::Object(Map::from_iter([(key, value)]))
    }

    /// A name of its flow: AWS refuses that of an outer one.
    fn assigned(&self, told: Told) -> Value {
        self.payload(&format!("seen_in_{}", self.first), told)
    }

    fn arguments_field(&self) -> &'static str {
        if self.language == Language::Path { "Parameters" } else { "Arguments" }
    }

    fn with_arguments(&self, mut state: Value, told: Option<Told>) -> Value {
        if let Some(told) = told {
            state[self.arguments_field()] = self.payload("asked", told);
        }
        state
    }

    fn test(&self, path: &str, jsonata: &str) -> Value {
        match self.language {
            Language::Path => parsed(&self.named(path)),
            Language::Jsonata => json!({ "Condition": parsed(&self.named(jsonata)) }),
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

impl Recovery {
    fn added(&self, mut state: Value, at: &Place<'_>) -> Value {
        if let Some((name, attempts)) = self.retry {
            state["Retry"] = json!([{ "ErrorEquals": [name], "IntervalSeconds": 1, "MaxAttempts": attempts }]);
        }
        if let (Some((name, output, assign)), Some(next)) = (self.catch, at.next) {
            let mut catcher = json!({ "ErrorEquals": [name], "Next": next });
            match (at.language, output) {
                (Language::Path, Some(_)) => catcher["ResultPath"] = json!("$.at"),
                (Language::Path, None) => catcher["ResultPath"] = json!(null),
                (Language::Jsonata, Some(told)) => catcher["Output"] = at.expression(told),
                (Language::Jsonata, None) => {}
            }
            if let Some(told) = assign {
                catcher["Assign"] = at.assigned(told);
            }
            state["Catch"] = json!([catcher]);
        }
        state
    }
}
