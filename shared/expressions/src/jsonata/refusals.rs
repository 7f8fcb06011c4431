//! What AWS refuses when a definition is created: expressions that do not parse, and ones that look where there is
//! nothing to see.
//!
//! An expression has no context item: all it can see has a name, `$states` or a variable. So `$`, `$$` and a bare name
//! mean nothing at the top level; below it (in later steps, predicates, orderings and groupings) they are the data at
//! hand. The body of a function counts as top level, because there `$` is what it was around the function.

use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::parser::{self, ParserError};

use super::messages;
use super::nodes::{self, for_each_child};
use super::{Refused, Sees, Unseen};

/// Parses an expression, or says all that AWS holds against it.
pub(super) fn parse(text: &str, sees: Sees) -> Result<AstNode, Vec<Refused>> {
    let invalid = |message| vec![Refused::Invalid(message)];
    let root = parser::parse(text).map_err(|error| invalid(complaint(text, &error)))?;
    if let Some(message) = not_in_this_version(&root) {
        return Err(invalid(message));
    }
    // Deeper trees are accepted by AWS too; they fail when they are evaluated.
    if nodes::depth(&root) > nodes::DEEPEST {
        return Ok(root);
    }
    let mut found = Vec::new();
    top_level(&root, sees, &mut found);
    if found.is_empty() { Ok(root) } else { Err(found.into_iter().map(Refused::Unsupported).collect()) }
}

/// Syntax that the engine reads but JSONata 2.0.6 does not.
fn not_in_this_version(root: &AstNode) -> Option<String> {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        match node {
            AstNode::Binary { op, .. } if nodes::is_later(*op) => {
                // Read as the `?` of a condition, after which the next sign cannot begin an expression.
                let sign = if matches!(op, BinaryOp::Default) { ":" } else { "?" };
                return Some(messages::unary(sign));
            }
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } if nodes::variable(lhs).is_none() => {
                return Some(messages::ASSIGNS_TO_NO_VARIABLE.to_owned());
            }
            AstNode::Regex { pattern, .. } if pattern.is_empty() => return Some(messages::EMPTY_PATTERN.to_owned()),
            _ => {}
        }
        for_each_child(node, &mut |child| waiting.push(child));
    }
    None
}

/// Collects what is looked up at the top level, once each, in the order it is written. The recursion is as deep as
/// the tree.
fn top_level(node: &AstNode, sees: Sees, found: &mut Vec<Unseen>) {
    match node {
        AstNode::Path { steps } => {
            if let Some(first) = steps.first() {
                top_level(&first.node, sees, found);
            }
            if let [first, second, ..] = steps.as_slice() {
                states_field(&first.node, &second.node, sees, found);
            }
        }
        AstNode::Name(name) => report(found, Unseen::TopLevel(name.clone())),
        AstNode::Variable(name) if name.is_empty() => report(found, Unseen::TopLevel("$".to_owned())),
        AstNode::ParentVariable(name) if name.is_empty() => report(found, Unseen::Root),
        AstNode::Function { name, args, is_builtin } => {
            if !is_builtin {
                report(found, Unseen::Function(name.clone()));
            }
            args.iter().for_each(|arg| top_level(arg, sees, found));
        }
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => top_level(rhs, sees, found),
        AstNode::ObjectTransform { input, .. } | AstNode::Sort { input, .. } => top_level(input, sees, found),
        AstNode::Transform { .. } => {}
        AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_)
        | AstNode::Binary { .. }
        | AstNode::Unary { .. }
        | AstNode::Call { .. }
        | AstNode::Lambda { .. }
        | AstNode::Array(_)
        | AstNode::ArrayGroup(_)
        | AstNode::FunctionApplication(_)
        | AstNode::Object(_)
        | AstNode::Block(_)
        | AstNode::Conditional { .. } => for_each_child(node, &mut |child| top_level(child, sees, found)),
    }
}

/// Reports `$states.errorOutput` and `$states.result` where there is none.
// AWS: `Field '$states.errorOutput' does not exist.`; any other unknown field of `$states` is accepted.
// AWS: unverified that the absent result is refused in the same way.
fn states_field(first: &AstNode, second: &AstNode, sees: Sees, found: &mut Vec<Unseen>) {
    let (AstNode::Variable(variable), AstNode::Name(field)) = (first, second) else { return };
    if variable != "states" {
        return;
    }
    match field.as_str() {
        "errorOutput" if sees != Sees::ErrorOutput => report(found, Unseen::ErrorOutput),
        "result" if sees != Sees::Result => report(found, Unseen::Result),
        _ => {}
    }
}

fn report(found: &mut Vec<Unseen>, unseen: Unseen) {
    if !found.contains(&unseen) {
        found.push(unseen);
    }
}

/// A complaint of the engine's parser in the reference implementation's words, without its code, as AWS shows it.
fn complaint(text: &str, error: &ParserError) -> String {
    match error {
        ParserError::Expected { expected, found } => messages::expected(expected, found),
        ParserError::UnexpectedToken(token) => messages::unexpected(token),
        ParserError::UnexpectedEnd => "Unexpected end of expression".to_owned(),
        ParserError::InvalidEscape(escape) => messages::escape(escape),
        ParserError::UnclosedComment => "Comment has no closing tag".to_owned(),
        ParserError::UnclosedString if messages::ends_in_a_pattern(text) => {
            "No terminating / in regular expression".to_owned()
        }
        ParserError::UnclosedString => "String literal must be terminated by a matching quote".to_owned(),
        ParserError::UnclosedBacktick => "Quoted property name must be terminated with a backquote (`)".to_owned(),
        ParserError::InvalidSyntax(message) | ParserError::InvalidNumber(message) => messages::syntax(message),
        ParserError::Coded { message, .. } => message.clone(),
    }
}
