//! The memory that the machine gives this process: the least of what its cgroup allows and what there is.

use std::fs;

/// Where the limit of a cgroup stands, of either version, as a process in a container sees its own.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
const MACHINE: &str = "/proc/meminfo";
/// Where nothing says how much there is.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of memory.
pub fn available() -> u64 {
    let limits = LIMITS.iter().filter_map(|path| bytes(&fs::read_to_string(path).ok()?));
    let machine = fs::read_to_string(MACHINE).ok().and_then(|text| total(&text));
    limits.chain(machine).min().unwrap_or(UNKNOWN)
}

/// A cgroup's limit; `None` where it has none.
fn bytes(limit: &str) -> Option<u64> {
    limit.trim().parse().ok()
}

/// The line `MemTotal: 123 kB`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_linux_writes_them() {
        assert_eq!((bytes("max\n"), bytes("536870912\n")), (None, Some(512 << 20)));
        assert_eq!(total("MemTotal:        2048 kB\nMemFree:         7 kB\n"), Some(2 << 20));
        assert_eq!(total("SwapTotal: 1 kB"), None);
        assert!(available() > 0);
    }
}
