//! Complaints about the form of an expression.
//!
//! The engine names the tokens it stumbles over by its own names; the reference implementation shows them as they are
//! written, quoted as JSON.

/// `expected` and `found` are the engine's names of tokens.
pub(crate) fn expected(expected: &str, found: &str) -> String {
    if expected == "parameter name" {
        // AWS: unverified which parameter is counted; the engine does not tell.
        return "Parameter 1 of function definition must be a variable name (start with $)".to_owned();
    }
    if found == "Eof" {
        return format!("Expected {} before end of expression", written(expected));
    }
    format!("Expected {}, got {}", written(expected), written(found))
}

/// A token that cannot begin an expression.
pub(crate) fn unexpected(token: &str) -> String {
    match token {
        "Eof" => "Unexpected end of expression".to_owned(),
        token if sign(token).is_some() => format!("The symbol {} cannot be used as a unary operator", written(token)),
        token => format!("Unknown operator: {}", written(token)),
    }
}

/// The same for a sign.
pub(crate) fn unary(sign: &str) -> String {
    format!("The symbol \"{sign}\" cannot be used as a unary operator")
}

/// A backslash and what follows it.
pub(crate) fn escape(escape: &str) -> String {
    if escape.contains('u') {
        return "The escape sequence \\u must be followed by 4 hex digits".to_owned();
    }
    format!("unsupported escape sequence: \\\"{}\"", escape.trim_start_matches('\\'))
}

/// A message that carries its code.
pub(crate) fn syntax(message: &str) -> String {
    let words = match message.split_once(": ") {
        Some((code, words)) if code.len() == 5 && code.starts_with('S') => words,
        _ => message,
    };
    match words.strip_prefix("Syntax error: ") {
        Some(token) => format!("Syntax error: {}", written(token)),
        None => words.to_owned(),
    }
}

/// A token as it is written, quoted as JSON.
fn written(token: &str) -> String {
    if let Some(sign) = sign(token) {
        return format!("\"{sign}\"");
    }
    match token {
        "True" => return "true".to_owned(),
        "False" => return "false".to_owned(),
        "Null" => return "null".to_owned(),
        "Eof" => return "\"(end)\"".to_owned(),
        _ => {}
    }
    let inside = token.split_once('(').and_then(|(kind, rest)| Some((kind, rest.strip_suffix(')')?)));
    match inside {
        Some(("Number", number)) => number.trim_end_matches(".0").to_owned(),
        Some((_, quoted)) if quoted.starts_with('"') => quoted.to_owned(),
        _ => format!("\"{token}\""),
    }
}

fn sign(token: &str) -> Option<&'static str> {
    Some(match token {
        "Plus" => "+",
        "Minus" => "-",
        "Star" => "*",
        "StarStar" => "**",
        "Slash" => "/",
        "Percent" => "%",
        "Equal" => "=",
        "NotEqual" => "!=",
        "LessThan" => "<",
        "LessThanOrEqual" => "<=",
        "GreaterThan" => ">",
        "GreaterThanOrEqual" => ">=",
        "And" => "and",
        "Or" => "or",
        "In" => "in",
        "Ampersand" => "&",
        "Dot" => ".",
        "DotDot" => "..",
        "Question" | "QuestionQuestion" | "QuestionColon" => "?",
        "Colon" => ":",
        "ColonEqual" => ":=",
        "TildeArrow" => "~>",
        "LeftParen" => "(",
        "RightParen" => ")",
        "LeftBracket" => "[",
        "RightBracket" => "]",
        "LeftBrace" => "{",
        "RightBrace" => "}",
        "Comma" => ",",
        "Semicolon" => ";",
        "Caret" => "^",
        "Pipe" => "|",
        "Hash" => "#",
        "At" => "@",
        _ => return None,
    })
}

/// Whether a text that ends inside of something ends inside of a regular expression.
pub(crate) fn ends_in_a_pattern(text: &str) -> bool {
    let mut letters = text.chars();
    // Whether an operand may begin here: after an operand, `/` divides.
    let mut operand = true;
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' | '`' => {
                if !skip_to(&mut letters, letter) {
                    return false;
                }
                operand = false;
            }
            '/' if operand => {
                if !skip_to(&mut letters, '/') {
                    return true;
                }
                operand = false;
            }
            letter if letter.is_whitespace() => {}
            ')' | ']' | '}' | '$' | '_' => operand = false,
            letter => operand = !letter.is_alphanumeric(),
        }
    }
    false
}

fn skip_to(letters: &mut std::str::Chars<'_>, end: char) -> bool {
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == end {
            return true;
        }
    }
    false
}
