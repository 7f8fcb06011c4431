//! `stepwell keys`: makes, lists, ends and checks the access keys of a data directory, beside a running server or without one.

mod file;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use keys::policy::{Decision, Statement};

use crate::serve::text_of;
pub use file::{Grant, Held, Key, KeyFile, Ring};

/// For how long the old key of a rotation stays good.
const OVERLAP: i64 = 24 * 60 * 60;
const MOST_NAME: usize = 64;

#[derive(Args)]
pub struct Options {
    /// Directory that holds everything; it is made when there is none
    #[arg(long, global = true, default_value = "./.stepwell", env = "STEPWELL_DATA_DIR")]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key and print its secret, this once
    Create(Create),
    /// List the keys, without secrets
    List,
    /// End the keys of a name, or the key of an id, at once
    Revoke { key: String },
    /// Make a further key of the same name and rights; the old one is good for 24 hours more
    Rotate { key: String },
    /// Say whether a key may do an action, and by which statement
    Check {
        /// Its name or id
        key: String,
        /// states:StartExecution
        action: String,
        /// ARN of what it is about
        #[arg(default_value = "*")]
        resource: String,
    },
}

#[derive(Args)]
struct Create {
    name: String,
    /// What the key may do: read, run (and read), answer (tasks, alone), deploy (and run), admin (everything)
    #[arg(long, required_unless_present = "policy", conflicts_with = "policy",
          value_parser = ["read", "run", "answer", "deploy", "admin"])]
    role: Option<String>,
    /// Names of the state machines that the role is for, with * and ?
    #[arg(long, value_name = "GLOB", default_value = "*", conflicts_with = "policy")]
    machines: String,
    /// File of a policy like IAM's, with Effect, Action and Resource
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Time after which the key is refused: 90d, 12h, 30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    expires: Option<i64>,
}

/// Runs a command; a check that denies ends with 1.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (directory, now) = (&*options.data_dir, jiff::Timestamp::now().as_second());
    match &options.command {
        Command::Create(create) => print_secret(directory, &created(directory, create, now)?)?,
        Command::List => list(directory, now)?,
        Command::Revoke { key } => revoke(directory, key)?,
        Command::Rotate { key } => print_secret(directory, &rotated(directory, key, now)?)?,
        Command::Check { key, action, resource } => return check(directory, (key, action, resource), now),
    }
    Ok(ExitCode::SUCCESS)
}

fn created(directory: &Path, create: &Create, now: i64) -> anyhow::Result<Key> {
    let name = create.name.clone();
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    anyhow::ensure!(
        !name.is_empty() && name.len() <= MOST_NAME && name.bytes().all(is_good),
        "a name has up to {MOST_NAME} letters, digits and characters of +=,.@_-"
    );
    let grant = match (&create.role, &create.policy) {
        (_, Some(path)) => {
            let read = || anyhow::Ok(Grant::Policy(serde_json::from_str(&text_of(path)?)?));
            read().with_context(|| format!("the policy {}", path.display()))?
        }
        (role, None) => Grant::Role { role: role.clone().unwrap_or_default(), machines: create.machines.clone() },
    };
    grant.policy()?;
    let expires = create.expires.map(|time| now.saturating_add(time));
    let key = Key { id: new_id()?, name, grant, created: now, expires };
    KeyFile::change(directory, |file| {
        anyhow::ensure!(
            file.keys.iter().all(|other| other.name != key.name),
            "there is a key {} already: rotate or revoke it",
            key.name
        );
        file.keys.push(key.clone());
        Ok(key)
    })
}

fn rotated(directory: &Path, name_or_id: &str, now: i64) -> anyhow::Result<Key> {
    let id = new_id()?;
    existing(directory)?;
    KeyFile::change(directory, |file| {
        let old = file.find(name_or_id)?.clone();
        // The new key lives as long as the old one was made for.
        let expires = old.expires.map(|end| now.saturating_add(end.saturating_sub(old.created)));
        let until = now.saturating_add(OVERLAP);
        for key in file.keys.iter_mut().filter(|key| key.id == old.id) {
            key.expires = Some(key.expires.map_or(until, |end| end.min(until)));
        }
        let key = Key { id, created: now, expires, ..old };
        file.keys.push(key.clone());
        Ok(key)
    })
}

fn revoke(directory: &Path, name_or_id: &str) -> anyhow::Result<()> {
    existing(directory)?;
    let ended = KeyFile::change(directory, |file| {
        file.find(name_or_id)?;
        let is_meant = |key: &Key| key.id == name_or_id || key.name == name_or_id;
        let ended: Vec<Key> = file.keys.iter().filter(|key| is_meant(key)).cloned().collect();
        file.keys.retain(|key| !is_meant(key));
        Ok(ended)
    })?;
    let mut out = std::io::stdout().lock();
    for key in ended {
        writeln!(out, "Revoked {} ({})", key.id, key.name)?;
    }
    Ok(out.flush()?)
}

fn list(directory: &Path, now: i64) -> anyhow::Result<()> {
    let file = existing(directory)?;
    let mut out = std::io::stdout().lock();
    for Key { id, name, grant, created, expires } in &file.keys {
        let rights = match grant {
            Grant::Role { role, machines } => format!("{role} on {machines}"),
            Grant::Policy(_) => "own policy".to_owned(),
        };
        let end = match expires {
            None => "no end".to_owned(),
            Some(end) if *end <= now => format!("expired {}", shown(*end)),
            Some(end) => format!("until {}", shown(*end)),
        };
        writeln!(out, "{id}  {name}  {rights}  created {}  {end}", shown(*created))?;
    }
    Ok(out.flush()?)
}

fn check(directory: &Path, (key, action, resource): (&str, &str, &str), now: i64) -> anyhow::Result<ExitCode> {
    let file = existing(directory)?;
    let key = file.find(key)?;
    let name = action.strip_prefix("states:").unwrap_or(action);
    anyhow::ensure!(keys::access::about(name).is_some(), "there is no action {action}");
    let mut out = std::io::stdout().lock();
    if key.expires.is_some_and(|end| end <= now) {
        writeln!(out, "denied: the key has expired")?;
        return Ok(ExitCode::FAILURE);
    }
    let policy = key.grant.policy()?;
    let by = |statement: &Statement| statement.sid.clone().unwrap_or_else(|| "without a Sid".to_owned());
    let decision = policy.decide(&format!("states:{name}"), resource);
    match &decision {
        Decision::Allowed(statement) => writeln!(out, "allowed by statement {}", by(statement))?,
        Decision::Denied(statement) => writeln!(out, "denied by statement {}", by(statement))?,
        Decision::NotAllowed => writeln!(out, "denied: no statement allows it")?,
    }
    Ok(if decision.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Two lines that a shell can take as settings, and what they are on standard error.
fn print_secret(directory: &Path, key: &Key) -> anyhow::Result<()> {
    let secret = existing(directory)?.master()?.secret(&key.id);
    let mut out = std::io::stdout().lock();
    writeln!(out, "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={secret}", key.id)?;
    out.flush()?;
    let _nobody_reads_it = writeln!(std::io::stderr(), "The secret of {} is shown this once.", key.name);
    Ok(())
}

fn existing(directory: &Path) -> anyhow::Result<KeyFile> {
    KeyFile::read(directory)?.with_context(|| format!("{} has no keys", directory.display()))
}

fn new_id() -> anyhow::Result<String> {
    Ok(keys::secret::id(file::random()?))
}

fn shown(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// A number of days, hours or minutes, in seconds.
fn duration(text: &str) -> Result<i64, String> {
    let unit = match text.chars().last() {
        Some('d') => Some(86_400),
        Some('h') => Some(3_600),
        Some('m') => Some(60),
        Some(_) | None => None,
    };
    let count = unit.and_then(|_| text.get(..text.len().saturating_sub(1))?.parse::<u32>().ok());
    let seconds = count.filter(|count| *count > 0).zip(unit).map(|(count, unit)| i64::from(count).saturating_mul(unit));
    seconds.ok_or_else(|| "a time looks like 90d, 12h or 30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!((duration("90d"), duration("12h"), duration("1m")), (Ok(7_776_000), Ok(43_200), Ok(60)));
        for text in ["", "d", "0d", "90", "-1d", "1.5h", "1ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
