//! Any text as a definition: diagnostics, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for machine_type in [asl::MachineType::Standard, asl::MachineType::Express] {
        let parsed = asl::parse(text, machine_type);
        assert_eq!(parsed.machine.is_none(), asl::invalid_definition_message(&parsed.diagnostics).is_some());
    }
});
