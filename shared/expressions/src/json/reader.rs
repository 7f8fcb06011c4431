//! From text to value, complaining as Jackson does.
//!
//! Without recursion: the containers that are open stand in a list.

use std::str::FromStr;

use serde_json::{Map, Number, Value};

use super::{JsonError, carried, problem};
use crate::cursor::Cursor;

struct Reader<'t> {
    text: &'t str,
    cursor: Cursor<'t>,
    open: Vec<Open>,
    rules: Rules,
}

/// What differs between the texts that are read.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// How deep arrays and objects may nest.
    pub deepest: usize,
    /// Whether a key may be given twice; the last value wins.
    pub repeats: bool,
    /// Whether halves of surrogate pairs and numbers beyond doubles are carried or refused.
    pub carries: bool,
}

/// A container that is not complete, and where it starts.
enum Open {
    Array { items: Vec<Value>, start: usize },
    Object { members: Map<String, Value>, name: String, start: usize },
}

pub(super) fn read(text: &str, rules: Rules) -> Result<Value, JsonError> {
    let mut reader = Reader { text, cursor: Cursor::new(text), open: Vec::new(), rules };
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
        self.open.clear();
        loop {
            let mut complete = self.begin()?;
            while let Some(value) = complete {
                if self.open.is_empty() {
                    return Ok(value);
                }
                complete = self.put(value)?;
            }
        }
    }

    /// Reads a scalar or an empty container, or opens a container and stops before the first value in it.
    fn begin(&mut self) -> Result<Option<Value>, JsonError> {
        match self.cursor.peek() {
            Some('{') => {
                let start = self.open()?;
                if self.cursor.eat('}') {
                    return Ok(Some(Value::Object(Map::new())));
                }
                let name = self.name(start)?;
                self.open.push(Open::Object { members: Map::new(), name, start });
                Ok(None)
            }
            Some('[') => {
                let start = self.open()?;
                if self.cursor.eat(']') {
                    return Ok(Some(Value::Array(Vec::new())));
                }
                if self.cursor.is_at_end() {
                    return Err(self.unclosed("Array", start));
                }
                self.open.push(Open::Array { items: Vec::new(), start });
                Ok(None)
            }
            Some('"') => {
                self.cursor.next();
                self.string(problem::UNCLOSED_STRING).map(|text| Some(Value::String(text)))
            }
            Some('-' | '0'..='9') => self.number().map(Some),
            Some(c) if c.is_alphabetic() || matches!(c, '_' | '$') => self.token().map(Some),
            Some(found) => Err(self.error(problem::unexpected_character(found, problem::VALUE))),
            None => Err(self.error("Unexpected end-of-input: expected a value")),
        }
    }

    /// Takes the bracket; answers where it stands.
    fn open(&mut self) -> Result<usize, JsonError> {
        if self.open.len() >= self.rules.deepest {
            return Err(self.error(problem::too_deep(self.open.len() + 1, self.rules.deepest)));
        }
        let start = self.cursor.position();
        self.cursor.next();
        self.skip_spaces();
        Ok(start)
    }

    /// Puts a value into the innermost container. Answers that container if it ends here, and otherwise stands before
    /// its next value.
    fn put(&mut self, value: Value) -> Result<Option<Value>, JsonError> {
        self.skip_spaces();
        let ends = self.cursor.peek();
        let start = match self.open.last_mut() {
            None => return Ok(Some(value)),
            Some(Open::Array { items, start }) => {
                items.push(value);
                if ends == Some(']') {
                    self.cursor.next();
                    let items = std::mem::take(items);
                    self.open.pop();
                    return Ok(Some(Value::Array(items)));
                }
                let start = *start;
                self.expect(',', problem::ARRAY_COMMA, |reader| reader.unclosed("Array", start))?;
                self.skip_spaces();
                return if self.cursor.is_at_end() { Err(self.unclosed("Array", start)) } else { Ok(None) };
            }
            Some(Open::Object { members, name, start }) => {
                let before = members.insert(std::mem::take(name), value);
                if before.is_some() && !self.rules.repeats {
                    return Err(self.error("Duplicate field"));
                }
                if ends == Some('}') {
                    self.cursor.next();
                    let members = std::mem::take(members);
                    self.open.pop();
                    return Ok(Some(Value::Object(members)));
                }
                *start
            }
        };
        self.expect(',', problem::OBJECT_COMMA, |reader| reader.unclosed("Object", start))?;
        self.skip_spaces();
        let next = self.name(start)?;
        if let Some(Open::Object { name, .. }) = self.open.last_mut() {
            *name = next;
        }
        Ok(None)
    }

    /// The name of a member, with its colon.
    fn name(&mut self, start: usize) -> Result<String, JsonError> {
        self.expect('"', problem::FIELD_NAME, |reader| reader.unclosed("Object", start))?;
        let name = self.string(problem::UNCLOSED_NAME)?;
        self.skip_spaces();
        self.expect(':', problem::COLON, |reader| reader.unclosed("Object", start))?;
        self.skip_spaces();
        Ok(name)
    }

    /// The rest of a string, the quote being read.
    fn string(&mut self, unclosed: &str) -> Result<String, JsonError> {
        let mut text = String::new();
        loop {
            let piece = self.cursor.take_bytes_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
            if carried::is_marked(piece) {
                carried::push_plain(piece, &mut text);
            } else {
                text.push_str(piece);
            }
            match self.cursor.peek() {
                Some('"') => {
                    self.cursor.next();
                    return Ok(text);
                }
                Some('\\') => {
                    self.cursor.next();
                    self.escape(unclosed, &mut text)?;
                }
                Some(control) => return Err(self.error(problem::unescaped(control))),
                None => return Err(self.error(unclosed)),
            }
        }
    }

    /// Adds what an escape stands for, the backslash being read.
    fn escape(&mut self, unclosed: &str, text: &mut String) -> Result<(), JsonError> {
        let Some(letter) = self.cursor.peek() else { return Err(self.error(unclosed)) };
        text.push(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                self.cursor.next();
                return self.code_units(unclosed, text);
            }
            other => return Err(self.error(problem::unknown_escape(other))),
        });
        self.cursor.next();
        Ok(())
    }

    /// `\uXXXX`, as many as make one character.
    // AWS: unverified: what Java keeps of half a surrogate pair is the half.
    fn code_units(&mut self, unclosed: &str, text: &mut String) -> Result<(), JsonError> {
        let mut unit = self.code_unit(unclosed)?;
        while (0xd800..0xdc00).contains(&unit) && self.cursor.eat_text("\\u") {
            let next = self.code_unit(unclosed)?;
            if let Some(Ok(character)) = char::decode_utf16([unit, next]).next() {
                push(character, text);
                return Ok(());
            }
            self.carry(unit, text)?;
            unit = next;
        }
        match char::from_u32(u32::from(unit)) {
            Some(character) => push(character, text),
            None => self.carry(unit, text)?,
        }
        Ok(())
    }

    fn carry(&self, unit: u16, text: &mut String) -> Result<(), JsonError> {
        if !self.rules.carries {
            return Err(
                self.error(format!("Broken surrogate pair: first char 0x{unit:x}, second is missing or illegal"))
            );
        }
        carried::push_surrogate(unit, text);
        Ok(())
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

    fn number(&mut self) -> Result<Value, JsonError> {
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
        if let Some(c) = self.cursor.peek().filter(|c| self.open.is_empty() && !matches!(c, ' ' | '\t' | '\r' | '\n')) {
            return Err(self.error(problem::unexpected_character(c, "Expected space separating root-level values")));
        }
        let whole = if is_whole { i64::from_str(text).map(Number::from).ok() } else { None };
        let number = whole.or_else(|| u64::from_str(text).ok().filter(|_| is_whole).map(Number::from)).or_else(|| {
            f64::from_str(text).ok().filter(|_| !is_whole || !self.rules.carries).and_then(Number::from_f64)
        });
        match number {
            Some(number) => Ok(Value::Number(number)),
            None if self.rules.carries => Ok(carried::from_number(text)),
            None => Err(self.error(format!("Numeric value ({}) out of range of double", shortened(text)))),
        }
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

fn push(character: char, text: &mut String) {
    carried::push_plain(character.encode_utf8(&mut [0; 4]), text);
}

/// Jackson shows no more of a token than this.
fn shortened(token: &str) -> &str {
    token.char_indices().nth(256).and_then(|(end, _)| token.get(..end)).unwrap_or(token)
}
