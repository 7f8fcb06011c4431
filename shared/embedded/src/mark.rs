//! `stepwell.db-mark`: how many commits were acknowledged, kept outside the database.
//!
//! The database counts its commits (the row `commits` of `installation`, in each transaction). After a commit is durable
//! and before it is acknowledged, the same number is written here. So a database that has fewer than its mark has lost what
//! was acknowledged: its log was cut off, damaged or removed, or it was replaced by an older one. SQLite cannot tell,
//! since to it a log that ends early is one whose writer died.
//!
//! The mark is not synced: it survives whatever the process's end is, and after power loss may be an older one. It is
//! never ahead of the disk, so it never refuses a whole database. One that cannot be read is damage to itself only.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::digest::Digest;
use crate::directory::open_private;

pub(crate) const MARK: &str = "stepwell.db-mark";

/// The open mark.
pub(crate) struct Mark(File);

impl Mark {
    /// Opens the mark, making it when there is none; also the number of commits it holds, when it can be read.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut file = open_private(&directory.join(MARK))?;
        let mut content = Vec::new();
        (&mut file).take(1024).read_to_end(&mut content)?;
        let commits = read(&content);
        if commits.is_none() && !content.is_empty() {
            tracing::warn!("{MARK} is damaged: whether commits are missing cannot be told this time");
        }
        Ok((Self(file), commits))
    }

    pub(crate) fn write(&mut self, commits: u64) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        // One write of less than a sector: whole or not at all.
        self.0.write_all(line(commits).as_bytes())
    }
}

fn line(commits: u64) -> String {
    let digest = Digest::of("mark").bytes(&commits.to_le_bytes()).finish();
    format!("{commits:020} {digest:016x}\n")
}

fn read(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?;
    let commits = text.split(' ').next()?.parse().ok()?;
    (text == line(commits)).then_some(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_with_one_bit_changed_is_no_mark() {
        let whole = line(77);
        assert_eq!(read(whole.as_bytes()), Some(77));
        for bit in 0..whole.len() * 8 {
            let mut content = whole.clone().into_bytes();
            content[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&content), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(read(&whole.as_bytes()[..length]), None, "{length} bytes");
        }
    }
}
