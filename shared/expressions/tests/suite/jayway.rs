//! JSONPath as Jayway JsonPath 2.0.0 answers it: our own table, and the one that lies beside the checkout.

use std::collections::BTreeMap;
use std::path::Path as File;

use crate::world;
use expressions::Path;
use serde_json::Value;

/// Rows of the table beside the checkout that are answered otherwise on purpose, each with the recording of AWS that
/// says so. There are none: double quotes, which 2.0.0 refuses and this crate keeps taking, are in no row.
const EXCEPTIONS: [&str; 0] = [];

/// What a path answers over a document; a path that does not compile, now or when it is read, is refused.
fn answer(path: &str, document: &Value) -> String {
    let Ok(path) = Path::parse(path) else { return "refused".to_owned() };
    if path.refusal().is_some() {
        return "refused".to_owned();
    }
    world::with_scope(document, |scope| match path.read(scope) {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {error}"),
    })
}

fn wanted(row: &Value) -> String {
    match (row.get("value"), row.get("error")) {
        (Some(value), _) => value.to_string(),
        (None, Some(error)) => format!("error: {}", error.as_str().unwrap()),
        (None, None) => "refused".to_owned(),
    }
}

fn check(table: &Value) -> (usize, Vec<String>) {
    let rows = table["paths"].as_array().unwrap();
    let mut wrong = Vec::new();
    for row in rows {
        let path = row["path"].as_str().unwrap();
        let answer = answer(path, &table["documents"][row["doc"].as_str().unwrap()]);
        if answer != wanted(row) {
            wrong.push(format!("{} {path}\n  wanted {}\n  got    {answer}", row["doc"], wanted(row)));
        }
    }
    (rows.len(), wrong)
}

#[test]
fn paths_answer_as_our_table_says() {
    let table: Value = serde_json::from_str(include_str!("cases/jayway.json")).unwrap();
    let (rows, wrong) = check(&table);
    assert!(rows >= 150, "{rows}");
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that table is not part of this repository")]
fn paths_answer_as_the_table_beside_the_checkout_says() {
    let here = File::new(env!("CARGO_MANIFEST_DIR"));
    let table = here
        .ancestors()
        .find_map(|folder| std::fs::read_to_string(folder.join("shared/parity_jsonpath/paths.json")).ok());
    let Some(table) = table else {
        println!("There is no shared/parity_jsonpath/paths.json beside this checkout.");
        return;
    };
    let (rows, mut wrong) = check(&serde_json::from_str(&table).unwrap());
    wrong.retain(|row| !EXCEPTIONS.iter().any(|path| row.contains(path)));
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_was_accepted_once_compiles_and_fails_when_it_is_read() {
    let document = serde_json::json!({"l": [{"n": 1, "t": ["x"]}]});
    // What AWS refuses and definitions that are stored may hold, with what is told about it.
    let table = BTreeMap::from([
        ("$.l[?(@.n in [1, 2])]", "blank"),
        ("$.l[?(@.n nin [1])].t", "blank"),
        ("$.l[?(@.t contains 'x')]", "blank"),
        ("$.l[?(@.t size 1)]", "blank"),
        ("$.l[?(@.t empty false)]", "blank"),
        ("$.l[?(@.t subsetof ['x'] && @.n)]", "blank"),
        ("$.l[?(@.t[*] == 'x')]", "not definite"),
        ("$.l[?(@..n == 1)]", "not definite"),
        ("$.l[?(@.t[?(@ == 'x')])]", ""),
        ("$.l[?(@.n == 'a]b')]", "balanced"),
        ("$.l[?(@.n == 'a && b')]", "parsed"),
        ("$.l[?(@.n !== 1)]", "blank"),
        ("$.l[ * ]", "component"),
    ]);
    for (text, why) in table {
        let path = Path::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"));
        assert!(path.refusal().is_some(), "{text}");
        let error = world::with_scope(&document, |scope| path.read(scope).map(|value| value.to_string()));
        let error = error.expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
        assert!(!path.is_reference() && !path.is_definite());
        assert!(!world::with_scope(&document, |scope| path.is_present(scope)));
    }
    // Neither now nor before.
    for text in ["$.l[?(@.n = 1)]", "$.l[?()]", "$.l[?]", "$.l[?(1)]", "$.l[?(@.n in [1)]", "$.l[?@.n]", "$.l[?(@.n)"] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}
