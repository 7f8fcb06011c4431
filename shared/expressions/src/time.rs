//! Timestamps as AWS takes them: RFC 3339 with `T` and a zone.
//!
//! Deliberately absent: everything else ISO 8601 allows (a space instead of `T`, no zone, week dates); AWS refuses
//! those, so a general parser would be too generous.

use jiff::civil::DateTime;

/// Nanoseconds of a millisecond.
const NANOSECONDS: i128 = 1_000_000;

/// A point in time, to the nanosecond: any that has a date with a year of four digits in some zone.
///
/// `jiff::Timestamp` ends a day before the last of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Since 1970, UTC.
    nanoseconds: i128,
}

impl Instant {
    /// Milliseconds since 1970, the finer part cut off towards the past.
    pub fn floor_milliseconds(self) -> i64 {
        // Four digits of a year are far within 64 bits of milliseconds.
        i64::try_from(self.nanoseconds.div_euclid(NANOSECONDS)).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970, rounded up.
    pub fn ceiling_milliseconds(self) -> i64 {
        let whole = self.nanoseconds.rem_euclid(NANOSECONDS) == 0;
        self.floor_milliseconds().saturating_add(i64::from(!whole))
    }
}

/// The instant a text names, or `None` if it is not `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`.
///
/// The fraction has up to nine digits.
// AWS: `2016-12-05 21:29:29Z` and `2016-12-05T21:29:29` are refused, nine fraction digits are accepted (recorded).
// AWS: unverified: lower case `t` and `z`, and a time without seconds, are refused here.
pub fn parse_timestamp(text: &str) -> Option<Instant> {
    let rest = matches_shape(text.as_bytes(), b"0000-00-00T00:00:00")?;
    // Java's clock has no leap seconds.
    if text.get(17..19)? > "59" {
        return None;
    }
    let zone = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            fraction.get(digits..)?
        }
        _ => rest,
    };
    let civil: DateTime = text.get(..text.len().checked_sub(zone.len())?)?.parse().ok()?;
    let local = civil.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_nanos();
    Some(Instant { nanoseconds: local - i128::from(offset(zone)?) * 1_000 * NANOSECONDS })
}

/// The seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i32> {
    let (sign, distance) = match zone.split_first()? {
        (b'Z', []) => return Some(0),
        (b'+', distance) => (1, distance),
        (b'-', distance) => (-1, distance),
        _ => return None,
    };
    if !matches_shape(distance, b"00:00")?.is_empty() {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + i32::from(digit - b'0'));
    let (hours, minutes) = (number(distance.get(..2)?), number(distance.get(3..)?));
    // Java's offsets end at 18 hours.
    (hours <= 18 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60)
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
