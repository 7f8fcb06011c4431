//! Tables of the fields that an object of a definition may have, and the check against them.
//!
//! Here are the tables that several state types share; what one type or object alone has stands beside the code that reads
//! it. AWS: the fields of the eight state types are as measured with ValidateStateMachineDefinition in 2026.

use crate::QueryLanguage;
use crate::about::About;
use crate::cursor::Object;
use crate::diagnostics::Findings;
use crate::hints::{ask, instead_of_field, similar};

/// A field and the language it belongs to.
pub(crate) type Field = (&'static str, In);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum In {
    Both,
    JsonPath,
    Jsonata,
}

use In::{Both, JsonPath, Jsonata};

/// Every state.
pub(crate) const STATE: &[Field] = &[("Type", Both), ("Comment", Both), ("QueryLanguage", Both)];
/// Every state but Fail.
pub(crate) const FLOW_OF_DATA: &[Field] = &[("InputPath", JsonPath), ("OutputPath", JsonPath), ("Output", Jsonata)];
/// States that move on.
pub(crate) const TRANSITION: &[Field] = &[("Assign", Both), ("Next", Both), ("End", Both)];
/// States that have a result.
pub(crate) const ERRORS: &[Field] = &[("Retry", Both), ("Catch", Both)];
/// The same.
pub(crate) const WORK: &[Field] = &[("Parameters", JsonPath), ("ResultSelector", JsonPath), ("ResultPath", JsonPath)];

/// Reports fields of the other language, then fields that do not exist here.
pub(crate) fn check(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    check_languages(object, tables, findings);
    check_names(object, tables, findings);
}

pub(crate) fn check_languages(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    let foreign = match object.language {
        QueryLanguage::JsonPath => Jsonata,
        QueryLanguage::Jsonata => JsonPath,
    };
    for name in object.map.keys() {
        if language_of(name, tables) == Some(foreign) {
            // AWS: located at the object, not at the field.
            let about = About::OtherLanguage { field: name.clone(), set: object.language };
            let help = instead_of_field(name, object.language, tables);
            findings.schema_with_help(object.at, about, help);
        }
    }
}

pub(crate) fn check_names(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    for name in object.map.keys() {
        if language_of(name, tables).is_none() {
            let all = tables.iter().flat_map(|table| table.iter());
            let fits = |(known, language): &&Field| is_of(*language, object.language) && !object.has(known);
            let meant = similar(name, all.filter(fits).map(|(known, _)| *known), findings);
            // AWS: located at the object, not at the field.
            findings.schema_with_help(object.at, About::unsupported(name, meant), meant.map(ask));
        }
    }
}

/// Whether an object in this language can have a field.
pub(crate) fn is_of(field: In, language: QueryLanguage) -> bool {
    match (field, language) {
        (Both, _) | (JsonPath, QueryLanguage::JsonPath) | (Jsonata, QueryLanguage::Jsonata) => true,
        (JsonPath, QueryLanguage::Jsonata) | (Jsonata, QueryLanguage::JsonPath) => false,
    }
}

pub(crate) fn language_of(name: &str, tables: &[&[Field]]) -> Option<In> {
    tables.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name).map(|(_, language)| *language)
}
