//! The installation's own resources, which no task may name: its table holds every client's data and the key of its tokens.

use std::borrow::Cow;

/// Names that calls of services must not contain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Withheld(pub Vec<String>);

impl Withheld {
    /// The text or key of `arguments`, a JSON text, that names one of them: by name, in an ARN or in a URL.
    pub(crate) fn named_in(&self, arguments: &str) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        texts(arguments).find(|text| self.names(text) || self.names(&percent_decoded(text)))
    }

    /// True if `named`, a name, an ARN or a URL, has a withheld name in it. A character that is part of no name could only
    /// hide one.
    pub(crate) fn hides_in(&self, named: &str) -> bool {
        let hides = |letter: char| matches!(letter, '%' | '\\') || letter.is_whitespace() || letter.is_control();
        !self.0.is_empty() && (named.contains(hides) || self.names(named))
    }

    fn names(&self, text: &str) -> bool {
        let separates = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.');
        text.split(separates).any(|part| self.0.iter().any(|name| name == part))
    }
}

/// All texts and keys of a JSON text.
fn texts(json: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = json;
    std::iter::from_fn(move || {
        let start = rest.find('"')?;
        let from = rest.get(start..)?;
        let mut escaped = false;
        let inner = from.get(1..)?;
        let end = inner.find(|letter: char| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        })?;
        let (text, behind) = from.split_at_checked(end + 2)?;
        rest = behind;
        Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
    })
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.filter(|_| *first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withheld_name_is_found_in_every_text_and_key() {
        let withheld = Withheld(vec!["own-Table".to_owned()]);
        let cases = [
            (r#"{"TableName":"own-Table"}"#, true),
            (r#"{"RequestItems":{"own-Table":[]}}"#, true),
            (r#"{"a":[{"b":"arn:aws:dynamodb:eu-west-1:123456789012:table/own-Table/index/i"}]}"#, true),
            (r#"{"Statement":"SELECT * FROM \"own-Table\" WHERE a = 1"}"#, true),
            (r#"{"a":"own\u002dTable"}"#, true),
            (r#"{"a":"https://q/1/own%2DTable"}"#, true),
            (r#"{"a":"\\","b":"own-Table"}"#, true),
            (r#"{"TableName":"own-Table-2","b":"my-own-Table","c":100,"d":"100 %"}"#, false),
            ("{}", false),
        ];
        for (arguments, found) in cases {
            assert_eq!(withheld.named_in(arguments).is_some(), found, "{arguments}");
        }
        assert_eq!(Withheld::default().named_in(r#"{"a":"own-Table"}"#), None);
    }
}
