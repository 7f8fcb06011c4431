//! The shared part of the targets: where they begin, and which panics are findings.
//!
//! The readers under test are those of `stepwell_tests::fuzzed`; a target is one of them by name.

use std::backtrace::Backtrace;
use std::fs;
use std::panic::{self, PanicHookInfo};
use std::path::Path;
use std::sync::Once;

use stepwell_tests::fuzzed::{self, Target};

pub use libfuzzer_sys::fuzz_target;

/// Makes a binary the target of this name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        $crate::fuzz_target!(
            init: $crate::plant($name),
            |bytes: &[u8]| { $crate::feed($name, bytes); }
        );
    };
}

/// Puts the target's seeds into the corpus that it is about to read.
pub fn plant(name: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let planted = fs::create_dir_all(&corpus).and_then(|()| {
        let mut seeds = (0..).zip((target(name).seeds)());
        seeds.try_for_each(|(number, seed)| fs::write(corpus.join(format!("seed-{number}")), seed))
    });
    planted.expect("the corpus cannot be written");
}

/// Feeds the target. A panic is a finding wherever it is caught, but for those of the JSONata engine, which its adapter
/// expects and answers as errors.
pub fn feed(name: &str, bytes: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| panic::set_hook(Box::new(judge)));
    (target(name).feed)(bytes);
}

fn target(name: &str) -> &'static Target {
    fuzzed::target(name).expect("no such target")
}

fn judge(panic: &PanicHookInfo<'_>) {
    let of_the_engine = panic.location().is_some_and(|place| place.file().contains("jsonata-core"));
    if !of_the_engine {
        eprintln!("{panic}\n{}", Backtrace::force_capture());
        std::process::abort();
    }
}
