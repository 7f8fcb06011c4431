//! The items in the object that an ItemReader reads: JSON, JSON lines and CSV. Absent: Parquet and manifests, which are
//! no text or name further objects.

use asl::{ItemFormat, ItemReader};
use expressions::json;
use serde_json::{Map, Value};

/// The items: an array, or an object whose members they are.
pub(super) fn read(reader: &ItemReader, data: &str) -> Result<Value, String> {
    match &reader.format {
        ItemFormat::Json => read_json(data, reader.items_pointer.as_deref()),
        ItemFormat::JsonLines => {
            let lines = data.lines().filter(|line| !line.trim().is_empty());
            lines.map(parsed).collect::<Result<_, _>>().map(Value::Array)
        }
        ItemFormat::Csv { delimiter, headers } => read_csv(data, *delimiter, headers.as_deref()),
        // AWS: unverified wording: what it makes of such data in a test is not known.
        ItemFormat::Parquet => Err("Parquet data cannot be given as a text".to_owned()),
        ItemFormat::Manifest => Err("A manifest names further objects, which a test does not read".to_owned()),
    }
}

fn read_json(data: &str, pointer: Option<&str>) -> Result<Value, String> {
    let document = parsed(data)?;
    let found = match pointer {
        None => document,
        // AWS: unverified wording.
        Some(pointer) => document
            .pointer(pointer)
            .cloned()
            .ok_or_else(|| format!("The ItemsPointer '{pointer}' does not point to items in the file"))?,
    };
    match found {
        Value::Array(_) | Value::Object(_) => Ok(found),
        // AWS: recorded.
        _ => Err("Attempting to map over non-iterable node.".to_owned()),
    }
}

fn parsed(text: &str) -> Result<Value, String> {
    json::parse(text).map_err(|error| error.message)
}

/// Rows as objects of texts. AWS: fields beyond the headers are dropped, missing ones are empty (recorded).
fn read_csv(data: &str, delimiter: char, headers: Option<&[String]>) -> Result<Value, String> {
    let mut rows = rows(data, delimiter).into_iter();
    let headers = match headers {
        Some(headers) => headers.to_vec(),
        None => rows.next().unwrap_or_default(),
    };
    let distinct: std::collections::BTreeSet<&String> = headers.iter().collect();
    if distinct.len() < headers.len() {
        return Err("CSV headers cannot contain duplicates.".to_owned());
    }
    let item = |row: Vec<String>| {
        let fields = row.into_iter().chain(std::iter::repeat(String::new()));
        Value::Object(Map::from_iter(headers.iter().cloned().zip(fields.map(Value::String))))
    };
    Ok(Value::Array(rows.map(item).collect()))
}

/// The fields of each row. Quotes may enclose a field, `""` in it is a quote; a backslash escapes itself, a quote and the
/// delimiter, and disappears before anything else.
fn rows(data: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut is_quoted, mut is_begun) = (false, false);
    let mut letters = data.chars().peekable();
    while let Some(letter) = letters.next() {
        is_begun = true;
        match letter {
            '\\' => field.extend(letters.next_if(|next| matches!(next, '\\' | '"') || *next == delimiter)),
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => is_quoted = !is_quoted,
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
                is_begun = false;
            }
            '\r' if !is_quoted && letters.peek() == Some(&'\n') => {}
            letter if letter == delimiter && !is_quoted => row.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    if is_begun {
        row.push(field);
        rows.push(row);
    }
    rows.into_iter().filter(|row| row.iter().any(|field| !field.is_empty()) || row.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn items(format: ItemFormat, pointer: Option<&str>, data: &str) -> Result<Value, String> {
        read(&ItemReader { format, items_pointer: pointer.map(str::to_owned), ..ItemReader::default() }, data)
    }

    #[test]
    fn json_is_read_at_its_pointer() {
        assert_eq!(items(ItemFormat::Json, None, "[1, 2]"), Ok(json!([1, 2])));
        assert_eq!(items(ItemFormat::Json, Some("/a/b"), r#"{"a":{"b":[3]}}"#), Ok(json!([3])));
        assert_eq!(items(ItemFormat::Json, None, "7"), Err("Attempting to map over non-iterable node.".to_owned()));
        assert!(items(ItemFormat::Json, Some("/no"), "{}").is_err() && items(ItemFormat::Json, None, "{").is_err());
        assert_eq!(items(ItemFormat::JsonLines, None, "1\n\n{\"a\":2}\n"), Ok(json!([1, {"a": 2}])));
    }

    #[test]
    fn csv_rows_are_objects_of_texts() {
        let csv = |headers: Option<&[&str]>| ItemFormat::Csv {
            delimiter: ',',
            headers: headers.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let data = "a,b\r\n1,\"x \"\"y\"\"\nz\"\n2\n3,4,5\n,\n";
        let expected =
            json!([{"a": "1", "b": "x \"y\"\nz"}, {"a": "2", "b": ""}, {"a": "3", "b": "4"}, {"a": "", "b": ""}]);
        assert_eq!(items(csv(None), None, data), Ok(expected));
        assert_eq!(items(csv(Some(&["h"])), None, "1,2\\,\n"), Ok(json!([{"h": "1"}])));
        assert_eq!(items(csv(None), None, "a,a\n1,2"), Err("CSV headers cannot contain duplicates.".to_owned()));
    }
}
