//! The `stepwell` command, which has to end by itself within a limit.

use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Far more than any of these takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The command without arguments, and with nothing on its standard input.
pub fn stepwell() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepwell"));
    command.stdin(Stdio::null());
    command
}

/// Runs the command to its end. One that takes longer than [`LIMIT`] is killed, and its test sees no exit code.
pub fn output(command: &mut Command) -> io::Result<Output> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (id, (done, over)) = (child.id().to_string(), mpsc::channel::<()>());
    let limit = thread::spawn(move || {
        if over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // When it has just ended, there is nothing to kill.
            let _killed = Command::new("kill").args(["-KILL", &id]).status();
        }
    });
    let output = child.wait_with_output();
    drop(done);
    let _joined = limit.join();
    output
}
