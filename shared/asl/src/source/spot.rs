//! The places of a value and its parts in a text.

use std::ops::Range;

/// Where a value stands, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The key it stands behind.
    pub key: Option<Range<usize>>,
    pub value: Range<usize>,
    pub is_container: bool,
    /// Text with a placeholder in it: what it will be is not known.
    pub is_open: bool,
    /// In the order of the text; of several fields with one name the last one counts.
    pub children: Vec<(Step, Spot)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Spot {
    pub fn new(value: Range<usize>, is_container: bool) -> Spot {
        Spot { key: None, value, is_container, is_open: false, children: Vec::new() }
    }

    /// The last of the parts with a name.
    pub fn child(&self, name: &str) -> Option<(&Step, &Spot)> {
        let named = |(step, _): &&(Step, Spot)| matches!(step, Step::Key(key) if key == name);
        self.children.iter().rev().find(named).map(|(step, spot)| (step, spot))
    }
}
