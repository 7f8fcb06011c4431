//! Signature Version 4, verified strictly: what the header says, when it was signed, and by whom.
//!
//! In this order: the header's syntax, the date, the key (the caller's), then the body; so that a flood of nonsense costs
//! little. Refusals are AWS's names and texts. A request may be replayed within five minutes, as on AWS: TLS is the guard.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::canonical::{self, Segments, Signed};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a date may be off, in seconds.
const SKEW: i64 = 300;
/// The only header of AWS's that may be unsigned: edge gateways add it.
const ADDED_BY_GATEWAYS: &str = "x-amz-cf-id";

/// Why a request is not taken for that of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name by which SDKs make it an exception.
    pub name: &'static str,
    pub text: String,
}

impl Refusal {
    fn new(name: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { name, text: text.into() }
    }

    fn incomplete(text: impl Into<String>) -> Refusal {
        Refusal::new("IncompleteSignatureException", text)
    }

    fn invalid(text: impl Into<String>) -> Refusal {
        Refusal::new("InvalidSignatureException", text)
    }

    /// The signature is another than the key's.
    pub fn mismatch() -> Refusal {
        Refusal::invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
             Key and signing method. Consult the service documentation for details.",
        )
    }

    /// There is no such key.
    pub fn unknown_key() -> Refusal {
        Refusal::new("UnrecognizedClientException", "The security token included in the request is invalid.")
    }

    fn missing() -> Refusal {
        Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
    }
}

/// The place a request has to be signed for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

/// A header whose syntax, scope and date are right; whose key it is, and whether that signed, is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub key: String,
    /// `YYYYMMDD`
    day: String,
    /// `YYYYMMDDTHHMMSSZ`
    date: String,
    names: Vec<String>,
    signature: [u8; 32],
}

/// Reads the `Authorization` of a request. `now` is in seconds since 1970.
pub fn claimed(signed: &Signed<'_>, scope: Scope<'_>, now: i64) -> Result<Claimed, Refusal> {
    check_headers(signed)?;
    let header = one(signed, "authorization").ok_or_else(Refusal::missing)?;
    let claimed = parse(signed, header, scope)?;
    check_date(&claimed.date, now)?;
    Ok(claimed)
}

impl Claimed {
    /// Verifies the signature with the secret of the key. `path` is the received one and those a gateway may have made of it.
    pub fn verify(&self, signed: &Signed<'_>, secret: &str, scope: Scope<'_>, paths: &[&str]) -> Result<(), Refusal> {
        if let Some(given) = one(signed, "x-amz-content-sha256")
            && given != canonical::hash(signed.body)
        {
            return Err(Refusal::mismatch());
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let key = signing_key(secret, &self.day, scope);
        let is_signed = |path: &&str| {
            let request = canonical::request(&Signed { path, ..*signed }, &names, Segments::Normalized);
            mac(&key, string_to_sign(&self.date, &self.day, scope, &request).as_bytes())
                .verify_slice(&self.signature)
                .is_ok()
        };
        if paths.iter().any(is_signed) { Ok(()) } else { Err(Refusal::mismatch()) }
    }
}

/// What is signed of a canonical request.
pub fn string_to_sign(date: &str, day: &str, scope: Scope<'_>, canonical_request: &str) -> String {
    let Scope { region, service } = scope;
    let hash = canonical::hash(canonical_request.as_bytes());
    format!("{ALGORITHM}\n{date}\n{day}/{region}/{service}/aws4_request\n{hash}")
}

/// The signature of a text, in hexadecimal digits.
pub fn sign(secret: &str, day: &str, scope: Scope<'_>, string_to_sign: &str) -> String {
    canonical::hex(&mac(&signing_key(secret, day, scope), string_to_sign.as_bytes()).finalize().into_bytes())
}

fn signing_key(secret: &str, day: &str, scope: Scope<'_>) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    [day, scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(first, |key, part| mac(&key, part.as_bytes()).finalize().into_bytes().to_vec())
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // A key of HMAC may have any length; the other arm cannot be reached, and verifies nothing.
    let keyed = Hmac::<Sha256>::new_from_slice(key);
    keyed.unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default())).chain_update(text)
}

/// The value of a header that is there once.
fn one<'a>(signed: &Signed<'a>, name: &str) -> Option<&'a str> {
    let mut values = signed.headers.iter().filter(|(known, _)| known == name);
    values.next().filter(|_| values.next().is_none()).map(|(_, value)| value.as_str())
}

fn is_aws(name: &str) -> bool {
    name.starts_with("x-amz-") && name != ADDED_BY_GATEWAYS
}

/// Refuses what a stock client never sends, before anything is computed.
fn check_headers(signed: &Signed<'_>) -> Result<(), Refusal> {
    let is_single =
        |name: &str| matches!(name, "host" | "authorization" | "content-type") || name.starts_with("x-amz-");
    for (place, (name, value)) in signed.headers.iter().enumerate() {
        if is_single(name) && signed.headers.iter().skip(place + 1).any(|(other, _)| other == name) {
            // AWS: unverified wording.
            return Err(Refusal::incomplete(format!("The header '{name}' is there more than once.")));
        }
        match name.as_str() {
            "x-amz-security-token" => return Err(Refusal::unknown_key()),
            "content-encoding" if !value.eq_ignore_ascii_case("identity") => {
                return Err(Refusal::invalid("The body of a signed request has no content encoding."));
            }
            _ => {}
        }
    }
    if signed.query.contains("X-Amz-") {
        // Presigned requests carry their signature in the query.
        return Err(Refusal::missing());
    }
    Ok(())
}

fn parse(signed: &Signed<'_>, header: &str, scope: Scope<'_>) -> Result<Claimed, Refusal> {
    let shown: String = header.chars().take(60).collect();
    let Some(fields) = header.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with(' ')) else {
        return Err(Refusal::incomplete(format!("Unsupported AWS 'algorithm': '{shown}'.")));
    };
    let (mut credential, mut names, mut signature) = (None, None, None);
    for field in fields.split(',').map(str::trim) {
        let slot = match field.split_once('=') {
            Some(("Credential", value)) => (&mut credential, value),
            Some(("SignedHeaders", value)) => (&mut names, value),
            Some(("Signature", value)) => (&mut signature, value),
            Some(_) | None => return Err(Refusal::incomplete("Authorization header has a part that is not known.")),
        };
        if slot.0.replace(slot.1).is_some() {
            return Err(Refusal::incomplete("Authorization header has a part twice."));
        }
    }
    let required = |part: Option<&'_ str>, name: &str| {
        let missing = || Refusal::incomplete(format!("Authorization header requires '{name}' parameter."));
        part.filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(missing)
    };
    let credential = required(credential, "Credential")?;
    let signature = unhex(&required(signature, "Signature")?).ok_or_else(Refusal::mismatch)?;
    let names = checked_names(signed, &required(names, "SignedHeaders")?)?;
    let date = one(signed, "x-amz-date").unwrap_or_default();
    let (key, day) = scoped(&credential, scope)?;
    if !date.starts_with(&day) {
        return Err(Refusal::invalid(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{}'.",
            date.get(..8).unwrap_or_default()
        )));
    }
    Ok(Claimed { key, day, date: date.to_owned(), names, signature })
}

/// `KEY/YYYYMMDD/REGION/SERVICE/aws4_request`
fn scoped(credential: &str, scope: Scope<'_>) -> Result<(String, String), Refusal> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [key, day, region, service, end] = parts.as_slice() else {
        return Err(Refusal::incomplete("Credential must have exactly 5 slash-delimited elements."));
    };
    if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::incomplete("Credential has no date in its scope."));
    }
    let problem = if *region != scope.region {
        "Credential should be scoped to a valid region.".to_owned()
    } else if *service != scope.service {
        format!("Credential should be scoped to correct service: '{}'.", scope.service)
    } else if *end != "aws4_request" {
        "Credential should be scoped with a valid terminator: 'aws4_request'.".to_owned()
    } else {
        return Ok(((*key).to_owned(), (*day).to_owned()));
    };
    Err(Refusal::invalid(problem))
}

/// The signed headers: sorted, each there, and none left out that says something.
fn checked_names(signed: &Signed<'_>, list: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = list.split(';').map(str::to_owned).collect();
    if !names.is_sorted() || names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err(Refusal::incomplete("'SignedHeaders' has to be sorted, and each header once."));
    }
    let is_there = |name: &String| signed.headers.iter().any(|(known, _)| known == name);
    if !names.iter().all(is_there) {
        return Err(Refusal::mismatch());
    }
    let is_signed = |name: &str| names.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(Refusal::invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    if !is_signed("x-amz-date") {
        // AWS: unverified wording.
        return Err(Refusal::incomplete("Authorization header requires existence of a signed 'X-Amz-Date' header."));
    }
    match signed.headers.iter().find(|(name, _)| is_aws(name) && !is_signed(name)) {
        None => Ok(names),
        // AWS: unverified wording: S3 says so.
        Some((name, _)) => {
            Err(Refusal::invalid(format!("There were headers present in the request which were not signed: {name}")))
        }
    }
}

fn check_date(date: &str, now: i64) -> Result<(), Refusal> {
    let Some(signed_at) = seconds(date) else {
        return Err(Refusal::incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{date}'.")));
    };
    let (earliest, latest) = (now.saturating_sub(SKEW), now.saturating_add(SKEW));
    if signed_at < earliest {
        let text = format!("{date} is now earlier than {} ({} - 5 min.)", basic(earliest), basic(now));
        return Err(Refusal::invalid(format!("Signature expired: {text}")));
    }
    if signed_at > latest {
        let text = format!("{date} is still later than {} ({} + 5 min.)", basic(latest), basic(now));
        return Err(Refusal::invalid(format!("Signature not yet current: {text}")));
    }
    Ok(())
}

/// Seconds since 1970 of `YYYYMMDDTHHMMSSZ`.
fn seconds(date: &str) -> Option<i64> {
    let number = |from: usize, length: usize| -> Option<i64> {
        let digits = date.get(from..from + length)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let shape = date.len() == 16 && date.get(8..9) == Some("T") && date.ends_with('Z');
    let (year, month, day) = (number(0, 4)?, number(4, 2)?, number(6, 2)?);
    let (hour, minute, second) = (number(9, 2)?, number(11, 2)?, number(13, 2)?);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    (shape && fits).then(|| days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a civil date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The text of a time, as AWS shows it in refusals.
fn basic(seconds: i64) -> String {
    let (day_number, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = day_number + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 64 || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}
