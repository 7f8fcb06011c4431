//! From text to value, complaining as Jackson does.
//!
//! Recursive descent; the nesting is bounded before it is followed.

use std::str::FromStr;

use serde_json::{Map, Number, Value};

use super::{DEEPEST, JsonError, problem};
use crate::cursor::Cursor;

struct Reader<'t> {
    text: &'t str,
    cursor: Cursor<'t>,
    depth: usize,
}

pub(super) fn read(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader { text, cursor: Cursor::new(text), depth: 0 };
    reader.skip_spaces();
    if reader.cursor.is_at_end() {
        return Err(reader.error(problem::NO_CONTENT));
    }
    let value = reader.value()?;
    reader.skip_spaces();
    match reader.cursor.peek() {
        None => Ok(value),
        // AWS: unverified: whether AWS refuses or ignores what follows the value.
        Some(found) => Err(match reader.value() {
            Ok(_) => reader.error("Trailing token found after value: not allowed"),
            Err(error) if found.is_alphanumeric() => error,
            Err(_) => reader.error(problem::unexpected_character(found, problem::VALUE)),
        }),
    }
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, JsonError> {
        match self.cursor.peek() {
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some('"') => {
                self.cursor.next();
                self.string(problem::UNCLOSED_STRING).map(Value::String)
            }
            Some('-' | '0'..='9') => self.number().map(Value::Number),
            Some(c) if c.is_alphabetic() || matches!(c, '_' | '$') => self.token(),
            Some(found) => Err(self.error(problem::unexpected_character(found, problem::VALUE))),
            None => Err(self.error("Unexpected end-of-input: expected a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, JsonError>) -> Result<Value, JsonError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(problem::too_deep(self.depth)));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        let start = self.cursor.position();
        self.cursor.next();
        let mut object = Map::new();
        self.skip_spaces();
        if self.cursor.eat('}') {
            return Ok(Value::Object(object));
        }
        loop {
            self.skip_spaces();
            self.expect('"', problem::FIELD_NAME, |reader| reader.unclosed("Object", start))?;
            let name = self.string(problem::UNCLOSED_NAME)?;
            self.skip_spaces();
            self.expect(':', problem::COLON, |reader| reader.unclosed("Object", start))?;
            self.skip_spaces();
            let value = self.value()?;
            object.insert(name, value);
            self.skip_spaces();
            if self.cursor.eat('}') {
                return Ok(Value::Object(object));
            }
            self.expect(',', problem::OBJECT_COMMA, |reader| reader.unclosed("Object", start))?;
        }
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        let start = self.cursor.position();
        self.cursor.next();
        let mut items = Vec::new();
        self.skip_spaces();
        if self.cursor.eat(']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_spaces();
            if self.cursor.is_at_end() {
                return Err(self.unclosed("Array", start));
            }
            items.push(self.value()?);
            self.skip_spaces();
            if self.cursor.eat(']') {
                return Ok(Value::Array(items));
            }
            self.expect(',', problem::ARRAY_COMMA, |reader| reader.unclosed("Array", start))?;
        }
    }

    /// The rest of a string, the quote being read.
    fn string(&mut self, unclosed: &str) -> Result<String, JsonError> {
        let mut text = String::new();
        loop {
            text.push_str(self.cursor.take_while(|c| c >= ' ' && c != '"' && c != '\\'));
            match self.cursor.peek() {
                Some('"') => {
                    self.cursor.next();
                    return Ok(text);
                }
                Some('\\') => {
                    self.cursor.next();
                    text.push(self.escape(unclosed)?);
                }
                Some(control) => return Err(self.error(problem::unescaped(control))),
                None => return Err(self.error(unclosed)),
            }
        }
    }

    /// What an escape stands for, the backslash being read.
    fn escape(&mut self, unclosed: &str) -> Result<char, JsonError> {
        let Some(letter) = self.cursor.peek() else { return Err(self.error(unclosed)) };
        let meant = match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                self.cursor.next();
                return self.code_point(unclosed);
            }
            other => return Err(self.error(problem::unknown_escape(other))),
        };
        self.cursor.next();
        Ok(meant)
    }

    /// `\uXXXX`, or two of them for a character outside of the basic plane.
    // AWS: unverified: Java can hold half a surrogate pair; a Rust string cannot, so it is refused.
    fn code_point(&mut self, unclosed: &str) -> Result<char, JsonError> {
        let first = self.code_unit(unclosed)?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) && self.cursor.eat_text("\\u") {
            units.push(self.code_unit(unclosed)?);
        }
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(c)), None) => Ok(c),
            _ => {
                Err(self.error(format!("Broken surrogate pair: first char 0x{first:x}, second is missing or illegal")))
            }
        }
    }

    fn code_unit(&mut self, unclosed: &str) -> Result<u16, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(c) = self.cursor.peek() else { return Err(self.error(unclosed)) };
            let digit = c.to_digit(16).and_then(|digit| u16::try_from(digit).ok());
            let Some(digit) = digit else {
                return Err(self.error(problem::unexpected_character(c, problem::HEX_DIGIT)));
            };
            unit = unit * 16 + digit;
            self.cursor.next();
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.cursor.position();
        self.cursor.eat('-');
        let whole = self.digits("expected digit (0-9) to follow minus sign, for valid numeric value")?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.error(problem::LEADING_ZERO));
        }
        let mut is_whole = true;
        if self.cursor.eat('.') {
            is_whole = false;
            self.digits("Decimal point not followed by a digit")?;
        }
        if matches!(self.cursor.peek(), Some('e' | 'E')) {
            is_whole = false;
            self.cursor.next();
            if !self.cursor.eat('+') {
                self.cursor.eat('-');
            }
            self.digits("Exponent indicator not followed by a digit")?;
        }
        let text = self.cursor.since(start);
        // Within containers the caller misses its comma here.
        if let Some(c) = self.cursor.peek().filter(|c| self.depth == 0 && !matches!(c, ' ' | '\t' | '\r' | '\n')) {
            return Err(self.error(problem::unexpected_character(c, "Expected space separating root-level values")));
        }
        let whole = if is_whole { i64::from_str(text).map(Number::from).ok() } else { None };
        whole
            .or_else(|| u64::from_str(text).ok().filter(|_| is_whole).map(Number::from))
            .or_else(|| f64::from_str(text).ok().and_then(Number::from_f64))
            .ok_or_else(|| self.error(format!("Numeric value ({}) out of range of double", shortened(text))))
    }

    /// One digit or more.
    fn digits(&mut self, expectation: &str) -> Result<&str, JsonError> {
        if !self.cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Err(match self.cursor.peek() {
                Some(found) => self.error(problem::unexpected_in_number(found, expectation)),
                None => self.error("Unexpected end-of-input in a Number value"),
            });
        }
        Ok(self.cursor.take_while(|c| c.is_ascii_digit()))
    }

    fn token(&mut self) -> Result<Value, JsonError> {
        let mut ahead = self.cursor.clone();
        let token = ahead.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        let value = match token {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(self.error(problem::unrecognized_token(shortened(token)))),
        };
        self.cursor = ahead;
        Ok(value)
    }

    fn expect(
        &mut self,
        wanted: char,
        expectation: &str,
        at_end: impl Fn(&Self) -> JsonError,
    ) -> Result<(), JsonError> {
        match self.cursor.peek() {
            None => Err(at_end(self)),
            Some(found) if found != wanted => Err(self.error(problem::unexpected_character(found, expectation))),
            Some(_) => {
                self.cursor.next();
                Ok(())
            }
        }
    }

    fn skip_spaces(&mut self) {
        self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    fn error(&self, message: impl Into<String>) -> JsonError {
        let (line, column) = self.line_and_column(self.cursor.position());
        JsonError { message: message.into(), line, column }
    }

    fn unclosed(&self, container: &str, start: usize) -> JsonError {
        let (line, column) = self.line_and_column(start);
        self.error(problem::unclosed(container, line, column))
    }

    fn line_and_column(&self, position: usize) -> (usize, usize) {
        let before = self.text.get(..position).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// Jackson shows no more of a token than this.
fn shortened(token: &str) -> &str {
    token.char_indices().nth(256).and_then(|(end, _)| token.get(..end)).unwrap_or(token)
}
