//! `variableReferences`: which variables each state reads.
//!
//! AWS: names are sorted, states that read none are absent, states of all nestings stand under their own names.

use std::collections::{BTreeMap, BTreeSet};

use asl::{DataFlow, Fail, Kind, Limit, Map, Percentage, ResultPath, Seconds, Selection, State, StateMachine, Task};
use asl::{Text, WaitUntil};
use expressions::{Path, Template};

/// For each state that reads variables their names.
pub(super) fn of(machine: &StateMachine) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut references = BTreeMap::new();
    for state in &machine.states {
        let mut read = Read::default();
        read.state(state);
        if !read.names.is_empty() {
            references.insert(&*state.name, read.names);
        }
    }
    references
}

#[derive(Default)]
struct Read<'m> {
    names: BTreeSet<&'m str>,
}

impl<'m> Read<'m> {
    fn state(&mut self, state: &'m State) {
        self.data_flow(&state.data);
        for catcher in &state.catch {
            self.template(catcher.assign.as_ref());
        }
        match &state.kind {
            Kind::Task(task) => self.task(task),
            Kind::Map(map) => self.map(map),
            Kind::Wait(wait) => match &wait.until {
                WaitUntil::SecondsPath(path) | WaitUntil::TimestampPath(path) => self.path(path),
                WaitUntil::Seconds(_) | WaitUntil::Timestamp(_) => {}
            },
            Kind::Choice(choice) => {
                for rule in &choice.rules {
                    self.names.extend(rule.condition.variables());
                    self.template(rule.assign.as_ref());
                }
            }
            Kind::Fail(fail) => self.fail(fail),
            Kind::Parallel(_) | Kind::Pass(_) | Kind::Succeed => {}
        }
    }

    fn data_flow(&mut self, data: &'m DataFlow) {
        self.selection(&data.input_path);
        self.selection(&data.output_path);
        for template in [&data.parameters, &data.result_selector, &data.assign] {
            self.template(template.as_ref());
        }
        match &data.result_path {
            // A place to write to: never a variable.
            ResultPath::Replace | ResultPath::Discard | ResultPath::At(_) => {}
        }
    }

    fn task(&mut self, task: &'m Task) {
        self.template(task.credentials.as_ref());
        for seconds in [&task.timeout, &task.heartbeat].into_iter().flatten() {
            match seconds {
                Seconds::Path(path) => self.path(path),
                Seconds::Literal(_) => {}
            }
        }
    }

    fn map(&mut self, map: &'m Map) {
        self.selection(&map.items_path);
        self.template(map.item_selector.as_ref());
        for limit in [Some(&map.max_concurrency), map.tolerated_failure_count.as_ref()].into_iter().flatten() {
            match limit {
                Limit::Path(path) => self.path(path),
                Limit::Literal(_) => {}
            }
        }
        match &map.tolerated_failure_percentage {
            Some(Percentage::Path(path)) => self.path(path),
            Some(Percentage::Literal(_)) | None => {}
        }
    }

    fn fail(&mut self, fail: &'m Fail) {
        for text in [&fail.error, &fail.cause].into_iter().flatten() {
            match text {
                Text::From(expression) => self.names.extend(expression.variables()),
                Text::Literal(_) => {}
            }
        }
    }

    fn selection(&mut self, selection: &'m Selection) {
        match selection {
            Selection::At(path) => self.path(path),
            Selection::Everything | Selection::Nothing => {}
        }
    }

    fn template(&mut self, template: Option<&'m Template>) {
        self.names.extend(template.into_iter().flat_map(Template::variables));
    }

    fn path(&mut self, path: &'m Path) {
        self.names.extend(path.variable());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_listed_with_the_variables_they_read() {
        let definition = r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Assign":{"list":[1],"n":2},"Next":"M"},
            "M":{"Type":"Map","ItemsPath":"$list","MaxConcurrencyPath":"$n","End":true,"ItemProcessor":{
                "ProcessorConfig":{"Mode":"INLINE"},"StartAt":"I","States":{
                    "I":{"Type":"Pass","Parameters":{"b.$":"States.MathAdd($n, $.x)","a.$":"$list"},"End":true}}}}}}"#;
        let machine = asl::parse(definition, asl::MachineType::Standard).machine.unwrap();
        let listed: Vec<(&str, Vec<&str>)> =
            of(&machine).into_iter().map(|(state, names)| (state, names.into_iter().collect())).collect();
        assert_eq!(listed, [("I", vec!["list", "n"]), ("M", vec!["list", "n"])]);
    }
}
