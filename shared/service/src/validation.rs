//! ValidateStateMachineDefinition: the diagnostics of a definition, as AWS lists them. Always an answer, never an error.

use asl::{Diagnostic, Severity};
use serde::Serialize;

use crate::action::{Action, answered};
use crate::document::workflow_type;
use crate::request::Request;
use crate::shapes::{DEFINITION, Shape, TYPE, one_of, optional, required};

pub(crate) const VALIDATE_STATE_MACHINE_DEFINITION: Action = Action {
    name: "ValidateStateMachineDefinition",
    shape: &[
        required("definition", DEFINITION),
        optional("type", TYPE),
        optional("severity", one_of(&["ERROR", "WARNING"])),
        optional("maxResults", Shape::Integer { least: 0, most: 100 }),
    ],
    run: |asked| answered(async move { Ok(validate(&asked.request)) }),
};

/// Diagnostics of an answer, by default and at most.
const MOST: usize = 100;

#[derive(Serialize)]
struct Validated {
    result: &'static str,
    diagnostics: Vec<Found>,
    truncated: bool,
}

#[derive(Serialize)]
struct Found {
    severity: String,
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

fn validate(request: &Request) -> Validated {
    let kind = workflow_type::asked(request);
    let warnings = request.text("severity") == Some("WARNING");
    let most = match request.integer("maxResults") {
        None | Some(0) => MOST,
        Some(most) => usize::try_from(most).unwrap_or(MOST),
    };
    let found = asl::parse(request.required("definition"), kind).diagnostics;
    let failed = found.iter().any(|one| one.severity == Severity::Error);
    let wanted = |one: &&Diagnostic| match one.severity {
        Severity::Error => true,
        Severity::Warning => warnings,
    };
    Validated {
        result: if failed { "FAIL" } else { "OK" },
        diagnostics: found.iter().filter(wanted).take(most).map(shown).collect(),
        truncated: found.iter().filter(wanted).count() > most,
    }
}

fn shown(one: &Diagnostic) -> Found {
    Found {
        severity: one.severity.to_string(),
        code: one.code.to_string(),
        message: one.message(),
        location: one.location.clone(),
    }
}
