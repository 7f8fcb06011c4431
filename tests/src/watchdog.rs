//! Ends a test binary in which a test hangs, and names the test: cargo's own harness would wait for ever.
//!
//! Everything here that starts what a test can wait for (a server, an emulator, a simulated fleet, a program) calls
//! [`watch`]. The test on that thread then has [`LIMIT`] to end or to start something else; after that its name goes to
//! standard error, the servers it started are killed, and the process ends with [`EXIT_CODE`]. The name is the thread's,
//! which the harness gives it. Waits have shorter limits of their own where they can say more than this does.
//!
//! `STEPWELL_TEST_SECONDS` sets the limit. Deliberately absent: tests that start nothing, which only compute.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::modes::number_in;

/// The time between two starts of anything in a test, and from the last one to its end. A loaded machine multiplies what a
/// quiet one takes.
const LIMIT: Duration = Duration::from_secs(600);
/// For what installs tools or builds programs first.
pub const LIMIT_OF_BUILDS: Duration = Duration::from_secs(2_400);
const PERIOD: Duration = Duration::from_millis(250);
/// That of `timeout`.
pub const EXIT_CODE: i32 = 124;

static WATCHED: Mutex<Watched> = Mutex::new(Watched { tests: BTreeMap::new(), children: BTreeSet::new() });

struct Watched {
    /// By name: when the limit of each ends, and the limit.
    tests: BTreeMap<String, (Instant, Duration)>,
    /// The numbers of processes that would outlive this one.
    children: BTreeSet<u32>,
}

/// The entry of a thread's test. It goes when the thread ends.
struct Entry(String);

impl Drop for Entry {
    fn drop(&mut self) {
        watched().tests.remove(&self.0);
    }
}

thread_local! {
    static ENTRY: Option<Entry> = entry();
}

/// `None` for threads that serve several tests or none: what waits for them is watched.
fn entry() -> Option<Entry> {
    let name = thread::current().name()?.to_owned();
    (!name.starts_with("tokio-")).then_some(Entry(name))
}

fn watched() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The test on this thread has [`LIMIT`] from now on.
pub fn watch() {
    watch_for(LIMIT);
}

/// The same with another limit, which holds until the next call.
pub fn watch_for(limit: Duration) {
    static WATCHDOG: Once = Once::new();
    WATCHDOG.call_once(|| drop(thread::spawn(run)));
    let limit = number_in("STEPWELL_TEST_SECONDS").map_or(limit, Duration::from_secs);
    ENTRY.with(|entry| {
        if let Some(Entry(name)) = entry {
            watched().tests.insert(name.clone(), (Instant::now() + limit, limit));
        }
    });
}

/// A process that has to be killed when a test hangs.
pub(crate) fn started(process: u32) {
    watched().children.insert(process);
}

/// A process that was waited for.
pub(crate) fn ended(process: u32) {
    watched().children.remove(&process);
}

fn run() {
    loop {
        thread::sleep(PERIOD);
        let now = Instant::now();
        let watched = watched();
        let mut late = watched.tests.iter().filter(|(_, (limit, _))| *limit <= now);
        if let Some((test, (_, limit))) = late.next() {
            let running: Vec<&String> = watched.tests.keys().filter(|name| *name != test).collect();
            end(test, *limit, &running, &watched.children);
        }
    }
}

fn end(test: &str, limit: Duration, running: &[&String], children: &BTreeSet<u32>) -> ! {
    let binary = std::env::args().next().unwrap_or_default();
    // There is no other place to tell it.
    let _told = writeln!(
        std::io::stderr(),
        "\nwatchdog: the test {test} hangs: it neither ended nor started anything within {} s. The process ends ({binary}); \
         also running: {running:?}",
        limit.as_secs()
    );
    for child in children {
        // One that has just ended is no loss.
        let _killed = Command::new("kill").args(["-KILL", &child.to_string()]).status();
    }
    std::process::exit(EXIT_CODE)
}
