//! What `stepwell validate` says about files as people have them: every folder of `definitions` holds files, the
//! `arguments` to check them with and what is `expected`: the exit code and all that is printed.
//!
//! `REWRITE=1 cargo test -p stepwell` writes what the command says now into the folders; read the difference.
#![allow(clippy::unwrap_used, reason = "a test fails that way")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let mut folders: Vec<PathBuf> = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn said_in(folder: &Path) -> String {
    let arguments = fs::read_to_string(folder.join("arguments")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    command.arg("validate").args(arguments.lines()).current_dir(folder);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", folder.display());
    format!("exit code {}\n\n{}", output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn says_what_the_folders_expect() {
    let (folders, mut wrong) = (folders(), Vec::new());
    assert!(folders.len() > 12, "the folders are gone");
    for folder in &folders {
        let (said, file) = (said_in(folder), folder.join("expected"));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{}\n said: {said}\n expected: {expected}", folder.display()));
        }
        if std::env::var("REWRITE").is_ok() {
            fs::write(&file, said).unwrap();
        }
    }
    assert!(wrong.is_empty() || std::env::var("REWRITE").is_ok(), "{}", wrong.join("\n"));
}

#[test]
fn reads_a_template_from_standard_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions/a_sam_template_of_several_machines");
    let template = fs::File::open(folder.join("template.yaml")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    let output = command.args(["validate", "-"]).current_dir(&folder).stdin(template).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("<standard input>: 4 state machines: OrderFlow, "), "{said}");
}

#[test]
fn refuses_a_substitution_without_a_value() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    let output = command.args(["validate", "x.json", "--substitute", "Name"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write Name=value"));
}
