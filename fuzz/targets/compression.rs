//! libFuzzer's door to the target of this name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rulegate_fuzz::compression::run(data));
