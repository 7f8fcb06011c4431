//! Runs a process and logs what it asks of the files of one directory, by watching its system calls (ptrace).
//!
//! The process is the real one with the real engine; nothing in it knows. It stands still while a call is logged, so
//! a client that it answers afterwards finds the log at least as far as the answer's causes. Linux on x86-64 only, because
//! registers are an architecture's; the process runs several times slower than it would alone. Deliberately absent:
//! memory-mapped writes (SQLite's shared memory is one, and is rebuilt from the log), renames, other processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::disk::{Log, Operation};

const BEGIN_LIMIT: Duration = Duration::from_secs(20);
/// The value of rax when a system call begins.
const BEGINS: i64 = -libc::ENOSYS as i64;
/// Stops itself, so that it is watched from its first step on, and becomes the command.
const WAIT_FOR_WATCHER: &str = "kill -STOP $$; exec \"$@\"";

/// A process under watch. It is killed when this is dropped.
pub struct Traced {
    process: Pid,
    watcher: Option<JoinHandle<Result<()>>>,
    log: Arc<Mutex<Log>>,
    dying: Arc<AtomicBool>,
}

impl Traced {
    /// Runs `program` and logs what it does in `directory`, which is absolute and has no links in it. `ticks` is the
    /// length of the log, at any time.
    pub fn spawn(program: &Path, arguments: &[String], directory: &Path, ticks: Arc<AtomicU64>) -> Result<Self> {
        crate::watchdog::watch();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut command = Command::new("sh");
        command.args(["-c", WAIT_FOR_WATCHER, "sh"]).arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, started) = mpsc::channel();
        let dying = Arc::new(AtomicBool::new(false));
        let watcher = Watcher {
            directory: directory.to_owned(),
            log: Arc::clone(&log),
            ticks,
            begun: BTreeMap::new(),
            dying: Arc::clone(&dying),
        };
        // All requests about a process have to come from the thread that watches it.
        let watcher = thread::spawn(move || watcher.watch(command, &sender));
        let process = match started.recv_timeout(BEGIN_LIMIT) {
            Ok(process) => process,
            Err(RecvTimeoutError::Timeout) => anyhow::bail!("the process does not begin"),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = watcher.join().ok().context("the watcher panicked")?;
                ended?;
                anyhow::bail!("the process ended before it began");
            }
        };
        Ok(Self { process, watcher: Some(watcher), log, dying })
    }

    /// SIGKILL, then the log.
    pub fn kill(mut self) -> Result<Log> {
        self.dying.store(true, Ordering::SeqCst);
        kill(self.process, Signal::SIGKILL)?;
        if let Some(watcher) = self.watcher.take() {
            watcher.join().ok().context("the watcher panicked")??;
        }
        Ok(self.log.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            // It may have ended by itself, and a test that fails already needs no second reason.
            let _ended = kill(self.process, Signal::SIGKILL);
            let _joined = watcher.join();
        }
    }
}

struct Watcher {
    directory: PathBuf,
    log: Arc<Mutex<Log>>,
    ticks: Arc<AtomicU64>,
    /// The call each thread is in, and the length of the log when it began.
    begun: BTreeMap<Pid, (user_regs_struct, usize)>,
    /// The process is being killed: its memory may be gone while it is looked at.
    dying: Arc<AtomicBool>,
}

impl Watcher {
    fn watch(mut self, mut command: Command, started: &mpsc::Sender<Pid>) -> Result<()> {
        let process = Pid::from_raw(i32::try_from(command.spawn()?.id())?);
        waitpid(process, Some(WaitPidFlag::WUNTRACED))?;
        let options = ptrace::Options::PTRACE_O_TRACESYSGOOD
            | ptrace::Options::PTRACE_O_TRACECLONE
            | ptrace::Options::PTRACE_O_TRACEEXEC
            | ptrace::Options::PTRACE_O_EXITKILL;
        ptrace::seize(process, options).context("processes cannot be watched here (ptrace)")?;
        kill(process, Signal::SIGCONT)?;
        ensure!(started.send(process).is_ok(), "nobody waits for the process");
        // Only what this thread watches: other threads wait for processes of their own.
        let ours = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let status = match waitpid(None, Some(ours)) {
                Err(Errno::ECHILD) => return Ok(()),
                Err(Errno::EINTR) => continue,
                status => status?,
            };
            let resumed = match status {
                WaitStatus::PtraceSyscall(thread) => {
                    let seen = self.see(thread);
                    if !self.dying.load(Ordering::SeqCst) {
                        seen?;
                    }
                    ptrace::syscall(thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..) => ptrace::syscall(thread, None),
                WaitStatus::Stopped(thread, signal) => ptrace::syscall(thread, Some(signal)),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    self.begun.remove(&thread);
                    Ok(())
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => Ok(()),
            };
            // A thread that was killed while it stood still is gone.
            if !matches!(resumed, Ok(()) | Err(Errno::ESRCH)) {
                resumed?;
            }
        }
    }

    /// A thread stands at the beginning or the end of a call.
    fn see(&mut self, thread: Pid) -> Result<()> {
        let registers = match ptrace::getregs(thread) {
            Err(Errno::ESRCH) => return Ok(()),
            registers => registers?,
        };
        let result = registers.rax.cast_signed();
        match self.begun.remove(&thread) {
            None if result == BEGINS => {
                let length = self.log.lock().unwrap_or_else(PoisonError::into_inner).operations.len();
                self.begun.insert(thread, (registers, length));
            }
            // The end of a call whose beginning was before the watch.
            None => {}
            Some((call, length)) => {
                if let Ok(result) = usize::try_from(result)
                    && let Some(operation) = self.operation(thread, &call, result, length)?
                {
                    let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.operations.push(operation);
                    self.ticks.store(u64::try_from(log.operations.len())?, Ordering::SeqCst);
                }
            }
        }
        Ok(())
    }

    /// The effect of a successful call on the directory, if any.
    fn operation(
        &self,
        thread: Pid,
        call: &user_regs_struct,
        result: usize,
        length: usize,
    ) -> Result<Option<Operation>> {
        let number = call.orig_rax.cast_signed();
        Ok(match number {
            libc::SYS_pwrite64 | libc::SYS_write => {
                let Some(file) = self.open_file(thread, call.rdi) else { return Ok(None) };
                let offset = if number == libc::SYS_pwrite64 {
                    usize::try_from(call.r10)?
                } else {
                    position(thread, call.rdi)?.saturating_sub(result)
                };
                let mut bytes = vec![0; result];
                File::open(format!("/proc/{thread}/mem"))?.read_exact_at(&mut bytes, call.rsi)?;
                Some(Operation::Write { file, offset, bytes })
            }
            libc::SYS_ftruncate => self
                .open_file(thread, call.rdi)
                .map(|file| Ok::<_, anyhow::Error>(Operation::Truncate { file, length: usize::try_from(call.rsi)? }))
                .transpose()?,
            libc::SYS_fsync | libc::SYS_fdatasync => {
                self.open_file(thread, call.rdi).map(|file| Operation::Sync { file, from: length })
            }
            libc::SYS_unlink => self.named_file(thread, call.rdi)?.map(|file| Operation::Remove { file }),
            libc::SYS_unlinkat => self.named_file(thread, call.rsi)?.map(|file| Operation::Remove { file }),
            _ => None,
        })
    }

    /// The name within the directory of what a thread has open under a number.
    fn open_file(&self, thread: Pid, descriptor: u64) -> Option<String> {
        self.within(&fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()?)
    }

    /// The name within the directory of what a path in a thread's memory names.
    fn named_file(&self, thread: Pid, address: u64) -> Result<Option<String>> {
        let mut bytes = vec![0; 4096];
        let read = File::open(format!("/proc/{thread}/mem"))?.read_at(&mut bytes, address)?;
        bytes.truncate(read);
        let path = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(self.within(Path::new(&*String::from_utf8_lossy(path))))
    }

    fn within(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.directory).ok()?.to_str()?;
        // Shared memory is no promise: it is made anew from the log.
        (!name.is_empty() && !name.ends_with("-shm")).then(|| name.to_owned())
    }
}

/// Where a thread's open file stands.
fn position(thread: Pid, descriptor: u64) -> Result<usize> {
    let text = fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("pos:")).context("no position")?;
    Ok(line.trim().parse()?)
}
