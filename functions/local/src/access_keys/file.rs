//! `keys.json` in the data directory: the master from which secrets are derived, and what each key may do.
//!
//! The file is for its owner only and is replaced by renaming, so that a server that reads it sees the old or the new keys. No
//! secret of a key is in it, but the master is: the file is as secret as the keys are. `keys.lock` keeps two commands from
//! changing it at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::access::Role;
use keys::policy::Policy;
use keys::secret::Master;
use serde::{Deserialize, Serialize};

const NAME: &str = "keys.json";
const FORMAT: u32 = 1;
/// A larger file is refused.
const MOST_BYTES: u64 = 16 << 20;

/// What the file says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    format: u32,
    /// 32 bytes in base64.
    master: String,
    pub keys: Vec<Key>,
}

/// A key, but for its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub grant: Grant,
    /// In seconds since 1970, like `expires`.
    pub created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grant {
    /// A role by name, for the state machines that a pattern covers.
    Role { role: String, machines: String },
    /// A policy document.
    Policy(serde_json::Value),
}

impl Grant {
    /// The policy, if it is understood.
    pub fn policy(&self) -> anyhow::Result<Policy> {
        let read = match self {
            Grant::Role { role, machines } => Role::named(role)
                .ok_or_else(|| format!("there is no role {role}: read, run, answer, deploy or admin"))
                .and_then(|role| role.policy(machines)),
            Grant::Policy(document) => Policy::read(&document.to_string()),
        };
        read.map_err(anyhow::Error::msg)
    }
}

impl KeyFile {
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(NAME)
    }

    /// The file of a data directory; `None` without one.
    pub fn read(directory: &Path) -> anyhow::Result<Option<KeyFile>> {
        let path = KeyFile::path(directory);
        let read = || -> anyhow::Result<Option<KeyFile>> {
            let file = match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                opened => opened?,
            };
            let mut text = String::new();
            file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
            anyhow::ensure!(text.len() as u64 <= MOST_BYTES, "it has more than {} MiB", MOST_BYTES >> 20);
            let file: KeyFile = serde_json::from_str(&text)?;
            anyhow::ensure!(file.format == FORMAT, "its format is {}, and this program knows {FORMAT}", file.format);
            Ok(Some(file))
        };
        read().with_context(|| format!("the keys {}", path.display()))
    }

    /// Changes the file of a data directory, which is made when there is none; a change that fails changes nothing.
    pub fn change<T>(directory: &Path, change: impl FnOnce(&mut KeyFile) -> anyhow::Result<T>) -> anyhow::Result<T> {
        embedded::create_directory(directory)?;
        let lock = embedded::open_private(&directory.join("keys.lock"))?;
        lock.lock()?;
        let mut file = KeyFile::read(directory)?.map_or_else(KeyFile::new, Ok)?;
        let changed = change(&mut file)?;
        let (path, new) = (KeyFile::path(directory), directory.join("keys.json.new"));
        let mut written = embedded::open_private(&new)?;
        written.set_len(0)?;
        written.write_all(serde_json::to_string_pretty(&file)?.as_bytes())?;
        written.sync_all()?;
        std::fs::rename(&new, &path)?;
        embedded::sync_directory(directory)?;
        Ok(changed)
    }

    fn new() -> anyhow::Result<KeyFile> {
        Ok(KeyFile { format: FORMAT, master: STANDARD.encode(random::<32>()?), keys: Vec::new() })
    }

    pub fn master(&self) -> anyhow::Result<Master> {
        let bytes = STANDARD.decode(&self.master).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Master::new).context("the master in keys.json is not 32 bytes in base64")
    }

    /// The newest key of that name or id.
    pub fn find(&self, name_or_id: &str) -> anyhow::Result<&Key> {
        let found = self.keys.iter().rfind(|key| key.id == name_or_id || key.name == name_or_id);
        found.with_context(|| format!("there is no key {name_or_id}"))
    }
}

/// Bytes of the operating system's chance.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Keys as a server needs them.
pub struct Ring {
    pub master: Master,
    pub keys: BTreeMap<String, Held>,
}

/// A key on the ring.
pub struct Held {
    pub name: String,
    pub policy: Policy,
    expires: Option<i64>,
}

impl Held {
    pub fn is_valid(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Ring {
    pub fn of(file: &KeyFile) -> anyhow::Result<Ring> {
        let held = file.keys.iter().map(|key| {
            let policy = key.grant.policy().with_context(|| format!("the key {}", key.id))?;
            Ok((key.id.clone(), Held { name: key.name.clone(), policy, expires: key.expires }))
        });
        Ok(Ring { master: file.master()?, keys: held.collect::<anyhow::Result<_>>()? })
    }

    /// The ring that no request has a key of.
    pub fn without_keys() -> Ring {
        Ring { master: Master::new([0; 32]), keys: BTreeMap::new() }
    }
}
