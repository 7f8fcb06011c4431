//! Arguments as the bodies of the protocols: JSON, forms and XML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::data::{Data, stamped};
use super::model::{Kind, Member, Model, ShapeId, Stamp};
use crate::json::quoted;
use crate::query::Form;

/// A value as JSON.
pub(super) fn json(model: &Model, data: &Data<'_>) -> String {
    let mut out = String::new();
    write_json(model, data, &mut out);
    out
}

/// Members as one JSON object.
pub(super) fn json_members(model: &Model, members: &[&(&Member, Data<'_>)]) -> String {
    let mut out = String::from("{");
    for (number, (member, data)) in members.iter().copied().enumerate() {
        if number > 0 {
            out.push(',');
        }
        out.push_str(&quoted(model.wire(member)));
        out.push(':');
        write_json(model, data, &mut out);
    }
    out.push('}');
    out
}

fn write_json(model: &Model, data: &Data<'_>, out: &mut String) {
    match data {
        Data::Structure(members) => out.push_str(&json_members(model, &members.iter().collect::<Vec<_>>())),
        Data::List(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                write_json(model, item, out);
            }
            out.push(']');
        }
        Data::Map(entries) => {
            out.push('{');
            for (number, (key, value)) in entries.iter().enumerate() {
                if number > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(key));
                out.push(':');
                write_json(model, value, out);
            }
            out.push('}');
        }
        Data::Text(text) => out.push_str(&quoted(text)),
        Data::Literal(text) | Data::Document(text) => out.push_str(text),
        Data::Time(time, stamp) => match stamp.unwrap_or(Stamp::UnixTimestamp) {
            Stamp::UnixTimestamp => out.push_str(&stamped(*time, Stamp::UnixTimestamp)),
            other @ (Stamp::Iso8601 | Stamp::Rfc822) => out.push_str(&quoted(&stamped(*time, other))),
        },
        Data::Bytes(bytes) => out.push_str(&quoted(&BASE64.encode(bytes))),
    }
}

/// A value as the fields of a form. EC2 has a manner of its own.
pub(super) struct FormWriter<'a> {
    pub model: &'a Model,
    pub is_ec2: bool,
    pub form: Form,
}

impl FormWriter<'_> {
    pub(super) fn write(&mut self, data: &Data<'_>, id: ShapeId, name: &str, flattened: bool) {
        let model = self.model;
        let shape = model.shape(id);
        let flat = shape.flattened || flattened;
        match (data, &shape.kind) {
            (Data::Structure(members), _) => {
                for (member, data) in members {
                    let own = self.name_of(member);
                    let own = if name.is_empty() { own } else { format!("{name}.{own}") };
                    self.write(data, member.shape, &own, member.flattened);
                }
            }
            (Data::List(items), Kind::List { element, item }) => {
                if items.is_empty() && !self.is_ec2 {
                    return self.form.add(name, "");
                }
                let prefix = match model.text(*element) {
                    _ if self.is_ec2 || flat => name.to_owned(),
                    "" => format!("{name}.member"),
                    element => format!("{name}.{element}"),
                };
                for (number, data) in (1..).zip(items) {
                    self.write(data, *item, &format!("{prefix}.{number}"), false);
                }
            }
            (Data::Map(entries), Kind::Map { key_element, value_element, value, .. }) => {
                let prefix = if flat { name.to_owned() } else { format!("{name}.entry") };
                let (key_name, value_name) = (model.text(*key_element), model.text(*value_element));
                for (number, (key, data)) in (1..).zip(entries) {
                    self.form.add(&format!("{prefix}.{number}.{}", or(key_name, "key")), key);
                    self.write(data, *value, &format!("{prefix}.{number}.{}", or(value_name, "value")), false);
                }
            }
            (scalar, _) => self.form.add(name, &scalar.text(Stamp::Iso8601)),
        }
    }

    fn name_of(&self, member: &Member) -> String {
        let wire = self.model.wire(member);
        if self.is_ec2 {
            return super::model::capitalised(wire).into_owned();
        }
        let shape = self.model.shape(member.shape);
        // AWS: a list without an element around it is named after its items.
        match &shape.kind {
            Kind::List { element, .. }
                if (shape.flattened || member.flattened) && !self.model.text(*element).is_empty() =>
            {
                self.model.text(*element).to_owned()
            }
            _ => wire.to_owned(),
        }
    }
}

pub(super) fn or<'a>(text: &'a str, usual: &'a str) -> &'a str {
    if text.is_empty() { usual } else { text }
}

/// Where a value stands in XML.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub tag: &'a str,
    /// URI and prefix; no namespace where the URI is empty.
    pub namespace: (&'a str, &'a str),
    pub flattened: bool,
}

impl<'a> Element<'a> {
    pub(super) fn of(model: &'a Model, member: &Member) -> Self {
        let namespace = member.namespace.map_or(("", ""), |(uri, prefix)| (model.text(uri), model.text(prefix)));
        Self { tag: model.wire(member), namespace, flattened: member.flattened }
    }

    fn plain(tag: &'a str) -> Self {
        Self { tag, namespace: ("", ""), flattened: false }
    }
}

/// A value as an element of XML, or as several where a list is flattened.
pub(super) fn xml(model: &Model, data: &Data<'_>, id: ShapeId, element: Element<'_>, out: &mut String) {
    let shape = model.shape(id);
    let Element { tag, namespace: (uri, prefix), flattened } = element;
    let flat = shape.flattened || flattened;
    let mut attributes = match (uri, prefix) {
        ("", _) => String::new(),
        (uri, "") => format!(" xmlns=\"{}\"", escaped(uri)),
        (uri, prefix) => format!(" xmlns:{prefix}=\"{}\"", escaped(uri)),
    };
    let mut inner = String::new();
    match (data, &shape.kind) {
        (Data::Structure(members), _) => {
            for (member, data) in members {
                if member.xml_attribute {
                    let value = escaped(&data.text(Stamp::Iso8601));
                    attributes.push_str(&format!(" {}=\"{value}\"", model.wire(member)));
                } else {
                    xml(model, data, member.shape, Element::of(model, member), &mut inner);
                }
            }
        }
        (Data::List(items), Kind::List { item, .. }) if flat => {
            return items.iter().for_each(|data| xml(model, data, *item, Element::plain(tag), out));
        }
        (Data::List(items), Kind::List { element, item }) => {
            let tag = or(model.text(*element), "member");
            items.iter().for_each(|data| xml(model, data, *item, Element::plain(tag), &mut inner));
        }
        (Data::Map(entries), Kind::Map { key_element, value_element, value, .. }) => {
            for (key, data) in entries {
                let key_tag = or(model.text(*key_element), "key");
                let around = if flat { tag } else { "entry" };
                let mut row = format!("<{around}><{key_tag}>{}</{key_tag}>", escaped(key));
                xml(model, data, *value, Element::plain(or(model.text(*value_element), "value")), &mut row);
                row.push_str(&format!("</{around}>"));
                if flat { out.push_str(&row) } else { inner.push_str(&row) }
            }
            if flat {
                return;
            }
        }
        (scalar, _) => inner = escaped(&scalar.text(Stamp::Iso8601)),
    }
    out.push_str(&format!("<{tag}{attributes}>{inner}</{tag}>"));
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Bare, a reader would take it for the end of a line.
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
    out
}
