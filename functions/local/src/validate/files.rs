//! Reads the files of the command line, within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

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
