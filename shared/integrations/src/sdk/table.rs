//! The table of AWS's services: the file `table/services.bin`, which `table/generate.py` derives from botocore's models and
//! describes.
//!
//! The file is part of the program. Its index is read when a task first calls through the SDK, a service's block when the
//! service is first called; both are kept. Every length is checked: a damaged table has no services, and calls fail.

use std::sync::{Arc, OnceLock};

use super::model::Model;

const FILE: &[u8] = include_bytes!("../../table/services.bin");
const MAGIC: &[u8] = b"stepwell services 1\n";
/// Bytes of the largest block, unpacked; those of EC2 are 200 KB.
const LARGEST: usize = 4 << 20;

/// All services.
pub(crate) struct Table {
    partitions: Vec<Partition>,
    services: Vec<Entry>,
}

/// One of AWS's separate worlds.
#[derive(Debug)]
pub(crate) struct Partition {
    /// `aws-cn`: the second part of every ARN.
    pub id: &'static str,
    pub dns_suffix: &'static str,
    pub dual_stack_suffix: &'static str,
    /// The letters that the names of its regions begin with.
    beginning: &'static str,
}

struct Entry {
    /// As resources name it behind `aws-sdk:`.
    name: &'static str,
    client: &'static str,
    packed: &'static [u8],
    unpacked: usize,
    model: OnceLock<Option<Arc<Model>>>,
}

impl Table {
    /// The table of this program.
    pub(crate) fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::read(FILE).unwrap_or(Self { partitions: Vec::new(), services: Vec::new() }))
    }

    fn read(file: &'static [u8]) -> Option<Self> {
        let mut reader = Reader(file.strip_prefix(MAGIC)?);
        let mut partitions = Vec::new();
        for _ in 0..reader.number()? {
            let (id, dns_suffix) = (reader.text()?, reader.text()?);
            let (dual_stack_suffix, beginning) = (reader.text()?, reader.text()?);
            partitions.push(Partition { id, dns_suffix, dual_stack_suffix, beginning });
        }
        let mut rows = Vec::new();
        for _ in 0..reader.number()? {
            let (name, client) = (reader.text()?, reader.text()?);
            rows.push((name, client, reader.number()?, reader.number()?, reader.number()?));
        }
        let blocks = reader.0;
        let entry = |(name, client, start, length, unpacked): (_, _, usize, usize, usize)| {
            let packed = blocks.get(start..start.checked_add(length)?)?;
            Some(Entry { name, client, packed, unpacked, model: OnceLock::new() })
        };
        Some(Self { partitions, services: rows.into_iter().map(entry).collect::<Option<_>>()? })
    }

    /// The service that resources call `name` behind `aws-sdk:`; `None` where there is none, or the table is damaged.
    pub(crate) fn service(&self, name: &str) -> Option<Arc<Model>> {
        let place = self.services.binary_search_by(|entry| entry.name.cmp(name)).ok()?;
        let entry = self.services.get(place)?;
        entry.model.get_or_init(|| entry.read().map(Arc::new)).clone()
    }

    /// The partition that a region belongs to, known or not.
    pub(crate) fn partition_of(&self, region: &str) -> Option<&Partition> {
        let belongs = self.partitions.iter().filter(|partition| region.starts_with(partition.beginning));
        belongs.max_by_key(|partition| partition.beginning.len())
    }

    /// The names of all services, as resources have them.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.services.iter().map(|entry| entry.name)
    }
}

impl Entry {
    fn read(&self) -> Option<Model> {
        let size = self.unpacked.min(LARGEST);
        let block = lz4_flex::block::decompress(self.packed, size).ok()?;
        Model::read(self.client, &block)
    }
}

/// Reads numbers (LEB128) and texts from the front of bytes.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= usize::from(first & 127) << shift;
            if first & 128 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A text behind its length.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        self.letters(length)
    }

    /// A text of so many bytes.
    pub(super) fn letters(&mut self, length: usize) -> Option<&'a str> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    /// How many things follow: never more than there are bytes.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.number().filter(|count| *count <= self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_table_can_be_read() {
        let table = Table::get();
        let (mut services, mut operations) = (0, 0);
        for name in table.names() {
            let model = table.service(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(model.client.to_ascii_lowercase(), name);
            for action in model.actions() {
                assert!(model.operation(&action).is_some(), "{name}:{action}");
                operations += 1;
            }
            services += 1;
        }
        assert!(services > 400 && operations > 19_000, "{services} {operations}");
    }

    #[test]
    fn a_region_belongs_to_its_partition_known_or_not() {
        let cases = [
            ("eu-west-1", "aws"),
            ("eu-nowhere-7", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ];
        for (region, partition) in cases {
            assert_eq!(Table::get().partition_of(region).map(|found| found.id), Some(partition), "{region}");
        }
    }

    #[test]
    fn a_damaged_table_is_no_danger() {
        let whole = Table::read(FILE).unwrap();
        let entry = whole.services.iter().find(|entry| entry.name == "sqs").unwrap();
        let block = lz4_flex::block::decompress(entry.packed, entry.unpacked).unwrap();
        for length in 0..block.len() {
            let _model = Model::read("Sqs", &block[..length]);
        }
        for place in 0..block.len() {
            let mut damaged = block.clone();
            damaged[place] ^= 0xff;
            let _model = Model::read("Sqs", &damaged);
        }
        assert!(Table::read(&FILE[..MAGIC.len() + 9_000]).is_none());
        assert!(Table::read(b"something else").is_none());
    }
}
