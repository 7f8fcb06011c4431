//! Key ids and their secrets. No secret is stored: it is derived from the key's id by a master that the installation keeps, so
//! a new master ends all keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The beginning of every id.
pub const PREFIX: &str = "SWAK";
/// Characters of an id behind its beginning: 80 bits.
const LETTERS: usize = 16;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bytes of a secret: 40 characters, as AWS's have.
const SECRET_BYTES: usize = 30;

/// The key from which secrets are derived.
#[derive(Clone)]
pub struct Master([u8; 32]);

impl Master {
    pub fn new(bytes: [u8; 32]) -> Master {
        Master(bytes)
    }

    /// The secret of a key.
    pub fn secret(&self, id: &str) -> String {
        let keyed =
            Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        let derived =
            keyed.chain_update(b"stepwell access key 1\n").chain_update(id.as_bytes()).finalize().into_bytes();
        STANDARD.encode(derived.get(..SECRET_BYTES).unwrap_or_default())
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Master(…)")
    }
}

/// A new id, of random bytes.
pub fn id(random: [u8; LETTERS]) -> String {
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().map_or('A', char::from);
    PREFIX.chars().chain(random.iter().map(letter)).collect()
}

/// Whether a text may be an id: others are refused without looking for them.
pub fn is_id(text: &str) -> bool {
    let letters = text.strip_prefix(PREFIX).map(str::as_bytes);
    letters.is_some_and(|letters| letters.len() == LETTERS && letters.iter().all(|letter| ALPHABET.contains(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_keys_and_the_masters_own() {
        let (one, other) = (id([7; LETTERS]), id([8; LETTERS]));
        let master = Master::new([1; 32]);
        assert!(is_id(&one) && one.len() == 20 && !is_id("AKIAIOSFODNN7EXAMPLE") && !is_id("SWAK"));
        assert_eq!(master.secret(&one).len(), 40);
        assert_eq!(master.secret(&one), master.secret(&one));
        assert_ne!(master.secret(&one), master.secret(&other));
        assert_ne!(master.secret(&one), Master::new([2; 32]).secret(&one));
        assert_eq!(format!("{master:?}"), "Master(…)");
    }
}
