//! Stepwell in one process, durable in one directory, with nothing else installed.
//!
//! [`Directory`] is the store: it implements the service's ports `Journal`, `Documents` and `Starts`. [`TimerQueue`] is
//! the port `Queue`, [`ActivityTasks`] the port `ActivityQueue`. The same contract suite holds these and the DynamoDB and SQS adapters to the same promises.
//!
//! # The directory
//!
//! | file | holds |
//! |---|---|
//! | `stepwell.db` | everything, one SQLite database (`schema.rs` lists its tables) |
//! | `stepwell.db-wal`, `stepwell.db-shm` | SQLite's write-ahead log; absent after a clean stop |
//! | `stepwell.db-mark` | how many commits were acknowledged, see below |
//! | `lock` | the lock that keeps a second process out, and the number of the process that has it |
//!
//! The process that has the lock is the only one there is: claims found in the store at start are a dead process's and
//! are over. A format newer than this program knows is refused, never guessed at. The directory belongs on a local disk:
//! SQLite's log needs shared memory, which network file systems do not give.
//!
//! # What an acknowledgement means
//!
//! One thread owns the connection that writes. It takes everything that waits, up to a bound, into one transaction,
//! commits it with one fsync, and only then answers all of it. SQLite makes a commit visible to readers after that
//! fsync, so no reader sees a commit that a power cut could take back. [`Durability`] relaxes this on request.
//!
//! When the disk fails, in a commit or in a checkpoint, nothing is acknowledged any more until the directory is opened
//! again: after a failed fsync the kernel may have thrown away what it reported as written. A full disk is no such
//! failure: what did not fit is answered with an error, and what fits later is written.
//!
//! # Damage
//!
//! Files that were torn, cut off, flipped, zeroed or removed are found out, one damage at a time: either all that was
//! acknowledged is read, or an error names the file, what is wrong with it and what to do. Nothing is repaired but by
//! SQLite's own recovery of the log, which ends at the last whole commit. Which damage is found when, and how:
//!
//! - Lost commits, by the start: the database counts its commits and the mark keeps the last number that was acknowledged
//!   (`mark.rs`). A log that is missing, cut off or damaged, and a database that is an older copy, have fewer.
//! - The tables that a start relies on, by the start: every page and every index, as SQLite checks them.
//!   Records are not checked then, since there may be any number of them.
//! - A row's content, by its reader: its digest (`digest.rs`). That of an execution concerns this execution only,
//!   and the others go on; damage that SQLite finds in its pages while it writes ends all acknowledgements.
//!
//! Not found out: damage to several files at once that fits together (a log removed with its mark), commits that power loss
//! takes after the last mark that reached the disk and that a disk then does not have although it said so, the name,
//! times and versions that a list shows beside an execution's own, and anything in `relaxed` durability that was committed since the
//! last time the directory was open in `full`.
//!
//! # Retention, backup
//!
//! [`Directory::sweep`] removes closed executions after the retention, a bounded piece per call, and gives their space
//! back to the file system. Revisions of definitions stay: which execution pins which is known to the service only, and
//! a definition that is missing would be worse than one that is kept.
//!
//! A backup is made by [`Directory::backup_to`] while the process runs, by `sqlite3 stepwell.db "VACUUM INTO
//! 'elsewhere/stepwell.db'"`, or by copying the whole directory while the process is stopped (copying `stepwell.db`
//! alone while it runs loses what is in the log). To restore one, open it: a backup is a directory. In the
//! place of a database that went on since, its mark has to go as well, or what is missing is noticed. It holds the
//! installation's key, so it is as secret as the original. Executions that were open go on from the moment of the backup,
//! so what they did after it is done again: restore it in place of the lost directory, not beside it.
//!
//! # Why SQLite
//!
//! People can open it, copy it and repair it with tools they have; incremental vacuum returns space while running; an
//! index on a due time or a status is a line of SQL. Measured on two cores and one ordinary disk, records of 1.5 KB in
//! random bytes with their listing, fsync per commit, records per second:
//!
//! | records per commit | SQLite, pages of 4 KiB, keyed by ARN | SQLite as here | redb 4.6 |
//! |---|---|---|---|
//! | 1 | 4,800 | 4,900 | 3,500 |
//! | 16 | 22,000 | 34,000 | 24,000 |
//! | 64 | 31,000 | 50,000 to 59,000 | 54,000 |
//! | bytes on disk per record | 4,800 | 1,700 | 2,900 |
//!
//! "As here" is what the difference in shape is worth: pages of 8 KiB, and records in a table keyed by one number of
//! execution and sequence, so that new ones are added at the ends of runs and several fit a page. Through the ports, with
//! the runtime's and the threads' own work on the same two cores: 3,000 to 3,400 appends a second by one task, 16,000 by 64,
//! 21,000 by 256, and opening a directory takes 3 to 6 ms.
//!
//! # Deliberately absent
//!
//! Knowledge of what a record's body says, compression (bodies arrive compressed), any decision about an execution, and
//! the content of anything in logs or errors.

mod activities;
mod backup;
mod check;
mod digest;
mod directory;
mod documents;
mod failure;
mod journal;
mod mark;
mod queue;
mod readers;
mod retention;
mod schema;
mod starts;
mod writer;

pub use activities::ActivityTasks;
pub use directory::{Directory, Durability, OpenError, Options, create_directory, open_private, sync_directory};
pub use queue::{TimerQueue, Wake};
pub use retention::Swept;
