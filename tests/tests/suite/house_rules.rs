//! The rules of the house that neither the compiler nor clippy keeps: who may depend on whom, what stays pure, how the
//! tree and its files look.
//!
//! A rule is a function from the tree to its breaches, each a sentence that names the place. The exemptions of a rule are a
//! table with reasons. Absent: what needs judgement, such as whether a file has one purpose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The layers, lowest first: a crate depends on lower layers only.
const LAYERS: &[&[&str]] = &[
    &["shared/expressions", "shared/keys"],
    &["shared/asl"],
    &["shared/interpreter"],
    &["shared/engine"],
    // Beside each other, so that no adapter depends on an action.
    &["shared/embedded", "shared/integrations", "shared/aws", "shared/service"],
    &["functions/api", "functions/worker", "functions/clock", "functions/local"],
    &["tests"],
];

/// The dependencies that pure crates may have: values, no I/O.
const PURE: &[&str] = &["shared/expressions", "shared/keys", "shared/asl", "shared/interpreter"];
const PURE_DEPENDENCIES: &[&str] = &[
    "base64",
    "hmac",
    "jiff",
    "jsonata-core",
    "md-5",
    "rand_chacha",
    "regex-lite",
    "saphyr-parser",
    "serde",
    "serde_json",
    "sha1",
    "sha2",
    "unicode-ident",
];
/// The methods that each pure crate's `clippy.toml` has to forbid at least.
const FORBIDDEN_TO_THE_PURE: &[&str] = &[
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
    "std::env::var",
    "std::thread::spawn",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::fs::File",
    "std::net::TcpStream",
];

const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "functions",
    "infra",
    "rust-toolchain.toml",
    "shared",
    "tests",
];
const TOP_LEVEL_DOT_FILES: &[&str] =
    &[".cargo", ".ci", ".clippy.toml", ".config", ".deny.toml", ".gitignore", ".rustfmt.toml"];

const LONGEST: usize = 600;
/// Files that may be longer, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

const VAGUE_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager", "factory", "base"];

/// This file names what it forbids.
const SELF: &str = "tests/tests/suite/house_rules.rs";

#[test]
fn crates_depend_on_lower_layers_only() {
    holds(crates_against_the_direction);
}

#[test]
fn pure_crates_are_made_of_values_only() {
    holds(impure_crates);
}

#[test]
fn every_dependency_has_its_reason_in_the_workspace_table() {
    holds(dependencies_without_reason);
}

#[test]
fn every_crate_takes_the_lint_table() {
    holds(crates_without_lints);
}

#[test]
fn the_top_level_stays_small() {
    holds(strange_top_level_entries);
}

#[test]
fn every_source_file_says_what_it_is() {
    holds(sources_without_purpose);
}

#[test]
fn no_source_file_is_too_long() {
    holds(long_sources);
}

#[test]
fn no_file_or_type_has_a_vague_name() {
    holds(vague_names);
}

#[test]
fn nothing_is_left_for_later() {
    holds(unfinished_lines);
}

#[test]
fn every_exception_from_a_lint_has_its_reason() {
    holds(exceptions_without_reason);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    holds(paths_of_machines);
}

#[test]
fn the_rules_see_breaches() {
    let texts = |rule: fn(&str) -> bool, cases: &[(&str, bool)]| {
        for (line, expected) in cases {
            assert_eq!(rule(line), *expected, "{line}");
        }
    };
    texts(is_unfinished, &[("// TODO: more", true), ("    #[ignore]", true), ("ignored TODOs", false)]);
    texts(names_a_machine, &[("\"/home/x\"", true), ("at /tmp/x", true), ("a/home/x", false), ("/tmpfs", false)]);
    texts(
        defines_vaguely,
        &[("pub struct QueueManager;", true), ("enum Base64 {", false), ("// a struct Base", false)],
    );
    texts(is_exception, &[("#[allow(dead_code)]", true), ("#![expect(unused)]", true), ("allow(x)", false)]);
    assert!(has_vague_part("tests/common/mod.rs") && !has_vague_part("src/intrinsic/base64.rs"));
}

type Rule = fn(&Tree) -> Result<Vec<String>>;

#[track_caller]
fn holds(rule: Rule) {
    let breaches = Tree::read().and_then(|tree| rule(&tree)).unwrap_or_else(|error| vec![format!("{error:#}")]);
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// The checkout: where it is, and the files in it that git knows or would add.
struct Tree {
    root: PathBuf,
    files: Vec<String>,
}

impl Tree {
    fn read() -> Result<Self> {
        stepwell_tests::watchdog::watch();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no checkout")?.to_owned();
        let mut files = files_of_git(&root).map_or_else(|| files_of_folder(&root), Ok)?;
        files.retain(|file| root.join(file).is_file());
        files.sort();
        files.dedup();
        ensure!(files.len() > 50, "only {} files", files.len());
        Ok(Self { root, files })
    }

    fn text(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| file.to_owned())
    }

    fn sources(&self) -> impl Iterator<Item = &String> {
        self.files.iter().filter(|file| file.ends_with(".rs"))
    }

    /// Every line of the files that `wanted` takes and that breaks `rule`.
    fn lines(&self, wanted: fn(&str) -> bool, rule: fn(&str) -> bool) -> Result<Vec<String>> {
        let mut breaches = Vec::new();
        for file in self.files.iter().filter(|file| wanted(file) && *file != SELF) {
            let text = self.text(file)?;
            let broken = (1..).zip(text.lines()).filter(|(_, line)| rule(line));
            breaches.extend(broken.map(|(number, line)| format!("{file}:{number}: {}", line.trim())));
        }
        Ok(breaches)
    }

    /// The workspace's packages by folder, as cargo sees them.
    fn packages(&self) -> Result<BTreeMap<String, Value>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
        let output = Command::new(cargo).args(arguments).current_dir(&self.root).output()?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let packages = metadata["packages"].as_array().context("no packages")?;
        packages.iter().map(|package| Ok((self.folder(package)?, package.clone()))).collect()
    }

    fn folder(&self, package: &Value) -> Result<String> {
        let manifest = Path::new(package["manifest_path"].as_str().context("no manifest")?);
        let folder = manifest.parent().context("a manifest in no folder")?;
        Ok(folder.strip_prefix(&self.root)?.to_string_lossy().replace('\\', "/"))
    }
}

fn files_of_git(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.split_terminator('\0').map(str::to_owned).collect())
}

/// For a source archive without git.
fn files_of_folder(root: &Path) -> Result<Vec<String>> {
    const NOT_OURS: &[&str] = &[".git", ".stepwell", ".venv", "__pycache__", "target"];
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let ours = path.file_name().is_some_and(|name| NOT_OURS.iter().all(|other| name != *other));
            if path.is_dir() && ours {
                folders.push(path);
            } else if path.is_file() {
                files.push(path.strip_prefix(root)?.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(files)
}

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

fn crates_against_the_direction(tree: &Tree) -> Result<Vec<String>> {
    let packages = tree.packages()?;
    let mut breaches = Vec::new();
    for (folder, package) in &packages {
        let Some(own) = layer(folder) else {
            breaches.push(format!("{folder} has no layer: give it one in {SELF}"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // The tests' library is no part of a product, so tests of any crate may use it.
            let of_tests = dependency["kind"] == "dev";
            let Some(path) = dependency["path"].as_str().filter(|_| !of_tests) else { continue };
            let below = Path::new(path).strip_prefix(&tree.root)?.to_string_lossy().into_owned();
            if layer(&below).is_none_or(|below| below >= own) {
                breaches.push(format!("{folder} depends on {below}, which is not below it"));
            }
        }
    }
    Ok(breaches)
}

fn impure_crates(tree: &Tree) -> Result<Vec<String>> {
    let packages = tree.packages()?;
    let mut breaches = Vec::new();
    for folder in PURE {
        let package = packages.get(*folder).with_context(|| format!("{folder} is gone"))?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            let of_tests = dependency["kind"] == "dev";
            let ours = dependency["path"].is_string();
            if !of_tests && !ours && !PURE_DEPENDENCIES.contains(&name) {
                breaches.push(format!("{folder} is pure and depends on {name}"));
            }
        }
        let lints = tree.text(&format!("{folder}/clippy.toml"))?;
        let missing = FORBIDDEN_TO_THE_PURE.iter().filter(|path| !lints.contains(&format!("\"{path}\"")));
        breaches.extend(missing.map(|path| format!("{folder}/clippy.toml does not forbid {path}")));
    }
    Ok(breaches)
}

fn dependencies_without_reason(tree: &Tree) -> Result<Vec<String>> {
    let manifest = tree.text("Cargo.toml")?;
    let table = manifest.split("[workspace.dependencies]").nth(1).context("no [workspace.dependencies]")?;
    let rows = table.lines().take_while(|line| !line.starts_with('['));
    let foreign = rows.filter(|line| line.contains('=') && !line.starts_with('#') && !line.contains("path = "));
    let mut breaches: Vec<_> = foreign
        .filter(|line| !line.contains("# "))
        .map(|line| format!("Cargo.toml: no reason beside {line}"))
        .collect();
    // Members only: the fuzz targets are a workspace of their own, for they need another toolchain.
    for folder in tree.packages()?.keys() {
        let file = format!("{folder}/Cargo.toml");
        let text = tree.text(&file)?;
        let mut within = false;
        for line in text.lines() {
            if line.starts_with('[') {
                within = line.contains("dependencies");
            } else if within && line.contains('=') && !line.contains("workspace = true") {
                breaches.push(format!("{file}: not from the workspace's table: {line}"));
            }
        }
    }
    Ok(breaches)
}

fn crates_without_lints(tree: &Tree) -> Result<Vec<String>> {
    // The workspace's table forbids it, and the fuzz targets, a workspace of their own, forbid it themselves.
    const NO_UNSAFE: &str = "unsafe_code = \"forbid\"";
    let members = tree.packages()?;
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let folder = file.strip_suffix("/Cargo.toml").unwrap_or_default();
        let taken = if members.contains_key(folder) { "[lints]\nworkspace = true" } else { NO_UNSAFE };
        if !tree.text(file)?.contains(taken) {
            breaches.push(format!("{file} does not take the workspace's lints, or lets unsafe code in"));
        }
    }
    Ok(breaches)
}

fn strange_top_level_entries(tree: &Tree) -> Result<Vec<String>> {
    let mut entries: Vec<_> = tree.files.iter().filter_map(|file| file.split('/').next()).collect();
    entries.dedup();
    entries.retain(|entry| !TOP_LEVEL.contains(entry) && !TOP_LEVEL_DOT_FILES.contains(entry));
    Ok(entries.into_iter().map(|entry| format!("{entry} does not belong at the top")).collect())
}

fn sources_without_purpose(tree: &Tree) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in tree.sources() {
        let text = tree.text(file)?;
        let first = text.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|purpose| purpose.len() < 10) {
            breaches.push(format!("{file} does not open with `//!` and its purpose"));
        }
    }
    Ok(breaches)
}

fn long_sources(tree: &Tree) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in tree.sources() {
        let (length, listed) = (tree.text(file)?.lines().count(), LONG_FILES.iter().any(|(long, _)| long == file));
        if length > LONGEST && !listed {
            breaches.push(format!("{file} has {length} lines"));
        }
        if length <= LONGEST && listed {
            breaches.push(format!("{file} is listed as long and has {length} lines"));
        }
    }
    Ok(breaches)
}

fn vague_names(tree: &Tree) -> Result<Vec<String>> {
    let mut breaches = tree.lines(|file| file.ends_with(".rs"), defines_vaguely)?;
    breaches.extend(tree.files.iter().filter(|file| has_vague_part(file)).cloned());
    Ok(breaches)
}

fn has_vague_part(file: &str) -> bool {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    stem.split(['/', '_', '-', '.']).any(|part| VAGUE_NAMES.contains(&part))
}

fn defines_vaguely(line: &str) -> bool {
    const KINDS: &[&str] = &["struct", "enum", "trait", "type", "mod"];
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let Some(kind) = words.next() else { return false };
    let Some(name) = words.next().filter(|_| KINDS.contains(&kind)) else { return false };
    let name = name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
    camel_words(name).iter().any(|word| VAGUE_NAMES.contains(&word.as_str()))
}

fn camel_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_uppercase() && letter != '_' => word.push(letter),
            _ => words.push(letter.to_lowercase().filter(|letter| *letter != '_').collect()),
        }
    }
    words
}

fn unfinished_lines(tree: &Tree) -> Result<Vec<String>> {
    tree.lines(is_written_by_us, is_unfinished)
}

/// Not what tools write.
fn is_written_by_us(file: &str) -> bool {
    let kinds = [".rs", ".toml", ".py", ".md", ".sh", ".yaml", ".yml"];
    kinds.iter().any(|kind| file.ends_with(kind)) || file.starts_with(".ci/")
}

fn is_unfinished(line: &str) -> bool {
    let words = ["TODO", "FIXME", "XXX", "HACK"];
    let later = line.split(|letter: char| !letter.is_alphanumeric()).any(|word| words.contains(&word));
    later || line.trim_start().starts_with("#[ignore")
}

fn exceptions_without_reason(tree: &Tree) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in tree.sources().filter(|file| *file != SELF) {
        let text = tree.text(file)?;
        let mut before = "";
        for (number, line) in (1..).zip(text.lines()) {
            let reasoned = line.contains("reason = ") || line.contains("// ") || before.starts_with("// ");
            if is_exception(line) && !reasoned {
                breaches.push(format!("{file}:{number}: {}", line.trim()));
            }
            before = line.trim();
        }
    }
    Ok(breaches)
}

fn is_exception(line: &str) -> bool {
    ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|start| line.trim_start().starts_with(start))
}

fn paths_of_machines(tree: &Tree) -> Result<Vec<String>> {
    tree.lines(is_written_by_us, names_a_machine)
}

/// An absolute path of a machine. The quotes and spaces before tell it from the middle of another path.
fn names_a_machine(line: &str) -> bool {
    const FOLDERS: &[&str] = &["/home/", "/root/", "/tmp/", "/Users/", "/work/"];
    FOLDERS.iter().any(|folder| {
        line.match_indices(folder).any(|(place, _)| {
            let before = line.get(..place).and_then(|text| text.chars().next_back());
            before.is_none_or(|letter| !letter.is_alphanumeric() && !"._-/}".contains(letter))
        })
    })
}
