//! Opens the data directory: makes it, locks it, checks its format, starts its threads.
//!
//! The lock is taken before anything is read and released after the last thread ended, so one process has the directory.
//! Absent: what is stored, in [`crate::schema`]; what the ports promise, in the files named after them.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::check;
use crate::failure::is_damage;
use crate::mark::{MARK, Mark};
use crate::readers::Readers;
use crate::schema::{self, Format};
use crate::writer::Writer;

/// The database's file in the directory.
pub(crate) const DATABASE: &str = "stepwell.db";
const LOCK: &str = "lock";
/// Readings are short and mostly out of memory: more threads than this only wait for processors.
const READERS: usize = 4;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How the directory is kept.
#[derive(Debug, Clone)]
pub struct Options {
    pub durability: Durability,
    /// How long closed executions are kept.
    pub retention: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Full, retention: 90 * DAY }
    }
}

/// The failures that an acknowledged write survives. The words are SQLite's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Power loss: fsync before every acknowledgement.
    Full,
    /// The end of the process, however it comes. Power loss may take the last seconds, but corrupts nothing.
    Normal,
    /// The end of the process. Power loss may corrupt the directory.
    Off,
}

/// Why a directory cannot be used.
#[derive(Debug)]
pub enum OpenError {
    InUse {
        directory: PathBuf,
        /// The process that has it, as far as it left its number.
        process: Option<u32>,
    },
    Newer {
        directory: PathBuf,
        found: i64,
        known: i64,
    },
    /// `stepwell.db` is there and is something else.
    Foreign {
        directory: PathBuf,
    },
    /// `stepwell.db` is not what was written.
    Damaged {
        directory: PathBuf,
        what: String,
    },
    /// Commits that were acknowledged are not there.
    Incomplete {
        directory: PathBuf,
        found: u64,
        acknowledged: u64,
    },
    Files {
        directory: PathBuf,
        error: io::Error,
    },
    Database {
        directory: PathBuf,
        error: rusqlite::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { directory, process } => {
                write!(f, "the data directory {} is in use by ", directory.display())?;
                match process {
                    Some(process) => write!(f, "the process {process}: stop it")?,
                    None => f.write_str("another process: stop it")?,
                }
                f.write_str(", or choose another directory")
            }
            Self::Newer { directory, found, known } => write!(
                f,
                "the data directory {} has format {found}, and this program knows formats up to {known}: use the newer \
                 program that wrote it, or choose another directory",
                directory.display()
            ),
            Self::Foreign { directory } => write!(
                f,
                "{} is not a database of Stepwell: choose another directory, or restore this one from a backup if it was",
                directory.join(DATABASE).display()
            ),
            Self::Damaged { directory, what } => write!(
                f,
                "{} is damaged, {what}: restore the data directory from a backup, or choose another directory",
                directory.join(DATABASE).display()
            ),
            Self::Incomplete { directory, found, acknowledged } => write!(
                f,
                "{} lacks what was acknowledged: {acknowledged} commits were, and it has {found}; {DATABASE}-wal beside \
                 it was damaged, cut off or removed, or it is an older copy: put back what was there, restore a backup \
                 into an empty directory, or remove {MARK} to go on without what is missing",
                directory.join(DATABASE).display()
            ),
            Self::Files { directory, error } => {
                write!(f, "the data directory {} cannot be used: {error}", directory.display())
            }
            Self::Database { directory, error } => {
                write!(f, "{} cannot be opened: {error}", directory.join(DATABASE).display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// An open data directory: the service's `Journal`, `Documents` and `Starts`.
///
/// Dropping it finishes what was asked for, closes the database and gives the lock back; that takes as long as the last
/// commit takes.
pub struct Directory {
    path: PathBuf,
    key: [u8; 32],
    pub(crate) retention: Duration,
    // Dropped in this order: no reader outlives the writer, no thread the lock.
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
    _lock: File,
}

impl Directory {
    /// Opens the directory at `path`, making it (readable by its owner only) when there is none.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let files = |error| OpenError::Files { directory: path.to_owned(), error };
        let database = |error| OpenError::Database { directory: path.to_owned(), error };
        create_directory(path).map_err(files)?;
        check_owner(path).map_err(files)?;
        let lock = lock(path)?;
        let (mut mark, acknowledged) = Mark::open(path).map_err(files)?;
        if let Some(what) = check::before_opening(path, acknowledged).map_err(files)? {
            return Err(OpenError::Damaged { directory: path.to_owned(), what });
        }
        open_private(&path.join(DATABASE)).map_err(files)?;
        let Opened { connection, key, commits } = open_database(path, options.durability)?;
        match acknowledged {
            Some(acknowledged) if commits < acknowledged => {
                return Err(OpenError::Incomplete { directory: path.to_owned(), found: commits, acknowledged });
            }
            _ => {}
        }
        sync_directory(path).map_err(files)?;
        // A power cut may take unsynced commits, so that the next start must not expect them.
        let mark = match options.durability {
            Durability::Full => {
                mark.write(commits).map_err(files)?;
                Some(mark)
            }
            Durability::Normal | Durability::Off => None,
        };
        let connections = (0..READERS).map(|_| open_reader(path)).collect::<Result<_, _>>().map_err(database)?;
        let writer = Writer::start(connection, commits, mark).map_err(files)?;
        let readers = Readers::start(connections).map_err(files)?;
        tracing::debug!(directory = %path.display(), "data directory open");
        Ok(Self { path: path.to_owned(), key, retention: options.retention, readers, writer, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The installation's secret, made when the directory was: what task tokens are signed with.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }
}

impl fmt::Debug for Directory {
    // By hand: the key is no business of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Makes the directory, for its owner only, and makes its name durable.
pub fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Makes the names of the files in a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened as files, and names are durable by themselves.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Opens a file for its owner only, and never through a symbolic link: the directory may have existed before, open to
/// others, and a link in it would lead to any file of this user's.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits());
    }
    options.open(path).map_err(|error| if is_link(&error) { link_refused(path) } else { error })
}

fn link_refused(path: &Path) -> io::Error {
    io::Error::other(format!("{} is a symbolic link", path.display()))
}

#[cfg(unix)]
fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32)
}

#[cfg(not(unix))]
fn is_link(_error: &io::Error) -> bool {
    false
}

/// Refuses a directory of another user's, who could replace its files at any time. The administrator may use any.
#[cfg(unix)]
fn check_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (owner, user) = (std::fs::metadata(path)?.uid(), nix::unistd::geteuid());
    if user.is_root() || owner == user.as_raw() { Ok(()) } else { Err(io::Error::other("it belongs to another user")) }
}

#[cfg(not(unix))]
fn check_owner(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let files = |error| OpenError::Files { directory: path.to_owned(), error };
    let mut file = open_private(&path.join(LOCK)).map_err(files)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse { directory: path.to_owned(), process: read_process(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(files(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(files)?;
    Ok(file)
}

fn read_process(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

struct Opened {
    connection: Connection,
    key: [u8; 32],
    commits: u64,
}

fn open_database(path: &Path, durability: Durability) -> Result<Opened, OpenError> {
    let directory = path.to_owned();
    let database = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { directory: path.to_owned() },
        _ if is_damage(&error) => {
            OpenError::Damaged { directory: path.to_owned(), what: format!("SQLite says '{error}'") }
        }
        _ => OpenError::Database { directory: path.to_owned(), error },
    };
    let mut connection = Connection::open(path.join(DATABASE)).map_err(database)?;
    match schema::examine(&connection).map_err(database)? {
        Format::Ours => {}
        Format::Empty => {
            let mut key = [0; 32];
            getrandom::fill(&mut key)
                .map_err(|error| OpenError::Files { directory: directory.clone(), error: io::Error::other(error) })?;
            schema::create(&mut connection, &key).map_err(database)?;
        }
        Format::Newer(found) => return Err(OpenError::Newer { directory, found, known: schema::VERSION }),
        Format::Foreign => return Err(OpenError::Foreign { directory }),
    }
    if let Some(what) = check::small_tables(&connection).map_err(database)? {
        return Err(OpenError::Damaged { directory, what });
    }
    schema::complete(&mut connection).map_err(database)?;
    schema::prepare_writer(&connection, durability).map_err(database)?;
    let commits = schema::commits(&connection).map_err(database)?.unwrap_or(0);
    match schema::key(&connection).map_err(database)? {
        Some(key) => Ok(Opened { connection, key, commits }),
        None => Err(OpenError::Damaged { directory, what: "its key is missing".to_owned() }),
    }
}

pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path.join(DATABASE), flags)?;
    schema::prepare_reader(&connection)?;
    Ok(connection)
}
