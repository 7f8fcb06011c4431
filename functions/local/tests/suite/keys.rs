//! `stepwell keys` as an operator types it, without a server.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::limited;

fn keys(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = limited::stepwell();
    let all = ["keys", "--data-dir", "data"].iter().chain(arguments);
    limited::output(command.args(all).current_dir(directory)).unwrap()
}

fn told(directory: &Path, arguments: &[&str]) -> String {
    let output = keys(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(directory: &Path, arguments: &[&str]) -> String {
    let output = keys(directory, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The id and the secret that a command printed.
fn pair(told: &str) -> (&str, &str) {
    let mut lines = told.lines();
    let id = lines.next().unwrap().strip_prefix("AWS_ACCESS_KEY_ID=").unwrap();
    (id, lines.next().unwrap().strip_prefix("AWS_SECRET_ACCESS_KEY=").unwrap())
}

#[test]
fn a_key_is_made_listed_rotated_and_revoked_and_no_secret_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    assert!(refused(here, &["list"]).contains("data has no keys"));
    let first = told(here, &["create", "ci", "--role", "run", "--machines", "dev-*", "--expires", "90d"]);
    let (id, secret) = pair(&first);
    assert!(id.starts_with("SWAK") && secret.len() == 40, "{first}");
    assert!(refused(here, &["create", "ci", "--role", "read"]).contains("there is a key ci already"));
    let second = told(here, &["rotate", "ci"]);
    let (new_id, new_secret) = pair(&second);
    assert!(new_id != id && new_secret != secret);
    let listed = told(here, &["list"]);
    assert_eq!(listed.lines().filter(|line| line.contains("ci  run on dev-*")).count(), 2, "{listed}");
    let file = fs::read_to_string(here.join("data/keys.json")).unwrap();
    assert!(file.contains(id) && !file.contains(secret) && !file.contains(new_secret));
    #[cfg(unix)]
    {
        let about = fs::metadata(here.join("data/keys.json")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o600);
    }
    assert!(told(here, &["revoke", id]).contains(id));
    assert!(told(here, &["list"]).contains(new_id) && !told(here, &["list"]).contains(id));
    assert!(told(here, &["revoke", "ci"]).contains(new_id));
    assert_eq!(told(here, &["list"]), "");
    assert!(refused(here, &["revoke", "ci"]).contains("there is no key ci"));
}

#[test]
fn a_check_says_by_which_statement() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let policy = r#"{"Statement": [{"Sid": "All", "Effect": "Allow", "Action": "states:*", "Resource": "*"},
        {"Sid": "NotProd", "Effect": "Deny", "Action": "states:Start*", "Resource": "*:prod"}]}"#;
    fs::write(here.join("policy.json"), policy).unwrap();
    told(here, &["create", "own", "--policy", "policy.json"]);
    let machine = |name: &str| format!("arn:aws:states:us-east-1:123456789012:stateMachine:{name}");
    assert_eq!(told(here, &["check", "own", "StartExecution", &machine("dev")]), "allowed by statement All\n");
    let denied = keys(here, &["check", "own", "states:StartExecution", &machine("prod")]);
    assert_eq!((denied.status.code(), &*denied.stdout), (Some(1), &b"denied by statement NotProd\n"[..]));
    told(here, &["create", "reader", "--role", "read"]);
    let denied = keys(here, &["check", "reader", "StartExecution", &machine("dev")]);
    assert_eq!((denied.status.code(), &*denied.stdout), (Some(1), &b"denied: no statement allows it\n"[..]));
    assert!(refused(here, &["check", "own", "Nothing"]).contains("there is no action Nothing"));
}

#[test]
fn what_makes_no_key_is_refused_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let conditional = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}}"#;
    fs::write(here.join("conditional.json"), conditional).unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["create", "a b", "--role", "read"], "a name has up to 64 letters"),
        (&["create", "a"], "--role"),
        (&["create", "a", "--role", "root"], "root"),
        (&["create", "a", "--role", "read", "--machines", "x:y"], "a pattern of machines"),
        (&["create", "a", "--role", "read", "--expires", "soon"], "90d"),
        (&["create", "a", "--policy", "conditional.json"], "Condition"),
    ];
    for (arguments, expected) in cases {
        let said = refused(here, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!here.join("data").exists());
}

#[test]
fn a_server_that_is_to_ask_for_no_keys_is_refused_where_there_are_some() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    told(here, &["create", "a", "--role", "read"]);
    let mut serve = limited::stepwell();
    serve.args(["serve", "--port", "0", "--data-dir", "data", "--insecure-no-auth"]).current_dir(here);
    let output = limited::output(&mut serve).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("data has keys"));
    for other in ["--require-keys", "--tls-terminated-elsewhere"] {
        let mut both = limited::stepwell();
        let output = limited::output(both.args(["serve", "--insecure-no-auth", other]).current_dir(here)).unwrap();
        assert_eq!(output.status.code(), Some(2), "{other}");
    }
}
