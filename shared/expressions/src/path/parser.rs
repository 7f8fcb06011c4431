//! From the text of a path to its steps.
//!
//! Follows what Jayway's compiler accepts, with AWS's two further roots. Not recursive but for filters, whose
//! nesting is bounded. Deliberately absent: slices with a step and the placeholder filter `[?]`, which Jayway does
//! not take from a text either.

use super::{Function, Path, Root, Step, filter_parser, walk};
use crate::cursor::Cursor;
use crate::error::Invalid;

/// Longest name of a variable, in characters.
const LONGEST_VARIABLE: usize = 80;

pub(super) fn parse(text: &str) -> Result<Path, Invalid> {
    let mut cursor = Cursor::new(text.trim_end());
    if !cursor.eat('$') {
        return Err(Invalid::new(format!("The path '{text}' must start with '$'")));
    }
    let root = parse_root(&mut cursor)?;
    let (steps, function) = parse_steps(&mut cursor, 0)?;
    let definite = walk::are_definite(&steps) || function.is_some();
    Ok(Path { text: text.to_owned(), root, steps, function, definite })
}

/// The steps up to the end of the text. `depth` counts the filters around it.
pub(super) fn parse_steps(cursor: &mut Cursor, depth: usize) -> Result<(Vec<Step>, Option<Function>), Invalid> {
    let mut steps = Vec::new();
    while let Some(next) = cursor.next() {
        match next {
            '.' => {
                let scans = cursor.eat('.');
                if scans {
                    steps.push(Step::Scan);
                }
                if cursor.eat('[') {
                    steps.push(parse_bracket(cursor, depth)?);
                } else if let Some(function) = parse_name(cursor, &mut steps)? {
                    if scans || !cursor.is_at_end() {
                        return Err(Invalid::new("A function must stand at the end of a path"));
                    }
                    return Ok((steps, Some(function)));
                }
            }
            '[' => steps.push(parse_bracket(cursor, depth)?),
            _ => {
                return Err(Invalid::new(format!(
                    "Illegal character at position {} expected '.' or '['",
                    cursor.position().saturating_sub(next.len_utf8())
                )));
            }
        }
    }
    Ok((steps, None))
}

fn parse_root(cursor: &mut Cursor) -> Result<Root, Invalid> {
    if cursor.eat('$') {
        return Ok(Root::Context);
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() {
        return Ok(Root::Input);
    }
    if name.starts_with(|c: char| c.is_numeric()) || name.chars().count() > LONGEST_VARIABLE {
        return Err(Invalid::new(format!("'{name}' is not the name of a variable")));
    }
    Ok(Root::Variable(name.to_owned()))
}

/// What stands behind a dot: a name or `*`, pushed to the steps, or a function.
fn parse_name(cursor: &mut Cursor, steps: &mut Vec<Step>) -> Result<Option<Function>, Invalid> {
    let name = cursor.take_while(|c| !matches!(c, '.' | '[' | '(' | ' '));
    if name.is_empty() {
        return Err(Invalid::new("Path must not end with a '.' or '..'"));
    }
    match cursor.peek() {
        Some('(') => {
            cursor.next();
            let argument = cursor.take_while(|c| c != ')').trim();
            if !cursor.eat(')') {
                return Err(Invalid::new(format!("Arguments to function: '{name}' are not closed properly.")));
            }
            return Function::parse(name, argument).map(Some);
        }
        Some(' ') => {
            return Err(Invalid::new("Use bracket notion ['my prop'] if your property contains blank characters."));
        }
        _ => {}
    }
    steps.push(if name == "*" { Step::Wildcard } else { Step::Property(name.to_owned()) });
    Ok(None)
}

/// What stands between `[` and `]`.
fn parse_bracket(cursor: &mut Cursor, depth: usize) -> Result<Step, Invalid> {
    cursor.skip_spaces();
    let step = match cursor.peek() {
        Some('\'' | '"') => parse_names(cursor)?,
        Some('*') => {
            cursor.next();
            Step::Wildcard
        }
        Some('?') => {
            cursor.next();
            cursor.skip_spaces();
            Step::Filter(filter_parser::parse(cursor, depth)?)
        }
        _ => parse_indices(cursor)?,
    };
    cursor.skip_spaces();
    if cursor.eat(']') {
        Ok(step)
    } else {
        Err(Invalid::new(format!(
            "Could not parse token starting at position {}. Expected ?, ', 0-9, * ",
            cursor.position()
        )))
    }
}

fn parse_names(cursor: &mut Cursor) -> Result<Step, Invalid> {
    let mut names = vec![parse_quoted(cursor)?];
    loop {
        cursor.skip_spaces();
        if !cursor.eat(',') {
            break;
        }
        cursor.skip_spaces();
        names.push(parse_quoted(cursor)?);
    }
    match names.len() {
        1 => Ok(Step::Property(names.pop().unwrap_or_default())),
        _ => Ok(Step::Properties(names)),
    }
}

/// A quoted name or text; a backslash keeps the next character, or stands for what it does in JSON.
pub(super) fn parse_quoted(cursor: &mut Cursor) -> Result<String, Invalid> {
    let unclosed = || Invalid::new("Property has not been closed - missing closing ' or \"");
    let quote = cursor.next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(unclosed)?;
    let mut text = String::new();
    loop {
        match cursor.next().ok_or_else(unclosed)? {
            '\\' => text.push(match cursor.next().ok_or_else(unclosed)? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => parse_code(cursor).ok_or_else(|| Invalid::new("Unable to parse unicode value"))?,
                other => other,
            }),
            c if c == quote => return Ok(text),
            c => text.push(c),
        }
    }
}

fn parse_code(cursor: &mut Cursor) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + cursor.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}

/// `1`, `-1`, `0,1`, `1:3`, `1:`, `:3`.
fn parse_indices(cursor: &mut Cursor) -> Result<Step, Invalid> {
    let first = parse_integer(cursor)?;
    cursor.skip_spaces();
    if cursor.eat(':') {
        cursor.skip_spaces();
        let to = parse_integer(cursor)?;
        return match (first, to) {
            (None, None) => Err(Invalid::new("Failed to parse SliceOperation: :")),
            (from, to) => Ok(Step::Slice { from, to }),
        };
    }
    let no_number = || Invalid::new("Could not parse token. Expected ?, ', 0-9, * ");
    let first = first.ok_or_else(no_number)?;
    let mut indices = vec![first];
    while cursor.eat(',') {
        cursor.skip_spaces();
        indices.push(parse_integer(cursor)?.ok_or_else(no_number)?);
        cursor.skip_spaces();
    }
    Ok(if indices.len() == 1 { Step::Index(first) } else { Step::Indices(indices) })
}

/// A number of Java's `int`, or nothing.
fn parse_integer(cursor: &mut Cursor) -> Result<Option<i64>, Invalid> {
    let text = cursor.take_while(|c| c.is_ascii_digit() || c == '-');
    if text.is_empty() {
        return Ok(None);
    }
    let number: i32 = text.parse().map_err(|_| Invalid::new(format!("Failed to parse ArrayIndexOperation: {text}")))?;
    Ok(Some(i64::from(number)))
}
