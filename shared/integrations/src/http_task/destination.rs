//! Which URLs a task may call: HTTPS with a public name, and beside it what the configuration names.

use std::net::IpAddr;

use http::Uri;

use crate::caller::percent_encoded;

/// The URL, if a task may call it; or why not.
// AWS: unverified wording.
pub(super) fn checked(url: &str, reachable: &[String]) -> Result<String, String> {
    let invalid = || "The value of the field 'ApiEndpoint' has an invalid format".to_owned();
    let parsed: Uri = url.parse().map_err(|_| invalid())?;
    let (scheme, authority) = (parsed.scheme_str(), parsed.authority().ok_or_else(invalid)?);
    let host = authority.host();
    if authority.as_str().contains('@') || host.is_empty() {
        return Err(invalid());
    }
    // With its port, or whatever its port.
    let is_named = reachable.iter().any(|named| named == authority.as_str() || named == host);
    match scheme {
        Some("http" | "https") if is_named => Ok(url.to_owned()),
        Some("https") if !is_private(host) => Ok(url.to_owned()),
        Some("https") => Err(format!("The host '{host}' is not reached: it is none of the public network")),
        Some(_) | None => Err(invalid()),
    }
}

/// True for names and addresses that are not of the public network.
fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(v4) => is_private_v4(v4),
            IpAddr::V6(v6) => {
                let unique = v6.segments().first().is_some_and(|first| first & 0xfe00 == 0xfc00);
                let link = v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfe80);
                v6.is_loopback() || v6.is_unspecified() || unique || link || v6.to_ipv4().is_some_and(is_private_v4)
            }
        };
    }
    let lower = bare.to_ascii_lowercase();
    // A number alone, or one in hexadecimal, is an address to some resolvers.
    let is_number =
        lower.split('.').all(|part| part.starts_with("0x") || part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number
        || !lower.contains('.')
        || lower == "localhost"
        || lower.ends_with(".localhost")
        || lower.ends_with(".internal")
}

fn is_private_v4(address: std::net::Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || first == 0
        || (first == 100 && (64..128).contains(&second))
}

/// The URL with more parameters behind those that it has. AWS: a blank is `%20`.
pub(super) fn with_query(url: &str, query: &[(String, String)]) -> String {
    let written = query.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)));
    let written = written.collect::<Vec<_>>().join("&");
    let url = url.split('#').next().unwrap_or_default();
    match (written.is_empty(), url.contains('?')) {
        (true, _) => url.to_owned(),
        (false, true) => format!("{url}&{written}"),
        (false, false) => format!("{url}?{written}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_calls_https_on_the_public_network_and_what_is_named() {
        let named = ["127.0.0.1:9000".to_owned(), "build.local".to_owned()];
        let cases = [
            ("https://api.example.com/v1?a=b", true),
            ("https://203.0.113.7/", true),
            ("http://api.example.com/", false),
            ("ftp://api.example.com/", false),
            ("https://user:secret@api.example.com/", false),
            ("https://127.0.0.1/", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("https://10.0.0.1/", false),
            ("https://[::1]/", false),
            ("https://[::ffff:127.0.0.1]/", false),
            ("https://[fd00::1]/", false),
            ("https://2130706433/", false),
            ("https://0x7f.1/", false),
            ("https://localhost/", false),
            ("https://LOCALHOST./", false),
            ("https://metadata.google.internal/", false),
            ("http://127.0.0.1:9000/path", true),
            ("http://127.0.0.1:9001/path", false),
            ("http://build.local:81/", true),
            ("api.example.com", false),
            ("", false),
        ];
        for (url, allowed) in cases {
            assert_eq!(checked(url, &named).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn parameters_come_behind_those_of_the_url() {
        let pairs = [("a b".to_owned(), "c+d".to_owned()), ("e".to_owned(), String::new())];
        assert_eq!(with_query("https://h/p", &pairs), "https://h/p?a%20b=c%2Bd&e=");
        assert_eq!(with_query("https://h/p?x=y#part", &pairs), "https://h/p?x=y&a%20b=c%2Bd&e=");
        assert_eq!(with_query("https://h/p", &[]), "https://h/p");
    }
}
