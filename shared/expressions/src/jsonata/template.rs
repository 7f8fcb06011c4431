//! JSON with expressions at any depth: `Arguments`, `Output`, `Assign`, `Items`, `ItemSelector` and their like.
//!
//! Everything else stays as it is written, in its place. Nothing is left out: an expression that evaluates to nothing
//! is an error.

use serde_json::{Map, Value};

use super::{Jsonata, Refused, Scope, Sees};
use crate::{EvaluationError, json};

/// A compiled payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    node: Node,
}

/// An error in an expression of a payload, and its place: a JSON pointer relative to the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub pointer: String,
    pub refused: Refused,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Nothing to evaluate below.
    Constant(Value),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    Expression(Jsonata),
}

/// Where rendering is: the way back up to the payload's own field. Written out only for an error.
#[derive(Clone, Copy)]
enum Place<'p> {
    Field(&'p str),
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl Template {
    /// Finds all that is wrong at once.
    pub fn compile(value: &Value, sees: Sees) -> Result<Template, Vec<Finding>> {
        let depth = json::depth(value);
        if depth > json::DEEPEST_DEFINITION {
            let refused = Refused::Invalid(json::too_deep(depth, json::DEEPEST_DEFINITION));
            return Err(vec![Finding { pointer: String::new(), refused }]);
        }
        let mut findings = Vec::new();
        let node = compile(value, sees, &mut String::new(), &mut findings);
        if findings.is_empty() { Ok(Template { node }) } else { Err(findings) }
    }

    /// The value; `field` is the name of the payload's field, such as `Output` or `Choices[1]/Output`.
    pub fn render(&self, scope: &Scope<'_>, field: &str) -> Result<Value, EvaluationError> {
        let mut room = json::MOST_WEIGHT;
        let value = render(&self.node, scope, Place::Field(field), &mut room)?;
        // Values that grow deeper with every round of a loop would one day not be readable any more.
        let depth = json::depth(&value);
        if depth > json::DEEPEST {
            return Err(EvaluationError::too_deep(depth));
        }
        Ok(value)
    }

    /// The expression, where the payload is nothing else.
    pub fn expression(&self) -> Option<&Jsonata> {
        match &self.node {
            Node::Expression(expression) => Some(expression),
            Node::Constant(_) | Node::Array(_) | Node::Object(_) => None,
        }
    }

    /// The names of the workflow variables it reads, in the order they appear, repeated as they are.
    pub fn variables(&self) -> Vec<&str> {
        let mut names = Vec::new();
        collect_variables(&self.node, &mut names);
        names
    }
}

// The recursion of the functions below is as deep as the payload, which `compile` bounds.

fn compile(value: &Value, sees: Sees, pointer: &mut String, findings: &mut Vec<Finding>) -> Node {
    let node = match value {
        Value::String(text) if Jsonata::is_expression(text) => match Jsonata::parse(text, sees) {
            Ok(expression) => return Node::Expression(expression),
            Err(refused) => {
                findings.extend(refused.into_iter().map(|refused| Finding { pointer: pointer.clone(), refused }));
                None
            }
        },
        Value::Array(items) => {
            let mut nodes = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                nodes.push(below(pointer, &index.to_string(), |pointer| compile(item, sees, pointer, findings)));
            }
            let varies = !nodes.iter().all(is_constant);
            varies.then_some(Node::Array(nodes))
        }
        Value::Object(object) => {
            let mut fields = Vec::with_capacity(object.len());
            for (key, value) in object {
                let node = below(pointer, key, |pointer| compile(value, sees, pointer, findings));
                fields.push((key.clone(), node));
            }
            let varies = !fields.iter().all(|(_, node)| is_constant(node));
            varies.then_some(Node::Object(fields))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    node.unwrap_or_else(|| Node::Constant(value.clone()))
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
fn render(node: &Node, scope: &Scope<'_>, place: Place<'_>, room: &mut usize) -> Result<Value, EvaluationError> {
    match node {
        // Constants are no larger than the definition.
        Node::Constant(value) => Ok(value.clone()),
        Node::Array(nodes) => {
            let items = nodes.iter().enumerate();
            items.map(|(index, node)| render(node, scope, Place::Index(&place, index), room)).collect()
        }
        Node::Object(fields) => {
            let mut object = Map::with_capacity(fields.len());
            for (key, node) in fields {
                object.insert(key.clone(), render(node, scope, Place::Key(&place, key), room)?);
            }
            Ok(Value::Object(object))
        }
        Node::Expression(expression) => {
            scope.fuel.check()?;
            let value = expression.evaluate_at(scope, || written(place))?;
            *room = room.checked_sub(json::weight(&value, *room)).ok_or_else(EvaluationError::too_large)?;
            Ok(value)
        }
    }
}

/// A place as error texts name it: `Output/a/b[0]`.
fn written(place: Place<'_>) -> String {
    match place {
        Place::Field(field) => field.to_owned(),
        Place::Key(above, key) => written(*above) + "/" + key,
        Place::Index(above, index) => format!("{}[{index}]", written(*above)),
    }
}

fn collect_variables<'t>(node: &'t Node, names: &mut Vec<&'t str>) {
    match node {
        Node::Constant(_) => {}
        Node::Array(nodes) => nodes.iter().for_each(|node| collect_variables(node, names)),
        Node::Object(fields) => fields.iter().for_each(|(_, node)| collect_variables(node, names)),
        Node::Expression(expression) => names.extend(expression.variables()),
    }
}
