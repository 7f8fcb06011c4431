//! The count of findings in all files together, and the exit code.

use std::collections::BTreeSet;

use asl::source::Placeholders;

/// The summary names no more placeholders than this.
const MOST_NAMES: usize = 5;

/// Counts, and the names of placeholders.
#[derive(Debug, Default)]
pub struct Tally {
    pub definitions: usize,
    pub errors: usize,
    pub warnings: usize,
    /// Definitions that only a deployment can read.
    pub elsewhere: usize,
    pub unreadable: usize,
    /// Files and directories without a definition.
    pub others: usize,
    /// The names of placeholders.
    pub replaced: BTreeSet<String>,
    pub open: BTreeSet<String>,
}

impl Tally {
    pub fn note(&mut self, placeholders: &Placeholders) {
        self.replaced.extend(placeholders.replaced.iter().cloned());
        self.open.extend(placeholders.open.iter().cloned());
    }

    pub fn summary(&self) -> String {
        let mut parts = vec![count(self.definitions, "definition"), count(self.errors, "error")];
        if self.warnings > 0 {
            parts.push(count(self.warnings, "warning"));
        }
        if self.elsewhere > 0 {
            parts.push(format!("{} elsewhere", count(self.elsewhere, "definition")));
        }
        if self.unreadable > 0 {
            parts.push(format!("{} not readable", count(self.unreadable, "file")));
        }
        if self.others > 0 {
            parts.push(format!("{} without a definition", count(self.others, "file")));
        }
        if !self.open.is_empty() {
            let mut names: Vec<&str> = self.open.iter().map(String::as_str).take(MOST_NAMES).collect();
            if self.open.len() > names.len() {
                names.push("… (--list-placeholders)");
            }
            parts.push(format!("{} left open: {}", count(self.open.len(), "placeholder"), names.join(", ")));
        }
        parts.join(", ")
    }

    /// Definitions that were found, whether or not they could be read.
    pub fn checked(&self) -> usize {
        self.definitions + self.elsewhere
    }

    pub fn exit_code(&self) -> u8 {
        match (self.checked() + self.unreadable, self.unreadable + self.others, self.errors) {
            (0, _, _) | (_, 1.., _) => 2,
            (_, 0, 1..) => 1,
            (_, 0, 0) => 0,
        }
    }
}

pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sums_up() {
        let tally = Tally::default();
        assert_eq!(tally.exit_code(), 2, "nothing to check is a wrong use");
        let tally = Tally { definitions: 1, ..tally };
        assert_eq!((tally.summary().as_str(), tally.exit_code()), ("1 definition, 0 errors", 0));
        let tally = Tally { warnings: 1, ..tally };
        assert_eq!((tally.summary().as_str(), tally.exit_code()), ("1 definition, 0 errors, 1 warning", 0));
        let tally = Tally { definitions: 2, errors: 3, warnings: 0, ..tally };
        assert_eq!((tally.summary().as_str(), tally.exit_code()), ("2 definitions, 3 errors", 1));
        let tally = Tally { unreadable: 1, ..tally };
        assert_eq!((tally.summary().as_str(), tally.exit_code()), ("2 definitions, 3 errors, 1 file not readable", 2));
        let tally = Tally { elsewhere: 1, ..Tally::default() };
        assert_eq!(tally.exit_code(), 0);
        let tally = Tally { others: 1, ..tally };
        assert_eq!(tally.exit_code(), 2);
    }

    #[test]
    fn names_the_first_placeholders() {
        let open = |count: usize| ('A'..).take(count).map(String::from).collect();
        let summary = |count: usize| Tally { open: open(count), ..Tally::default() }.summary();
        assert_eq!(summary(2), "0 definitions, 0 errors, 2 placeholders left open: A, B");
        assert_eq!(
            summary(6),
            "0 definitions, 0 errors, 6 placeholders left open: A, B, C, D, E, … (--list-placeholders)"
        );
    }
}
