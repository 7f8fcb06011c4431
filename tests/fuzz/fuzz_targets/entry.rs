//! Any bytes as a stored entry: unreadable, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use service::entry::{Assembly, decode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = decode(0, bytes) {
        let _snapshot = Assembly::of(vec![(0, entry)]).and_then(Assembly::finish);
    }
});
