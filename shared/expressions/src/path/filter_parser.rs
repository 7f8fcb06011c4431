//! From the text of a filter to its criteria, as Jayway JsonPath 2.0.0 compiles it.
//!
//! The text is cut at every `&&` and `||`, quoted or not; parentheses around the pieces mean nothing. A piece is cut at
//! the first place of the first operator of [`OPERATORS`] that stands in it anywhere. Each side is a path, a text in
//! quotes, a pattern between slashes, or a text as it is. Regular expressions are compiled by an engine that is linear
//! in the text; what it does not know (look-around, back references) is refused instead of guessed.

use regex_lite::{Regex, RegexBuilder};

use super::filter::{Criterion, Filter, Operand, Operator, Pattern};
use super::parser;
use crate::error::Invalid;
use crate::number::Numeric;

/// Most bytes of a compiled regular expression.
const LARGEST_REGEX: usize = 64 * 1024;

/// In the order in which they are looked for.
const OPERATORS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("!=", Operator::Unequal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=~", Operator::Matches),
];

const NOT_DEFINITE: &str = "the predicate path is not definite";

/// Operators of later versions, which were accepted here before.
const LATER_OPERATORS: [&str; 11] =
    ["in", "nin", "IN", "NIN", "subsetof", "anyof", "noneof", "all", "contains", "size", "empty"];

/// Reads `[?(...)]`; `text` is the bracket with all that is in it.
pub(super) fn parse(text: &str) -> Result<Filter, Invalid> {
    let malformed = || Invalid::new(format!("Filter must start with '[?(' and end with ')]'. {text}"));
    let inside = balanced(text)?.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or_else(malformed)?;
    let inside = inside.trim().strip_prefix('?').ok_or_else(malformed)?.trim();
    let mut rest = inside.strip_prefix('(').and_then(|text| text.strip_suffix(')')).ok_or_else(malformed)?.trim();
    let mut any = vec![Vec::new()];
    loop {
        let end = rest.find("&&").into_iter().chain(rest.find("||")).min();
        let (piece, behind) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, ""));
        let criterion =
            parse_criterion(bare(piece).ok_or_else(|| Invalid::new(format!("Invalid operators {inside}")))?)?;
        if let Some(all) = any.last_mut() {
            all.push(criterion);
        }
        match behind.split_at_checked(2) {
            Some(("||", behind)) => {
                any.push(Vec::new());
                rest = behind;
            }
            Some((_, behind)) => rest = behind,
            None => break,
        }
    }
    // Jayway takes them from its stack: the last one is asked first.
    any.reverse();
    any.iter_mut().for_each(|all| all.reverse());
    Ok(Filter { any })
}

/// The bracket up to where it ends: quotes count here, although they did not when it was cut out of the path.
fn balanced(text: &str) -> Result<&str, Invalid> {
    let (mut parentheses, mut brackets, mut quoted, mut before) = (0i32, 0i32, false, ' ');
    for (at, found) in text.char_indices() {
        match found {
            '\'' if before != '\\' => quoted = !quoted,
            _ if quoted => {}
            '(' => parentheses += 1,
            ')' => parentheses -= 1,
            '[' => brackets += 1,
            ']' => {
                brackets -= 1;
                if parentheses == 0 {
                    return match brackets {
                        0 => Ok(text.get(..=at).unwrap_or(text)),
                        _ => Err(Invalid::new("Filter brackets are not balanced")),
                    };
                }
            }
            _ => {}
        }
        before = found;
    }
    Err(Invalid::new("Filter brackets are not balanced"))
}

/// A piece without the parentheses around it; nothing if that is all there is.
fn bare(piece: &str) -> Option<&str> {
    let piece = piece.trim();
    let piece = piece.trim_start_matches(['[', '?', '(', ' ']).trim_end_matches([')', ' ']);
    (!piece.is_empty()).then_some(piece)
}

fn parse_criterion(text: &str) -> Result<Criterion, Invalid> {
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((text.split_once(sign)?, *operator)));
    let Some(((left, right), operator)) = found else { return parse_existence(text.trim()) };
    let left = left.trim();
    // A negation before a comparison is no negation.
    let left = parse_operand(left.strip_prefix('!').filter(|path| path.starts_with('@')).unwrap_or(left))?;
    let right = right.trim();
    if right.starts_with("!@") {
        return Err(Invalid::new("Invalid negation! Can only be used for existence check e.g [?(!@.foo)]"));
    }
    Ok(Criterion::Compare(left, operator, parse_operand(right)?))
}

fn parse_existence(text: &str) -> Result<Criterion, Invalid> {
    let (path, wanted) = match text.strip_prefix('!') {
        Some(path) if path.starts_with('@') => (path, false),
        _ => (text, true),
    };
    match parse_operand(path)? {
        Operand::Element(steps) | Operand::Document(steps) => Ok(Criterion::Exists { steps, wanted }),
        Operand::Text(..) | Operand::Pattern(_) => Err(Invalid::new(format!("CriteriaType {text} can not be parsed"))),
    }
}

fn parse_operand(text: &str) -> Result<Operand, Invalid> {
    let steps = |path: &str| {
        let steps = parser::parse_steps(path, nested)?;
        if steps.are_definite() { Ok(steps) } else { Err(Invalid::new(NOT_DEFINITE)) }
    };
    if let Some(path) = text.strip_prefix('@') {
        return steps(path).map(Operand::Element);
    }
    if let Some(path) = text.strip_prefix('$') {
        return steps(path).map(Operand::Document);
    }
    // AWS: unverified: Jayway 2.0.0 knows no double quotes; they were taken here before.
    for quote in ['\'', '"'] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return Ok(literal(inside));
        }
    }
    match text.strip_prefix('/').and_then(|behind| behind.strip_suffix('/').or(behind.strip_suffix("/i"))) {
        Some(pattern) => {
            let compiled = compile(pattern, text.ends_with('i'));
            compiled
                .map(Operand::Pattern)
                .map_err(|problem| Invalid::new(format!("The pattern '{pattern}' is not supported: {problem}")))
        }
        None => Ok(literal(text)),
    }
}

fn literal(text: &str) -> Operand {
    Operand::Text(text.to_owned(), Numeric::of_text(text))
}

/// A filter in the path of a filter: no such path is definite, so that it is not worth a recursion.
fn nested(_: &str) -> Result<Filter, Invalid> {
    Err(Invalid::new(NOT_DEFINITE))
}

fn compile(pattern: &str, ignore_case: bool) -> Result<Pattern, String> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(LARGEST_REGEX)
            .nest_limit(32)
            .build()
            .map_err(|problem| problem.to_string())
    };
    // On its own first: an unbalanced pattern could become balanced by what is put around it.
    let _alone: Regex = build(pattern)?;
    build(&format!("\\A(?:{pattern})\\z")).map(|regex| Pattern { source: pattern.to_owned(), regex })
}

/// Whether a path that 2.0.0 refuses was accepted by a later version's rules, which this crate followed before.
///
/// Definitions that hold such a path are stored, so it compiles and fails when it is read.
pub(super) fn was_accepted(text: &str) -> bool {
    let (mut brackets, mut parentheses, mut quote) = (0i32, 0i32, None);
    // Everything outside of quotes, and whether what is in quotes looks like an operator or a bracket.
    let (mut unquoted, mut quoted, mut strange) = (String::new(), String::new(), false);
    for found in text.chars() {
        match quote {
            Some(open) if found == open => {
                quote = None;
                strange |= quoted.contains(['[', ']', '(', ')', '<', '>', '=', '&', '|']);
                quoted.clear();
            }
            Some(_) => quoted.push(found),
            None => match found {
                '\'' | '"' => quote = Some(found),
                '[' => brackets += 1,
                ']' => brackets -= 1,
                '(' => parentheses += 1,
                ')' => parentheses -= 1,
                _ => {}
            },
        }
        if quote.is_none() {
            unquoted.push(found);
        }
    }
    if brackets != 0 || parentheses != 0 || quote.is_some() || unquoted.ends_with('.') {
        return false;
    }
    let signs = ["==", "!=", "<", ">", "&&", "||"];
    let cut_pattern =
        unquoted.split_once("=~").is_some_and(|(_, pattern)| signs.iter().any(|sign| pattern.contains(sign)));
    let mut words = unquoted.split(|c: char| !c.is_alphanumeric());
    let filters = unquoted.matches("[?(").count();
    unquoted.contains("[ *")
        || unquoted.contains("* ]")
        || (filters > 0
            && (strange
                || cut_pattern
                || filters > 1
                || unquoted.contains("!==")
                || unquoted.contains(['*', ':'])
                || unquoted.contains("..")
                || words.any(|word| LATER_OPERATORS.contains(&word))))
}
