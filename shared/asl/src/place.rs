//! Where in a definition we are, as AWS writes it: `/States/P/Branches[0]/States/Q`.
//!
//! A place is a chain of steps on the stack of the functions that took them. It becomes text only when something is
//! wrong there, so that long names and deep nesting cost nothing in a definition that is right.

use std::fmt;

use serde_json::Value;

#[derive(Clone, Copy)]
pub(crate) struct Place<'p> {
    step: Option<(&'p Place<'p>, Step<'p>)>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
    /// Several steps that are text already.
    Written(&'p str),
}

impl<'p> Place<'p> {
    pub const ROOT: Place<'static> = Place { step: None };

    pub fn key<'s>(&'s self, key: &'s str) -> Place<'s> {
        Place { step: Some((self, Step::Key(key))) }
    }

    pub fn index(&self, index: usize) -> Place<'_> {
        Place { step: Some((self, Step::Index(index))) }
    }

    /// The place at the end of a JSON pointer into the value that stands here.
    pub fn pointed(&self, pointer: &str, value: &Value) -> String {
        let mut written = String::new();
        let mut here = Some(value);
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            match here {
                Some(Value::Array(items)) => {
                    written.push_str(&format!("[{token}]"));
                    here = token.parse().ok().and_then(|index: usize| items.get(index));
                }
                Some(_) | None => {
                    written.push_str(&format!("/{token}"));
                    here = here.and_then(|value| value.get(&token));
                }
            }
        }
        written
    }

    pub fn written<'s>(&'s self, steps: &'s str) -> Place<'s> {
        Place { step: Some((self, Step::Written(steps))) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps = Vec::new();
        let mut place = self;
        while let Some((parent, step)) = &place.step {
            steps.push(step);
            place = parent;
        }
        if steps.is_empty() {
            return f.write_str("/");
        }
        steps.iter().rev().try_for_each(|step| match step {
            Step::Key(key) => write!(f, "/{key}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Written(steps) => f.write_str(steps),
        })
    }
}
