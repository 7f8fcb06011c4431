//! From YAML's events to a JSON value and the places of its parts.
//!
//! Iterative and bounded: depth as in JSON, and in size against aliases that multiply.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Value};

use super::spot::{Spot, Step};
use super::{SourceError, scalar};

/// As deep as the JSON reader goes.
const DEEPEST: usize = 128;
/// What a document may take with its aliases followed, counted in bytes of text and [`NODE`] for every value.
const LARGEST: usize = 32 << 20;
const NODE: usize = 64;

#[derive(Clone)]
struct Built {
    value: Value,
    spot: Spot,
    size: usize,
}

/// A list or mapping that has been opened.
struct Open {
    value: Value,
    spot: Spot,
    size: usize,
    anchor: usize,
    /// A mapping's key that waits for its value.
    key: Option<(String, Range<usize>)>,
}

struct Reader<'t> {
    text: &'t str,
    /// Byte offsets of characters, where they differ from the character's number.
    offsets: Option<Vec<usize>>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Built>,
    size: usize,
    done: Option<Built>,
}

pub(super) fn read(text: &str) -> Result<(Value, Spot), SourceError> {
    let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
    let mut reader = Reader { text, offsets, open: Vec::new(), anchors: BTreeMap::new(), size: 0, done: None };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            let at = reader.offset(error.marker().index());
            SourceError { message: error.info().to_owned(), at: at..at }
        })?;
        let at = reader.range(span);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(SourceError { message: "a file holds one definition".to_owned(), at });
            }
        }
        reader.take(event, at)?;
    }
    let empty = || Built { value: Value::Null, spot: Spot::new(0..0, false), size: 0 };
    let built = reader.done.take().unwrap_or_else(empty);
    Ok((built.value, built.spot))
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, at: Range<usize>) -> Result<(), SourceError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                if let Some(Open { value: Value::Object(_), key: key @ None, .. }) = self.open.last_mut() {
                    let size = text.len();
                    *key = Some((text.into_owned(), at.clone()));
                    return self.admit(size, &at);
                }
                let size = NODE + text.len();
                self.admit(size, &at)?;
                let value = if plain { scalar::resolve(&text) } else { Value::String(text.into_owned()) };
                self.close(Built { value, spot: Spot::new(at, false), size }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(Value::Array(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.open(Value::Object(Map::new()), anchor, at),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { value, mut spot, size, anchor, key: _ }) = self.open.pop() else { return Ok(()) };
                spot.value.end = at.end.max(spot.value.start);
                self.close(Built { value, spot, size }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(mut built) = self.anchors.get(&anchor).cloned() else {
                    return Err(SourceError { message: "an alias stands inside its own anchor".to_owned(), at });
                };
                self.admit(built.size, &at)?;
                // Its parts stay where they are written.
                built.spot.value = at;
                self.close(built, 0)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn open(&mut self, value: Value, anchor: usize, at: Range<usize>) -> Result<(), SourceError> {
        if self.open.len() >= DEEPEST {
            return Err(SourceError { message: format!("nested deeper than {DEEPEST}"), at });
        }
        if self.open.last().is_some_and(|open| open.value.is_object() && open.key.is_none()) {
            return Err(SourceError { message: "a key has to be text".to_owned(), at });
        }
        self.admit(NODE, &at)?;
        self.open.push(Open { value, spot: Spot::new(at, true), size: NODE, anchor, key: None });
        Ok(())
    }

    /// Counts what the document takes.
    fn admit(&mut self, size: usize, at: &Range<usize>) -> Result<(), SourceError> {
        self.size += size;
        if self.size > LARGEST {
            return Err(SourceError { message: "too large with its aliases followed".to_owned(), at: at.clone() });
        }
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn close(&mut self, built: Built, anchor: usize) -> Result<(), SourceError> {
        self.size += built.size;
        if self.size > LARGEST {
            return Err(SourceError {
                message: "too large with its aliases followed".to_owned(),
                at: built.spot.value,
            });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, built.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.done = Some(built);
            return Ok(());
        };
        let Built { value, mut spot, size } = built;
        parent.size += size;
        match (&mut parent.value, parent.key.take()) {
            (Value::Array(items), _) => {
                parent.spot.children.push((Step::Index(items.len()), spot));
                items.push(value);
            }
            (Value::Object(map), Some((key, key_at))) => {
                spot.key = Some(key_at);
                parent.size += key.len();
                map.insert(key.clone(), value);
                parent.spot.children.push((Step::Key(key), spot));
            }
            (_, _) => return Err(SourceError { message: "a key has to be text".to_owned(), at: spot.value }),
        }
        Ok(())
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start.index());
        start..self.offset(span.end.index()).max(start)
    }

    fn offset(&self, character: usize) -> usize {
        let offset = match &self.offsets {
            None => character,
            Some(offsets) => offsets.get(character).copied().unwrap_or(self.text.len()),
        };
        offset.min(self.text.len())
    }
}
