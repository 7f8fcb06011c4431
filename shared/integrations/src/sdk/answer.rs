//! Answers as results: members by the names that Step Functions shows, in their order, times in ISO 8601, bytes as text.
//!
//! Numbers stay as the service wrote them. Members that are absent or null are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roxmltree::{Document, Node};
use serde_json::value::RawValue;

use super::data::{iso8601, seconds};
use super::model::{Kind, Location, Member, Model, Operation, Protocol, Scalar, Shape, ShapeId, Version};
use super::write::or;
use crate::exchange::Answer;
use crate::json::{self, quoted};

/// Elements or values within each other; services nest far less.
const DEEPEST: usize = 128;
/// Lists that the API has got since the first SDK was closed. AWS: a captured result does not show it.
const LATER_LISTS: [&str; 1] = ["neuronDeviceIds"];

/// The result of an operation, as JSON text; `None` where the answer cannot be read.
pub(crate) fn result(model: &Model, operation: &Operation, answer: &Answer) -> Option<String> {
    members(operation, answer, Reading { model, version: Version::Two, lists: Lists::AsAnswered }).map(object)
}

/// The members of a result in the manner of the first SDK; `None` where the answer cannot be read.
pub(crate) fn first_members(model: &Model, operation: &Operation, answer: &Answer, lists: Lists) -> Option<Members> {
    members(operation, answer, Reading { model, version: Version::One, lists })
}

fn members(operation: &Operation, answer: &Answer, reading: Reading<'_>) -> Option<Members> {
    let Some(output) = operation.output else { return Some(Members::new()) };
    let model = reading.model;
    let text = answer.text();
    match model.protocol {
        Protocol::Json => {
            let members = if text.trim_ascii().is_empty() { Vec::new() } else { json::members(&text)? };
            reading.structure(output, &members, 0)
        }
        Protocol::Query | Protocol::Ec2 => {
            if model.members(output).is_empty() {
                return Some(Members::new());
            }
            let document = Document::parse(&text).ok()?;
            let root = document.root_element();
            let wrapper = operation.wrapper.map(|wrapper| model.text(wrapper));
            let inner = wrapper.and_then(|wrapper| elements(root).find(|node| node.tag_name().name() == wrapper));
            reading.xml_structure(output, inner.unwrap_or(root), 0)
        }
        Protocol::RestJson | Protocol::RestXml => reading.rest(output, answer),
    }
}

/// Members by their shown names, each as JSON, in the order of the names.
pub(crate) type Members = Vec<(String, String)>;

/// Lists that an answer does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    AsAnswered,
    /// They are shown, empty.
    Shown,
}

fn object(members: Members) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{}:{value}", quoted(&name))).collect();
    format!("{{{}}}", members.join(","))
}

#[derive(Clone, Copy)]
struct Reading<'m> {
    model: &'m Model,
    version: Version,
    lists: Lists,
}

impl Reading<'_> {
    fn rest(&self, output: ShapeId, answer: &Answer) -> Option<Members> {
        let model = self.model;
        let mut found = Members::new();
        let is_json = model.protocol == Protocol::RestJson;
        let body = match &model.shape(output).kind {
            Kind::Structure { members, payload: Some(payload) } => {
                let member = members.get(*payload)?;
                let value = self.payload(member, answer, is_json)?;
                value.map(|value| (model.shown(member, self.version).into_owned(), value)).into_iter().collect()
            }
            _ => self.rest_members(output, answer, is_json)?,
        };
        for member in model.members(output) {
            let value = match member.location {
                Location::Status => Some(answer.status.as_u16().to_string()),
                Location::Header => self.header(member, answer),
                Location::Headers => Some(self.headers(member, answer)),
                Location::Body | Location::Uri | Location::Query => {
                    let shown = model.shown(member, self.version);
                    body.iter().find(|(name, _)| *name == shown).map(|(_, value)| value.clone())
                }
            };
            found.extend(value.map(|value| (model.shown(member, self.version).into_owned(), value)));
        }
        // AWS: a streamed body is the last member, as recorded for S3.
        if let Some(streamed) = model.members(output).iter().find(|member| model.streams(member)) {
            let shown = model.shown(streamed, self.version);
            found.sort_by_key(|(name, _)| *name == shown);
        }
        Some(found)
    }

    fn rest_members(&self, output: ShapeId, answer: &Answer, is_json: bool) -> Option<Members> {
        let text = answer.text();
        let has_body = self.model.members(output).iter().any(|member| member.location == Location::Body);
        if !has_body || text.trim_ascii().is_empty() {
            return Some(Members::new());
        }
        if is_json {
            return self.structure(output, &json::members(&text)?, 0);
        }
        let document = Document::parse(&text).ok()?;
        self.xml_structure(output, document.root_element(), 0)
    }

    /// The member that is the whole body.
    fn payload(&self, member: &Member, answer: &Answer, is_json: bool) -> Option<Option<String>> {
        let (shape, text) = (self.model.shape(member.shape), answer.text());
        match shape.kind {
            Kind::Scalar(_) if !shape.document => Some(Some(quoted(&text))),
            _ if text.trim_ascii().is_empty() => Some(None),
            _ if is_json => self.value(member.shape, json::value(&text)?, 0).map(Some),
            _ => {
                let document = Document::parse(&text).ok()?;
                self.xml(member.shape, &[document.root_element()], false, 0).map(Some)
            }
        }
    }

    fn header(&self, member: &Member, answer: &Answer) -> Option<String> {
        let text = answer.header(&self.model.wire(member).to_ascii_lowercase())?;
        let shape = self.model.shape(member.shape);
        if member.json_value {
            let decoded = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
            return Some(quoted(&decoded));
        }
        match &shape.kind {
            Kind::List { item, .. } => {
                let items = text.split(',').map(|item_text| self.scalar(self.model.shape(*item), item_text.trim()));
                Some(format!("[{}]", items.collect::<Option<Vec<_>>>()?.join(",")))
            }
            _ => self.scalar(shape, &text),
        }
    }

    /// AWS: a map of headers is shown even when it is empty.
    fn headers(&self, member: &Member, answer: &Answer) -> String {
        let prefix = self.model.wire(member).to_ascii_lowercase();
        let named = answer.headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(&prefix)?;
            Some((name.to_owned(), quoted(&String::from_utf8_lossy(value.as_bytes()))))
        });
        object(named.collect())
    }

    // ---- JSON ----

    fn structure(&self, id: ShapeId, given: &[(String, &RawValue)], depth: usize) -> Option<Members> {
        let model = self.model;
        let mut found = Members::new();
        for member in model.members(id).iter().filter(|member| member.location == Location::Body) {
            let wire = model.wire(member);
            let value = given.iter().rev().find(|(name, _)| name == wire).map(|(_, value)| *value);
            let value = match value.filter(|value| value.get() != "null") {
                Some(value) => Some(self.value(member.shape, value, depth)?),
                None => self.absent(member).map(str::to_owned),
            };
            found.extend(value.map(|value| (model.shown(member, self.version).into_owned(), value)));
        }
        Some(found)
    }

    /// The value of a member that the answer does not have.
    fn absent(&self, member: &Member) -> Option<&'static str> {
        let is_list = matches!(self.model.shape(member.shape).kind, Kind::List { .. });
        let is_shown = is_list && self.lists == Lists::Shown && !LATER_LISTS.contains(&self.model.name(member));
        is_shown.then_some("[]")
    }

    fn value(&self, id: ShapeId, value: &RawValue, depth: usize) -> Option<String> {
        if depth > DEEPEST {
            return None;
        }
        let shape = self.model.shape(id);
        if shape.document || value.get() == "null" {
            return Some(json::compact(value));
        }
        match &shape.kind {
            Kind::Structure { .. } => self.structure(id, &json::members(value.get())?, depth + 1).map(object),
            Kind::List { item, .. } => {
                let items = json::items(value)?.into_iter().map(|given| self.value(*item, given, depth + 1));
                Some(format!("[{}]", items.collect::<Option<Vec<_>>>()?.join(",")))
            }
            Kind::Map { value: of, .. } => {
                let entries = json::members(value.get())?.into_iter();
                let entries = entries.map(|(key, given)| Some((key, self.value(*of, given, depth + 1)?)));
                entries.collect::<Option<Members>>().map(object)
            }
            Kind::Scalar(Scalar::Timestamp) => {
                let text = json::text(value);
                self.time(&text)
            }
            Kind::Scalar(Scalar::Blob) => self.blob(&json::string(value)?),
            Kind::Scalar(_) => Some(json::compact(value)),
        }
    }

    // ---- XML ----

    fn xml_structure(&self, id: ShapeId, node: Node<'_, '_>, depth: usize) -> Option<Members> {
        let model = self.model;
        let mut found = Members::new();
        for member in model.members(id).iter().filter(|member| member.location == Location::Body) {
            let wire = model.wire(member);
            let value = if member.xml_attribute {
                let local = wire.rsplit(':').next().unwrap_or(wire);
                node.attributes().find(|attribute| attribute.name() == local).map(|attribute| quoted(attribute.value()))
            } else {
                let shape = model.shape(member.shape);
                let flat = shape.flattened || member.flattened;
                let nodes: Vec<Node<'_, '_>> =
                    elements(node).filter(|child| self.is_of(child.tag_name().name(), wire, shape, flat)).collect();
                // AWS: S3's GetBucketLocation answers with its one member as the root.
                let is_root = depth == 0 && node.tag_name().name() == wire && elements(node).next().is_none();
                match (nodes.as_slice(), is_root) {
                    ([], false) => None,
                    ([], true) => Some(self.xml(member.shape, &[node], flat, depth + 1)?),
                    (nodes, _) => Some(self.xml(member.shape, nodes, flat, depth + 1)?),
                }
            };
            found.extend(value.map(|value| (model.shown(member, self.version).into_owned(), value)));
        }
        Some(found)
    }

    fn is_of(&self, tag: &str, wire: &str, shape: &Shape, flat: bool) -> bool {
        let by_item = match &shape.kind {
            Kind::List { element, .. } if flat => self.model.text(*element),
            _ => wire,
        };
        tag == wire || tag == by_item
    }

    /// The value that elements of the same name are; there are several of a flattened list or map alone.
    fn xml(&self, id: ShapeId, nodes: &[Node<'_, '_>], flat: bool, depth: usize) -> Option<String> {
        let shape = self.model.shape(id);
        let node = *nodes.first()?;
        if depth > DEEPEST {
            return None;
        }
        let rows = || if shape.flattened || flat { nodes.to_vec() } else { elements(node).collect() };
        match &shape.kind {
            Kind::Structure { .. } => self.xml_structure(id, node, depth + 1).map(object),
            Kind::List { item, .. } => {
                let items = rows().into_iter().map(|row| self.xml(*item, &[row], false, depth + 1));
                Some(format!("[{}]", items.collect::<Option<Vec<_>>>()?.join(",")))
            }
            Kind::Map { key_element, value_element, value, .. } => {
                let (key_tag, value_tag) = (self.model.text(*key_element), self.model.text(*value_element));
                let entry = |row: Node<'_, '_>| {
                    let part = |tag: &str| elements(row).find(|child| child.tag_name().name() == tag);
                    let key = content(part(or(key_tag, "key"))?);
                    Some((key, self.xml(*value, &[part(or(value_tag, "value"))?], false, depth + 1)?))
                };
                rows().into_iter().map(entry).collect::<Option<Members>>().map(object)
            }
            Kind::Scalar(_) => self.scalar(shape, &content(node)),
        }
    }

    // ---- scalars ----

    /// A scalar that the wire has as text.
    fn scalar(&self, shape: &Shape, text: &str) -> Option<String> {
        let Kind::Scalar(kind) = shape.kind else { return None };
        Some(match kind {
            Scalar::String => quoted(text),
            Scalar::Integer | Scalar::Long | Scalar::Double | Scalar::Float => {
                // A number that JSON has not, as `NaN`, is a text.
                let text = text.trim();
                json::value(text).map_or_else(|| quoted(text), json::compact)
            }
            Scalar::Boolean => text.trim().eq_ignore_ascii_case("true").to_string(),
            Scalar::Timestamp => self.time(text.trim())?,
            Scalar::Blob => self.blob(text)?,
        })
    }

    /// AWS: ISO 8601 in UTC, with a fraction of a second only where there is one; before, milliseconds since 1970.
    fn time(&self, text: &str) -> Option<String> {
        let time = time(text)?;
        Some(match self.version {
            Version::One => time.as_millisecond().to_string(),
            Version::Two => quoted(&iso8601(time)),
        })
    }

    fn blob(&self, base64: &str) -> Option<String> {
        match self.version {
            Version::One => Some(quoted(base64.trim())),
            Version::Two => Some(quoted(&decoded(base64)?)),
        }
    }
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// All text of an element.
fn content(node: Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text()).collect()
}

/// AWS: bytes are shown as the UTF-8 they are; what they are not is unverified.
fn decoded(base64: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&BASE64.decode(base64.trim()).ok()?).into_owned())
}

/// A time in any of the forms that services write.
fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .or_else(|| seconds(text))
        .or_else(|| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok())
}
