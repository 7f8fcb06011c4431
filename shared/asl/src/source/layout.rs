//! The layout of YAML as PyYAML and CloudFormation take it, made into one that the specification allows.
//!
//! Inside brackets and quotes they do not look at indentation: a closing bracket may stand in the column of its parent, and a
//! quoted text may go on with less indent. So within these the line breaks are taken out. Every character keeps its number:
//! a break becomes a blank and [`DROPPED`] characters, which the reader of scalars takes away again.

use std::iter;

/// Stands for a character that is no part of a scalar. No YAML has it.
pub(super) const DROPPED: char = '\u{3}';
/// Stands for a line break that is part of a scalar.
pub(super) const BREAK: char = '\u{4}';

/// The same text with its line breaks taken out of brackets and quotes; nothing if there are none.
pub(super) fn relaxed(text: &str) -> Option<String> {
    if text.contains([DROPPED, BREAK]) {
        return None;
    }
    let letters: Vec<char> = text.chars().collect();
    let mut walk = Walk { letters: &letters, made: letters.clone(), at: 0, depth: 0, line: Line::default() };
    walk.all();
    let Walk { made, .. } = walk;
    (made != letters).then(|| made.into_iter().collect())
}

struct Walk<'l> {
    letters: &'l [char],
    made: Vec<char>,
    at: usize,
    /// Of brackets.
    depth: usize,
    line: Line,
}

/// The line outside of brackets that is being read.
#[derive(Default)]
struct Line {
    /// The column of its first key or entry, behind the dashes.
    indent: usize,
    has_begun: bool,
    /// Whether a node may begin here: only there quotes, brackets and block headers mean anything.
    may_begin: bool,
    /// Whether the last character was blank or the line's first.
    after_blank: bool,
    column: usize,
}

impl Walk<'_> {
    fn all(&mut self) {
        self.line = Line { may_begin: true, after_blank: true, ..Line::default() };
        while let Some(letter) = self.peek(0) {
            match letter {
                '\n' => self.line_break(),
                ' ' | '\t' | '\r' => self.step(true),
                '#' if self.line.after_blank => self.comment(),
                '"' | '\'' if self.line.may_begin => self.quoted(letter),
                '[' | '{' if self.line.may_begin => {
                    self.depth += 1;
                    self.begin();
                    self.step(false);
                    self.line.may_begin = true;
                }
                ']' | '}' if self.depth > 0 => {
                    self.depth -= 1;
                    self.step(false);
                    self.line.may_begin = false;
                }
                ',' if self.depth > 0 => {
                    self.step(false);
                    self.line.may_begin = true;
                }
                ':' if self.ends_a_key() => {
                    self.step(false);
                    self.line.may_begin = true;
                }
                '-' | '?' if self.depth == 0 && self.line.may_begin && self.is_blank(1) => self.step(false),
                '!' | '&' if self.line.may_begin => self.word(),
                '|' | '>' if self.depth == 0 && self.line.may_begin => self.block(),
                _ => {
                    self.begin();
                    self.step(false);
                    self.line.may_begin = false;
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn is_blank(&self, ahead: usize) -> bool {
        self.peek(ahead).is_none_or(char::is_whitespace)
    }

    fn step(&mut self, is_blank: bool) {
        self.at += 1;
        self.line.column += 1;
        self.line.after_blank = is_blank;
    }

    /// The first thing on a line that is no dash says how far the line is indented.
    fn begin(&mut self) {
        if !self.line.has_begun {
            self.line.indent = self.line.column;
            self.line.has_begun = true;
        }
    }

    fn put(&mut self, at: usize, letter: char) {
        if let Some(place) = self.made.get_mut(at) {
            *place = letter;
        }
    }

    /// Within brackets a break is a blank; one within a text without quotes is one blank, however far the next line is
    /// indented.
    fn line_break(&mut self) {
        if self.depth == 0 {
            self.at += 1;
            self.line = Line { may_begin: true, after_blank: true, ..Line::default() };
            return;
        }
        let blank = |letter: &char| letter.is_whitespace();
        let before =
            self.made.get(..self.at).unwrap_or_default().iter().rev().take_while(|letter| blank(letter)).count();
        let after = self.letters.get(self.at..).unwrap_or_default().iter().take_while(|letter| blank(letter)).count();
        let last = self.at.checked_sub(before + 1).and_then(|at| self.made.get(at)).copied();
        let goes_on = |letter: Option<char>| letter.is_some_and(|letter| !"[]{},:#\"'".contains(letter));
        if !self.line.may_begin && goes_on(last) && goes_on(self.peek(after)) {
            self.fold(self.at - before, self.at + after);
        } else {
            (self.at..self.at + after).for_each(|at| self.put(at, ' '));
        }
        self.at += after;
        self.line.after_blank = true;
    }

    /// White space with breaks in it, as it counts within a scalar: one break is a blank, each further one a break.
    fn fold(&mut self, from: usize, to: usize) {
        let breaks = self.letters.get(from..to).unwrap_or_default().iter().filter(|letter| **letter == '\n').count();
        let kept = if breaks > 1 { BREAK } else { ' ' };
        let letters = iter::repeat_n(kept, breaks.saturating_sub(1).max(1)).chain(iter::repeat(DROPPED));
        (from..to).zip(letters).for_each(|(at, letter)| self.put(at, letter));
    }

    /// A comment within brackets would hide what follows once its line has no end.
    fn comment(&mut self) {
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            if self.depth > 0 {
                self.put(self.at, ' ');
            }
            self.step(true);
        }
    }

    fn quoted(&mut self, quote: char) {
        self.begin();
        self.step(false);
        while let Some(letter) = self.peek(0) {
            match letter {
                '\\' if quote == '"' => self.escape(),
                '\'' if quote == '\'' && self.peek(1) == Some('\'') => self.at += 2,
                _ if letter == quote => break,
                ' ' | '\t' | '\r' | '\n' => self.white_space(),
                _ => self.at += 1,
            }
        }
        self.step(false);
        self.line.may_begin = false;
    }

    /// White space within quotes. Its first blank may follow a backslash, which keeps it.
    fn white_space(&mut self) {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|letter| letter.is_whitespace()).count();
        if rest.iter().take(length).any(|letter| *letter == '\n') {
            self.fold(self.at, self.at + length);
        }
        self.at += length.max(1);
    }

    /// A backslash and what belongs to it; at the end of a line it takes the break away.
    fn escape(&mut self) {
        let rest = self.letters.get(self.at + 1..).unwrap_or_default();
        let ends_line = rest.starts_with(&['\n']) || rest.starts_with(&['\r', '\n']);
        if !ends_line {
            self.at += 2;
            return;
        }
        let length = 1 + rest.iter().take_while(|letter| letter.is_whitespace()).count();
        (self.at..self.at + length).for_each(|at| self.put(at, DROPPED));
        self.at += length;
    }

    fn ends_a_key(&self) -> bool {
        let after_quote =
            self.at.checked_sub(1).and_then(|at| self.letters.get(at)).is_some_and(|it| "\"'".contains(*it));
        self.is_blank(1) || (self.depth > 0 && (after_quote || self.peek(1).is_some_and(|next| ",[]{}".contains(next))))
    }

    /// A tag or an anchor: the node is still to begin.
    fn word(&mut self) {
        self.begin();
        while self.peek(0).is_some_and(|letter| !(letter.is_whitespace() || self.depth > 0 && ",[]{}".contains(letter)))
        {
            self.step(false);
        }
    }

    /// A block scalar: all lines that are indented further than its own mean themselves.
    fn block(&mut self) {
        let indent = self.line.indent;
        self.end_of_line();
        while self.at < self.letters.len() {
            let rest = self.letters.get(self.at..).unwrap_or_default();
            let blanks = rest.iter().take_while(|letter| **letter == ' ').count();
            let is_empty = rest.get(blanks).is_none_or(|letter| matches!(letter, '\n' | '\r'));
            if !is_empty && blanks <= indent {
                break;
            }
            self.end_of_line();
        }
        self.line = Line { may_begin: true, after_blank: true, ..Line::default() };
    }

    fn end_of_line(&mut self) {
        let rest = self.letters.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|letter| *letter == '\n').map_or(rest.len(), |length| length + 1);
    }
}
