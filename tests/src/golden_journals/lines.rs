//! JSON as people can read and compare it: one line for what belongs together.

use serde_json::Value;

/// A value with the members of its outer `depth` levels on lines of their own.
pub fn lines(value: &Value, depth: usize) -> String {
    let mut text = String::new();
    write(&mut text, value, depth, 0);
    text.push('\n');
    text
}

fn write(text: &mut String, value: &Value, depth: usize, indent: usize) {
    let (open, close, members): (char, char, Vec<(Option<&String>, &Value)>) = match value {
        Value::Object(members) => ('{', '}', members.iter().map(|(name, value)| (Some(name), value)).collect()),
        Value::Array(items) => ('[', ']', items.iter().map(|item| (None, item)).collect()),
        _ => ('[', ']', Vec::new()),
    };
    if depth == 0 || members.is_empty() {
        text.push_str(&value.to_string());
        return;
    }
    text.push(open);
    for (place, (name, value)) in members.into_iter().enumerate() {
        text.push_str(if place == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(indent + 1));
        if let Some(name) = name {
            text.push_str(&Value::from(name.as_str()).to_string());
            text.push_str(": ");
        }
        write(text, value, depth - 1, indent + 1);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}
