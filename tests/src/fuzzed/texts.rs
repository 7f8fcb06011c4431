//! Paths, intrinsic functions and JSONata over any document: refused, a value or an error.

use expressions::jsonata::{Converted, Jsonata, Sees, Template};
use expressions::{Chance, ContextObject, Expression, Path, ReferencePath, Scope, Variables, json};
use serde_json::Value;

use super::two_texts;

/// A path, read over a document, and written into it as a reference path: what was written is what is read.
pub(super) fn path(bytes: &[u8]) {
    let Some((text, document)) = two_texts(bytes) else { return };
    let input = json::parse(document).unwrap_or_default();
    if let Ok(path) = Path::parse(text) {
        scoped(&input, |scope| drop(path.read(scope)));
    }
    if let Ok(path) = ReferencePath::parse(text)
        && let Ok(written) = path.write(input.clone(), Value::from("written"))
    {
        assert!(json::to_text(&written).contains("written"), "{text} of {document} is {written}");
    }
}

/// An intrinsic function, evaluated over a document.
pub(super) fn intrinsic(bytes: &[u8]) {
    let Some((text, document)) = two_texts(bytes) else { return };
    let input = json::parse(document).unwrap_or_default();
    if let Ok(expression) = Expression::parse(text) {
        scoped(&input, |scope| {
            if let Ok(value) = expression.evaluate(scope, "field.$") {
                assert_eq!(json::parse(&json::to_text(&value)), Ok(value), "{text} of {document}");
            }
        });
    }
}

fn scoped(input: &Value, with: impl FnOnce(&Scope<'_>)) {
    let context = ContextObject::new(|| input.clone());
    let (variables, chance) = (Variables::from_iter([("v".to_owned(), input.clone())]), Chance::from_seed([1; 32]));
    with(&Scope {
        input,
        context: &context,
        variables: &variables,
        chance: &chance,
        fuel: &expressions::Fuel::default(),
    });
}

/// A JSONata expression over a document, and the document as a template.
pub(super) fn jsonata(bytes: &[u8]) {
    let Some((text, document)) = two_texts(bytes) else { return };
    let input = json::parse(document).unwrap_or_default();
    let context = ContextObject::new(|| input.clone());
    let (variables, chance) = (Variables::from_iter([("v".to_owned(), input.clone())]), Chance::from_seed([1; 32]));
    let scope = expressions::jsonata::Scope {
        input: &input,
        result: Some(&input),
        error_output: None,
        context: &context,
        variables: &variables,
        chance: &chance,
        fuel: &expressions::Fuel::default(),
        now: 0,
        converted: Converted::default(),
    };
    if let Ok(expression) = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Result) {
        let _names = expression.variables();
        if let Ok(value) = expression.evaluate(&scope, "Output") {
            assert_eq!(json::parse(&json::to_text(&value)), Ok(value), "{text} of {document}");
        }
    }
    if let Ok(template) = Template::compile(&input, Sees::Result) {
        let _value = template.render(&scope, "Output");
    }
}
