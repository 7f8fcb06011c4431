//! Jackson's words for what is wrong with a text.
//!
//! Only the texts; where they apply is the reader's affair.

/// What Jackson expects where a value should stand.
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

pub(super) const NO_CONTENT: &str = "No content to map due to end-of-input";
pub(super) const VALUE: &str =
    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
pub(super) const FIELD_NAME: &str = "was expecting double-quote to start field name";
pub(super) const COLON: &str = "was expecting a colon to separate field name and value";
pub(super) const OBJECT_COMMA: &str = "was expecting comma to separate Object entries";
pub(super) const ARRAY_COMMA: &str = "was expecting comma to separate Array entries";
pub(super) const LEADING_ZERO: &str = "Invalid numeric value: Leading zeroes not allowed";
pub(super) const HEX_DIGIT: &str = "expected a hex-digit for character escape sequence";
pub(super) const UNCLOSED_STRING: &str = "Unexpected end-of-input: was expecting closing quote for a string value";
pub(super) const UNCLOSED_NAME: &str = "Unexpected end-of-input in field name";

pub(super) fn unrecognized_token(token: &str) -> String {
    format!("Unrecognized token '{token}': was expecting {VALUES}")
}

pub(super) fn unexpected_character(found: char, expectation: &str) -> String {
    format!("Unexpected character ({}): {expectation}", described(found))
}

pub(super) fn unexpected_in_number(found: char, expectation: &str) -> String {
    format!("Unexpected character ({}) in numeric value: {expectation}", described(found))
}

pub(super) fn unescaped(found: char) -> String {
    format!(
        "Illegal unquoted character ({}): has to be escaped using backslash to be included in string value",
        described(found)
    )
}

pub(super) fn unknown_escape(found: char) -> String {
    format!("Unrecognized character escape {}", described(found))
}

pub(super) fn unclosed(container: &str, line: usize, column: usize) -> String {
    format!(
        "Unexpected end-of-input: expected close marker for {container} (start marker at line: {line}, column: {column})"
    )
}

// AWS: unverified: Jackson's words with the bound of this implementation.
pub(crate) fn too_deep(depth: usize, most: usize) -> String {
    format!(
        "Document nesting depth ({depth}) exceeds the maximum allowed ({most}, from \
         `StreamReadConstraints.getMaxNestingDepth()`)"
    )
}

fn described(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0x1f => format!("(CTRL-CHAR, code {code})"),
        code @ 0..=0xff => format!("'{c}' (code {code})"),
        code => format!("'{c}' (code {code} / 0x{code:x})"),
    }
}
