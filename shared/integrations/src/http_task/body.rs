//! The body of a request: JSON, a text as it is, or a form, with the members that the connection adds.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::caller::percent_encoded;
use crate::json::{self, quoted};
use crate::optimised::Arguments;

/// Lists within each other that a form can name; more are refused.
const DEEPEST: usize = 128;

/// `Transform`: how the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    None,
    Url(ArrayFormat),
}

/// How a form names the items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ArrayFormat {
    Indices,
    Repeat,
    Commas,
    Brackets,
    None,
}

impl Encoding {
    // AWS: unverified wording.
    pub(super) fn of(arguments: &Arguments<'_>) -> Result<Self, String> {
        let invalid = |field: &str| format!("The value of the field '{field}' has an invalid format");
        let Some(transform) = arguments.get("Transform") else { return Ok(Self::None) };
        let transform = json::object(transform.get()).ok_or_else(|| invalid("Transform"))?;
        let encoding = transform.get("RequestBodyEncoding").and_then(|value| json::string(value));
        let options = transform.get("RequestEncodingOptions").and_then(|value| json::object(value.get()));
        let format = options.and_then(|options| json::string(options.get("ArrayFormat")?));
        let format = match format.as_deref() {
            None | Some("INDICES") => ArrayFormat::Indices,
            Some("REPEAT") => ArrayFormat::Repeat,
            Some("COMMAS") => ArrayFormat::Commas,
            Some("BRACKETS") => ArrayFormat::Brackets,
            Some("NONE") => ArrayFormat::None,
            Some(_) => return Err(invalid("ArrayFormat")),
        };
        match encoding.as_deref() {
            None | Some("NONE") => Ok(Self::None),
            Some("URL_ENCODED") => Ok(Self::Url(format)),
            Some(_) => Err(invalid("RequestBodyEncoding")),
        }
    }
}

/// The body, with the connection's members.
pub(super) fn body(
    arguments: &Arguments<'_>,
    of_connection: Vec<(String, String)>,
    encoding: Encoding,
) -> Result<Bytes, String> {
    let given = arguments.get("RequestBody").copied();
    let Some(body) = given.or_else(|| json::value("{}").filter(|_| !of_connection.is_empty())) else {
        return Ok(Bytes::new());
    };
    let Some(members) = json::members(body.get()) else {
        // AWS: a text is sent without its quotes.
        let text = json::string(body).unwrap_or_else(|| json::compact(body));
        let none = of_connection.is_empty().then(|| Bytes::from(text));
        return none
            .ok_or_else(|| "Cannot merge connection body authorization parameters with request body.".to_owned());
    };
    let members = merged(members, of_connection);
    Ok(match encoding {
        Encoding::None => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
            Bytes::from(format!("{{{}}}", members.join(",")))
        }
        Encoding::Url(format) => {
            let mut form = Form { format, pairs: Vec::new() };
            for (name, value) in &members {
                form.add(name, value, 0)?;
            }
            Bytes::from(form.pairs.join("&"))
        }
    })
}

/// AWS: a value of the connection stands in the place of the body's own, others behind.
fn merged(members: Vec<(String, &RawValue)>, of_connection: Vec<(String, String)>) -> Vec<(String, String)> {
    let value_of = |name: &str| of_connection.iter().find(|(other, _)| other == name).map(|(_, value)| quoted(value));
    let own: Vec<(String, String)> = members
        .into_iter()
        .map(|(name, value)| {
            let value = value_of(&name).unwrap_or_else(|| json::compact(value));
            (name, value)
        })
        .collect();
    let is_there = |name: &String| own.iter().any(|(other, _)| other == name);
    let added: Vec<(String, String)> = of_connection
        .iter()
        .filter(|(name, _)| !is_there(name))
        .map(|(name, value)| (name.clone(), quoted(value)))
        .collect();
    own.into_iter().chain(added).collect()
}

struct Form {
    format: ArrayFormat,
    pairs: Vec<String>,
}

impl Form {
    fn add(&mut self, name: &str, value: &str, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("The request body is nested too deep for a form.".to_owned());
        }
        let Some(value) = json::value(value) else { return Ok(()) };
        match value.get().as_bytes().first() {
            Some(b'{') => {
                for (key, inner) in json::members(value.get()).unwrap_or_default() {
                    self.add(&format!("{name}[{key}]"), inner.get(), depth + 1)?;
                }
            }
            Some(b'[') => self.list(name, value, depth)?,
            _ => self.pair(name, &json::text(value)),
        }
        Ok(())
    }

    fn list(&mut self, name: &str, value: &RawValue, depth: usize) -> Result<(), String> {
        let items = json::items(value).unwrap_or_default();
        match self.format {
            ArrayFormat::Commas => {
                let joined = items.iter().map(|item| json::text(item)).collect::<Vec<_>>().join(",");
                self.pair(name, &joined);
            }
            // AWS: unverified.
            ArrayFormat::None => self.pair(name, &json::compact(value)),
            format @ (ArrayFormat::Indices | ArrayFormat::Repeat | ArrayFormat::Brackets) => {
                for (number, item) in items.into_iter().enumerate() {
                    let own = match format {
                        ArrayFormat::Indices => format!("{name}[{number}]"),
                        ArrayFormat::Brackets => format!("{name}[]"),
                        ArrayFormat::Repeat | ArrayFormat::Commas | ArrayFormat::None => name.to_owned(),
                    };
                    self.add(&own, item.get(), depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.pairs.push(format!("{}={}", percent_encoded(name), percent_encoded(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(arguments: &str, of_connection: &[(&str, &str)]) -> Result<String, String> {
        let arguments: Arguments<'_> = json::object(arguments).unwrap();
        let encoding = Encoding::of(&arguments)?;
        let of_connection = of_connection.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        body(&arguments, of_connection.collect(), encoding).map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    /// AWS: captured.
    #[test]
    fn a_body_is_json_a_text_or_a_form() {
        let form = |format: &str| {
            let body = r#"{"items":["a","b"],"nested":{"count":2},"text":"a b+c"}"#;
            let options = format!(r#""RequestEncodingOptions":{{"ArrayFormat":"{format}"}}"#);
            written(
                &format!(r#"{{"RequestBody":{body},"Transform":{{"RequestBodyEncoding":"URL_ENCODED",{options}}}}}"#),
                &[],
            )
        };
        let rest = "&nested%5Bcount%5D=2&text=a%20b%2Bc";
        for (format, items) in [
            ("INDICES", "items%5B0%5D=a&items%5B1%5D=b"),
            ("REPEAT", "items=a&items=b"),
            ("BRACKETS", "items%5B%5D=a&items%5B%5D=b"),
            ("COMMAS", "items=a%2Cb"),
        ] {
            assert_eq!(form(format), Ok(format!("{items}{rest}")), "{format}");
        }
        assert!(form("SPACES").is_err());
        let cases = [
            (r#"{"RequestBody":{}}"#, "{}"),
            (r#"{"RequestBody": {"a" : 1.50}}"#, r#"{"a":1.50}"#),
            (r#"{"RequestBody":"a \"text\"","Transform":{"RequestBodyEncoding":"NONE"}}"#, "a \"text\""),
            ("{}", ""),
        ];
        for (arguments, expected) in cases {
            assert_eq!(written(arguments, &[]).as_deref(), Ok(expected), "{arguments}");
        }
    }

    /// AWS: captured.
    #[test]
    fn members_of_the_connection_replace_those_of_the_body() {
        let added = [("shared", "c"), ("own", "d")];
        let body = written(r#"{"RequestBody":{"shared":"t","x":1,"Shared":"t"}}"#, &added);
        assert_eq!(body.as_deref(), Ok(r#"{"shared":"c","x":1,"Shared":"t","own":"d"}"#));
        assert_eq!(written("{}", &added).as_deref(), Ok(r#"{"shared":"c","own":"d"}"#));
        let text = written(r#"{"RequestBody":"text"}"#, &added);
        assert_eq!(text, Err("Cannot merge connection body authorization parameters with request body.".to_owned()));
    }
}
