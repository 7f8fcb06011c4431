//! The output of `stepwell validate` for files as they are found in projects: every folder of `definitions` holds files, the
//! `arguments` to check them with and the `expected` exit code and output; `corpus` holds small files, each checked alone.
//!
//! `REWRITE=1 cargo test -p stepwell` writes the output of today into the folders; read the difference.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::limited;

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let mut folders: Vec<PathBuf> = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn said_in(folder: &Path) -> String {
    let arguments = fs::read_to_string(folder.join("arguments")).unwrap();
    said_of(&arguments.lines().collect::<Vec<_>>(), folder)
}

fn said_of<A: AsRef<OsStr>>(arguments: &[A], folder: &Path) -> String {
    let mut command = limited::stepwell();
    command.arg("validate").args(arguments).current_dir(folder);
    let output = limited::output(&mut command).unwrap();
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

/// Each file of `corpus/files` is checked alone; its output stands under its name in `corpus/expected`.
#[test]
fn says_of_each_file_of_the_corpus_what_is_expected() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(corpus.join("files")).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> = entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 60, "the corpus is gone: {}", names.len());
    let mut wrong = Vec::new();
    for name in &names {
        let file = corpus.join("expected").join(format!("{name}.txt"));
        let said = said_of(&[name], &corpus.join("files"));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if std::env::var("REWRITE").is_ok() {
            fs::write(&file, said).unwrap();
        } else if said != expected {
            wrong.push(format!("{name}\n said: {said}\n expected: {expected}"));
        }
    }
    let all = fs::read_dir(corpus.join("expected")).unwrap().count();
    assert_eq!(all, names.len(), "an expectation without a file");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn walks_a_directory_and_reads_what_a_template_names_once() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let definition = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": ${S}, "End": true}}}"#;
    put(
        "app/template.yaml",
        "Resources:\n  M:\n    Type: AWS::Serverless::StateMachine\n    Properties:\n      \
        DefinitionUri: ../flows/m.asl.json\n      DefinitionSubstitutions: {S: -1}\n",
    );
    put("flows/m.asl.json", definition);
    put("flows/other.yaml", "StartAt: A\nStates: {A: {Type: Succeed}}\n");
    put("flows/broken.json", r#"{"StartAt": "A", "States": "#);
    put("package.json", r#"{"name": "app", "version": "1"}"#);
    put("node_modules/x/m.json", definition);
    put(".hidden/m.json", definition);
    put("cases.json", r#"{"of": {"StartAt": "A", "States": {}}}"#);
    put("notes.txt", "StartAt States");
    let said = said_of(&["."], directory.path());
    assert!(said.starts_with("exit code 1\n"), "{said}");
    assert!(said.ends_with("\n3 definitions, 2 errors\n"), "{said}");
    assert!(said.contains("Minimum value is 0") && said.contains("broken.json:1:"), "{said}");

    fs::remove_dir_all(directory.path().join("app")).unwrap();
    fs::remove_dir_all(directory.path().join("flows")).unwrap();
    let said = said_of(&["."], directory.path());
    assert_eq!(
        said,
        "exit code 2\n\nerror: .: no definition in it\n\n0 definitions, 0 errors, 1 file without a definition\n"
    );
}

#[test]
fn lists_the_placeholders_that_were_left_open() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/files");
    let said = said_of(&["several_open_placeholders.json", "--list-placeholders"], &files);
    assert!(said.contains("\nFour\nNext\nOne\nSeconds\nStart\nThree\nTwo\n1 definition, "), "{said}");
}

#[test]
fn reads_a_template_from_standard_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions/a_sam_template_of_several_machines");
    let template = fs::File::open(folder.join("template.yaml")).unwrap();
    let mut command = limited::stepwell();
    let output = limited::output(command.args(["validate", "-"]).current_dir(&folder).stdin(template)).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("<standard input>: 4 state machines: OrderFlow, "), "{said}");
}

#[test]
fn refuses_a_substitution_without_a_value() {
    let mut command = limited::stepwell();
    let output = limited::output(command.args(["validate", "x.json", "--substitute", "Name"])).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write Name=value"));
}
