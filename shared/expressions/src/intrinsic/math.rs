//! The functions on numbers.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;

use super::call::{Failure, integer};
use crate::chance::Chance;

// AWS: each number is rounded before they are added: 1.49 + 1.5 is 3 (recorded).
pub(super) fn add(values: &[Value]) -> Result<Value, Failure> {
    let sum = integer(values, 0)?.checked_add(integer(values, 1)?);
    sum.map(Value::from).ok_or_else(|| "The sum is out of range".to_owned())
}

/// A whole number from the first argument to before the second; with a seed always the same.
// AWS: the numbers a seed gives are not known, only that they are the same each time.
pub(super) fn random(values: &[Value], chance: &Chance) -> Result<Value, Failure> {
    let (start, end) = (integer(values, 0)?, integer(values, 1)?);
    let range = end.checked_sub(start).and_then(|range| u64::try_from(range).ok()).filter(|range| *range > 0);
    // AWS: unverified wording.
    let range = range.ok_or("The start number must be less than the end number")?;
    let drawn = match values.get(2) {
        None => chance.below(range),
        Some(_) => {
            let seed = integer(values, 2)?;
            let mut generator = ChaCha12Rng::seed_from_u64(seed.cast_unsigned());
            generator.next_u64() % range
        }
    };
    let number = start.checked_add_unsigned(drawn).ok_or("The number is out of range")?;
    Ok(number.into())
}
