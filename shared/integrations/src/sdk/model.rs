//! One service of the table: its operations, the shapes of their members, its errors and the places where it is.

use std::borrow::Cow;

use super::table::Reader;

/// A service.
#[derive(Debug)]
pub(crate) struct Model {
    /// `DynamoDb`: begins error names, and stands in causes.
    pub client: &'static str,
    pub protocol: Protocol,
    pub api_version: String,
    pub json_version: String,
    pub target_prefix: String,
    pub endpoint_prefix: String,
    pub signing_name: String,
    pub xml_namespace: String,
    /// True if it spoke the query protocol before and still tells that one's error codes when asked.
    pub query_compatible: bool,
    strings: Vec<Box<str>>,
    shapes: Vec<Shape>,
    operations: Vec<Operation>,
    /// Codes and exceptions, by code; an exception without a name is named after its code.
    errors: Vec<(Text, Option<Text>)>,
    /// Templates of hosts by partition or region and the number of the variant.
    places: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    RestJson,
    RestXml,
    Query,
    Ec2,
}

/// The number of a text of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text(u32);

/// The number of a shape of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeId(u32);

impl ShapeId {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

#[derive(Debug)]
pub(crate) struct Operation {
    /// The API's name of it, with a capital.
    pub name: Text,
    pub method: http::Method,
    /// The template of path and query; `None` is `/`.
    pub uri: Option<Text>,
    /// The template of what stands before the host.
    pub host_prefix: Option<Text>,
    pub input: Option<ShapeId>,
    /// The element around an XML body and its namespace.
    pub root: Option<(Text, Text)>,
    pub output: Option<ShapeId>,
    /// The element around the members of a query answer.
    pub wrapper: Option<Text>,
    pub unsigned: bool,
    /// True if the body has to come with a checksum.
    pub checksum_required: bool,
    /// The member that chooses a checksum of the body.
    pub checksum_member: Option<Text>,
    /// True if Step Functions does not offer it: it has event streams, or AWS excludes it.
    pub refused: bool,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub kind: Kind,
    pub flattened: bool,
    pub streaming: bool,
    /// Any JSON.
    pub document: bool,
    pub stamp: Option<Stamp>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Members in the order of the names that results show.
    Structure {
        members: Vec<Member>,
        /// The place of the member that is the whole body.
        payload: Option<usize>,
    },
    List {
        element: Text,
        item: ShapeId,
    },
    Map {
        key_element: Text,
        value_element: Text,
        value: ShapeId,
    },
    Scalar(Scalar),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Integer,
    Long,
    Double,
    Float,
    Boolean,
    Timestamp,
    Blob,
}

/// The version of the SDK for Java whose names and values parameters and results have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// That of the optimised integrations: names as in the API, times in milliseconds since 1970, bytes in base64.
    One,
    /// That of `aws-sdk:`: names with small letters in a row of capitals, times in ISO 8601, bytes as text.
    Two,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    Iso8601,
    UnixTimestamp,
    Rfc822,
}

#[derive(Debug)]
pub(crate) struct Member {
    name: Text,
    wire: Option<Text>,
    shown: Option<Text>,
    pub location: Location,
    pub stamp: Option<Stamp>,
    pub flattened: bool,
    pub xml_attribute: bool,
    /// True if the service recognises repeated requests by it.
    pub idempotency_token: bool,
    /// True for JSON within a text.
    pub json_value: bool,
    pub host_label: bool,
    pub required: bool,
    streaming: bool,
    /// URI and prefix.
    pub namespace: Option<(Text, Text)>,
    pub shape: ShapeId,
}

/// Where a member travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    Body,
    Header,
    Headers,
    Uri,
    Query,
    Status,
}

impl Model {
    /// Reads a block; `None` where it is damaged.
    pub(super) fn read(client: &'static str, block: &[u8]) -> Option<Self> {
        let mut reader = Reader(block);
        let protocol = Protocol::numbered(reader.number()?)?;
        let mut head = || reader.text().map(str::to_owned);
        let (api_version, json_version, target_prefix) = (head()?, head()?, head()?);
        let (endpoint_prefix, signing_name, xml_namespace) = (head()?, head()?, head()?);
        let query_compatible = reader.number()? == 1;
        let lengths: Vec<usize> = repeated(&mut reader, Reader::number)?;
        let strings: Vec<Box<str>> =
            lengths.into_iter().map(|length| reader.letters(length).map(Box::from)).collect::<Option<_>>()?;
        let shapes = repeated(&mut reader, Shape::read)?;
        let operations = repeated(&mut reader, Operation::read)?;
        let errors = repeated(&mut reader, |reader| {
            let (code, exception) = (text(reader)?, reader.number()?);
            let exception = match exception.checked_sub(1) {
                None => None,
                Some(place) => Some(Text(number32(place)?)),
            };
            Some((code, exception))
        })?;
        let places = repeated(&mut reader, |reader| Some((reader.text()?.into(), reader.text()?.into())))?;
        Some(Self {
            client,
            protocol,
            api_version,
            json_version,
            target_prefix,
            endpoint_prefix,
            signing_name,
            xml_namespace,
            query_compatible,
            strings,
            shapes,
            operations,
            errors,
            places,
        })
    }

    /// A text of the service; empty for a number that a damaged table has.
    pub(crate) fn text(&self, text: Text) -> &str {
        usize::try_from(text.0).ok().and_then(|place| self.strings.get(place)).map_or("", |text| text)
    }

    /// A shape of the service; any text for a number that a damaged table has.
    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        static ANY: Shape = Shape {
            kind: Kind::Scalar(Scalar::String),
            flattened: false,
            streaming: false,
            document: false,
            stamp: None,
        };
        usize::try_from(id.0).ok().and_then(|place| self.shapes.get(place)).unwrap_or(&ANY)
    }

    /// The operation of an action, as resources name it.
    pub(crate) fn operation(&self, action: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| is_with_capital(action, self.text(operation.name)))
    }

    /// The actions that Step Functions offers, as resources name them: their names with a small letter first.
    pub(crate) fn actions(&self) -> impl Iterator<Item = String> + '_ {
        let offered = self.operations.iter().filter(|operation| !operation.refused);
        offered.map(|operation| {
            let mut letters = self.text(operation.name).chars();
            letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
        })
    }

    /// The members of a structure; none of any other shape.
    pub(crate) fn members(&self, id: ShapeId) -> &[Member] {
        match &self.shape(id).kind {
            Kind::Structure { members, .. } => members,
            Kind::List { .. } | Kind::Map { .. } | Kind::Scalar(_) => &[],
        }
    }

    /// The name of a member in parameters and results.
    pub(crate) fn shown<'a>(&'a self, member: &Member, version: Version) -> Cow<'a, str> {
        match (version, member.shown) {
            (Version::Two, Some(shown)) => self.text(shown).into(),
            (Version::Two, None) | (Version::One, _) => capitalised(self.text(member.name)),
        }
    }

    /// True for a member that is a body as it comes, of any length.
    pub(crate) fn streams(&self, member: &Member) -> bool {
        member.streaming || self.shape(member.shape).streaming
    }

    /// The name of a member in the model.
    pub(crate) fn name(&self, member: &Member) -> &str {
        self.text(member.name)
    }

    /// The name of a member on the wire.
    pub(crate) fn wire(&self, member: &Member) -> &str {
        self.text(member.wire.unwrap_or(member.name))
    }

    /// The exception that a code of an error answer means, without the service.
    pub(crate) fn exception(&self, code: &str, version: Version) -> Option<String> {
        let exception = self.modern_exception(code)?;
        let usual = with_ending(code);
        // AWS: the first SDK keeps the letters of the API, as in `KMSDisabledException`.
        Some(if version == Version::One && exception.eq_ignore_ascii_case(&usual) { usual } else { exception })
    }

    fn modern_exception(&self, code: &str) -> Option<String> {
        let name = |(code, exception): &(Text, Option<Text>)| match exception {
            Some(exception) => self.text(*exception).to_owned(),
            None => with_ending(self.text(*code)),
        };
        let by_code = self.errors.iter().find(|(known, _)| self.text(*known) == code).map(name);
        by_code.or_else(|| {
            let wanted = with_ending(code);
            self.errors.iter().map(name).find(|known| *known == wanted)
        })
    }

    /// The template of the host in a partition's region; `None` where the usual one holds, empty where the service is not.
    pub(crate) fn place(&self, partition: &str, region: &str, variant: u8) -> Option<&str> {
        let find = |key: String| self.places.iter().find(|(known, _)| **known == *key).map(|(_, place)| &**place);
        find(format!("{region}{variant}")).or_else(|| find(format!("{partition}{variant}")))
    }
}

fn with_ending(code: &str) -> String {
    if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") }
}

pub(super) fn capitalised(name: &str) -> Cow<'_, str> {
    match name.chars().next() {
        Some(first) if first.is_ascii_lowercase() => {
            let rest = name.get(first.len_utf8()..).unwrap_or_default();
            Cow::Owned(format!("{}{rest}", first.to_ascii_uppercase()))
        }
        _ => Cow::Borrowed(name),
    }
}

/// True if `name` is `action` but for the size of the first letter.
fn is_with_capital(action: &str, name: &str) -> bool {
    action.starts_with(|letter: char| letter.is_ascii_lowercase()) && capitalised(action) == name
}

/// So many things as a number says that stands before them.
fn repeated<'a, T>(reader: &mut Reader<'a>, mut read: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = reader.count()?;
    (0..count).map(|_| read(reader)).collect()
}

fn number32(number: usize) -> Option<u32> {
    u32::try_from(number).ok()
}

fn text(reader: &mut Reader<'_>) -> Option<Text> {
    number32(reader.number()?).map(Text)
}

fn shape(reader: &mut Reader<'_>) -> Option<ShapeId> {
    number32(reader.number()?).map(ShapeId)
}

/// What `read` reads, if the bit says that it is there.
fn if_set<'a, T>(
    flags: usize,
    bit: u32,
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Option<T>> {
    if is_set(flags, bit) { read(reader).map(Some) } else { Some(None) }
}

fn is_set(flags: usize, bit: u32) -> bool {
    flags >> bit & 1 == 1
}

impl Protocol {
    fn numbered(number: usize) -> Option<Self> {
        [Self::Json, Self::RestJson, Self::RestXml, Self::Query, Self::Ec2].get(number).copied()
    }
}

impl Stamp {
    fn numbered(number: usize) -> Option<Self> {
        match number & 3 {
            1 => Some(Self::Iso8601),
            2 => Some(Self::UnixTimestamp),
            3 => Some(Self::Rfc822),
            _ => None,
        }
    }
}

impl Shape {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const SCALARS: [Scalar; 8] = [
            Scalar::String,
            Scalar::Integer,
            Scalar::Long,
            Scalar::Double,
            Scalar::Float,
            Scalar::Boolean,
            Scalar::Timestamp,
            Scalar::Blob,
        ];
        let head = reader.number()?;
        let kind = match head & 15 {
            0 => {
                let (count, payload) = (reader.count()?, reader.number()?);
                let members = (0..count).map(|_| Member::read(reader)).collect::<Option<_>>()?;
                Kind::Structure { members, payload: payload.checked_sub(1) }
            }
            1 => Kind::List { element: text(reader)?, item: shape(reader)? },
            2 => {
                // Keys are texts, whatever their shape.
                let (key_element, _key) = (text(reader)?, shape(reader)?);
                Kind::Map { key_element, value_element: text(reader)?, value: shape(reader)? }
            }
            scalar => Kind::Scalar(*SCALARS.get(scalar - 3)?),
        };
        let stamp = Stamp::numbered(head >> 7);
        Some(Self { kind, flattened: is_set(head, 4), streaming: is_set(head, 5), document: is_set(head, 6), stamp })
    }
}

impl Member {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let flags = reader.number()?;
        let location = match flags & 7 {
            0 => Location::Body,
            1 => Location::Header,
            2 => Location::Headers,
            3 => Location::Uri,
            4 => Location::Query,
            5 => Location::Status,
            _ => return None,
        };
        Some(Self {
            name: text(reader)?,
            wire: if_set(flags, 13, reader, text)?,
            shown: if_set(flags, 14, reader, text)?,
            location,
            stamp: Stamp::numbered(flags >> 3),
            flattened: is_set(flags, 5),
            xml_attribute: is_set(flags, 6),
            idempotency_token: is_set(flags, 7),
            json_value: is_set(flags, 8),
            host_label: is_set(flags, 9),
            required: is_set(flags, 10),
            streaming: is_set(flags, 11),
            namespace: if_set(flags, 12, reader, |reader| Some((text(reader)?, text(reader)?)))?,
            shape: shape(reader)?,
        })
    }
}

impl Operation {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        use http::Method;
        const METHODS: [Method; 6] =
            [Method::POST, Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD];
        let (name, flags) = (text(reader)?, reader.number()?);
        let (uri, host_prefix) = (if_set(flags, 6, reader, text)?, if_set(flags, 5, reader, text)?);
        let input = if_set(flags, 3, reader, shape)?;
        let root = if_set(flags, 11, reader, |reader| Some((text(reader)?, text(reader)?)))?;
        let output = if_set(flags, 4, reader, shape)?;
        let wrapper = if_set(flags, 10, reader, text)?;
        let checksum_member = if_set(flags, 12, reader, text)?;
        let method = METHODS.get(flags & 7)?.clone();
        let (unsigned, checksum_required, refused) = (is_set(flags, 7), is_set(flags, 9), is_set(flags, 13));
        Some(Self {
            name,
            method,
            uri,
            host_prefix,
            input,
            root,
            output,
            wrapper,
            unsigned,
            checksum_required,
            checksum_member,
            refused,
        })
    }
}
