//! Definitions and what is said about them, as data: every file of `cases` is a list of cases with a name that is a
//! sentence, a definition (`definition`, or `state` for one alone, or `text`) and the diagnostics expected.
//!
//! `REWRITE=1 cargo test -p asl` writes what the crate says now into the files; read the difference.

#![allow(clippy::disallowed_methods, reason = "cases are files")]

use std::path::{Path, PathBuf};

use asl::{Diagnostic, MachineType, Severity, invalid_definition_message, parse};
use serde_json::{Value, json};

#[test]
fn says_what_the_cases_expect() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in case_files() {
        let mut cases: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases.as_array_mut().unwrap() {
            count += 1;
            let said = said_about(case);
            if case["diagnostics"] != said {
                wrong.push(format!("{}: {}\n said: {said:#}", file.display(), case["name"]));
            }
            case["diagnostics"] = said;
        }
        if std::env::var("REWRITE").is_ok() {
            std::fs::write(&file, format!("{cases:#}\n")).unwrap();
        }
    }
    assert!(count > 100, "the cases are gone");
    assert!(wrong.is_empty() || std::env::var("REWRITE").is_ok(), "{}", wrong.join("\n"));
}

#[test]
fn strings_errors_together_as_create_state_machine_does() {
    let wrong = r#"{"StartAt":"Nope","States":{"A":{"Type":"Pass","Parameters":{"a":"$.b"},"End":true}}}"#;
    let parsed = parse(wrong, MachineType::Standard);
    assert_eq!(
        invalid_definition_message(&parsed.diagnostics).as_deref(),
        Some(
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: Nope at /StartAt, \
             MISSING_TRANSITION_TARGET: State \"A\" is not reachable. at /States/A'"
        )
    );
    let warned: Vec<Diagnostic> =
        parsed.diagnostics.into_iter().filter(|one| one.severity == Severity::Warning).collect();
    assert_eq!(warned.len(), 1);
    assert_eq!(invalid_definition_message(&warned), None);
}

fn said_about(case: &Value) -> Value {
    let machine_type = match case["type"].as_str() {
        Some("EXPRESS") => MachineType::Express,
        Some(_) | None => MachineType::Standard,
    };
    let parsed = parse(&text_of(case), machine_type);
    let wrong = parsed.diagnostics.iter().any(|one| one.severity == Severity::Error);
    assert_eq!(parsed.machine.is_some(), !wrong, "{}", case["name"]);
    parsed.diagnostics.iter().map(render).collect()
}

fn text_of(case: &Value) -> String {
    match (case.get("text"), case.get("definition"), case.get("state")) {
        (Some(text), _, _) => text.as_str().unwrap().to_owned(),
        (None, Some(definition), _) => definition.to_string(),
        (None, None, Some(state)) => json!({"StartAt": "S", "States": {"S": state}}).to_string(),
        (None, None, None) => panic!("a case without a definition: {}", case["name"]),
    }
}

fn render(one: &Diagnostic) -> Value {
    let help = one.help.as_ref().map(|help| format!(" // {help}")).unwrap_or_default();
    Value::from(format!("{} {}{help}", one.severity, one.wire_text()))
}

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
