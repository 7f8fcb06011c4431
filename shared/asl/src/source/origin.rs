//! Text made from other text, which remembers where its parts come from.
//!
//! A definition may be a string within a template, with escapes and substitutions: each makes a new text, and a place in
//! the last one still leads back to the file. Pieces are either copied letter by letter or stand for a range as a whole.

use std::ops::Range;

#[derive(Debug, Clone, Default)]
pub(super) struct Derived {
    text: String,
    /// In the order of the text, without gaps.
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    /// Where it begins in the text; it ends where the next one begins.
    start: usize,
    origin: Range<usize>,
    is_copy: bool,
}

impl Derived {
    /// A text as it stands, beginning at a byte of the origin.
    pub fn whole(text: &str, at: usize) -> Derived {
        let mut derived = Derived::default();
        derived.copy(text, at);
        derived
    }

    /// A text that stands for a range as a whole.
    pub fn instead(text: &str, origin: Range<usize>) -> Derived {
        let mut derived = Derived::default();
        derived.replace(text, origin);
        derived
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends what stands at a byte of the origin.
    pub fn copy(&mut self, text: &str, at: usize) {
        let continues = self.pieces.last_mut().filter(|last| last.is_copy && last.origin.end == at);
        match continues {
            _ if text.is_empty() => {}
            Some(last) => last.origin.end += text.len(),
            None => {
                let origin = at..at + text.len();
                self.pieces.push(Piece { start: self.text.len(), origin, is_copy: true });
            }
        }
        self.text.push_str(text);
    }

    /// Appends what stands for a range of the origin.
    pub fn replace(&mut self, text: &str, origin: Range<usize>) {
        if !text.is_empty() {
            self.pieces.push(Piece { start: self.text.len(), origin, is_copy: false });
            self.text.push_str(text);
        }
    }

    /// Appends a range of another derived text of the same origin.
    pub fn append(&mut self, other: &Derived, range: Range<usize>) {
        let first = other.pieces.partition_point(|piece| piece.start <= range.start).saturating_sub(1);
        for (index, piece) in other.pieces.iter().enumerate().skip(first) {
            if piece.start >= range.end {
                break;
            }
            let (start, end) = (piece.start.max(range.start), other.end_of(index).min(range.end));
            let Some(text) = other.text.get(start..end) else { continue };
            if piece.is_copy {
                self.copy(text, piece.origin.start + (start - piece.start));
            } else {
                self.replace(text, piece.origin.clone());
            }
        }
    }

    /// Where a range of the text comes from.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        let start = self.start_at(range.start);
        match range.end.checked_sub(1).filter(|last| *last >= range.start) {
            Some(last) => start..self.end_at(last).max(start),
            None => start..start,
        }
    }

    fn start_at(&self, at: usize) -> usize {
        let Some((index, piece)) = self.piece_at(at) else { return 0 };
        if at >= self.end_of(index) {
            return piece.origin.end;
        }
        piece.origin.start + if piece.is_copy { at - piece.start } else { 0 }
    }

    /// Where the byte ends that stands at a place.
    fn end_at(&self, last: usize) -> usize {
        match self.piece_at(last) {
            Some((_, piece)) if piece.is_copy => (piece.origin.start + last + 1 - piece.start).min(piece.origin.end),
            Some((_, piece)) => piece.origin.end,
            None => 0,
        }
    }

    fn piece_at(&self, at: usize) -> Option<(usize, &Piece)> {
        let index = self.pieces.partition_point(|piece| piece.start <= at).checked_sub(1)?;
        Some((index, self.pieces.get(index)?))
    }

    fn end_of(&self, index: usize) -> usize {
        self.pieces.get(index + 1).map_or(self.text.len(), |next| next.start)
    }
}
