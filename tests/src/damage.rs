//! Damage by a disk to the files of a data directory: torn, cut off, zeroed, flipped or gone, wherever chance puts it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::simulation::Chance;

/// The files of a directory whose process was killed.
pub const FILES: [&str; 5] = ["stepwell.db", "stepwell.db-wal", "stepwell.db-shm", "stepwell.db-mark", "lock"];
/// A sector: what is torn or zeroed is torn or zeroed as a whole.
const SECTOR: usize = 512;

/// The damage to one file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip,
    Zero,
    Tear,
    Cut,
    Empty,
    Remove,
}

/// Copies the directory of a process that was killed.
pub fn copied(from: &Path, to: &Path) -> Result<()> {
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).context(file)?;
    }
    Ok(())
}

/// Damages a file of the directory, most often the database or its log; what was done.
pub fn damage(directory: &Path, chance: &mut Chance) -> Result<String> {
    let file = *FILES.get(usize::try_from(chance.draw() % 40)? / 15).context("a file")?;
    let file = if chance.draw().is_multiple_of(10) { "stepwell.db-mark" } else { file };
    let kinds = [Damage::Flip, Damage::Flip, Damage::Flip, Damage::Zero, Damage::Tear, Damage::Cut];
    let kind = match chance.draw() % 40 {
        0 => Damage::Empty,
        1 => Damage::Remove,
        other => *kinds.get(usize::try_from(other)? % kinds.len()).context("a kind")?,
    };
    let path = directory.join(file);
    let mut content = fs::read(&path)?;
    let place = usize::try_from(chance.draw() % u64::try_from(content.len().max(1))?)?;
    let begin = place / SECTOR * SECTOR;
    let sector = begin..(begin + SECTOR).min(content.len());
    match kind {
        Damage::Flip => content.get_mut(place).into_iter().for_each(|byte| *byte ^= 1 << (place % 8)),
        Damage::Zero => content.get_mut(sector).into_iter().for_each(|sector| sector.fill(0)),
        // The content of another sector of the file.
        Damage::Tear => content.copy_within(0..sector.len(), sector.start),
        Damage::Cut => content.truncate(place),
        Damage::Empty => content.clear(),
        Damage::Remove => {
            fs::remove_file(&path)?;
            return Ok(format!("{file} removed"));
        }
    }
    fs::write(&path, content)?;
    Ok(format!("{kind:?} of {file} at {place}"))
}
