//! Where a service is at AWS, from the table: the host, and the region and name that requests are signed for.

use super::model::Model;
use super::table::Table;

/// Which of a service's endpoints is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    pub fips: bool,
    pub dual_stack: bool,
}

/// The place of a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub host: String,
    pub signing_region: String,
    pub signing_name: String,
}

impl Variant {
    /// `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`, as the SDKs read them.
    pub(crate) fn from_environment() -> Self {
        let is_on = |name: &str| std::env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        Self { fips: is_on("AWS_USE_FIPS_ENDPOINT"), dual_stack: is_on("AWS_USE_DUALSTACK_ENDPOINT") }
    }

    fn number(self) -> u8 {
        u8::from(self.fips) | u8::from(self.dual_stack) << 1
    }
}

/// The place of a service in a region; `None` where AWS does not have it there.
pub(crate) fn place(table: &Table, model: &Model, region: &str, variant: Variant) -> Option<Place> {
    let partition = table.partition_of(region)?;
    let suffix = if variant.dual_stack { partition.dual_stack_suffix } else { partition.dns_suffix };
    let usual = format!("{}{}.{{r}}.{{s}}", model.endpoint_prefix, if variant.fips { "-fips" } else { "" });
    let template = model.place(partition.id, region, variant.number()).unwrap_or(&usual);
    let mut parts = template.split('|');
    let host = parts.next().filter(|host| !host.is_empty())?;
    let mut or = |usual: &str| parts.next().filter(|own| !own.is_empty()).unwrap_or(usual).to_owned();
    Some(Place {
        host: host.replace("{r}", region).replace("{s}", suffix),
        signing_region: or(region),
        signing_name: or(&model.signing_name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_where_the_table_says() {
        let plain = Variant::default();
        let fips = Variant { fips: true, ..plain };
        let dual = Variant { dual_stack: true, ..plain };
        let cases = [
            ("sqs", "eu-west-1", plain, "sqs.eu-west-1.amazonaws.com eu-west-1 sqs"),
            ("sqs", "cn-north-1", plain, "sqs.cn-north-1.amazonaws.com.cn cn-north-1 sqs"),
            ("sqs", "eu-nowhere-7", plain, "sqs.eu-nowhere-7.amazonaws.com eu-nowhere-7 sqs"),
            ("sqs", "us-east-1", fips, "sqs-fips.us-east-1.amazonaws.com us-east-1 sqs"),
            ("sqs", "us-east-1", dual, "sqs.us-east-1.api.aws us-east-1 sqs"),
            ("iam", "eu-west-1", plain, "iam.amazonaws.com us-east-1 iam"),
            ("s3", "eu-west-1", dual, "s3.dualstack.eu-west-1.amazonaws.com eu-west-1 s3"),
            ("sfn", "eu-west-1", plain, "states.eu-west-1.amazonaws.com eu-west-1 states"),
            ("eventbridge", "us-gov-west-1", plain, "events.us-gov-west-1.amazonaws.com us-gov-west-1 events"),
            ("bedrockruntime", "us-east-1", plain, "bedrock-runtime.us-east-1.amazonaws.com us-east-1 bedrock"),
        ];
        for (service, region, variant, expected) in cases {
            let model = Table::get().service(service).unwrap();
            let Place { host, signing_region, signing_name } = place(Table::get(), &model, region, variant).unwrap();
            assert_eq!(format!("{host} {signing_region} {signing_name}"), expected, "{service} {region}");
        }
    }
}
