//! The fields of a distributed Map: where its items come from, how they are batched, where results go.
//!
//! They are checked as AWS checks them; then the Map is refused, because Stepwell cannot run it yet. A test of the state
//! alone reads its items and batches, and answers it with a mock.

use expressions::jsonata::Sees;

use crate::about::About;
use crate::cursor::Object;
use crate::diagnostics::Findings;
use crate::fields::{self, Field, In};
use crate::reading::{ParseContext, Purpose, limit};
use crate::{Distribution, ItemBatcher, ItemFormat, ItemReader, MachineType, QueryLanguage, Template, resource};

const READER: &[Field] = &[
    ("Resource", In::Both),
    ("Parameters", In::JsonPath),
    ("Arguments", In::Jsonata),
    ("ReaderConfig", In::Both),
    ("Comment", In::Both),
];
const READER_CONFIG: &[Field] = &[
    ("InputType", In::Both),
    ("ManifestType", In::Both),
    ("Transformation", In::Both),
    ("CSVHeaderLocation", In::Both),
    ("CSVHeaders", In::Both),
    ("CSVDelimiter", In::Both),
    ("ItemsPointer", In::Both),
    ("MaxItems", In::Both),
    ("MaxItemsPath", In::JsonPath),
    ("Comment", In::Both),
];
const BATCHER: &[Field] = &[
    ("MaxItemsPerBatch", In::Both),
    ("MaxItemsPerBatchPath", In::JsonPath),
    ("MaxInputBytesPerBatch", In::Both),
    ("MaxInputBytesPerBatchPath", In::JsonPath),
    ("BatchInput", In::Both),
    ("Comment", In::Both),
];
const WRITER: &[Field] = &[
    ("Resource", In::Both),
    ("Parameters", In::JsonPath),
    ("Arguments", In::Jsonata),
    ("WriterConfig", In::Both),
    ("Comment", In::Both),
];
const WRITER_CONFIG: &[Field] = &[("Transformation", In::Both), ("OutputType", In::Both), ("Comment", In::Both)];
const PROCESSOR_CONFIG: &[Field] = &[("Mode", In::Both), ("ExecutionType", In::Both), ("Comment", In::Both)];

const MOST_ITEMS: u64 = 100_000_000;
const MOST_BATCH_BYTES: u64 = 262_144;

/// Whether a Map has a field that only a distributed one can do with.
pub(crate) fn has_fields(map: &Object<'_, '_>) -> bool {
    ["ItemReader", "ItemBatcher", "ResultWriter"].iter().any(|key| map.has(key))
}

/// Reads the processor's mode and the fields of a distributed Map.
// AWS: an inline Map may have them, and fails when it runs (from public reports).
pub(crate) fn read(map: &Object<'_, '_>, context: &mut ParseContext<'_>) -> Distribution {
    let is_distributed = read_mode(map, context);
    let findings = &mut context.findings;
    let (reader, batcher) = (read_reader(map, findings), read_batcher(map, findings));
    check_writer(map, findings);
    Distribution { is_distributed, reader, batcher, has_writer: map.has("ResultWriter") }
}

/// True for a Map in DISTRIBUTED mode.
fn read_mode(map: &Object<'_, '_>, context: &mut ParseContext<'_>) -> bool {
    let findings = &mut context.findings;
    let Some(processor) = map.get("ItemProcessor").or_else(|| map.get("Iterator")) else { return false };
    let Some(fields) = processor.value.as_object() else { return false };
    let processor = Object { map: fields, at: processor.at, language: map.language };
    let Some(node) = processor.get("ProcessorConfig") else { return false };
    let Some(config) = node.object(findings) else { return false };
    fields::check(&config, &[PROCESSOR_CONFIG], findings);
    let mode = config.get("Mode").and_then(|mode| mode.word(&["INLINE", "DISTRIBUTED"], findings));
    if mode == Some("DISTRIBUTED") {
        check_distributed(map, &config, context);
        return true;
    }
    if config.has("ExecutionType") {
        let help = "an INLINE Map runs its states in the execution itself".to_owned();
        findings.schema_with_help(config.at, About::unsupported("ExecutionType", None), Some(help));
    }
    false
}

fn check_distributed(map: &Object<'_, '_>, config: &Object<'_, '_>, context: &mut ParseContext<'_>) {
    let findings = &mut context.findings;
    config.require(&["ExecutionType"], findings);
    if let Some(execution_type) = config.get("ExecutionType") {
        execution_type.word(&["STANDARD", "EXPRESS"], findings);
    }
    if let Some(mode) = config.get("Mode") {
        if context.machine_type == MachineType::Express {
            let message = "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines";
            findings.schema(mode.at, message);
        }
        let message = "Distributed Map is not available in this version of Stepwell yet";
        // An INLINE Map fails when it runs if it has a field of a distributed one.
        let help = (!has_fields(map)).then_some("use an INLINE Map");
        match context.purpose {
            Purpose::Creation | Purpose::Execution => findings.unavailable(mode.at, message, help),
            Purpose::Test => {}
        }
    }
}

fn read_reader(map: &Object<'_, '_>, findings: &mut Findings) -> Option<ItemReader> {
    let reader = map.get("ItemReader")?.object(findings)?;
    reader.require(&["Resource"], findings);
    fields::check(&reader, &[READER], findings);
    check_resource(&reader, &["s3:getObject", "s3:listObjectsV2"], findings);
    let mut read = ItemReader { arguments: payload(&reader, findings), ..ItemReader::default() };
    let Some(node) = reader.get("ReaderConfig") else { return Some(read) };
    let config = node.object(findings)?;
    fields::check(&config, &[READER_CONFIG], findings);
    let input = word(&config, "InputType", &["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"], findings);
    word(&config, "ManifestType", &["ATHENA_DATA", "S3_INVENTORY"], findings);
    word(&config, "Transformation", &["NONE", "LOAD_AND_FLATTEN"], findings);
    let delimiter = word(&config, "CSVDelimiter", &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"], findings);
    read.items_pointer = config.text("ItemsPointer", findings).map(str::to_owned);
    let headers = read_csv_headers(&config, input, findings);
    read.max_items = limit(&config, "MaxItems", "MaxItemsPath", Some(MOST_ITEMS), findings);
    read.format = match input {
        Some("CSV") => ItemFormat::Csv { delimiter: separator(delimiter), headers },
        Some("JSONL") => ItemFormat::JsonLines,
        Some("PARQUET") => ItemFormat::Parquet,
        Some("MANIFEST") => ItemFormat::Manifest,
        Some(_) | None => ItemFormat::Json,
    };
    Some(read)
}

fn separator(delimiter: Option<&str>) -> char {
    match delimiter {
        Some("PIPE") => '|',
        Some("SEMICOLON") => ';',
        Some("SPACE") => ' ',
        Some("TAB") => '\t',
        Some(_) | None => ',',
    }
}

/// The headers that the definition gives; `None` where the first row has them.
fn read_csv_headers(config: &Object<'_, '_>, input: Option<&str>, findings: &mut Findings) -> Option<Vec<String>> {
    let headers = word(config, "CSVHeaderLocation", &["FIRST_ROW", "GIVEN"], findings);
    match input {
        Some("CSV") if !config.has("CSVHeaderLocation") => {
            findings.schema(config.at, "The field 'CSVHeaderLocation' is required");
        }
        Some("JSON") if config.has("CSVHeaderLocation") => {
            findings.schema(config.at, About::unsupported("CSVHeaderLocation", None));
        }
        Some(_) | None => {}
    }
    if headers == Some("GIVEN") {
        config.require(&["CSVHeaders"], findings);
    }
    let node = config.get("CSVHeaders")?;
    let mut names = Vec::new();
    for (index, value) in node.list(findings).unwrap_or_default().iter().enumerate() {
        names.extend(node.item(index, value).text(findings).map(str::to_owned));
    }
    (headers == Some("GIVEN")).then_some(names)
}

fn read_batcher(map: &Object<'_, '_>, findings: &mut Findings) -> Option<ItemBatcher> {
    let batcher = map.get("ItemBatcher")?.object(findings)?;
    fields::check(&batcher, &[BATCHER], findings);
    Some(ItemBatcher {
        max_items: limit(&batcher, "MaxItemsPerBatch", "MaxItemsPerBatchPath", None, findings),
        max_bytes: limit(
            &batcher,
            "MaxInputBytesPerBatch",
            "MaxInputBytesPerBatchPath",
            Some(MOST_BATCH_BYTES),
            findings,
        ),
        input: batcher.get("BatchInput").and_then(|input| input.template(Sees::Input, findings)),
    })
}

fn check_writer(map: &Object<'_, '_>, findings: &mut Findings) {
    let Some(node) = map.get("ResultWriter") else { return };
    let Some(writer) = node.object(findings) else { return };
    if writer.map.is_empty() {
        // AWS: unverified wording
        findings.schema(writer.at, "Value cannot be empty");
    }
    fields::check(&writer, &[WRITER], findings);
    check_resource(&writer, &["s3:putObject"], findings);
    payload(&writer, findings);
    let Some(node) = writer.get("WriterConfig") else { return };
    let Some(config) = node.object(findings) else { return };
    fields::check(&config, &[WRITER_CONFIG], findings);
    word(&config, "Transformation", &["NONE", "COMPACT", "FLATTEN"], findings);
    word(&config, "OutputType", &["JSON", "JSONL"], findings);
}

fn check_resource(object: &Object<'_, '_>, calls: &[&str], findings: &mut Findings) {
    let Some(node) = object.get("Resource") else { return };
    let Some(text) = node.text(findings) else { return };
    let call = text.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::"));
    if !call.is_some_and(|(partition, call)| resource::is_partition(partition) && calls.contains(&call)) {
        let help = format!("it may be {}", calls.join(" or "));
        findings.schema_with_help(node.at, "The field 'Resource' does not match any of the allowed values", Some(help));
    }
}

/// `Parameters` or `Arguments`.
fn payload(object: &Object<'_, '_>, findings: &mut Findings) -> Option<Template> {
    let key = match object.language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::Jsonata => "Arguments",
    };
    object.get(key).and_then(|node| node.template(Sees::Input, findings))
}

/// A word of an enumeration, which in JSONata may be an expression.
fn word(object: &Object<'_, '_>, key: &str, words: &[&'static str], findings: &mut Findings) -> Option<&'static str> {
    let node = object.get(key)?;
    if node.means_expression() {
        node.expression(Sees::Input, findings);
        return None;
    }
    node.word(words, findings)
}
