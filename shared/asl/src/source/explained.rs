//! Findings that another finding explains: a reader corrects one error and the others are gone with it.
//!
//! AWS lists them all, and so does [`crate::parse`]. They are left out only where a person reads the findings of a file.

use std::collections::BTreeSet;

use crate::{About, Diagnostic};

/// The findings without those that others explain.
pub(super) fn without(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let meant: BTreeSet<(Option<String>, String)> = findings
        .iter()
        .filter_map(|one| match &one.about {
            About::Unsupported { field: _, meant: Some(meant) }
            | About::UnknownArgument { key: _, message: _, meant: Some(meant) } => {
                Some((one.location.clone(), meant.clone()))
            }
            About::Unsupported { field: _, meant: None }
            | About::UnknownArgument { key: _, message: _, meant: None }
            | About::Value(_)
            | About::Syntax { .. }
            | About::Name(_)
            | About::OneOf(_)
            | About::StateType
            | About::OtherLanguage { .. }
            | About::Field { .. }
            | About::Fields { .. }
            | About::Arguments(_)
            | About::Missing(_)
            | About::MissingArgument(_)
            | About::AtMostOne(_)
            | About::ExactlyOne(_)
            | About::Condition(_)
            | About::Target(_)
            | About::Unreachable { .. } => None,
        })
        .collect();
    let is_misspelt = |one: &Diagnostic, field: &str| meant.contains(&(one.location.clone(), field.to_owned()));
    findings.retain(|one| match &one.about {
        About::Unreachable { explained, .. } => !explained,
        About::Missing(fields) => !fields.iter().all(|field| is_misspelt(one, field)),
        About::ExactlyOne(fields) => !fields.iter().any(|field| is_misspelt(one, field)),
        About::Condition(fields) => !fields.iter().any(|field| is_misspelt(one, field)),
        About::MissingArgument(field) => !is_misspelt(one, field),
        About::Value(_)
        | About::Arguments(_)
        | About::Syntax { .. }
        | About::Name(_)
        | About::OneOf(_)
        | About::StateType
        | About::Unsupported { .. }
        | About::UnknownArgument { .. }
        | About::OtherLanguage { .. }
        | About::Field { .. }
        | About::Fields { .. }
        | About::AtMostOne(_)
        | About::Target(_) => true,
    });
    findings
}
