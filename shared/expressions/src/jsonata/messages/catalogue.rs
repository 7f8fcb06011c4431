//! The reference implementation's message of every error code an evaluation can end with.
//!
//! Gaps are in braces. They are filled from the engine's message first, then from the values a replay saw.

use serde_json::Value;

use super::Witness;

/// Codes in order, with their words.
const WORDS: &[(&str, &str)] = &[
    ("D1001", "Number out of range: {value}"),
    ("D1002", "Cannot negate a non-numeric value: {value}"),
    ("D1004", "Regular expression matches zero length string"),
    ("D1009", "Multiple key definitions evaluate to same key: {value}"),
    ("D3001", "Attempting to invoke string function on Infinity or NaN"),
    ("D3010", "Second argument of replace function cannot be an empty string"),
    ("D3011", "Fourth argument of replace function must evaluate to a positive number"),
    ("D3012", "Attempted to replace a matched string with a non-string value"),
    ("D3020", "Third argument of split function must evaluate to a positive number"),
    ("D3030", "Unable to cast value to a number: {value}"),
    ("D3040", "Third argument of match function must evaluate to a positive number"),
    ("D3050", "The second argument of reduce function must be a function with at least two arguments"),
    ("D3060", "The sqrt function cannot be applied to a negative number: {value}"),
    ("D3061", "The power function has resulted in a value that cannot be represented as a JSON number: {rest}"),
    (
        "D3070",
        "The single argument form of the sort function can only be applied to an array of strings or an array of \
         numbers.  Use the second argument to specify a comparison function",
    ),
    ("D3080", "The picture string must only contain a maximum of two sub-pictures"),
    ("D3081", "The sub-picture must not contain more than one instance of the 'decimal-separator' character"),
    ("D3082", "The sub-picture must not contain more than one instance of the 'percent' character"),
    ("D3083", "The sub-picture must not contain more than one instance of the 'per-mille' character"),
    ("D3084", "The sub-picture must not contain both a 'percent' and a 'per-mille' character"),
    (
        "D3085",
        "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit \
         character' or a member of the 'decimal digit family'",
    ),
    (
        "D3086",
        "The sub-picture must not contain a passive character that is preceded by an active character and that is \
         followed by another active character",
    ),
    (
        "D3087",
        "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a \
         'decimal-separator' character",
    ),
    ("D3088", "The sub-picture must not contain a 'grouping-separator' at the end of the integer part"),
    ("D3089", "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character"),
    (
        "D3090",
        "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed \
         by an instance of the 'optional digit character'",
    ),
    (
        "D3091",
        "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that \
         is followed by a member of the 'decimal digit family'",
    ),
    (
        "D3092",
        "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an \
         'exponent-separator'",
    ),
    (
        "D3093",
        "The exponent part of the sub-picture must comprise only of one or more characters that are members of the \
         'decimal digit family'",
    ),
    ("D3100", "The radix of the formatBase function must be between 2 and 36.  It was given {last}"),
    ("D3110", "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given {value}"),
    (
        "D3130",
        "Formatting or parsing an integer as a sequence starting with {value} is not supported by this implementation",
    ),
    ("D3131", "In a decimal digit pattern, all digits must be from the same decimal group"),
    ("D3132", "Unknown component specifier {value} in date/time picture string"),
    (
        "D3133",
        "The 'name' modifier can only be applied to months and days in the date/time picture string, not {value}",
    ),
    ("D3134", "The timezone integer format specifier cannot have more than four digits"),
    ("D3135", "No matching closing bracket ']' in date/time picture string"),
    ("D3136", "The date/time picture string is missing specifiers required to parse the timestamp"),
    ("D3138", "The $single() function expected exactly 1 matching result.  Instead it matched more."),
    ("D3139", "The $single() function expected exactly 1 matching result.  Instead it matched 0."),
    ("D3140", "Malformed URL passed to ${name}(): {value}"),
    ("T0410", "Argument {index} of function {function} does not match function signature"),
    ("T0411", "Context value is not a compatible type with argument {index} of function {function}"),
    ("T0412", "Argument {index} of function {function} must be an array of {type}"),
    ("T1003", "Key in object structure must evaluate to a string; got: {key}"),
    ("T1006", "Attempted to invoke a non-function"),
    ("T1008", "Attempted to partially apply a non-function"),
    (
        "T1010",
        "The matcher function argument passed to function {function} does not return the correct object structure",
    ),
    ("T2001", "The left side of the {operator} operator must evaluate to a number"),
    ("T2002", "The right side of the {operator} operator must evaluate to a number"),
    ("T2003", "The left side of the range operator (..) must evaluate to an integer"),
    ("T2004", "The right side of the range operator (..) must evaluate to an integer"),
    ("T2006", "The right side of the function application operator ~> must be a function"),
    ("T2007", "Type mismatch when comparing values {rest} in order-by clause"),
    ("T2008", "The expressions within an order-by clause must evaluate to numeric or string values"),
    ("T2009", "The values {left} and {right} either side of operator {operator} must be of the same data type"),
    ("T2010", "The expressions either side of operator {operator} must evaluate to numeric or string values"),
    ("T2011", "The insert/update clause of the transform expression must evaluate to an object: {value}"),
    ("T2012", "The delete clause of the transform expression must evaluate to a string or array of strings: {value}"),
];

/// Whether what the engine says of a code leaves gaps.
pub(super) fn wants_witness(code: &str) -> bool {
    find(code).is_some_and(|words| words.contains('{'))
}

/// The code and its words; `None` for codes whose words are the engine's or the user's own.
pub(super) fn words(code: &str, message: &str, witness: &Witness) -> Option<String> {
    // Functions of ours speak AWS's words already.
    if message.contains("of function \"") {
        return None;
    }
    let mut text = format!("{code}: ");
    let mut rest = find(code)?;
    while let Some((before, after)) = rest.split_once('{') {
        let (gap, after) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&fill(gap, code, message, witness));
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn find(code: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

fn fill(gap: &str, code: &str, message: &str, witness: &Witness) -> String {
    let arguments = witness.call.as_ref().map(|(_, arguments)| arguments.as_slice()).unwrap_or_default();
    let operands = witness.operands.as_ref();
    match gap {
        "index" => index(message).to_string(),
        "function" => function(message, witness).map_or_else(undefined, |name| quoted(&name)),
        "name" => function(message, witness).unwrap_or_default(),
        "type" => quoted(&members(message)),
        "operator" => operator(message, operands.map(|(_, sign, _)| *sign)),
        "left" => operands.map_or_else(undefined, |(left, ..)| left.to_string()),
        "right" => operands.map_or_else(undefined, |(.., right)| right.to_string()),
        "last" => arguments.get(1).map_or_else(undefined, Value::to_string),
        "key" => shown(message.rsplit_once("got: ").map_or("", |(_, key)| key)),
        "rest" => message.rsplit_once(": ").map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        _ if code == "D1001" => "null".to_owned(),
        _ if code == "D1009" => shown(message.rsplit_once("key: ").map_or("", |(_, key)| key)),
        _ if matches!(code, "D1002" | "T2011" | "T2012") => {
            operands.map_or_else(undefined, |(.., right)| right.to_string())
        }
        _ if code.starts_with("D313") => quoted(message.split_once(": ").map_or("", |(_, value)| value)),
        _ => arguments.first().map_or_else(undefined, Value::to_string),
    }
}

fn undefined() -> String {
    "undefined".to_owned()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value the engine printed: JSON already, or a bare text.
fn shown(printed: &str) -> String {
    match serde_json::from_str::<Value>(printed) {
        Ok(value) => value.to_string(),
        Err(_) => quoted(printed),
    }
}

/// Which argument is at fault, from 1.
fn index(message: &str) -> usize {
    let number = |text: &str| -> Option<usize> {
        text.split(|letter: char| !letter.is_ascii_digit()).find_map(|part| part.parse().ok())
    };
    if let Some((_, counts)) = message.split_once("count mismatch: expected ") {
        let (expected, actual) = counts.split_once(", got ").unwrap_or((counts, ""));
        let (expected, actual) = (number(expected).unwrap_or(0), number(actual).unwrap_or(0));
        // The first that is missing, or the last that is too many: the engine does not tell how many it takes.
        return if actual < expected { actual.saturating_add(1) } else { actual };
    }
    let after = ["rgument ", "with argument "].iter().find_map(|mark| message.split_once(mark)).map(|(_, after)| after);
    after.and_then(number).unwrap_or(1)
}

fn function(message: &str, witness: &Witness) -> Option<String> {
    let named = message.split_once("of function ").or_else(|| message.split_once("to function ")).map(|(_, after)| {
        after.split(' ').next().unwrap_or_default().trim_matches(|letter| letter == '$' || letter == '"').to_owned()
    });
    match (named, &witness.call) {
        (Some(name), _) if !matches!(name.as_str(), "" | "undefined" | "does" | "must") => Some(name),
        (_, Some((name, _))) => Some(name.clone()),
        _ => None,
    }
}

/// The members of an array, in the plural: the engine names their type in one of several ways.
fn members(message: &str) -> String {
    let named = message.rsplit_once("array of ").map_or("", |(_, after)| after);
    let first = named.chars().find(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase());
    match first {
        Some('n') => "numbers",
        Some('s') => "strings",
        Some('b') => "booleans",
        Some('o') => "objects",
        Some('a') => "arrays",
        Some('f') => "functions",
        _ => "values",
    }
    .to_owned()
}

fn operator(message: &str, witnessed: Option<&'static str>) -> String {
    let named = message
        .split_once("side of the ")
        .map(|(_, after)| after.split(' ').next().unwrap_or_default())
        .or_else(|| message.split('"').nth(1))
        .or(witnessed);
    quoted(named.unwrap_or("undefined"))
}
