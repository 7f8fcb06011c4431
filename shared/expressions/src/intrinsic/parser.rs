//! From the text of a call to its tree.
//!
//! Strings stand in single quotes; of escapes there are `\'`, `\{`, `\}` and `\\`, everything else behind a
//! backslash is refused. Nesting is bounded by AWS itself.

use serde_json::Value;

use super::call::{Argument, Call, Function};
use crate::cursor::Cursor;
use crate::error::Invalid;
use crate::json;
use crate::path::Path;

/// Calls within calls in one field.
const DEEPEST: usize = 10;

pub(super) fn parse(text: &str) -> Result<Call, Invalid> {
    let mut cursor = Cursor::new(text.trim_end());
    let call = parse_call(&mut cursor, 1)?;
    if cursor.is_at_end() { Ok(call) } else { Err(unexpected(&cursor)) }
}

fn parse_call(cursor: &mut Cursor, depth: usize) -> Result<Call, Invalid> {
    if depth > DEEPEST {
        return Err(Invalid::new(format!("Intrinsic functions are nested more than {DEEPEST} deep")));
    }
    let start = cursor.position();
    if !cursor.eat_text("States.") {
        return Err(unexpected(cursor));
    }
    let name = cursor.take_while(|c| c.is_ascii_alphanumeric());
    let Some((function, least, most)) = Function::named(name) else {
        return Err(Invalid::new(format!("There is no intrinsic function 'States.{name}'")));
    };
    if !cursor.eat('(') {
        return Err(unexpected(cursor));
    }
    let arguments = parse_arguments(cursor, depth)?;
    if arguments.len() < least || arguments.len() > most {
        return Err(Invalid::new(format!("Wrong number of arguments for 'States.{name}': {}", arguments.len())));
    }
    Ok(Call { text: cursor.since(start).to_owned(), function, arguments })
}

fn parse_arguments(cursor: &mut Cursor, depth: usize) -> Result<Vec<Argument>, Invalid> {
    let mut arguments = Vec::new();
    cursor.skip_spaces();
    if cursor.eat(')') {
        return Ok(arguments);
    }
    loop {
        cursor.skip_spaces();
        arguments.push(parse_argument(cursor, depth)?);
        cursor.skip_spaces();
        if cursor.eat(')') {
            return Ok(arguments);
        }
        if !cursor.eat(',') {
            return Err(unexpected(cursor));
        }
    }
}

fn parse_argument(cursor: &mut Cursor, depth: usize) -> Result<Argument, Invalid> {
    match cursor.peek() {
        Some('$') => {
            let text = cursor.take_path(|c| c == ',' || c.is_ascii_whitespace());
            Path::parse(text).map(Argument::Path)
        }
        Some('\'') => parse_string(cursor),
        Some('S') => parse_call(cursor, depth + 1).map(Argument::Call),
        _ => {
            let text = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
            json::parse(text).map(Argument::Literal).map_err(|_| unexpected(cursor))
        }
    }
}

// AWS: a raw newline and a raw `"` are accepted in a string, `\"` is refused at creation (recorded).
fn parse_string(cursor: &mut Cursor) -> Result<Argument, Invalid> {
    cursor.eat('\'');
    let start = cursor.position();
    let mut value = String::new();
    loop {
        match cursor.peek() {
            Some('\'') => break,
            Some('\\') => {
                cursor.next();
                match cursor.next() {
                    Some(c @ ('\'' | '{' | '}' | '\\')) => value.push(c),
                    _ => return Err(unexpected(cursor)),
                }
            }
            Some(c) => {
                cursor.next();
                value.push(c);
            }
            None => return Err(Invalid::new("A string is not closed")),
        }
    }
    let written = cursor.since(start).to_owned();
    cursor.eat('\'');
    Ok(Argument::Text { value: Value::String(value), written })
}

fn unexpected(cursor: &Cursor) -> Invalid {
    Invalid::new(format!("Failed to parse intrinsic function at position {}", cursor.position()))
}
