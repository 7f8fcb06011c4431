//! Timestamps as AWS takes them: RFC 3339 with `T` and a zone.
//!
//! Deliberately absent: everything else ISO 8601 allows (a space instead of `T`, no zone, week dates); AWS refuses
//! those, so a general parser would be too generous.

use jiff::Timestamp;

/// The instant a text names, or `None` if it is not `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`.
///
/// The fraction has up to nine digits.
// AWS: `2016-12-05 21:29:29Z` and `2016-12-05T21:29:29` are refused, nine fraction digits are accepted (recorded).
// AWS: unverified: lower case `t` and `z`, and a time without seconds, are refused here.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let rest = matches_shape(text.as_bytes(), b"0000-00-00T00:00:")?;
    let rest = matches_shape(rest, b"00")?;
    // Java's clock has no leap seconds.
    if text.get(17..19)? > "59" {
        return None;
    }
    let rest = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            fraction.get(digits..)?
        }
        _ => rest,
    };
    if rest != b"Z" && !matches_shape(rest.get(1..)?, b"00:00")?.is_empty() {
        return None;
    }
    if !matches!(rest.first(), Some(b'Z' | b'+' | b'-')) {
        return None;
    }
    // Java's offsets end at 18 hours.
    if rest.get(1..3).is_some_and(|hours| hours > b"18") {
        return None;
    }
    text.parse().ok()
}

/// The rest of `text` behind `shape`, where a `0` of the shape stands for any digit.
fn matches_shape<'t>(text: &'t [u8], shape: &[u8]) -> Option<&'t [u8]> {
    let (head, tail) = text.split_at_checked(shape.len())?;
    let fits = head.iter().zip(shape).all(|(byte, wanted)| match wanted {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    });
    fits.then_some(tail)
}
