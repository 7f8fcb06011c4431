//! The partition and region of an installation, and AWS's domain there.
//!
//! Partitions are AWS's separate worlds. Their domains are data of AWS's public endpoint lists; a partition that is not
//! in the table is taken to have the domain of the first.

/// The partition, region and account whose resources a workflow names without saying where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// `aws`, `aws-cn`, `aws-us-gov`, …: the second part of every ARN.
    pub partition: String,
    pub region: String,
    pub account: String,
}

const DNS_SUFFIXES: [(&str, &str); 8] = [
    ("aws", "amazonaws.com"),
    ("aws-cn", "amazonaws.com.cn"),
    ("aws-us-gov", "amazonaws.com"),
    ("aws-iso", "c2s.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov"),
    ("aws-iso-e", "cloud.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov"),
    ("aws-eusc", "amazonaws.eu"),
];

/// The domain of the endpoints of `partition`.
pub(crate) fn dns_suffix(partition: &str) -> &'static str {
    DNS_SUFFIXES.iter().find_map(|(name, suffix)| (*name == partition).then_some(*suffix)).unwrap_or("amazonaws.com")
}

/// True for the domain of a partition.
pub(crate) fn is_dns_suffix(domain: &str) -> bool {
    DNS_SUFFIXES.iter().any(|(_, suffix)| *suffix == domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_own_domain() {
        let cases = [
            ("aws", "amazonaws.com"),
            ("aws-cn", "amazonaws.com.cn"),
            ("aws-us-gov", "amazonaws.com"),
            ("aws-eusc", "amazonaws.eu"),
            ("aws-unheard-of", "amazonaws.com"),
        ];
        for (partition, suffix) in cases {
            assert_eq!(dns_suffix(partition), suffix, "{partition}");
        }
    }
}
