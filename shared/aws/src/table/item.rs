//! Items as records, and records as items: the one place that knows which attribute holds what.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use engine::ports::{ExecutionStatus, Listing, Record, StoreError};
use interpreter::Timestamp;

use crate::failure::{damaged, refused};
use crate::layout;

/// An item, or the key of one.
pub(crate) type Item = HashMap<String, AttributeValue>;
/// An attribute of an item to be.
pub(crate) type Attribute = (&'static str, AttributeValue);

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(crate) fn key(partition: &str, sort: &str) -> [Attribute; 2] {
    [(layout::PARTITION, text(partition)), (layout::SORT, text(sort))]
}

pub(crate) fn item_of(attributes: impl IntoIterator<Item = Attribute>) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An item that was read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a>(pub &'a Item);

impl<'a> Reading<'a> {
    /// The text of an attribute that has to be there.
    pub fn text(self, name: &str) -> Result<&'a str, StoreError> {
        self.0.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or_else(|| self.odd(name))
    }

    /// A text that may be absent.
    pub fn optional_text(self, name: &str) -> Result<Option<&'a str>, StoreError> {
        if self.0.contains_key(name) { self.text(name).map(Some) } else { Ok(None) }
    }

    /// A number that has to be there.
    pub fn number<T: FromStr>(self, name: &str) -> Result<T, StoreError> {
        self.optional(name)?.ok_or_else(|| self.odd(name))
    }

    /// A number that may be absent.
    pub fn optional<T: FromStr>(self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let number = value.as_n().ok().and_then(|digits| digits.parse().ok());
        number.map(Some).ok_or_else(|| self.odd(name))
    }

    pub fn flag(self, name: &str) -> Result<bool, StoreError> {
        self.0.get(name).and_then(|value| value.as_bool().ok()).copied().ok_or_else(|| self.odd(name))
    }

    pub fn bytes(self, name: &str) -> Result<&'a [u8], StoreError> {
        self.0.get(name).and_then(|value| value.as_b().ok()).map(AsRef::as_ref).ok_or_else(|| self.odd(name))
    }

    fn time(self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional(name)?.map(Timestamp))
    }

    /// Refuses an item that a newer version wrote. To be asked before anything else of an item.
    pub fn known_format(self) -> Result<Self, StoreError> {
        let format: u64 = self.number(layout::FORMAT)?;
        if format <= layout::VERSION {
            return Ok(self);
        }
        let known = layout::VERSION;
        Err(damaged(&format!(
            "{} has format {format}, and this version of Stepwell reads up to {known}: a newer version has to take it",
            self.described()
        )))
    }

    /// The sequence of a record.
    pub fn sequence(self) -> Result<u64, StoreError> {
        layout::record_sequence(self.text(layout::SORT)?).ok_or_else(|| self.odd(layout::SORT))
    }

    fn odd(self, name: &str) -> StoreError {
        damaged(&format!("{} has no attribute {name} that makes sense", self.described()))
    }

    /// The item's key, for messages.
    fn described(self) -> String {
        let of = |name: &str| self.0.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
        format!("the item {} {}", of(layout::PARTITION), of(layout::SORT))
    }
}

/// A record as an item, but for its body and its expiry.
pub(crate) fn attributes_of(record: &Record, now: Timestamp) -> Result<Vec<Attribute>, StoreError> {
    if !layout::fits_sequence(record.sequence) {
        return Err(refused(format!("{} cannot have a record {}", record.execution, record.sequence)));
    }
    let mut attributes = Vec::from(key(&record.execution, &layout::record_key(record.sequence)));
    attributes.extend([
        (layout::FORMAT, number(layout::VERSION)),
        (layout::NONCE, number(record.nonce)),
        (layout::FULL, number(record.full)),
        (layout::OPEN, AttributeValue::Bool(record.open)),
    ]);
    if let Some(due) = record.due {
        attributes.push((layout::DUE, number(due.0)));
        if due.0.saturating_sub(now.0) > layout::FAR_MS {
            let shard = layout::shard(&record.execution);
            attributes.push((layout::WAKE, text(layout::wake_partition(shard))));
            attributes.push((layout::WAKE_AT, number(due.0)));
        }
    }
    if let Some(listing) = &record.listing {
        attributes.extend(listing_attributes(record, listing)?);
    }
    Ok(attributes)
}

fn listing_attributes(record: &Record, listing: &Listing) -> Result<Vec<Attribute>, StoreError> {
    let place = layout::place(listing.started, &record.execution, record.sequence)
        .ok_or_else(|| refused(format!("{} starts at a time that is none", record.execution)))?;
    let shard = layout::shard(&record.execution);
    let mut attributes = vec![
        (layout::LIST, text(layout::list_partition(&listing.machine, shard))),
        (layout::PLACE, text(place)),
        (layout::NAME, text(listing.name.as_str())),
        (layout::STATUS, text(listing.status.name())),
    ];
    attributes.extend(listing.stopped.map(|stopped| (layout::STOPPED, number(stopped.0))));
    attributes.extend(listing.shown.as_ref().map(|shown| (layout::SHOWN, text(shown.as_str()))));
    Ok(attributes)
}

/// A record from its item and its body.
pub(crate) fn record_of(item: &Item, body: Vec<u8>) -> Result<Record, StoreError> {
    let reading = Reading(item).known_format()?;
    Ok(Record {
        execution: reading.text(layout::PARTITION)?.to_owned(),
        sequence: reading.sequence()?,
        nonce: reading.number(layout::NONCE)?,
        full: reading.number(layout::FULL)?,
        due: reading.time(layout::DUE)?,
        open: reading.flag(layout::OPEN)?,
        listing: if item.contains_key(layout::LIST) { Some(listing_of(item)?) } else { None },
        body,
    })
}

/// The listing in a record's item, or in its row of `list`.
pub(crate) fn listing_of(item: &Item) -> Result<Listing, StoreError> {
    let reading = Reading(item).known_format()?;
    let machine = layout::listed_machine(reading.text(layout::LIST)?).ok_or_else(|| reading.odd(layout::LIST))?;
    let (started, ..) = layout::placed(reading.text(layout::PLACE)?).ok_or_else(|| reading.odd(layout::PLACE))?;
    let status = ExecutionStatus::from_name(reading.text(layout::STATUS)?);
    Ok(Listing {
        execution: reading.text(layout::PARTITION)?.to_owned(),
        machine: machine.to_owned(),
        name: reading.text(layout::NAME)?.to_owned(),
        status: status.ok_or_else(|| reading.odd(layout::STATUS))?,
        started,
        stopped: reading.time(layout::STOPPED)?,
        shown: reading.optional_text(layout::SHOWN)?.map(str::to_owned),
    })
}
