//! Placeholders filled in and left open, templates, and both of them damaged at random.

use asl::MachineType;
use asl::source::template::{self, Definition};
use asl::source::{self, Format, Source, Substitutions};
use proptest::prelude::*;

fn values(pairs: &[(&str, &str)]) -> Substitutions {
    let mut values = Substitutions::default();
    pairs.iter().for_each(|(name, value)| values.give(*name, *value));
    values
}

#[test]
fn fills_in_what_has_a_value_and_quotes_the_rest() {
    let values = values(&[("N", "5"), ("Text", "a\\\"b"), ("List", "[1, 2]"), ("Own", "${Own}"), ("AWS::Region", "x")]);
    let cases = [
        (r#"{"a": ${N}, "b": ${M}}"#, r#"{"a": 5, "b": "${M}"}"#),
        (r#"{"a":${N}0,"b":-${M}}"#, r#"{"a":50,"b":"-${M}"}"#),
        (r#"["${N}", "${M}", "\"${N}", ${List}]"#, r#"["5", "${M}", "\"5", [1, 2]]"#),
        (r#"{"${N}": "${Text}"}"#, r#"{"5": "a\"b"}"#),
        (r#"["${AWS::Region}", "${F.Arn}", "${Own}"]"#, r#"["x", "${F.Arn}", "${Own}"]"#),
        // No placeholders, and left as they are: JSONata groups, and texts that never end.
        (r#"["$${N}", "${id:name}", "${}", "${ N }", "${N"]"#, r#"["$5", "${id:name}", "${}", "${ N }", "${N"]"#),
        (r#"{"a": ${N, "b": ${"#, r#"{"a": ${N, "b": ${"#),
        (r#"{"a": é${M}é}"#, r#"{"a": "é${M}é"}"#),
    ];
    for (text, expected) in cases {
        assert_eq!(source::read_with(text, Format::Json, &values).unwrap().json(), expected);
    }
}

#[test]
fn an_expression_of_terraform_is_a_placeholder_named_for_its_words() {
    let values = values(&[("var.arns.one", "arn"), ("jsonencode.local.list", "[1, 2]")]);
    let cases = [
        (
            "{\"a\": ${jsonencode(local.list)}, \"b\": ${jsonencode(local.other)}}",
            r#"{"a": [1, 2], "b": "${jsonencode.local.other}"}"#,
        ),
        (
            "[${\n  var.size\n}, ${ [for s in var.subnets : s.id] }]",
            r#"["${var.size}", "${for.s.in.var.subnets.s.id}"]"#,
        ),
        ("[${var.size > 3 ? 1 : 2}0]", r#"["${var.size.3.1.2}0"]"#),
        (
            "[\"${var.arns[\"one\"]}\", \"x-${lookup(var.arns,\n  \"two\")}-${var.y}\"]",
            r#"["arn", "x-${lookup.var.arns.two}-${var.y}"]"#,
        ),
        // JSONata, and Terraform's own way to write ${.
        (
            r#"["{% ${a(b): c} %}", "${id: (x)}", "$${lookup(x)}"]"#,
            r#"["{% ${a(b): c} %}", "${id: (x)}", "$${lookup(x)}"]"#,
        ),
        ("[${jsonencode(a]", "[${jsonencode(a]"),
        ("[${}]", "[${}]"),
    ];
    for (text, expected) in cases {
        assert_eq!(source::read_with(text, Format::Json, &values).unwrap().json(), expected);
    }
}

#[test]
fn fills_in_yaml_scalar_by_scalar() {
    let values = values(&[("N", "5"), ("Yes", "true"), ("Two", "a: b")]);
    let yaml = "a: ${N}\nb: '${N}'\nc: [${N}, ${M}, '${M}${N}']\nd: {${N}: ${Yes}}\ne: ${Two}\nf: |\n  ${N}\n  ${M}\n";
    let expected = r#"{"a":5,"b":"5","c":[5,"${M}","${M}5"],"d":{"5":true},"e":"a: b","f":"5\n${M}\n"}"#;
    let source = source::read_with(yaml, Format::Yaml, &values).unwrap();
    assert_eq!(source.json(), expected);
    let placeholders = source.placeholders();
    let replaced: Vec<&str> = placeholders.replaced.iter().map(String::as_str).collect();
    let open: Vec<&str> = placeholders.open.iter().map(String::as_str).collect();
    assert_eq!((replaced, open), (vec!["N", "Two", "Yes"], vec!["M"]));
}

#[test]
fn refuses_to_grow_without_end() {
    let values = values(&[("Long", &"x".repeat(1 << 20))]);
    let text = format!("[\"{}\"]", "${Long}".repeat(100));
    for format in [Format::Json, Format::Yaml] {
        let error = source::read_with(&text, format, &values).unwrap_err();
        assert_eq!(error.message, "too large with its placeholders filled in");
    }
}

#[test]
fn reads_a_million_openings_in_one_go() {
    for text in [
        "${".repeat(1 << 20),
        "${(\n".repeat(1 << 18),
        "\"${a(\"".repeat(1 << 18),
        "${a".repeat(1 << 20),
        format!("\"{}", "$".repeat(1 << 20)),
    ] {
        assert!(!source::read(&text, Format::Json).unwrap().check(MachineType::Standard).is_empty());
    }
}

fn only_source(template: &str, format: Format) -> Source {
    let machines = template::read(template, format, &Substitutions::default());
    let Some(machines) = machines else { panic!("{template}") };
    match machines.into_iter().next().unwrap().definition {
        Definition::Here(source) => source.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn finds_a_fault_in_a_string_however_it_is_written() {
    let ways = [
        "|\n{}",
        "|-\n{}",
        ">\n{}",
        "|2\n{}",
        "!Sub |\n{}",
        "&anchor !Sub |\n{}",
        "!Sub\n      - |\n{}\n      - {Unused: 1}",
        "!Join\n      - ''\n      - - ''\n        - |\n{}",
    ];
    let json = r#"            { "Comment": "é \" \u00e9", "StartAt": "A",

              "States": { "A": { "Type": "Wait", "Seconds": -5, "End": true } } }
"#;
    let head = "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      DefinitionString: ";
    let one_line = json.replace('\n', " ").replace('\\', "\\\\").replace('"', "\\\"");
    let mut texts: Vec<String> = ways.iter().map(|way| format!("{head}{}", way.replace("{}", json))).collect();
    texts.push(texts.first().unwrap().replace('\n', "\r\n"));
    texts.push(format!("{head}'{}'\n", json.trim().replace('\n', "\n  ")));
    texts.push(format!("{head}\"{}\"\n", one_line.trim()));
    texts.push(format!("{head}!Sub \"{}\"\n", one_line.trim()));
    for text in texts {
        let source = only_source(&text, Format::Yaml);
        let found = source.check(MachineType::Standard);
        let [one] = found.as_slice() else { panic!("{text}\n{found:?}") };
        assert_eq!(text.get(source.span_of(one).unwrap()).unwrap(), "-5", "{text}");
    }
}

#[test]
fn a_call_is_a_placeholder_named_for_what_it_refers_to() {
    let yaml = "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:\n      Definition:
        a: !Ref Table
        b: !GetAtt Function.Arn
        c: {Fn::GetAtt: [Function, Arn]}
        d: !If [Big, 1, 2]
        e: !Sub '${Table}-${!Kept}'
        f: !Sub ['${Known}-${Unknown}', {Known: 5, Unknown: !Ref Table}]
        g: !Join [',', [a, !Ref Table, '${X}']]
        h: [!Ref AWS::Region, plain]
        i: !Ref 'no name'\n";
    let expected = concat!(
        r#"{"a":"${Table}","b":"${Function.Arn}","c":"${Function.Arn}","d":"${Fn::If}","e":"${Table}-${Kept}","#,
        r#""f":"5-${Unknown}","g":"a,${Table},${X}","h":["${AWS::Region}","plain"],"i":"${Ref}"}"#
    );
    assert_eq!(only_source(yaml, Format::Yaml).json(), expected);
}

#[test]
fn tells_a_template_by_its_resources() {
    let none = Substitutions::default();
    let count = |text: &str| {
        let format = Format::of(None, text);
        template::read(text, format, &none).map(|machines| machines.len())
    };
    assert_eq!(count(r#"{"Resources": {"A": {"Type": "AWS::StepFunctions::StateMachine"}}}"#), Some(1));
    assert_eq!(count("Resources: {A: {Type: AWS::SNS::Topic}}"), Some(0));
    assert_eq!(count("Resources: {A: {Type: Pass}}"), None);
    assert_eq!(count("StartAt: Resources\nStates: {Resources: {Type: Succeed}}"), None);
    assert_eq!(count("Resources: [A"), None);
}

const TEMPLATE: &str = r#"Resources:
  A:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionSubstitutions: {N: 5, F: !Sub "${G.Arn}-é"}
      Definition:
        StartAt: É
        States: {É: {Type: Task, Resource: !GetAtt F.Arn, TimeoutSeconds: "${N}", Nxt: ${M}, Next: !Ref X}}
  B:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      DefinitionString: !Sub
        - |
          { "StartAt": "É", "States": { "É": { "Type": "Wait", "Seconds": ${N}, "Comment": "\u00e9 ${!K} ${L}",
            "Next": "F" } } }
        - {L: !Join ["", [a, "é\n"]]}
  C:
    Type: AWS::StepFunctions::StateMachine
    Properties: {DefinitionString: "{\"StartAt\": \"\u00c9\", \"States\": {\"A\": {\"Type\": \"${T}\", \"X\": 1}}}"}
"#;

proptest! {
    #[test]
    fn damaged_templates_are_read_without_a_panic_and_findings_are_within_them(
        damages in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}:,&*!|>'\"$\\\\ \\n é-]{0,3}", 0usize..4), 0..5),
    ) {
        let mut letters: Vec<char> = TEMPLATE.chars().collect();
        for (at, with, length) in damages {
            let start = at.index(letters.len());
            let end = (start + length).min(letters.len());
            letters.splice(start..end, with.chars());
        }
        let text: String = letters.into_iter().collect();
        let given = values(&[("G.Arn", "g\"é"), ("M", "1")]);
        for machine in template::read(&text, Format::Yaml, &given).into_iter().flatten() {
            prop_assert!(text.get(machine.at).is_some());
            let Definition::Here(source) = machine.definition else { continue };
            match source {
                Err(error) => prop_assert!(text.get(error.at).is_some()),
                Ok(source) => {
                    for one in source.check(MachineType::Standard) {
                        prop_assert!(source.span_of(&one).is_none_or(|span| text.get(span).is_some()));
                    }
                }
            }
        }
    }

    #[test]
    fn placeholders_anywhere_never_panic(text in "[${}A-C.:\"\\\\,\\[\\] é\\n]{0,60}") {
        let given = values(&[("A", "\""), ("B", ""), ("C", "{}")]);
        for format in [Format::Json, Format::Yaml] {
            if let Ok(source) = source::read_with(&text, format, &given) {
                for one in source.check(MachineType::Express) {
                    prop_assert!(source.span_of(&one).is_none_or(|span| text.get(span).is_some()));
                }
            }
        }
    }
}
