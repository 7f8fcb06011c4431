//! Payload templates: `Parameters`, `ResultSelector`, `ItemSelector`, `Credentials`, `Assign`.
//!
//! A template is JSON in which the value of every key that ends in `.$`, at any depth, is an expression. Compiling
//! finds all that is wrong at once. Strings under other keys are never expressions, not even `"$.a"`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::EvaluationError;
use crate::expression::Expression;
use crate::java_order::hash_ordered;
use crate::json;
use crate::scope::Scope;

/// A compiled payload template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    node: Node,
}

/// An error in a template and its place: a JSON pointer relative to the template, to the object that has the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFinding {
    pub pointer: String,
    /// The field of that object, as written, if it is about one.
    pub field: Option<String>,
    pub message: String,
    /// Why its value is no expression, if that is known.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Nothing to evaluate below.
    Constant(Value),
    Array(Vec<Node>),
    /// In the order in which it is rendered.
    Object(Vec<Field>),
    /// The key as written, for error texts.
    Expression(String, Expression),
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// Where it stands in the definition.
    at: usize,
    name: String,
    node: Node,
}

impl Template {
    pub fn compile(value: &Value) -> Result<Template, Vec<TemplateFinding>> {
        let depth = json::depth(value);
        if depth > json::DEEPEST_DEFINITION {
            return Err(vec![TemplateFinding {
                pointer: String::new(),
                field: None,
                message: json::too_deep(depth, json::DEEPEST_DEFINITION),
                reason: None,
            }]);
        }
        let mut findings = Vec::new();
        let node = compile(value, &mut String::new(), &mut findings);
        if findings.is_empty() { Ok(Template { node }) } else { Err(findings) }
    }

    pub fn render(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        let mut room = json::MOST_WEIGHT;
        let value = render(&self.node, scope, &mut room)?;
        // Values that grow deeper with every round of a loop would one day not be readable any more.
        let depth = json::depth(&value);
        if depth > json::DEEPEST {
            return Err(EvaluationError::too_deep(depth));
        }
        Ok(value)
    }

    /// The names of the variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect_variables(&self.node, &mut names);
        names
    }
}

// The recursion of the three functions below is as deep as the template, which `compile` bounds.

fn compile(value: &Value, pointer: &mut String, findings: &mut Vec<TemplateFinding>) -> Node {
    match value {
        Value::Array(items) => {
            let mut nodes = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                nodes.push(below(pointer, &index.to_string(), |pointer| compile(item, pointer, findings)));
            }
            if nodes.iter().all(is_constant) { Node::Constant(value.clone()) } else { Node::Array(nodes) }
        }
        Value::Object(object) => compile_object(value, object, pointer, findings),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Node::Constant(value.clone()),
    }
}

fn compile_object(
    value: &Value,
    object: &Map<String, Value>,
    pointer: &mut String,
    findings: &mut Vec<TemplateFinding>,
) -> Node {
    let mut fields = Vec::with_capacity(object.len());
    let mut evaluated = Vec::new();
    let mut names = BTreeSet::new();
    for (at, (key, value)) in object.iter().enumerate() {
        let name = key.strip_suffix(".$").unwrap_or(key);
        if !names.insert(name) {
            // AWS: unverified wording; that the field is refused is documented.
            let message = format!("The field '{name}' is given more than once");
            let field = Some(name.to_owned());
            findings.push(TemplateFinding { pointer: pointer.clone(), field, message, reason: None });
        }
        if name.len() == key.len() {
            let node = below(pointer, key, |pointer| compile(value, pointer, findings));
            fields.push(Field { at, name: name.to_owned(), node });
            continue;
        }
        match expression(key, value) {
            Ok(expression) => {
                let node = Node::Expression(key.clone(), expression);
                evaluated.push(Field { at, name: name.to_owned(), node });
            }
            Err((message, reason)) => {
                let field = Some(key.clone());
                findings.push(TemplateFinding { pointer: pointer.clone(), field, message, reason });
            }
        }
    }
    // AWS: what is evaluated comes last, in the order of a Java map (recorded), at every level.
    fields.extend(hash_ordered(evaluated, |field| &field.name));
    if fields.iter().all(|field| is_constant(&field.node)) {
        Node::Constant(value.clone())
    } else {
        Node::Object(fields)
    }
}

/// The expression behind a key, or what AWS says of the value and why.
fn expression(key: &str, value: &Value) -> Result<Expression, (String, Option<String>)> {
    let other = match value {
        Value::String(text) => {
            return Expression::parse(text).map_err(|invalid| {
                let message = format!(
                    "The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call"
                );
                let is_meant = text.starts_with('$') || text.starts_with("States.");
                let reason = "a path starts with $, a call of a function with States.".to_owned();
                (message, Some(if is_meant { invalid.message } else { reason }))
            });
        }
        Value::Array(_) => "an ARRAY",
        // AWS: unverified for the others than a list.
        Value::Object(_) => "an OBJECT",
        Value::Number(_) => "a NUMBER",
        Value::Bool(_) => "a BOOLEAN",
        Value::Null => "a NULL",
    };
    Err((format!("The value for the field '{key}' must be a STRING that contains a JSONPath but was {other}"), None))
}

fn below<T>(pointer: &mut String, token: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
    let answer = work(pointer);
    pointer.truncate(length);
    answer
}

fn is_constant(node: &Node) -> bool {
    matches!(node, Node::Constant(_))
}

/// Renders a node into what room there is left.
fn render(node: &Node, scope: &Scope, room: &mut usize) -> Result<Value, EvaluationError> {
    match node {
        // Constants are no larger than the definition.
        Node::Constant(value) => Ok(json::copy(value)),
        Node::Array(nodes) => {
            nodes.iter().map(|node| render(node, scope, room)).collect::<Result<_, _>>().map(Value::Array)
        }
        Node::Object(fields) => {
            let mut object = Map::with_capacity(fields.len());
            for Field { name, node, .. } in fields {
                object.insert(name.clone(), render(node, scope, room)?);
            }
            Ok(Value::Object(object))
        }
        Node::Expression(key, expression) => {
            scope.fuel.check()?;
            let value = expression.evaluate(scope, key)?;
            let weight = json::weight(&value, *room);
            scope.fuel.spend_for(weight, json::COPY_COST);
            *room = room.checked_sub(weight).ok_or_else(EvaluationError::too_large)?;
            Ok(value)
        }
    }
}

fn collect_variables<'t>(node: &'t Node, names: &mut Vec<&'t str>) {
    match node {
        Node::Constant(_) => {}
        Node::Array(nodes) => nodes.iter().for_each(|node| collect_variables(node, names)),
        Node::Object(fields) => {
            let mut fields: Vec<&Field> = fields.iter().collect();
            fields.sort_by_key(|field| field.at);
            fields.into_iter().for_each(|field| collect_variables(&field.node, names));
        }
        Node::Expression(_, expression) => names.extend(expression.variables()),
    }
}
