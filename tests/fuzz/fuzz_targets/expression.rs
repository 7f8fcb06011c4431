//! Any text as a path, an expression or JSON: an error, never a panic.
#![no_main]

use expressions::{Chance, ContextObject, Expression, Path, ReferencePath, Scope, Variables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (text, document) = texts;
    let input = expressions::json::parse(document).unwrap_or_default();
    let context = ContextObject::new(|| input.clone());
    let (variables, chance) = (Variables::new(), Chance::from_seed([1; 32]));
    let scope = Scope { input: &input, context: &context, variables: &variables, chance: &chance };
    if let Ok(path) = Path::parse(text) {
        let _read = path.read(&scope);
    }
    if let Ok(expression) = Expression::parse(text) {
        let _value = expression.evaluate(&scope, "field.$");
    }
    if let Ok(path) = ReferencePath::parse(text) {
        let _written = path.write(input.clone(), input.clone());
    }
});
