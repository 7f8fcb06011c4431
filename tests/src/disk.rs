//! A disk that loses its power: what a process asked of the files of one directory, and what would be left of them.
//!
//! A [`Log`] is the process's writes and fsyncs in order. [`Log::after_power_loss`] makes the directory as a disk may show it that
//! lost power after some of them: what was synced is there, what was not is gone, or there in part, sector by sector,
//! by chance. Names of files are taken as durable once the file or the directory was synced, as Linux's file systems
//! keep it. [`crate::trace`] fills a log from a running process. Deliberately absent: disks that lie about fsync.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// The unit that disks write as a whole.
const SECTOR: usize = 512;

/// Something a process did to a file of the directory; files are named within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Write {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    /// An fsync or fdatasync that succeeded: it covers the operations before `from`, those that were over when it began.
    Sync {
        file: String,
        from: usize,
    },
    Remove {
        file: String,
    },
}

/// The fate of data that the process had not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it is gone.
    Gone,
    /// Each sector made it or not; the number picks which.
    Chance(u64),
}

/// Operations in the order in which they were over.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub operations: Vec<Operation>,
}

impl Log {
    /// Makes `directory` as it is found when the power went after the first `count` operations.
    pub fn after_power_loss(&self, count: usize, unsynced: Unsynced, directory: &Path) -> Result<()> {
        let happened = self.operations.get(..count).unwrap_or(&self.operations);
        let mut synced: BTreeMap<&str, usize> = BTreeMap::new();
        for operation in happened {
            if let Operation::Sync { file, from } = operation {
                let until = synced.entry(file).or_default();
                *until = (*until).max(*from);
            }
        }
        let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        let mut fate = Fate(unsynced);
        for (place, operation) in happened.iter().enumerate() {
            let safe = synced.get(operation.file()).is_some_and(|until| place < *until);
            operation.apply(&mut files, safe, &mut fate);
        }
        fs::create_dir_all(directory)?;
        for (file, content) in files {
            fs::write(directory.join(file), content)?;
        }
        Ok(())
    }

    /// The moment at the end of the longest run of operations without a sync: the worst one to lose power at.
    pub fn longest_unsynced(&self) -> usize {
        let syncs =
            self.operations.iter().enumerate().filter(|(_, operation)| matches!(operation, Operation::Sync { .. }));
        let ends = syncs.map(|(place, _)| place).chain([self.operations.len()]);
        let (mut begin, mut longest) = (0, (0, self.operations.len()));
        for end in ends {
            longest = longest.max((end - begin, end));
            begin = end + 1;
        }
        longest.1
    }

    /// How many operations on files were synced before they were over, of how many: to tell a log from an empty one.
    pub fn syncs(&self) -> usize {
        self.operations.iter().filter(|operation| matches!(operation, Operation::Sync { .. })).count()
    }
}

impl Operation {
    fn file(&self) -> &str {
        match self {
            Self::Write { file, .. }
            | Self::Truncate { file, .. }
            | Self::Sync { file, .. }
            | Self::Remove { file } => file,
        }
    }

    fn apply<'a>(&'a self, files: &mut BTreeMap<&'a str, Vec<u8>>, safe: bool, fate: &mut Fate) {
        match self {
            Self::Write { file, offset, bytes } => {
                let mut at = *offset;
                // Sectors are the disk's, so the first piece ends where the file's next sector begins.
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, more) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    if safe || fate.spares() {
                        overwrite(files.entry(file).or_default(), at, piece);
                    }
                    at += piece.len();
                    rest = more;
                }
            }
            Self::Truncate { file, length } => {
                if safe || fate.spares() {
                    files.entry(file).or_default().resize(*length, 0);
                }
            }
            Self::Sync { .. } => {}
            Self::Remove { file } => {
                files.remove(file.as_str());
            }
        }
    }
}

fn overwrite(content: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let end = at + piece.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(at..end) {
        place.copy_from_slice(piece);
    }
}

struct Fate(Unsynced);

impl Fate {
    fn spares(&mut self) -> bool {
        match &mut self.0 {
            Unsynced::Gone => false,
            Unsynced::Chance(state) => {
                // An xorshift: its numbers need to be no better than a coin.
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                state.is_multiple_of(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: usize, text: &str) -> Operation {
        Operation::Write { file: "a".into(), offset, bytes: text.as_bytes().to_vec() }
    }

    fn left(operations: Vec<Operation>, count: usize, unsynced: Unsynced) -> Option<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        Log { operations }.after_power_loss(count, unsynced, directory.path()).unwrap();
        fs::read(directory.path().join("a")).ok()
    }

    #[test]
    fn what_was_not_synced_is_gone() {
        let operations = vec![
            write(0, "first"),
            Operation::Sync { file: "a".into(), from: 1 },
            write(2, "XXXXX"),
            Operation::Truncate { file: "a".into(), length: 1 },
            Operation::Sync { file: "b".into(), from: 4 },
        ];
        assert_eq!(left(operations.clone(), 1, Unsynced::Gone), None);
        for count in 2..=5 {
            assert_eq!(left(operations.clone(), count, Unsynced::Gone).as_deref(), Some(&b"first"[..]), "{count}");
        }
    }

    #[test]
    fn a_sync_covers_what_was_over_when_it_began() {
        let operations = vec![write(0, "a"), write(1, "b"), Operation::Sync { file: "a".into(), from: 1 }];
        assert_eq!(left(operations, 3, Unsynced::Gone).as_deref(), Some(&b"a"[..]));
    }

    #[test]
    fn chance_takes_sectors_and_leaves_what_was_synced() {
        let operations = vec![
            write(0, &"s".repeat(2048)),
            Operation::Sync { file: "a".into(), from: 1 },
            write(0, &"u".repeat(2048)),
        ];
        let mut torn = 0;
        for seed in 1..50 {
            let content = left(operations.clone(), 3, Unsynced::Chance(seed)).unwrap();
            assert_eq!(content.len(), 2048);
            let sectors: Vec<_> = content.chunks(SECTOR).map(|sector| sector[0]).collect();
            assert!(content.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            torn += usize::from(sectors.contains(&b's') && sectors.contains(&b'u'));
        }
        assert!(torn > 10, "{torn}");
    }
}
