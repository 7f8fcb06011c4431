//! The `stepwell` command as a person types it: what it prints and with which code it ends.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use super::limited;

const GOOD: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
const BAD: &str = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Next: B\n";

fn stepwell(directory: &Path, arguments: &[&str]) -> io::Result<Output> {
    let mut command = limited::stepwell();
    limited::output(command.args(arguments).current_dir(directory))
}

fn printed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn it_tells_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let output = stepwell(directory.path(), &["--version"]).unwrap();
    assert!(output.status.success());
    assert_eq!(printed(&output.stdout), format!("stepwell {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = stepwell(directory.path(), &["serve", "--port", &port]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = printed(&output.stderr);
    assert!(told.contains(&port) && told.contains("taken") && told.contains("--port"), "{told}");
}

#[test]
fn a_mock_configuration_that_makes_no_sense_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let broken = r#"{"StateMachines":{},"MockedResponses":{"R":{"0":{"Throw":{"Cause":"why"}}}}}"#;
    fs::write(directory.path().join("mocks.json"), broken).unwrap();
    let cases = [
        ("mocks.json", "the mock configuration mocks.json: MockedResponses > R > 0 > Throw: Error is missing"),
        ("nothing.json", "the mock configuration nothing.json: "),
    ];
    for (file, expected) in cases {
        let flag = stepwell(directory.path(), &["serve", "--port", "0", "--mock-config", file]).unwrap();
        let mut by_environment = limited::stepwell();
        by_environment.args(["serve", "--port", "0"]).env("SFN_MOCK_CONFIG", file);
        for output in [flag, limited::output(by_environment.current_dir(directory.path())).unwrap()] {
            assert_eq!(output.status.code(), Some(1));
            assert!(printed(&output.stderr).contains(expected), "{}", printed(&output.stderr));
        }
    }
    assert!(!directory.path().join(".stepwell").exists(), "nothing is begun before the configuration is read");
}

#[test]
fn a_mock_configuration_without_end_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = stepwell(directory.path(), &["serve", "--port", "0", "--mock-config", "/dev/zero"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output.stderr).contains("it has more than 16 MiB"), "{}", printed(&output.stderr));
}

#[test]
fn an_address_that_other_machines_reach_needs_a_flag() {
    let directory = tempfile::tempdir().unwrap();
    let open = ["serve", "--host", "0.0.0.0", "--port", "0"];
    let output = stepwell(directory.path(), &open).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output.stderr).contains("--insecure-no-auth"), "{}", printed(&output.stderr));
    assert!(!directory.path().join(".stepwell").exists(), "nothing is made before the address is refused");
    // With the flag the next obstacle is met: a mock configuration that is missing.
    let with_flag = [&open[..], &["--insecure-no-auth", "--mock-config", "nothing.json"]].concat();
    let output = stepwell(directory.path(), &with_flag).unwrap();
    assert!(printed(&output.stderr).contains("the mock configuration nothing.json"), "{}", printed(&output.stderr));
}

#[test]
fn validate_ends_with_0_for_what_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("good.json"), GOOD).unwrap();
    let output = stepwell(directory.path(), &["validate", "good.json"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output.stdout));
}

#[test]
fn validate_ends_with_1_and_shows_the_place_of_an_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("bad.yaml"), BAD).unwrap();
    let output = stepwell(directory.path(), &["validate", "bad.yaml"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let shown = printed(&output.stdout);
    assert!(shown.contains("bad.yaml:5:11") && shown.contains("Missing 'Next' target: B"), "{shown}");
}

#[test]
fn validate_ends_with_2_for_a_file_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let output = stepwell(directory.path(), &["validate", "nothing.json"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", printed(&output.stdout));
}
