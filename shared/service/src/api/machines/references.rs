//! `variableReferences`: which variables each state reads.
//!
//! AWS: names are sorted, states that read none are absent, states of all nestings stand under their own names.

use std::collections::{BTreeMap, BTreeSet};

use asl::{
    Choice, DataFlow, Fail, Items, Kind, Map, Selection, State, StateMachine, Task, Template, Test, Text, ValueSource,
    WaitUntil,
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
    fn state(&mut self, state: &'m State) {
        self.data_flow(&state.data);
        for catcher in &state.catch {
            self.template(catcher.assign.as_ref());
            self.payload(catcher.output.as_ref());
        }
        match &state.kind {
            Kind::Task(task) => self.task(task),
            Kind::Map(map) => self.map(map),
            Kind::Wait(wait) => match &wait.until {
                WaitUntil::Seconds(seconds) => self.given(Some(seconds)),
                WaitUntil::Timestamp(timestamp) => self.given(Some(timestamp)),
            },
            Kind::Choice(choice) => self.choice(choice),
            Kind::Fail(fail) => self.fail(fail),
            Kind::Parallel(_) | Kind::Pass(_) | Kind::Succeed => {}
        }
    }

    /// `ResultPath` is not looked at: it is a place to write to, and never a variable.
    fn data_flow(&mut self, data: &'m DataFlow) {
        self.selection(&data.input_path);
        self.selection(&data.output_path);
        self.template(data.arguments.as_ref());
        self.names.extend(data.result_selector.iter().flat_map(expressions::Template::variables));
        self.template(data.assign.as_ref());
        self.payload(data.output.as_ref());
    }

    fn task(&mut self, task: &'m Task) {
        self.template(task.credentials.as_ref());
        self.given(task.timeout.as_ref());
        self.given(task.heartbeat.as_ref());
    }

    fn map(&mut self, map: &'m Map) {
        match &map.items {
            Items::Path(selection) => self.selection(selection),
            Items::Jsonata(items) => self.payload(Some(items)),
        }
        self.template(map.item_selector.as_ref());
        self.given(Some(&map.max_concurrency));
        self.given(map.tolerated_failure_count.as_ref());
        self.given(map.tolerated_failure_percentage.as_ref());
    }

    fn choice(&mut self, choice: &'m Choice) {
        for rule in &choice.rules {
            match &rule.test {
                Test::Compare(condition) => self.names.extend(condition.variables()),
                Test::Jsonata(condition) => self.names.extend(condition.variables()),
                Test::Always(_) => {}
            }
            self.template(rule.assign.as_ref());
            self.payload(rule.output.as_ref());
        }
    }

    fn fail(&mut self, fail: &'m Fail) {
        for text in [&fail.error, &fail.cause].into_iter().flatten() {
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

    fn given<T>(&mut self, given: Option<&'m ValueSource<T>>) {
        match given {
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
