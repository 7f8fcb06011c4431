//! CloudFormation's functions, as far as text is known before a deployment: `Fn::Sub`, `Fn::Join` and literals.
//!
//! Everything else stays a placeholder that is named for what it refers to: `!GetAtt Function.Arn` is `${Function.Arn}`.
//! Recursion is as deep as the template, whose readers bound it.

use std::ops::Range;

use serde_json::{Map, Value};

use super::fields;
use crate::source::placeholder::{self, Filling, Placeholders};
use crate::source::spot::{Spot, Step};
use crate::source::{Derived, SourceError, Substitutions, align};

/// Works out the texts of one template.
pub(super) struct Calls<'t> {
    /// The template's.
    pub text: &'t str,
    /// The caller's values of placeholders: they count more than those of the template.
    pub given: &'t Substitutions,
    /// How many bytes may still be made.
    pub room: usize,
    /// The placeholders that were filled in on the way; those left open are still in the texts.
    pub seen: Placeholders,
}

/// The function that an object calls, and with what.
pub(super) fn of(value: &Value) -> Option<(&str, &Value)> {
    let mut fields = value.as_object()?.iter();
    let is_call = |name: &str| name == "Ref" || name.starts_with("Fn::");
    match (fields.next(), fields.next()) {
        (Some((name, argument)), None) if is_call(name) => Some((name, argument)),
        _ => None,
    }
}

/// Whether nothing of a text is known.
pub(super) fn is_unknown(text: &Derived) -> bool {
    let text = text.text();
    placeholder::next(text, 0..text.len()).is_some_and(|(place, _)| place == (0..text.len()))
}

impl<'t> Calls<'t> {
    pub fn filling<'s>(&self, values: &'s Substitutions) -> Filling<'s> {
        Filling { room: self.room, ..Filling::new(values) }
    }

    /// A text with what the caller knows filled in.
    pub fn filled(&mut self, text: &Derived) -> Result<Derived, SourceError> {
        self.filled_with(text, self.given)
    }

    /// The entries of a map whose text is known: a resource's DefinitionSubstitutions.
    pub fn literals(&mut self, value: &Value, spot: &Spot) -> Result<Substitutions, SourceError> {
        let spots = fields(spot);
        let mut known = Substitutions::default();
        for (name, value) in value.as_object().into_iter().flatten() {
            let Some(spot) = spots.get(name.as_str()) else { continue };
            let text = self.text(value, spot)?.map(|text| self.filled(&text)).transpose()?;
            if let Some(text) = text.filter(|text| !placeholder::holds(text.text())) {
                known.give(name, text.text());
            }
        }
        Ok(known)
    }

    /// A value as text; lists, null and objects that are no calls are none.
    pub fn text(&mut self, value: &Value, spot: &Spot) -> Result<Option<Derived>, SourceError> {
        let at = || spot.value.clone();
        Ok(Some(match value {
            Value::String(decoded) => {
                self.spend(decoded.len(), spot)?;
                align::align(self.text.get(at()).unwrap_or_default(), spot.value.start, decoded)
            }
            Value::Number(number) => Derived::instead(&number.to_string(), at()),
            Value::Bool(bool) => Derived::instead(&bool.to_string(), at()),
            Value::Object(_) => {
                let Some((name, argument)) = of(value) else { return Ok(None) };
                let made = match (name, spot.child(name)) {
                    ("Fn::Sub", Some((_, inner))) => self.sub(argument, inner)?,
                    ("Fn::Join", Some((_, inner))) => self.join(argument, inner)?,
                    _ => None,
                };
                made.unwrap_or_else(|| stand_in(name, argument, at()))
            }
            Value::Null | Value::Array(_) => return Ok(None),
        }))
    }

    /// A definition with calls in it: what they make is text.
    pub fn tree(
        &mut self,
        value: &Value,
        spot: &Spot,
        filling: &mut Filling<'_>,
    ) -> Result<(Value, Spot), SourceError> {
        let text = if value.is_string() || of(value).is_some() { self.text(value, spot)? } else { None };
        if let Some(text) = text {
            let filled = filling.text(&text)?.text().to_owned();
            let is_open = placeholder::holds(&filled);
            let spot = Spot { key: spot.key.clone(), is_open, ..Spot::new(spot.value.clone(), false) };
            return Ok((Value::String(filled), spot));
        }
        let mut made = Spot { key: spot.key.clone(), ..Spot::new(spot.value.clone(), spot.is_container) };
        let value = match value {
            Value::Array(items) => {
                let mut values = Vec::new();
                for (item, (step, spot)) in items.iter().zip(&spot.children) {
                    let (value, spot) = self.tree(item, spot, filling)?;
                    values.push(value);
                    made.children.push((step.clone(), spot));
                }
                Value::Array(values)
            }
            Value::Object(map) => {
                let (spots, mut values) = (fields(spot), Map::new());
                for (key, value) in map {
                    let Some(spot) = spots.get(key.as_str()) else { continue };
                    let key = filling.words(key, &spot.value)?;
                    let (value, spot) = self.tree(value, spot, filling)?;
                    values.insert(key.clone(), value);
                    made.children.push((Step::Key(key), spot));
                }
                Value::Object(values)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        };
        Ok((value, made))
    }

    /// `Fn::Sub`: a text, or a list of a text and a map of names.
    fn sub(&mut self, argument: &Value, spot: &Spot) -> Result<Option<Derived>, SourceError> {
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let (text, values) = match (argument, parts, spot.children.as_slice()) {
            (Value::String(_), _, _) => (self.text(argument, spot)?, Substitutions::default()),
            (_, [text @ Value::String(_), map], [(_, text_spot), (_, map_spot)]) => {
                (self.text(text, text_spot)?, self.literals(map, map_spot)?)
            }
            _ => return Ok(None),
        };
        let Some(text) = text else { return Ok(None) };
        let filled = self.filled_with(&text, &self.given.or(&values))?;
        Ok(Some(without_exclamation(&filled)))
    }

    fn filled_with(&mut self, text: &Derived, values: &Substitutions) -> Result<Derived, SourceError> {
        let mut filling = self.filling(values);
        let filled = filling.text(text)?;
        self.room = filling.room;
        self.seen.replaced.extend(filling.seen.replaced);
        Ok(filled)
    }

    fn join(&mut self, argument: &Value, spot: &Spot) -> Result<Option<Derived>, SourceError> {
        let Some([Value::String(between), Value::Array(parts)]) = argument.as_array().map(Vec::as_slice) else {
            return Ok(None);
        };
        let Some((_, spot)) = spot.children.get(1) else { return Ok(None) };
        let mut joined = Derived::default();
        for (index, (part, (_, spot))) in parts.iter().zip(&spot.children).enumerate() {
            let Some(part) = self.text(part, spot)? else { return Ok(None) };
            let start = spot.value.start;
            let between = if index == 0 { "" } else { between };
            self.spend(between.len() + part.text().len(), spot)?;
            joined.replace(between, start..start);
            joined.append(&part, 0..part.text().len());
        }
        Ok(Some(joined))
    }

    fn spend(&mut self, bytes: usize, spot: &Spot) -> Result<(), SourceError> {
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or_default();
        let message = || "too large with its functions worked out".to_owned();
        left.map(drop).ok_or_else(|| SourceError { message: message(), at: spot.value.clone() })
    }
}

/// `Fn::Sub` makes `${Name}` of `${!Name}`.
fn without_exclamation(text: &Derived) -> Derived {
    let mut into = Derived::default();
    let mut done = 0;
    for (place, _) in text.text().match_indices("${!") {
        into.append(text, done..place + 2);
        done = place + 3;
    }
    into.append(text, done..text.text().len());
    into
}

/// A placeholder for what only a deployment knows.
fn stand_in(name: &str, argument: &Value, at: Range<usize>) -> Derived {
    let of_list = |list: &Vec<Value>| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|it| it.join("."));
    let referred = match (name, argument) {
        ("Ref" | "Fn::GetAtt", Value::String(name)) => Some(name.clone()),
        ("Fn::GetAtt", Value::Array(list)) => of_list(list),
        _ => None,
    };
    let known = [referred.as_deref(), Some(name)].into_iter().flatten().find(|name| placeholder::is_name(name));
    Derived::instead(&format!("${{{}}}", known.unwrap_or("Fn")), at)
}
