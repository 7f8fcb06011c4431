//! `traceHeader`: what an execution shows of the trace that its start belongs to.
//!
//! AWS: captured in 2026, for both types of workflows. Absent: the HTTP header of the same meaning, which gateways and Lambda
//! add on their own, and the publication of traces.

/// The parts of a trace header that count.
#[derive(Default)]
struct Parts<'a> {
    root: Option<&'a str>,
    sampled: Option<&'a str>,
}

/// The header of an execution that is asked for with this one, on a machine with or without tracing. `seed` makes a new root,
/// which begins with the second of the start.
pub(crate) fn shown(asked: Option<&str>, is_traced: bool, second: i64, seed: [u8; 32]) -> Option<String> {
    let parts = match asked {
        None if !is_traced => return None,
        None => Parts::default(),
        Some(asked) => Parts::of(asked),
    };
    match (asked, parts.root, parts.sampled) {
        (Some(asked), Some(_), Some(_)) => Some(asked.to_owned()),
        (Some(asked), Some(_), None) => Some(format!("{asked};Sampled=1")),
        (_, _, sampled) => Some(format!("Root={};Sampled={}", root(second, seed), sampled.unwrap_or("1"))),
    }
}

impl<'a> Parts<'a> {
    /// The parts of a well-formed header; of one with a bad root, its `Sampled` is left.
    fn of(header: &'a str) -> Parts<'a> {
        let mut parts = Parts::default();
        for (name, value) in header.split(';').filter_map(|part| part.split_once('=')) {
            match name {
                "Root" if is_root(value) => parts.root = Some(value),
                "Sampled" if matches!(value, "0" | "1") => parts.sampled = Some(value),
                _ => {}
            }
        }
        parts
    }
}

/// `1-SECONDS-RANDOM`, in 8 and 24 hexadecimal digits.
fn is_root(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    text.starts_with("1-") && hex(1) && hex(8) && hex(24) && parts.next().is_none()
}

fn root(second: i64, seed: [u8; 32]) -> String {
    let random: String = seed.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("1-{:08x}-{random}", second & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Root=1-66f2aa10-0123456789abcdef01234567";

    fn header(asked: Option<&str>, is_traced: bool) -> Option<String> {
        shown(asked, is_traced, 0x1234_5678, [0xab; 32])
    }

    #[test]
    fn a_header_is_kept_completed_or_made_as_aws_does() {
        let made = |sampled: &str| Some(format!("Root=1-12345678-{};Sampled={sampled}", "ab".repeat(12)));
        let whole = format!("{ROOT};Parent=0123456789abcdef;Sampled=0");
        for is_traced in [true, false] {
            assert_eq!(header(Some(&whole), is_traced), Some(whole.clone()));
            assert_eq!(header(Some(ROOT), is_traced), Some(format!("{ROOT};Sampled=1")));
            for malformed in ["", "nonsense", "Root=2-66f2aa10-0123456789abcdef01234567", "Root=1-66f2aa10;Sampled=1"] {
                assert_eq!(header(Some(malformed), is_traced), made("1"), "{malformed}");
            }
            assert_eq!(header(Some("Root=bad;Sampled=0"), is_traced), made("0"));
        }
        assert_eq!((header(None, true), header(None, false)), (made("1"), None));
    }
}
