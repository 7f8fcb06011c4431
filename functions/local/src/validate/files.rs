//! Reads the files of the command line, within bounds.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// AWS takes a megabyte; a file far beyond is something else.
const MOST_BYTES: u64 = 8 << 20;

/// The name of a file in messages.
pub fn name(file: &Path) -> String {
    if is_input(file) { "<standard input>".to_owned() } else { file.display().to_string() }
}

/// The text of a file, or of standard input if it is `-`.
pub fn read(file: &Path) -> io::Result<String> {
    let input: Box<dyn Read> = if is_input(file) { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    let mut text = String::new();
    input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    // A byte order mark is no part of the text.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn is_input(file: &Path) -> bool {
    file == Path::new("-")
}

/// The files of a directory.
#[derive(Default)]
pub struct Walk {
    /// In the order of their names.
    pub files: Vec<PathBuf>,
    /// Directories that could not be read, as messages.
    pub problems: Vec<String>,
}

/// A repository has fewer; a directory far beyond is something else.
const MOST_FILES: usize = 20_000;
const DEEPEST: usize = 64;

/// The files in JSON and YAML below a directory. Links are not followed.
pub fn walk(directory: &Path) -> Walk {
    let mut walk = Walk::default();
    let mut pending = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        let entries = match entries(&directory) {
            Ok(entries) => entries,
            Err(error) => {
                walk.problems.push(format!("cannot read {}: {error}", directory.display()));
                continue;
            }
        };
        for (path, is_directory) in entries {
            if walk.files.len() >= MOST_FILES {
                walk.problems.push(format!("more than {MOST_FILES} files; the rest was not read"));
                return walk;
            }
            if !is_directory {
                walk.files.push(path);
            } else if depth < DEEPEST {
                pending.push((path, depth + 1));
            }
        }
    }
    walk.files.sort();
    walk
}

/// The entries of a directory that may hold definitions, each with whether it is a directory.
fn entries(directory: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name().to_string_lossy().to_lowercase(), entry.file_type()?);
        let may_hold = [".json", ".yaml", ".yml", ".template", ".asl"].iter().any(|end| name.ends_with(end));
        let is_hidden = name.starts_with('.') || name == "node_modules";
        if !is_hidden && (kind.is_dir() || (kind.is_file() && may_hold)) {
            entries.push((entry.path(), kind.is_dir()));
        }
    }
    Ok(entries)
}

/// A path without `.` and `..`, as far as that can be told from the path alone.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => _ = plain.pop(),
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => plain.push(part),
        }
    }
    plain
}
