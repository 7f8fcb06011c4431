//! From the text of a path to its steps, as Jayway JsonPath 2.0.0 compiles it.
//!
//! A path falls into fragments: what stands between dots, and what stands in brackets, which end where they are
//! balanced, whatever is quoted in them. What a bracket means is told by the first character in it that means
//! anything; the rest is read as generously as Jayway reads it (`[a1]` is index 1, `['a' 'b']` are two names), because
//! definitions that AWS accepts hold such paths. Deliberately absent: escapes, which 2.0.0 does not know in a path
//! (`['a\"b']` is the name `a\"b`).

use super::{Filter, Path, Root, Step, Steps, filter_parser};
use crate::cursor::Cursor;
use crate::error::Invalid;

/// Longest name of a variable, in characters.
const LONGEST_VARIABLE: usize = 80;

type ParseFilter = fn(&str) -> Result<Filter, Invalid>;

pub(super) fn parse(text: &str) -> Result<Path, Invalid> {
    let mut cursor = Cursor::new(text.trim_end());
    if !cursor.eat('$') {
        return Err(Invalid::new(format!("The path '{text}' must start with '$'")));
    }
    let root = parse_root(&mut cursor)?;
    let steps = parse_steps(cursor.rest(), filter_parser::parse);
    if let Err(invalid) = &steps
        && !filter_parser::was_accepted(cursor.rest())
    {
        return Err(invalid.clone());
    }
    Ok(Path { text: text.to_owned(), root, steps })
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

/// The steps of what stands behind the root; `filter` reads `[?(...)]`.
pub(super) fn parse_steps(text: &str, filter: ParseFilter) -> Result<Steps, Invalid> {
    if !text.is_empty() && !text.starts_with(['.', '[']) {
        return Err(Invalid::new(format!("Illegal character behind the root of a path, expected '.' or '[': {text}")));
    }
    if text.ends_with('.') {
        return Err(Invalid::new("Path must not end with a '.' or '..'"));
    }
    let mut cursor = Cursor::new(text);
    let mut steps = Vec::new();
    while let Some(next) = cursor.peek() {
        match next {
            ' ' => {
                return Err(Invalid::new("Use bracket notion ['my prop'] if your property contains blank characters."));
            }
            // In the middle of a path the document is where one stands already.
            '$' => {
                cursor.next();
            }
            '*' => {
                cursor.next();
                steps.push(Step::Wildcard);
            }
            '[' => steps.push(parse_bracket(take_bracket(&mut cursor), filter)?),
            '.' => {
                cursor.next();
                if cursor.eat('.') {
                    steps.push(Step::Scan);
                } else {
                    steps.extend(parse_name(cursor.take_while(in_name))?);
                }
            }
            _ => steps.push(property(cursor.take_while(in_name))?),
        }
    }
    Ok(Steps::new(steps))
}

fn in_name(character: char) -> bool {
    !matches!(character, '.' | '[' | ' ')
}

/// What stands behind a dot; nothing where a bracket follows.
fn parse_name(name: &str) -> Result<Option<Step>, Invalid> {
    match name {
        "" => Ok(None),
        "*" => Ok(Some(Step::Wildcard)),
        name => property(name).map(Some),
    }
}

/// A name without quotes.
// Jayway puts it between quotes and reads that, so what follows a quote or a bracket in it is lost.
fn property(name: &str) -> Result<Step, Invalid> {
    if name.contains(['\'', ']']) {
        parse_names(&format!("'{name}']"), '\'')
    } else {
        Ok(Step::Property(name.to_owned()))
    }
}

/// The text from a bracket to the one that closes it, both included; all the rest if none does.
fn take_bracket<'t>(cursor: &mut Cursor<'t>) -> &'t str {
    let start = cursor.position();
    let mut open = 0usize;
    while let Some(found) = cursor.next() {
        match found {
            '[' => open += 1,
            ']' if open == 1 => break,
            ']' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    cursor.since(start)
}

fn parse_bracket(text: &str, filter: ParseFilter) -> Result<Step, Invalid> {
    if text == "[*]" {
        return Ok(Step::Wildcard);
    }
    let inside = text.get(1..).unwrap_or_default();
    if let Some(names) = inside.trim_start().strip_prefix('"') {
        // AWS: unverified: Jayway 2.0.0 knows no double quotes; they were taken here before.
        return parse_names(&format!("\"{names}"), '"');
    }
    let told_by = |c: char| matches!(c, '?' | '\'' | '0'..='9' | ':' | '-' | '@');
    let Some(start) = inside.find(told_by) else {
        if !text.ends_with(']') {
            return Err(unclosed());
        }
        return Err(Invalid::new(format!("Could not analyze path component: {text}")));
    };
    let rest = inside.get(start..).unwrap_or_default();
    match rest.chars().next() {
        Some('?') => filter(text).map(Step::Filter),
        Some('\'') => parse_names(rest, '\''),
        Some('@') => parse_from_end(rest),
        _ => parse_indices(rest),
    }
}

/// `'a','b']`: what is quoted, up to the first bracket. Anything may stand between.
fn parse_names(text: &str, quote: char) -> Result<Step, Invalid> {
    let (text, _) = text.split_once(']').ok_or_else(unclosed)?;
    let mut pieces = text.split(quote);
    pieces.next();
    let mut names = Vec::new();
    while let (Some(name), Some(_)) = (pieces.next(), pieces.next()) {
        names.push(name.to_owned());
    }
    Ok(match <[String; 1]>::try_from(names) {
        Ok([name]) => Step::Property(name),
        Err(names) => Step::Properties(names),
    })
}

/// `@.length-1)`, `@.size() - 1)`.
fn parse_from_end(text: &str) -> Result<Step, Invalid> {
    // The dot may be any character.
    let mut behind = text.chars().skip(2).collect::<String>();
    behind.retain(|c| c != ' ');
    let (function, number) = behind.split_once('-').ok_or_else(unclosed)?;
    let function: String = function.chars().filter(|c| !matches!(c, '(' | ')')).collect();
    if function != "size" && function != "length" {
        return Err(Invalid::new(format!(
            "Invalid function: @.{function}. Supported functions are: [(@.length - n)] and [(@.size() - n)]"
        )));
    }
    let (number, _) = number.split_once(')').ok_or_else(unclosed)?;
    Ok(Step::FromEnd(integer(&format!("-{number}"))?))
}

/// `1]`, `-1]`, `0,1]`, `1:3]`, `1:]`, `:3]`. Blanks count for nothing.
fn parse_indices(text: &str) -> Result<Step, Invalid> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | ',' | ' ' | ':' | '-')).ok_or_else(unclosed)?;
    let mut text = text.get(..end).unwrap_or_default().to_owned();
    text.retain(|c| c != ' ');
    if let Some((from, to)) = text.split_once(':') {
        // Jayway reads a third number, too, and does nothing with it.
        let (to, step) = to.split_once([':', ',']).unwrap_or((to, "0"));
        if from.contains(',') || step.contains([':', ',']) {
            return Err(Invalid::new(format!("Could not analyze path component: {text}")));
        }
        let bound = |text: &str| if text.is_empty() { Ok(None) } else { integer(text).map(Some) };
        return match (bound(from)?, bound(to)?, bound(step)?) {
            (None, None, _) => Err(Invalid::new(format!("Failed to parse SliceOperation: {text}"))),
            (from, to, _) => Ok(Step::Slice { from, to }),
        };
    }
    // A comma at the end adds nothing.
    let numbers = text.strip_suffix(',').unwrap_or(&text);
    let indices: Vec<i64> = numbers.split(',').map(integer).collect::<Result<_, _>>()?;
    Ok(match <[i64; 1]>::try_from(indices) {
        Ok([index]) => Step::Index(index),
        Err(indices) => Step::Indices(indices),
    })
}

/// A number of Java's `int`.
fn integer(text: &str) -> Result<i64, Invalid> {
    let number: Result<i32, _> = text.parse();
    number.map(i64::from).map_err(|_| Invalid::new(format!("Failed to parse ArrayIndexOperation: {text}")))
}

fn unclosed() -> Invalid {
    Invalid::new("A bracket of the path is not closed")
}
