//! Reading a text character by character, shared by the parsers of paths, filters, calls and JSON.
//!
//! The position only moves forwards and always stands on a character boundary, so every parser built on it
//! is linear unless it says otherwise.

#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Cursor { text, position: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// The text read since `start`.
    pub(crate) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.position).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.position += found.len_utf8();
        Some(found)
    }

    pub(crate) fn eat(&mut self, wanted: char) -> bool {
        let here = self.peek() == Some(wanted);
        if here {
            self.position += wanted.len_utf8();
        }
        here
    }

    pub(crate) fn eat_text(&mut self, wanted: &str) -> bool {
        let here = self.rest().starts_with(wanted);
        if here {
            self.position += wanted.len();
        }
        here
    }

    /// Reads on while `belongs` holds and answers what was read.
    pub(crate) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let start = self.position;
        while self.peek().is_some_and(&belongs) {
            self.next();
        }
        self.since(start)
    }

    /// The same over bytes, all that are not ASCII belonging.
    pub(crate) fn take_bytes_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        let (taken, _) = rest.split_at_checked(end).unwrap_or((rest, ""));
        self.position += taken.len();
        taken
    }

    pub(crate) fn skip_spaces(&mut self) {
        self.take_while(|c| c.is_ascii_whitespace());
    }

    /// Reads the path that starts here, up to a character of `ends` that stands outside of its brackets,
    /// quotes and parentheses.
    pub(crate) fn take_path(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let start = self.position;
        let (mut brackets, mut parentheses, mut quote) = (0usize, 0usize, None);
        while let Some(c) = self.peek() {
            match quote {
                Some(_) if c == '\\' => {
                    self.next();
                }
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if brackets > 0 && (c == '\'' || c == '"') => quote = Some(c),
                None if brackets == 0 && parentheses == 0 && (c == ')' || ends(c)) => break,
                None => match c {
                    '[' => brackets += 1,
                    ']' => brackets = brackets.saturating_sub(1),
                    '(' => parentheses += 1,
                    ')' => parentheses = parentheses.saturating_sub(1),
                    _ => {}
                },
            }
            self.next();
        }
        self.since(start)
    }
}
