//! From YAML's events to a JSON value and the places of its parts.
//!
//! Iterative and bounded: depth as in JSON, and in size against aliases that multiply. Placeholders are filled in scalar by
//! scalar; tags mean nothing in a definition and are calls in a template.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::placeholder::{self, Filling};
use super::spot::{Spot, Step};
use super::{SourceError, layout, scalar};

/// The meaning of `!Sub` and its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    Nothing,
    /// The short form of a CloudFormation call: `!Sub x` is `{"Fn::Sub": x}`.
    Calls,
}

/// As deep as the JSON reader goes.
const DEEPEST: usize = 128;
/// The size of a document with its aliases followed, counted in bytes of text and [`NODE`] for every value.
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
    call: Option<String>,
    /// A mapping's key that waits for its value.
    key: Option<(String, Range<usize>)>,
}

struct Reader<'t, 'f, 's> {
    text: &'t str,
    tags: Tags,
    filling: &'f mut Filling<'s>,
    /// Byte offsets of characters, where they differ from the character's number.
    offsets: Option<Vec<usize>>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Built>,
    size: usize,
    done: Option<Built>,
}

pub(super) fn read(text: &str, tags: Tags, filling: &mut Filling<'_>) -> Result<(Value, Spot), SourceError> {
    let before = filling.clone();
    let masked = masked(text);
    read_masked(text, &masked, tags, filling).or_else(|error| {
        let Some(relaxed) = layout::relaxed(&masked) else { return Err(error) };
        *filling = before;
        read_masked(text, &relaxed, tags, filling).map_err(|_| error)
    })
}

/// `masked` has the characters of `text`, some of them masked.
fn read_masked(text: &str, masked: &str, tags: Tags, filling: &mut Filling<'_>) -> Result<(Value, Spot), SourceError> {
    let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
    let (open, anchors) = (Vec::new(), BTreeMap::new());
    let mut reader = Reader { text, tags, filling, offsets, open, anchors, size: 0, done: None };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(masked);
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

/// The braces of placeholders as characters that mean nothing: in `[${A}, ${B}]` they would open mappings.
fn masked(text: &str) -> Cow<'_, str> {
    // No YAML has these characters; a text with them stays as it is.
    if text.contains([OPENING, CLOSING]) || !placeholder::holds(text) {
        return Cow::Borrowed(text);
    }
    let (mut masked, mut done) = (String::with_capacity(text.len()), 0);
    while let Some((place, name)) = placeholder::next(text, done..text.len()) {
        masked.push_str(text.get(done..place.start).unwrap_or_default());
        masked.extend(['$', OPENING]);
        masked.push_str(name);
        masked.push(CLOSING);
        done = place.end;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(masked)
}

const OPENING: char = '\u{1}';
const CLOSING: char = '\u{2}';

fn unmasked(text: Cow<'_, str>) -> String {
    if !text.contains([OPENING, CLOSING, layout::DROPPED, layout::BREAK]) {
        return text.into_owned();
    }
    let unmask = |letter: char| match letter {
        OPENING => Some('{'),
        CLOSING => Some('}'),
        layout::BREAK => Some('\n'),
        layout::DROPPED => None,
        other => Some(other),
    };
    text.chars().filter_map(unmask).collect()
}

impl Reader<'_, '_, '_> {
    fn take(&mut self, event: Event<'_>, at: Range<usize>) -> Result<(), SourceError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.filling.words(&unmasked(text), &at)?;
                if let Some(Open { value: Value::Object(_), key: key @ None, .. }) = self.open.last_mut() {
                    let size = text.len();
                    *key = Some((text, at.clone()));
                    return self.admit(size, &at);
                }
                let size = NODE + text.len();
                self.admit(size, &at)?;
                let spot = Spot { is_open: placeholder::holds(&text), ..Spot::new(at, false) };
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if plain { scalar::resolve(&text) } else { Value::String(text) };
                self.close(called(Built { value, spot, size }, self.call(tag)), anchor)
            }
            Event::SequenceStart(anchor, tag) => self.open(Value::Array(Vec::new()), anchor, self.call(tag), at),
            Event::MappingStart(anchor, tag) => self.open(Value::Object(Map::new()), anchor, self.call(tag), at),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { value, mut spot, size, anchor, call, key: _ }) = self.open.pop() else { return Ok(()) };
                spot.value.end = at.end.max(spot.value.start);
                self.close(called(Built { value, spot, size }, call), anchor)
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

    /// The function that a tag calls.
    fn call(&self, tag: Option<Cow<'_, Tag>>) -> Option<String> {
        let tag = tag.filter(|tag| self.tags == Tags::Calls && tag.handle == "!")?;
        Some(match tag.suffix.as_str() {
            name @ ("Ref" | "Condition") => name.to_owned(),
            name => format!("Fn::{name}"),
        })
    }

    fn open(&mut self, value: Value, anchor: usize, call: Option<String>, at: Range<usize>) -> Result<(), SourceError> {
        if self.open.len() >= DEEPEST {
            return Err(SourceError { message: format!("nested deeper than {DEEPEST}"), at });
        }
        if self.open.last().is_some_and(|open| open.value.is_object() && open.key.is_none()) {
            return Err(SourceError { message: "a key has to be text".to_owned(), at });
        }
        self.admit(NODE, &at)?;
        self.open.push(Open { value, spot: Spot::new(at, true), size: NODE, anchor, call, key: None });
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

/// A value as the argument of a call.
fn called(built: Built, call: Option<String>) -> Built {
    let Some(name) = call else { return built };
    let Built { value, spot, size } = built;
    let mut whole = Spot::new(spot.value.clone(), true);
    whole.children.push((Step::Key(name.clone()), spot));
    Built { size: size + NODE + name.len(), value: Value::Object(Map::from_iter([(name, value)])), spot: whole }
}
