//! From the text of a filter to its tree.
//!
//! Nesting of parentheses, negations and filters within filters is bounded together, since reading the tree
//! recurses. Regular expressions are compiled by an engine that is linear in the text; what it does not know
//! (look-around, back references) is refused instead of guessed.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

use super::filter::{Filter, Operand, Operator, Pattern};
use super::parser;
use crate::cursor::Cursor;
use crate::error::Invalid;
use crate::json;

/// Deepest nesting of a filter.
const DEEPEST: usize = 32;
/// Most bytes of a compiled regular expression.
const LARGEST_REGEX: usize = 64 * 1024;

const OPERATORS: [(&str, Operator); 19] = [
    ("===", Operator::Equal),
    ("!==", Operator::Unequal),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("in", Operator::In),
    ("nin", Operator::NotIn),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
    ("all", Operator::AllIn),
    ("contains", Operator::Contains),
    ("size", Operator::Size),
    ("empty", Operator::Empty),
    ("IN", Operator::In),
    ("NIN", Operator::NotIn),
];

/// Reads `(...)`, the cursor standing on the parenthesis.
pub(super) fn parse(cursor: &mut Cursor, depth: usize) -> Result<Filter, Invalid> {
    if !cursor.eat('(') {
        return Err(Invalid::new("Filter must start with '[?(' and end with ')]'"));
    }
    let filter = parse_any(cursor, depth + 1)?;
    cursor.skip_spaces();
    if cursor.eat(')') { Ok(filter) } else { Err(unexpected(cursor)) }
}

fn parse_any(cursor: &mut Cursor, depth: usize) -> Result<Filter, Invalid> {
    let mut filters = vec![parse_all(cursor, depth)?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat_text("||") {
            break;
        }
        filters.push(parse_all(cursor, depth)?);
    }
    Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
}

fn parse_all(cursor: &mut Cursor, depth: usize) -> Result<Filter, Invalid> {
    let mut filters = vec![parse_one(cursor, depth)?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat_text("&&") {
            break;
        }
        filters.push(parse_one(cursor, depth)?);
    }
    Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) })
}

fn parse_one(cursor: &mut Cursor, depth: usize) -> Result<Filter, Invalid> {
    if depth > DEEPEST {
        return Err(Invalid::new("Filter is nested too deeply"));
    }
    cursor.skip_spaces();
    if cursor.eat('!') {
        return Ok(Filter::Not(Box::new(parse_one(cursor, depth + 1)?)));
    }
    if cursor.peek() == Some('(') {
        return parse(cursor, depth);
    }
    let left = parse_operand(cursor, depth)?;
    cursor.skip_spaces();
    if cursor.eat_text("=~") {
        cursor.skip_spaces();
        return Ok(Filter::Matches(left, parse_regex(cursor)?));
    }
    let Some(operator) = parse_operator(cursor) else {
        return match left {
            Operand::Literal(_) => Err(unexpected(cursor)),
            Operand::Element(_) | Operand::Document(_) => Ok(Filter::Exists(left)),
        };
    };
    cursor.skip_spaces();
    let right = parse_operand(cursor, depth)?;
    Ok(Filter::Compare(left, operator, right))
}

fn parse_operator(cursor: &mut Cursor) -> Option<Operator> {
    OPERATORS.iter().find(|(text, _)| cursor.eat_text(text)).map(|(_, operator)| *operator)
}

fn parse_operand(cursor: &mut Cursor, depth: usize) -> Result<Operand, Invalid> {
    match cursor.peek() {
        Some(root @ ('@' | '$')) => {
            let text = cursor
                .take_path(|c| c.is_ascii_whitespace() || matches!(c, '<' | '>' | '=' | '!' | '~' | '&' | '|' | ','));
            let mut inner = Cursor::new(text);
            inner.next();
            let (steps, function) = parser::parse_steps(&mut inner, depth + 1)?;
            if function.is_some() {
                return Err(Invalid::new("Functions are not supported inside of filters"));
            }
            Ok(if root == '@' { Operand::Element(steps) } else { Operand::Document(steps) })
        }
        Some('\'' | '"') => parser::parse_quoted(cursor).map(|text| Operand::Literal(Value::String(text))),
        Some('[') => parse_list(cursor),
        _ => {
            let text = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
            match json::parse(text) {
                Ok(value) => Ok(Operand::Literal(value)),
                Err(_) => Err(unexpected(cursor)),
            }
        }
    }
}

/// A list of literals; Jayway takes single quotes in it.
fn parse_list(cursor: &mut Cursor) -> Result<Operand, Invalid> {
    cursor.eat('[');
    let mut items = Vec::new();
    loop {
        cursor.skip_spaces();
        if items.is_empty() && cursor.eat(']') {
            break;
        }
        // A list in a list is not worth a recursion.
        if cursor.peek() == Some('[') {
            return Err(unexpected(cursor));
        }
        match parse_operand(cursor, DEEPEST)? {
            Operand::Literal(value) => items.push(value),
            Operand::Element(_) | Operand::Document(_) => return Err(unexpected(cursor)),
        }
        cursor.skip_spaces();
        if cursor.eat(']') {
            break;
        }
        if !cursor.eat(',') {
            return Err(unexpected(cursor));
        }
    }
    Ok(Operand::Literal(Value::Array(items)))
}

/// `/pattern/flags`
fn parse_regex(cursor: &mut Cursor) -> Result<Pattern, Invalid> {
    if !cursor.eat('/') {
        return Err(unexpected(cursor));
    }
    let start = cursor.position();
    loop {
        match cursor.peek() {
            Some('/') => break,
            Some('\\') => {
                cursor.next();
                cursor.next();
            }
            Some(_) => {
                cursor.next();
            }
            None => return Err(Invalid::new("Pattern not closed. Expected /")),
        }
    }
    let pattern = cursor.since(start).replace("\\/", "/");
    cursor.eat('/');
    let flags = cursor.take_while(|c| c.is_ascii_alphabetic());
    compile(&pattern, flags)
        .map(|regex| Pattern { regex })
        .map_err(|problem| Invalid::new(format!("The pattern '{pattern}' is not supported: {problem}")))
}

fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    if let Some(flag) = flags.chars().find(|flag| !"ims".contains(*flag)) {
        return Err(format!("flag '{flag}'"));
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .dot_matches_new_line(flags.contains('s'))
            .size_limit(LARGEST_REGEX)
            .nest_limit(32)
            .build()
            .map_err(|problem| problem.to_string())
    };
    // On its own first: an unbalanced pattern could become balanced by what is put around it.
    build(pattern)?;
    build(&format!("\\A(?:{pattern})\\z"))
}

fn unexpected(cursor: &Cursor) -> Invalid {
    Invalid::new(format!("Failed to parse filter at position {}", cursor.position()))
}
