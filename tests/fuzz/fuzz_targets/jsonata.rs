//! Any text as a JSONata expression over any document: refused, a value or an error, never a panic.
//!
//! A text is an expression and, after a zero byte, a document.
#![no_main]

use std::panic;
use std::sync::Once;

use expressions::jsonata::{Converted, Jsonata, Scope, Sees, Template};
use expressions::{Chance, ContextObject, Variables};
use libfuzzer_sys::fuzz_target;

/// The engine's own panics are caught and answered as errors; the fuzzer would abort at the first of them.
fn only_what_nobody_catches() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
}

fuzz_target!(|text: &str| {
    only_what_nobody_catches();
    let (text, document) = text.split_once('\0').unwrap_or((text, "{}"));
    let input = expressions::json::parse(document).unwrap_or_default();
    let context = ContextObject::new(|| input.clone());
    let variables = Variables::from_iter([("v".to_owned(), input.clone())]);
    let seed = Chance::from_seed([1; 32]);
    let scope = Scope {
        input: &input,
        result: Some(&input),
        error_output: None,
        context: &context,
        variables: &variables,
        chance: &seed,
        now: 0,
        converted: Converted::default(),
    };
    if let Ok(expression) = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Result) {
        let _names = expression.variables();
        if let Ok(value) = expression.evaluate(&scope, "Output") {
            assert_eq!(expressions::json::parse(&expressions::json::to_text(&value)), Ok(value));
        }
    }
    // The document as a payload, with what it has of expressions.
    if let Ok(template) = Template::compile(&input, Sees::Result) {
        let _value = template.render(&scope, "Output");
    }
});
