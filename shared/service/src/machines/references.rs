//! `variableReferences`: the variables that each state reads.
//!
//! AWS: names are sorted, states that read none are absent, states of all nestings stand under their own names.

use std::collections::{BTreeMap, BTreeSet};

use asl::{
    Catcher, Choice, DataFlow, Distribution, Fail, ItemBatcher, ItemReader, Items, Kind, Map, Parallel, Pass, Rule,
    Selection, State, StateMachine, Task, Template, Test, Text, ValueSource, Wait, WaitUntil,
};
use expressions::jsonata;

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
    // Everything is taken apart field by field, so that the compiler asks about a field that is new.

    // Each structure of the language is taken apart whole, so that the compiler asks here about a field that is added.
    // Retriers have numbers and names of errors only.

    fn state(&mut self, state: &'m State) {
        let State { id: _, name: _, comment: _, query_language: _, unusable: _, data, retry: _, catch, kind } = state;
        self.data_flow(data);
        for Catcher { error_equals: _, result_path: _, assign, output, next: _ } in catch {
            self.template(assign.as_ref());
            self.payload(output.as_ref());
        }
        match kind {
            Kind::Task(task) => self.task(task),
            Kind::Map(map) => self.map(map),
            Kind::Wait(Wait { until, transition: _ }) => match until {
                WaitUntil::Seconds(seconds) => self.source(Some(seconds)),
                WaitUntil::Timestamp(timestamp) => self.source(Some(timestamp)),
            },
            Kind::Choice(choice) => self.choice(choice),
            Kind::Fail(fail) => self.fail(fail),
            // The states of their branches are listed on their own.
            Kind::Parallel(Parallel { branches: _, transition: _ }) => {}
            Kind::Pass(Pass { result: _, transition: _ }) | Kind::Succeed => {}
        }
    }

    /// `ResultPath` is a place to write to, and never a variable.
    fn data_flow(&mut self, data: &'m DataFlow) {
        let DataFlow { input_path, arguments, result_selector, result_path: _, assign, output_path, output } = data;
        self.selection(input_path);
        self.selection(output_path);
        self.template(arguments.as_ref());
        self.names.extend(result_selector.iter().flat_map(expressions::Template::variables));
        self.template(assign.as_ref());
        self.payload(output.as_ref());
    }

    fn task(&mut self, task: &'m Task) {
        let Task { resource: _, timeout, heartbeat, credentials, transition: _ } = task;
        self.template(credentials.as_ref());
        self.source(timeout.as_ref());
        self.source(heartbeat.as_ref());
    }

    fn map(&mut self, map: &'m Map) {
        let Map {
            items,
            item_selector,
            processor: _,
            has_distributed_fields: _,
            distribution,
            max_concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
            transition: _,
        } = map;
        match items {
            Items::Path(selection) => self.selection(selection),
            Items::Jsonata(items) => self.payload(Some(items)),
        }
        self.template(item_selector.as_ref());
        self.source(Some(max_concurrency));
        self.source(tolerated_failure_count.as_ref());
        self.source(tolerated_failure_percentage.as_ref());
        let Distribution { is_distributed: _, reader, batcher, has_writer: _ } = &**distribution;
        if let Some(ItemReader { arguments, format: _, items_pointer: _, max_items }) = reader {
            self.template(arguments.as_ref());
            self.source(max_items.as_ref());
        }
        if let Some(ItemBatcher { max_items, max_bytes, input }) = batcher {
            self.template(input.as_ref());
            self.source(max_items.as_ref());
            self.source(max_bytes.as_ref());
        }
    }

    fn choice(&mut self, choice: &'m Choice) {
        let Choice { rules, default: _ } = choice;
        for Rule { test, assign, output, next: _ } in rules {
            match test {
                Test::Compare(condition) => self.names.extend(condition.variables()),
                Test::Jsonata(condition) => self.names.extend(condition.variables()),
                Test::Always(_) => {}
            }
            self.template(assign.as_ref());
            self.payload(output.as_ref());
        }
    }

    fn fail(&mut self, fail: &'m Fail) {
        let Fail { error, cause } = fail;
        for text in [error, cause].into_iter().flatten() {
            match text {
                Text::From(expression) => self.names.extend(expression.variables()),
                Text::Jsonata(expression) => self.names.extend(expression.variables()),
                Text::Literal(_) => {}
            }
        }
    }

    fn selection(&mut self, selection: &'m Selection) {
        match selection {
            Selection::At(path) => self.names.extend(path.variable()),
            Selection::Everything | Selection::Nothing => {}
        }
    }

    fn source<T>(&mut self, source: Option<&'m ValueSource<T>>) {
        match source {
            Some(ValueSource::Path(path)) => self.names.extend(path.variable()),
            Some(ValueSource::Jsonata(expression)) => self.names.extend(expression.variables()),
            Some(ValueSource::Literal(_)) | None => {}
        }
    }

    fn template(&mut self, template: Option<&'m Template>) {
        match template {
            Some(Template::JsonPath(template)) => self.names.extend(template.variables()),
            Some(Template::Jsonata(template)) => self.payload(Some(template)),
            None => {}
        }
    }

    fn payload(&mut self, payload: Option<&'m jsonata::Template>) {
        self.names.extend(payload.into_iter().flat_map(jsonata::Template::variables));
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

    #[test]
    fn expressions_count_in_every_field_and_their_own_variables_do_not() {
        let definition = r#"{"QueryLanguage":"JSONata","StartAt":"T","States":{
            "T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":{"FunctionName":"{% $a %}"},
                "Credentials":{"RoleArn":"{% $b %}"},"TimeoutSeconds":"{% $c %}","HeartbeatSeconds":"{% $d %}",
                "Assign":{"x":"{% $e %}"},"Output":["{% $f & $a %}"],
                "Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"x":"{% $g %}"},"Output":"{% $h %}","Next":"M"}],"Next":"P"},
            "P":{"Type":"Parallel","Arguments":"{% $i %}","Branches":[{"StartAt":"B","States":{
                "B":{"Type":"Pass","Output":"{% $j %}","End":true}}}],"Next":"M"},
            "M":{"Type":"Map","Items":[1,"{% $k %}"],"ItemSelector":{"v":"{% $l %}"},"MaxConcurrency":"{% $m %}",
                "ToleratedFailureCount":"{% $n %}","ToleratedFailurePercentage":"{% $o %}",
                "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed","Output":"{% $p %}"}}},"Next":"W"},
            "W":{"Type":"Wait","Seconds":"{% $q %}","Next":"V"},
            "V":{"Type":"Wait","Timestamp":"{% $r %}","Next":"C"},
            "C":{"Type":"Choice","Assign":{"x":"{% $s %}"},"Output":"{% $t %}","Choices":[
                {"Condition":"{% $u %}","Assign":{"x":"{% $v %}"},"Output":"{% $w %}","Next":"F"}],"Default":"N"},
            "F":{"Type":"Fail","Error":"{% $y %}","Cause":"{% $z %}"},
            "N":{"Type":"Succeed","Output":"{% ($own := $count($states.input); $map([$own], function($v) { $v })) %}"}}}"#;
        let machine = asl::parse(definition, asl::MachineType::Standard).machine.unwrap();
        let listed: Vec<(&str, String)> =
            of(&machine).into_iter().map(|(state, names)| (state, names.into_iter().collect())).collect();
        let expected = [
            ("B", "j"),
            ("C", "stuvw"),
            ("F", "yz"),
            ("I", "p"),
            ("M", "klmno"),
            ("P", "i"),
            ("T", "abcdefgh"),
            ("V", "r"),
            ("W", "q"),
        ];
        assert_eq!(listed, expected.map(|(state, names)| (state, names.to_owned())));
    }
}
