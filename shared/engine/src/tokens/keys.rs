//! An installation's keys: it signs with the first, and accepts what any of them signed.
//!
//! So a key can be replaced while tokens are out: every process knows the new one before any process signs with it, and the
//! old one for as long as a client may answer with a token that it signed. Operators speak of keys by their names, which
//! reveal nothing of them.

use std::fmt;
use std::iter;

use sha2::{Digest, Sha256};

pub(super) const KEY_BYTES: usize = 32;
/// Keys at a time: two while one is replaced, and more for an operator who replaces one before its predecessor is over.
const MOST: usize = 4;

/// Keys, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    first: [u8; KEY_BYTES],
    others: Vec<[u8; KEY_BYTES]>,
}

impl Keys {
    pub fn one(key: [u8; KEY_BYTES]) -> Keys {
        Keys { first: key, others: Vec::new() }
    }

    /// Keys as they are stored: one after another. `None` when these are none.
    pub fn read(bytes: &[u8]) -> Option<Keys> {
        let (keys, []) = bytes.as_chunks() else { return None };
        let (first, others) = keys.split_first()?;
        Some(Keys { first: *first, others: others.to_vec() })
    }

    pub fn written(&self) -> Vec<u8> {
        self.all().flatten().copied().collect()
    }

    /// The names of the keys, first the one that signs.
    pub fn names(&self) -> Vec<String> {
        self.all().map(name).collect()
    }

    /// With another key, which verifies and does not sign; an error is why not.
    pub fn with(mut self, key: [u8; KEY_BYTES]) -> Result<Keys, String> {
        if self.others.len() + 1 >= MOST {
            return Err(format!("there are {MOST} keys: drop one first"));
        }
        self.others.push(key);
        Ok(self)
    }

    /// With this key as the one that signs; as they are, when it is.
    pub fn led_by(&self, named: &str) -> Result<Keys, String> {
        let first = *self.all().find(|key| name(key) == named).ok_or_else(|| unknown(named))?;
        Ok(Keys { first, others: self.all().filter(|key| **key != first).copied().collect() })
    }

    /// Without this key, which does not sign any more: tokens that it signed are refused.
    pub fn without(mut self, named: &str) -> Result<Keys, String> {
        if name(&self.first) == named {
            return Err(format!("the key {named} signs: use another one first"));
        }
        let before = self.others.len();
        self.others.retain(|key| name(key) != named);
        if self.others.len() < before { Ok(self) } else { Err(unknown(named)) }
    }

    pub(super) fn first(&self) -> &[u8; KEY_BYTES] {
        &self.first
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &[u8; KEY_BYTES]> {
        iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for Keys {
    // By hand: keys are no business of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.names()).finish()
    }
}

fn name(key: &[u8; KEY_BYTES]) -> String {
    let digest = Sha256::new().chain_update(b"the name of the key ").chain_update(key).finalize();
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn unknown(named: &str) -> String {
    format!("there is no key {named}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const NEW: [u8; KEY_BYTES] = [2; KEY_BYTES];

    #[test]
    fn keys_are_whole_and_read_as_they_are_written() {
        for (bytes, keys) in [(0, 0), (31, 0), (32, 1), (33, 0), (64, 2)] {
            let read = Keys::read(&vec![7; bytes]);
            assert_eq!(read.as_ref().map_or(0, |keys| keys.all().count()), keys, "{bytes} bytes");
            assert!(read.is_none_or(|keys| keys.written() == vec![7; bytes]));
        }
    }

    #[test]
    fn a_key_is_replaced_in_three_steps_each_of_which_may_be_taken_twice() -> Result<(), String> {
        let (old, new) = (name(&OLD), name(&NEW));
        let both = Keys::one(OLD).with(NEW)?;
        assert_eq!(both.names(), [old.clone(), new.clone()]);
        let led = both.led_by(&new)?.led_by(&new)?;
        assert_eq!(led.names(), [new.clone(), old.clone()]);
        assert_eq!(led.clone().without(&new), Err(format!("the key {new} signs: use another one first")));
        let alone = led.without(&old)?;
        assert_eq!(alone, Keys::one(NEW));
        assert_eq!(alone.without(&old), Err(format!("there is no key {old}")));
        Ok(())
    }

    #[test]
    fn there_are_four_keys_at_most() {
        let added = (0..MOST as u8).try_fold(Keys::one(OLD), |keys, number| keys.with([number; KEY_BYTES]));
        assert_eq!(added, Err("there are 4 keys: drop one first".to_owned()));
    }
}
