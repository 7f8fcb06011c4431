//! The cost of an expression, next to the JSONPath template of the same meaning.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use expressions::jsonata::{self, Converted, Jsonata, Sees};
use expressions::{Chance, ContextObject, Scope, Template, Variables};
use serde_json::{Value, json};

struct World {
    input: Value,
    variables: Variables,
    chance: Chance,
}

impl World {
    fn new() -> World {
        let items: Vec<Value> =
            (0..100).map(|index| json!({"id": index, "name": format!("item {index}"), "price": index * 3})).collect();
        let input = json!({"a": 1, "b": {"c": "text", "d": [1, 2, 3]}, "e": true, "f": 2.5, "items": items});
        World { input, variables: Variables::new(), chance: Chance::from_seed([1; 32]) }
    }

    fn with_scope<T>(&self, look: impl FnOnce(&jsonata::Scope) -> T) -> T {
        let context = ContextObject::new(|| Value::Null);
        look(&jsonata::Scope {
            input: &self.input,
            result: None,
            error_output: None,
            context: &context,
            variables: &self.variables,
            chance: &self.chance,
            fuel: &expressions::Fuel::default(),
            now: 0,
            converted: Converted::default(),
        })
    }
}

fn expressions(criterion: &mut Criterion) {
    let world = World::new();
    let cases = [
        ("a_path", "{% $states.input.b.c %}"),
        ("one_addition", "{% $states.input.a + 1 %}"),
        ("one_comparison", "{% $states.input.b.c = 'text' %}"),
        ("a_text_put_together", "{% 'Hello ' & $states.input.b.c & '!' %}"),
        ("a_filter_of_a_hundred", "{% $states.input.items[price > 150].name %}"),
        ("a_map_of_a_hundred", "{% $map($states.input.items, function($x) { {'id': $x.id, 'n': $x.price + 1} }) %}"),
        ("a_uuid", "{% $uuid() %}"),
    ];
    for (name, text) in cases {
        let Ok(expression) = Jsonata::parse(text, Sees::Input) else { continue };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| world.with_scope(|scope| black_box(expression.evaluate(scope, "Output"))));
        });
    }
}

fn payloads(criterion: &mut Criterion) {
    let world = World::new();
    let queries = json!({"a": "{% $states.input.a %}", "b": "{% $states.input.b.c %}", "c": "{% $states.input.b.d %}",
        "d": "{% $states.input.e %}", "e": "{% $states.input.f %}"});
    if let Ok(template) = jsonata::Template::compile(&queries, Sees::Input) {
        criterion.bench_function("five_fields_in_jsonata", |bencher| {
            bencher.iter(|| world.with_scope(|scope| black_box(template.render(scope, "Output"))));
        });
    }
    let paths = json!({"a.$": "$.a", "b.$": "$.b.c", "c.$": "$.b.d", "d.$": "$.e", "e.$": "$.f"});
    for (name, template) in
        [("five_fields_in_jsonpath", paths), ("one_addition_in_jsonpath", json!({"a.$": "States.MathAdd($.a, 1)"}))]
    {
        let Ok(template) = Template::compile(&template) else { continue };
        let context = ContextObject::new(|| Value::Null);
        let scope = Scope {
            input: &world.input,
            context: &context,
            variables: &world.variables,
            chance: &world.chance,
            fuel: &expressions::Fuel::default(),
        };
        criterion.bench_function(name, |bencher| bencher.iter(|| black_box(template.render(&scope))));
    }
}

criterion_group!(benches, expressions, payloads);
criterion_main!(benches);
