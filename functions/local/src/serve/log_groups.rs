//! Log groups on one machine: a file for each in a directory, or standard output.
//!
//! Records are written by a thread of their own as soon as it gets to them, in the order in which they came. Between, they
//! take memory up to a bound. A group that cannot be written loses its records and says so in the log: never does an
//! execution wait for it or fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context;
use engine::ports::Logs;

/// Bytes of records that wait to be written; those that come on top are lost.
const MOST_WAITING: usize = 32 << 20;
/// Bytes that are written together, about.
const TOGETHER: usize = 1 << 20;
/// How long the end of the process waits until all is written, and how often it looks.
const FLUSH: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
/// Groups that are remembered as unwritable, so that each is logged once.
const MOST_TROUBLED: usize = 1_000;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    StandardOutput,
    /// The directory of the groups' files.
    Directory(PathBuf),
}

impl From<&Path> for Destination {
    fn from(path: &Path) -> Destination {
        if path.as_os_str() == "-" { Destination::StandardOutput } else { Destination::Directory(path.to_owned()) }
    }
}

pub struct LogGroups {
    queue: Sender<Batch>,
    waiting: Arc<Waiting>,
}

/// Records of one group, a line each.
struct Batch {
    group: String,
    lines: String,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Records that found no room since that was last logged.
    lost: AtomicU64,
}

impl LogGroups {
    /// Opens the destination, and begins to write what comes.
    pub fn open(destination: Destination) -> anyhow::Result<LogGroups> {
        if let Destination::Directory(path) = &destination {
            let mut builder = DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            let made = builder.recursive(true).create(path);
            made.with_context(|| format!("the directory of log groups {}", path.display()))?;
        }
        let (queue, batches) = channel();
        let waiting = Arc::new(Waiting::default());
        let mut writer = Writer { destination, batches, waiting: waiting.clone(), troubled: BTreeSet::new() };
        std::thread::Builder::new().name("log groups".to_owned()).spawn(move || writer.run())?;
        Ok(LogGroups { queue, waiting })
    }

    /// Waits until all that was delivered is written, for five seconds at most.
    pub async fn flush(&self) {
        let written = async {
            while self.waiting.bytes.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(FLUSH, written).await.is_err() {
            let bytes = self.waiting.bytes.load(Ordering::Acquire);
            tracing::error!(bytes, "log groups: records not written within 5 seconds, they are lost");
        }
    }
}

impl Logs for LogGroups {
    fn deliver(&self, log_group: &str, records: Vec<String>) {
        let bytes = records.iter().map(|record| record.len().saturating_add(1)).sum::<usize>();
        let before = self.waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        // One batch always finds room in an empty queue, however large.
        if before > 0 && before.saturating_add(bytes) > MOST_WAITING {
            self.waiting.bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.waiting.lost.fetch_add(records.len() as u64, Ordering::AcqRel);
            return;
        }
        let lines = records.into_iter().fold(String::with_capacity(bytes), |lines, record| lines + &record + "\n");
        if self.queue.send(Batch { group: log_group.to_owned(), lines }).is_err() {
            // The writer ends with the queue, or by a defect of its own.
            self.waiting.bytes.fetch_sub(bytes, Ordering::AcqRel);
            tracing::error!(log_group, "log groups: the writer has ended, records are lost");
        }
    }
}

struct Writer {
    destination: Destination,
    batches: Receiver<Batch>,
    waiting: Arc<Waiting>,
    /// Groups whose last write failed.
    troubled: BTreeSet<String>,
}

impl Writer {
    /// Writes until nothing can come any more.
    fn run(&mut self) {
        while let Ok(first) = self.batches.recv() {
            let (mut bytes, mut groups) = (0usize, BTreeMap::<String, String>::new());
            let mut next = Some(first);
            while let Some(Batch { group, lines }) = next.take() {
                bytes = bytes.saturating_add(lines.len());
                groups.entry(group).or_default().push_str(&lines);
                next = if bytes < TOGETHER { self.batches.try_recv().ok() } else { None };
            }
            for (group, lines) in groups {
                let written = self.destination.write(&group, &lines);
                self.note(group, written);
            }
            self.waiting.bytes.fetch_sub(bytes, Ordering::AcqRel);
            let records = self.waiting.lost.swap(0, Ordering::AcqRel);
            if records > 0 {
                tracing::error!(records, "log groups: written too slowly, records are lost");
            }
        }
    }

    /// Logs the first failure of a group, and that it is over.
    fn note(&mut self, log_group: String, written: io::Result<()>) {
        match written {
            Ok(()) if self.troubled.remove(&log_group) => {
                tracing::warn!(log_group, "log groups: written again");
            }
            Ok(()) => {}
            Err(error) if !self.troubled.contains(&log_group) => {
                tracing::error!(log_group, %error, "log groups: not written, records are lost until it can be");
                if self.troubled.len() < MOST_TROUBLED {
                    self.troubled.insert(log_group);
                }
            }
            Err(_) => {}
        }
    }
}

impl Destination {
    fn write(&self, group: &str, lines: &str) -> io::Result<()> {
        match self {
            Destination::StandardOutput => {
                let mut out = io::stdout().lock();
                out.write_all(lines.as_bytes())?;
                out.flush()
            }
            Destination::Directory(path) => {
                let mut options = OpenOptions::new();
                options.create(true).append(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                options.open(path.join(file_name(group)))?.write_all(lines.as_bytes())
            }
        }
    }
}

/// The file of a group: its name, with what is more than letters, digits, `.`, `_` and `-` as `%` and two digits. A text that
/// is no ARN of a log group is a name itself.
fn file_name(group: &str) -> String {
    let name = group.split_once(":log-group:").map_or(group, |(_, name)| name);
    let name = name.strip_suffix(":*").unwrap_or(name);
    let mut file = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => file.push(char::from(byte)),
            other => file.push_str(&format!("%{other:02X}")),
        }
    }
    file + ".log"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/orders:*";

    #[test]
    fn the_file_of_a_group_stays_in_the_directory() {
        let cases = [
            (GROUP, "%2Faws%2Fvendedlogs%2Fstates%2Forders.log"),
            ("arn:aws:logs:us-east-1:123456789012:log-group:plain", "plain.log"),
            ("arn:aws:logs:us-east-1:123456789012:log-group:../up:*", "..%2Fup.log"),
            ("..", "...log"),
            ("", ".log"),
            ("a\\b\0", "a%5Cb%00.log"),
        ];
        for (group, expected) in cases {
            assert_eq!(file_name(group), expected, "{group}");
        }
    }

    #[tokio::test]
    async fn records_are_lines_in_order_and_a_group_that_cannot_be_written_spares_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs");
        let groups = LogGroups::open(Destination::from(&*path)).unwrap();
        fs::create_dir(path.join("blocked.log")).unwrap();
        for number in 0..100 {
            groups.deliver("blocked", vec!["gone".to_owned()]);
            groups.deliver(GROUP, vec![format!("{number}a"), format!("{number}b")]);
        }
        groups.flush().await;
        let written = fs::read_to_string(path.join(file_name(GROUP))).unwrap();
        let expected: String = (0..100).map(|number| format!("{number}a\n{number}b\n")).collect();
        assert_eq!(written, expected);
        fs::remove_dir(path.join("blocked.log")).unwrap();
        groups.deliver("blocked", vec!["back".to_owned()]);
        groups.flush().await;
        assert_eq!(fs::read_to_string(path.join("blocked.log")).unwrap(), "back\n");
    }

    #[test]
    fn records_that_find_no_room_are_counted_and_dropped() {
        let (queue, batches) = channel();
        let groups = LogGroups { queue, waiting: Arc::default() };
        groups.deliver("group", vec!["x".repeat(MOST_WAITING)]);
        groups.deliver("group", vec!["y".to_owned(), "z".to_owned()]);
        assert_eq!(batches.try_iter().count(), 1);
        assert_eq!(groups.waiting.lost.load(Ordering::Acquire), 2);
        assert_eq!(groups.waiting.bytes.load(Ordering::Acquire), MOST_WAITING + 1);
    }
}
